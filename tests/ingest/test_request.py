"""The same request is known again, by this release and by later ones."""

from pathlib import Path

from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Request, request_fingerprint

SAID = {"title": "A brain", "species": "mouse", "licence": "CC0-1.0", "keywords": ("a", "b")}
# as release 0.1.0 computed it
FIRST = "82534d51e48a50241f5aa2edb864d9b77f11c462232fb1a248a32e1f6b85f919"


def fingerprint(**answers) -> str:
    return request_fingerprint(Request(Path("a"), answers=RecordAnswers(**SAID, **answers)), "s")


def test_what_the_first_release_has_brought_in_is_known_again():
    assert fingerprint() == FIRST


def test_every_answer_counts_and_so_does_a_record_file():
    asked = [
        {},
        {"date": "2025"},
        {"doi": "10.1234/x"},
        {"related": ("10.1234/x",)},
        {"funding": ("A Trust",)},
        {"ethics": "Committee 7"},
        {"record": {"title": "a"}},
        {"record": {"title": "b"}},
    ]
    assert len({fingerprint(**answers) for answers in asked}) == len(asked)
