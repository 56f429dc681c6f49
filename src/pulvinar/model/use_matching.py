"""Whether what somebody states meets the codes of use of a dataset: yes, no, or a matter for a person to judge.

It helps whoever decides, and shows an applicant where they stand. What is stated is believed here, and not proven.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pulvinar.model.agreement import Bilingual
from pulvinar.model.use_codes import USE_CODES, UseCode


class Verdict(StrEnum):
    """How a code stands to what was stated."""

    MET = "met"
    NOT_MET = "not met"
    JUDGE = "a person must judge"


@dataclass(frozen=True)
class Question:
    """What an applicant is asked because of some codes; `choices` are the answers by their keys, none: any text."""

    name: str
    label: Bilingual
    codes: frozenset[str]
    choices: Mapping[str, Bilingual] | None = None


@dataclass(frozen=True)
class Match:
    """One code of a dataset, what its detail says, and the verdict."""

    code: UseCode
    detail: str
    verdict: Verdict


_YES_NO = {"yes": Bilingual("yes", "是"), "no": Bilingual("no", "否")}
_PURPOSES = {
    "disease": Bilingual("research on a disease", "某种疾病的研究"),
    "biomedical": Bilingual("other health, medical or biomedical research", "其他健康、医学或生物医学研究"),
    "ancestry": Bilingual("origins or ancestry of populations", "人群起源或祖源研究"),
    "methods": Bilingual("development of methods", "方法开发"),
    "research": Bilingual("other research", "其他研究"),
    "other": Bilingual("no research", "非研究用途"),
}
QUESTIONS = (
    Question(
        "use", Bilingual("Kind of use", "用途类型"), frozenset({"GRU", "HMB", "DS", "POA", "NMDS", "RS"}), _PURPOSES
    ),
    Question("disease", Bilingual("Disease, if one is studied", "所研究的疾病（如有）"), frozenset({"DS"})),
    Question(
        "nonprofit",
        Bilingual("My organisation makes no profit", "所在机构为非营利性"),
        frozenset({"NPU", "NPUNCU"}),
        _YES_NO,
    ),
    Question(
        "noncommercial",
        Bilingual("The use is not commercial", "非商业用途"),
        frozenset({"NCU", "NPUNCU"}),
        _YES_NO,
    ),
    Question("publish", Bilingual("I will publish the results", "将发表成果"), frozenset({"PUB"}), _YES_NO),
    Question(
        "collaborate",
        Bilingual("I will work with those who made the data", "将与数据产生者合作"),
        frozenset({"COL"}),
        _YES_NO,
    ),
    Question("ethics", Bilingual("Ethics approval: board and number", "伦理批准：委员会和编号"), frozenset({"IRB"})),
    Question("country", Bilingual("Country of use", "使用地国家或地区"), frozenset({"GS"})),
    Question(
        "moratorium",
        Bilingual("I publish nothing before the day that is named", "在所定日期前不发表"),
        frozenset({"MOR"}),
        _YES_NO,
    ),
    Question("until", Bilingual("The use ends on (as 2027-01-31)", "使用截止日期（如 2027-01-31）"), frozenset({"TS"})),
    Question("project", Bilingual("Project", "项目"), frozenset({"PS"})),
    Question("institute", Bilingual("Institute", "机构"), frozenset({"IS"})),
    Question("return", Bilingual("I give back what I derive", "将交回衍生数据"), frozenset({"RTN"}), _YES_NO),
)


def questions_for(codes: Mapping[str, str]) -> tuple[Question, ...]:
    """What to ask because of the codes of a dataset."""
    return tuple(one for one in QUESTIONS if not one.codes.isdisjoint(codes))


def match(codes: Mapping[str, str], stated: Mapping[str, str]) -> tuple[Match, ...]:
    """A verdict for each code of a dataset (with its detail). `stated` are answers, with `login` and `orcid`."""
    known = (one for name, one in USE_CODES.items() if name in codes)
    return tuple(Match(one, codes[one.code], _RULES[one.code](codes[one.code], stated)) for one in known)


Rule = Callable[[str, Mapping[str, str]], Verdict]


def _if(met: bool) -> Verdict:
    return Verdict.MET if met else Verdict.NOT_MET


def _says(name: str) -> Rule:
    return lambda _, stated: _if(stated.get(name) == "yes")


def _used_for(*uses: str) -> Rule:
    return lambda _, stated: _if(stated.get("use") in uses)


def _judged(name: str) -> Rule:
    """A text that a person has to look at; none at all is not enough."""
    return lambda _, stated: Verdict.JUDGE if stated.get(name, "").strip() else Verdict.NOT_MET


def _disease(detail: str, stated: Mapping[str, str]) -> Verdict:
    if stated.get("use") != "disease" or not stated.get("disease", "").strip():
        return Verdict.NOT_MET
    return Verdict.MET if _folded(stated["disease"]) == _folded(detail) else Verdict.JUDGE


def _among(name: str) -> Rule:
    """One of those that the detail names; spelled otherwise, a person sees whether it is."""

    def rule(detail: str, stated: Mapping[str, str]) -> Verdict:
        said = _folded(stated.get(name, ""))
        if not said:
            return Verdict.NOT_MET
        return Verdict.MET if said in _names(detail) else Verdict.JUDGE

    return rule


def _user(detail: str, stated: Mapping[str, str]) -> Verdict:
    """A login name is known to be theirs; an ORCID is what they say of themselves."""
    login, orcid = (_folded(stated.get(name, "")) for name in ("login", "orcid"))
    if orcid and login not in _names(detail):
        return Verdict.JUDGE if orcid in _names(detail) else Verdict.NOT_MET
    return _if(bool(login) and login in _names(detail))


def _until(detail: str, stated: Mapping[str, str]) -> Verdict:
    said = stated.get("until", "").strip()
    # days as 2027-01-31 are in the order of their letters
    return _if(bool(said) and len(said) == len(detail) and said <= detail)


def _names(detail: str) -> set[str]:
    return {_folded(one) for one in detail.replace("，", ",").replace("、", ",").split(",")} - {""}


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


_RESEARCH = ("disease", "biomedical", "ancestry", "methods", "research")
_RULES: dict[str, Rule] = {
    "NRES": lambda _, __: Verdict.MET,
    "GRU": _used_for(*_RESEARCH),
    "HMB": _used_for("disease", "biomedical"),
    "DS": _disease,
    "POA": _used_for("ancestry"),
    "NMDS": lambda _, stated: _if(stated.get("use", "") not in ("", "methods")),
    "NPU": _says("nonprofit"),
    "NCU": _says("noncommercial"),
    "NPUNCU": lambda _, stated: _if(stated.get("nonprofit") == stated.get("noncommercial") == "yes"),
    "PUB": _says("publish"),
    "COL": lambda _, stated: Verdict.JUDGE if stated.get("collaborate") == "yes" else Verdict.NOT_MET,
    "IRB": _judged("ethics"),
    "GS": _among("country"),
    "MOR": _says("moratorium"),
    "TS": _until,
    "US": _user,
    "PS": _judged("project"),
    "IS": _among("institute"),
    "RTN": _says("return"),
    "RS": _judged("use"),
}
