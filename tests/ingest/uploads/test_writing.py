"""What is acknowledged is durable, at its place, and counted once, in whatever order and pieces it comes."""

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulvinar.errors import Conflict, NotFound, TooLarge
from pulvinar.ingest.uploads import writing
from pulvinar.ingest.uploads.landing import Landing
from pulvinar.ingest.uploads.parts import acknowledge, end_part, get_part, join_parts, list_digests, open_part
from pulvinar.ingest.uploads.submissions import (
    add_files,
    create_submission,
    finish,
    get_submission,
    list_files,
    remove_submission,
)
from pulvinar.ingest.uploads.work import sweep_expired
from pulvinar.ingest.uploads.writing import ChecksumMismatch, Locked, PartWriter
from pulvinar.model.access import LOCAL_OWNER

DATA = bytes(range(256)) * 40


@pytest.fixture
def landing(database, tmp_path) -> Landing:
    return Landing(database, tmp_path / "landing")


def put(landing: Landing, part_id: str, data: bytes, sha256: str = "") -> int:
    part = get_part(landing, LOCAL_OWNER, part_id)
    with PartWriter(landing, LOCAL_OWNER, part, part.received, sha256) as writer:
        writer.write([data])
        return writer.keep()


@given(data=st.data())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cut_into_parts_and_pieces_gives_the_file(landing, data):
    ends = [*sorted(data.draw(st.sets(st.integers(1, len(DATA) - 1), max_size=3))), len(DATA)]
    ranges = list(zip([0, *ends], ends, strict=False))
    made = create_submission(landing, LOCAL_OWNER, "any")
    add_files(landing, LOCAL_OWNER, made.id, [("脑.bin", len(DATA))])
    parts = {
        first: open_part(landing, LOCAL_OWNER, made.id, "脑.bin", stop - first, first=first).id
        for first, stop in ranges
    }
    for first, stop in data.draw(st.permutations(ranges)):
        at = first
        while at < stop:
            size = data.draw(st.integers(max(1, (stop - at) // 3), stop - at))
            piece = DATA[at : at + size]
            checked = data.draw(st.booleans())
            put(landing, parts[first], piece, hashlib.sha256(piece).hexdigest() if checked else "")
            at += size
    join_parts(landing, LOCAL_OWNER, [parts[first] for first in sorted(parts)])
    assert (landing.files(made.id) / "脑.bin").read_bytes() == DATA
    assert get_submission(landing.database, LOCAL_OWNER, made.id).received_bytes == len(DATA)
    assert finish(landing, LOCAL_OWNER, made.id).state == "looking"
    for piece in list_digests(landing, LOCAL_OWNER, made.id):
        assert piece.sha256 == hashlib.sha256(DATA[piece.first : piece.first + piece.size_bytes]).hexdigest()


def opened(landing: Landing, size: int = len(DATA)) -> str:
    made = create_submission(landing, LOCAL_OWNER, "one")
    return open_part(landing, LOCAL_OWNER, made.id, "a.bin", size).id


def test_what_was_written_and_not_kept_does_not_count(landing):
    part_id = opened(landing)
    part = get_part(landing, LOCAL_OWNER, part_id)
    with PartWriter(landing, LOCAL_OWNER, part, 0) as writer:
        writer.write([DATA[:1000]])
    # the file has its full length from the start: no length says how much of it came
    assert (landing.files(part.submission_id) / "a.bin").stat().st_size == len(DATA)
    assert get_part(landing, LOCAL_OWNER, part_id).received == 0


def test_a_body_without_a_checksum_is_counted_as_it_comes(landing, monkeypatch):
    monkeypatch.setattr(writing, "CHECKPOINT_BYTES", 1000)
    part_id = opened(landing)
    with PartWriter(landing, LOCAL_OWNER, get_part(landing, LOCAL_OWNER, part_id), 0) as writer:
        writer.write([DATA[:700]])
        assert get_part(landing, LOCAL_OWNER, part_id).received == 0
        writer.write([DATA[700:1400]])
        assert get_part(landing, LOCAL_OWNER, part_id).received == 1400


def test_half_of_a_body_with_a_checksum_counts_for_nothing(landing):
    part_id = opened(landing)
    digest = hashlib.sha256(DATA).hexdigest()
    with PartWriter(landing, LOCAL_OWNER, get_part(landing, LOCAL_OWNER, part_id), 0, digest) as writer:
        writer.write([DATA[:5000]])
        assert writer.keep(whole=False) == 0
    with (
        PartWriter(landing, LOCAL_OWNER, get_part(landing, LOCAL_OWNER, part_id), 0, digest) as writer,
        pytest.raises(ChecksumMismatch),
    ):
        writer.write([DATA[:-1] + b"?"])
        writer.keep()
    assert get_part(landing, LOCAL_OWNER, part_id).received == 0


def test_one_range_has_one_writer(landing):
    part = get_part(landing, LOCAL_OWNER, opened(landing))
    with PartWriter(landing, LOCAL_OWNER, part, 0) as writer:
        with pytest.raises(Locked):
            PartWriter(landing, LOCAL_OWNER, part, 0)
        writer.write([DATA])
        writer.keep()
    with pytest.raises(Conflict):
        PartWriter(landing, LOCAL_OWNER, part, 0)
    with pytest.raises(Conflict):
        acknowledge(landing, part, 0, 5)


def test_more_than_fits_is_refused(landing):
    part = get_part(landing, LOCAL_OWNER, opened(landing, 10))
    with PartWriter(landing, LOCAL_OWNER, part, 0) as writer, pytest.raises(TooLarge):
        writer.write([b"x" * 11])


def test_parts_that_overlap_are_refused_and_an_ended_one_makes_room(landing):
    made = create_submission(landing, LOCAL_OWNER, "parts")
    add_files(landing, LOCAL_OWNER, made.id, [("a.bin", 100)])
    first = open_part(landing, LOCAL_OWNER, made.id, "a.bin", 60, first=0)
    assert open_part(landing, LOCAL_OWNER, made.id, "a.bin", 60, first=0).id == first.id
    with pytest.raises(Conflict):
        open_part(landing, LOCAL_OWNER, made.id, "a.bin", 60, first=40)
    with pytest.raises(Conflict):
        open_part(landing, LOCAL_OWNER, made.id, "a.bin", 60, first=60)
    put(landing, first.id, b"x" * 60)
    end_part(landing, LOCAL_OWNER, first.id)
    open_part(landing, LOCAL_OWNER, made.id, "a.bin", 60, first=40)
    assert get_submission(landing.database, LOCAL_OWNER, made.id).received_bytes == 0


def test_what_is_not_whole_is_not_finished(landing):
    made = create_submission(landing, LOCAL_OWNER, "x")
    with pytest.raises(Conflict, match="no file"):
        finish(landing, LOCAL_OWNER, made.id)
    add_files(landing, LOCAL_OWNER, made.id, [("a", 3), ("b", 3)])
    put(landing, open_part(landing, LOCAL_OWNER, made.id, "a", 3).id, b"abc")
    with pytest.raises(Conflict, match="1 of its files"):
        finish(landing, LOCAL_OWNER, made.id)
    put(landing, open_part(landing, LOCAL_OWNER, made.id, "b", 3).id, b"abc")
    finish(landing, LOCAL_OWNER, made.id)
    with pytest.raises(Conflict):
        add_files(landing, LOCAL_OWNER, made.id, [("c", 3)])


def test_many_files_are_announced_and_listed_in_pages(landing):
    made = create_submission(landing, LOCAL_OWNER, "many")
    names = [f"stack/plane{number:05d}.tif" for number in range(2500)]
    add_files(landing, LOCAL_OWNER, made.id, [(name, 1) for name in names])
    found, after = [], ""
    while page := list_files(landing.database, LOCAL_OWNER, made.id, after=after):
        found += [one.path for one in page]
        after = page[-1].id
    assert sorted(found) == names


def test_what_nobody_goes_on_with_is_swept(database, tmp_path):
    landing = Landing(database, tmp_path / "landing", keep_s=-1)
    part_id = opened(landing)
    put(landing, part_id, DATA)
    place = landing.place(get_part(landing, LOCAL_OWNER, part_id).submission_id)
    assert place.is_dir()
    assert sweep_expired(landing) == 1
    assert not place.exists()
    with pytest.raises(NotFound):
        get_part(landing, LOCAL_OWNER, part_id)


def test_a_removed_submission_leaves_nothing(landing):
    part_id = opened(landing)
    made = get_part(landing, LOCAL_OWNER, part_id).submission_id
    put(landing, part_id, DATA)
    remove_submission(landing, LOCAL_OWNER, made)
    assert not landing.place(made).exists()
    with pytest.raises(NotFound):
        get_submission(landing.database, LOCAL_OWNER, made)
