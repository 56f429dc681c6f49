"""Codes of use: each has a rule, and what it says of statements that meet it, don't, or might."""

import pytest

from pulvinar.model.use_codes import USE_CODES
from pulvinar.model.use_matching import QUESTIONS, Verdict, match, questions_for

MET, NOT, JUDGE = Verdict.MET, Verdict.NOT_MET, Verdict.JUDGE


@pytest.mark.parametrize(
    ("code", "detail", "stated", "verdict"),
    [
        ("NRES", "", {}, MET),
        ("GRU", "", {"use": "methods"}, MET),
        ("GRU", "", {"use": "other"}, NOT),
        ("HMB", "", {"use": "disease"}, MET),
        ("HMB", "", {"use": "ancestry"}, NOT),
        ("DS", "Epilepsy", {"use": "disease", "disease": " epilepsy "}, MET),
        ("DS", "Epilepsy", {"use": "disease", "disease": "seizures"}, JUDGE),
        ("DS", "Epilepsy", {"use": "biomedical", "disease": "epilepsy"}, NOT),
        ("POA", "", {"use": "ancestry"}, MET),
        ("NMDS", "", {"use": "methods"}, NOT),
        ("NMDS", "", {}, NOT),
        ("NMDS", "", {"use": "disease"}, MET),
        ("NPU", "", {"nonprofit": "yes"}, MET),
        ("NPU", "", {"nonprofit": "no"}, NOT),
        ("NCU", "", {"noncommercial": "yes"}, MET),
        ("NPUNCU", "", {"noncommercial": "yes"}, NOT),
        ("NPUNCU", "", {"noncommercial": "yes", "nonprofit": "yes"}, MET),
        ("PUB", "", {"publish": "yes"}, MET),
        ("COL", "", {"collaborate": "yes"}, JUDGE),
        ("COL", "", {}, NOT),
        ("IRB", "", {"ethics": "Board of X, 12"}, JUDGE),
        ("IRB", "", {"ethics": " "}, NOT),
        ("GS", "China, France", {"country": "france"}, MET),
        ("GS", "中国，法国", {"country": "中国"}, MET),
        ("GS", "China", {"country": "PRC"}, JUDGE),
        ("MOR", "2027-01-31", {"moratorium": "yes"}, MET),
        ("TS", "2027-01-31", {"until": "2027-01-31"}, MET),
        ("TS", "2027-01-31", {"until": "2027-02-01"}, NOT),
        ("TS", "2027-01-31", {"until": "2027"}, NOT),
        ("US", "ada, 0000-0002-1825-0097", {"login": "bo", "orcid": "0000-0002-1825-0097"}, JUDGE),
        ("US", "Ada, 0000-0002-1825-0097", {"login": "ada", "orcid": ""}, MET),
        ("US", "ada", {"login": "bo", "orcid": ""}, NOT),
        ("PS", "Project X", {"project": "Project X"}, JUDGE),
        ("IS", "Institute of X", {"institute": "institute of x"}, MET),
        ("RTN", "", {"return": "yes"}, MET),
        ("RS", "cohort studies", {"use": "disease"}, JUDGE),
    ],
)
def test_verdicts(code, detail, stated, verdict):
    assert [one.verdict for one in match({code: detail}, stated)] == [verdict]


def test_every_code_has_a_rule_and_what_it_asks():
    found = match(dict.fromkeys(USE_CODES, "x"), {})
    assert [one.code.code for one in found] == list(USE_CODES)
    # nothing is met by saying nothing, but what restricts nothing
    assert [one.code.code for one in found if one.verdict is MET] == ["NRES"]
    asked = set().union(*(one.codes for one in QUESTIONS))
    assert asked == set(USE_CODES) - {"NRES", "US"}
    assert [one.name for one in questions_for({"PUB": "", "US": "x"})] == ["publish"]
    for one in USE_CODES.values():
        assert one.name.zh
        assert one.meaning.zh
        assert one.number.isdecimal()
