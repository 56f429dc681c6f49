"""The conformance test of Pulvinar's own profile: which rules a dataset meets, and what to do about the others.

The rules' texts are in `conformance.toml`, a test for each is here. What is checked is what is known of a dataset,
before its ingest (from an inspection and a record file) or after (from the catalogue).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from pulvinar.catalogue.metadata_formats.datacite import RELATIONS
from pulvinar.catalogue.metadata_formats.parts import age_of, identifier_of, is_date
from pulvinar.catalogue.terms import Vocabulary, recognise
from pulvinar.ingest.inspection import Inspection
from pulvinar.ingest.reader import Finding, Options, Severity
from pulvinar.ingest.record import (
    Document,
    RecordAnswers,
    in_terms,
    orientation_of,
    said_document,
    unknown_term,
)
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.model.record import record_to_json
from pulvinar.model.volume import volume_from_json

_SHOWN = 5
"""So many failures of one rule are named."""


class Level(StrEnum):
    """How much a rule asks: without all that must be, a dataset does not conform."""

    MUST = "must"
    SHOULD = "should"


@dataclass(frozen=True)
class Rule:
    """One rule of the profile, as `conformance.toml` has it."""

    id: str
    level: Level
    what: str
    what_zh: str
    why: str
    why_zh: str
    remedy: str
    remedy_zh: str


@dataclass(frozen=True)
class CheckedAsset:
    """What the rules ask of an asset; the last three are of volumes: `has_size` and so on are True for others."""

    name: str
    findings: tuple[Finding, ...] = ()
    has_size: bool = True
    has_sides: bool = True
    has_time_step: bool = True


@dataclass(frozen=True)
class Checked:
    """What is known of a dataset: its record as far as it is said, its assets, and the files that are none."""

    record: Document
    assets: tuple[CheckedAsset, ...]
    unreadable: tuple[str, ...] = ()
    unrecognised: tuple[str, ...] = ()

    def said(self, path: str) -> Any:
        """What the record says under a path: `said("subject.sex")`; "" for nothing."""
        value: Any = self.record
        for name in path.split("."):
            value = (value or {}).get(name)
        return value if value is not None else ""


@dataclass(frozen=True)
class Outcome:
    """What came of one rule; `failures` say what is wrong, `applies` is False where there is nothing to ask."""

    rule: Rule
    failures: tuple[str, ...] = ()
    applies: bool = True

    @property
    def met(self) -> bool:
        """Whether the dataset does what the rule says, or needn't."""
        return not self.failures


@dataclass(frozen=True)
class Conformance:
    """The outcome of every rule, in their order."""

    outcomes: tuple[Outcome, ...]

    @property
    def conforms(self) -> bool:
        """Whether every rule is met that must be."""
        return not self.failed(Level.MUST)

    def failed(self, level: Level) -> tuple[Outcome, ...]:
        """The rules of a level that are not met."""
        return tuple(one for one in self.outcomes if not one.met and one.rule.level is level)


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of the profile, in order."""
    table = tomllib.loads((files("pulvinar.ingest") / "conformance.toml").read_text("utf-8"))
    return tuple(Rule(id=name, **{**row, "level": Level(row["level"])}) for name, row in table.items())


def check(checked: Checked) -> Conformance:
    """Ask every rule of the profile."""
    return Conformance(tuple(_outcome(rule, checked) for rule in rules()))


def _outcome(rule: Rule, checked: Checked) -> Outcome:
    found = TESTS[rule.id](checked)
    return Outcome(rule, applies=False) if found is None else Outcome(rule, tuple(found))


def checked_path(found: Inspection, answers: RecordAnswers, options: Options) -> Checked:
    """What is known of files before they are brought in. Raises `Invalid` for an unknown species."""
    return Checked(
        record=in_terms(said_document(found.assets, answers, options)),
        assets=tuple(
            CheckedAsset(
                asset.name,
                asset.findings,
                volume is None or bool(options.voxel_size_um or volume.voxel_size_um),
                volume is None or bool(options.orientation or orientation_of(volume.affine_um)),
                volume is None or volume.shape[0] == 1 or bool(options.time_step_s or volume.time_step_s),
            )
            for asset in found.assets
            for volume in (asset.volume,)
        ),
        unreadable=tuple(f"{item.name}: {item.error.message}" for item in found.unreadable),
        unrecognised=found.unrecognised,
    )


def checked_version(version: Version) -> Checked:
    """What the catalogue knows of a version."""
    return Checked(record_to_json(version.record), tuple(map(_checked_asset, version.assets)))


def _checked_asset(asset: Asset) -> CheckedAsset:
    findings = tuple(Finding(**one) for one in asset.details.get("findings", ()))
    findings = tuple(Finding(Severity(one.severity), one.message, one.flag) for one in findings)
    if asset.kind is not AssetKind.VOLUME or not asset.details.get("volume"):
        return CheckedAsset(asset.name, findings)
    volume = volume_from_json(asset.details["volume"])
    has_step = volume.shape[0] == 1 or bool(volume.time_step_s)
    return CheckedAsset(asset.name, findings, True, bool(orientation_of(volume.affine_um)), has_step)


# the tests: what fails, or None where a rule has nothing to ask

Failures = list[str] | None


def _needs(path: str, what: str) -> Callable[[Checked], Failures]:
    def test(checked: Checked) -> Failures:
        return [] if checked.said(path) else [f"{what} is not said"]

    return test


def _is_term(path: str, vocabulary: Vocabulary) -> Callable[[Checked], Failures]:
    def test(checked: Checked) -> Failures:
        said = checked.said(path)
        texts = [text for text in (said if isinstance(said, list | tuple) else [said]) if text]
        if not texts:
            return None
        return [unknown_term(vocabulary, text) for text in texts if recognise(vocabulary, text) is None]

    return test


def _has_author(checked: Checked) -> Failures:
    people = checked.said("contributors") or []
    return [] if any(one.get("role", "author") == "author" for one in people) else ["no author is named"]


def _orcids(checked: Checked) -> Failures:
    given = [one["orcid"] for one in checked.said("contributors") or [] if one.get("orcid")]
    return [f"{orcid} is no ORCID" for orcid in given if not is_orcid(orcid)] if given else None


def is_orcid(text: str) -> bool:
    """Whether `text` is an ORCID without an address, with the check digit of ISO 7064 MOD 11-2."""
    if not re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", text, re.ASCII):
        return False
    plain = text.replace("-", "")
    total = 0
    for digit in plain[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == plain[-1]


def _where_from(checked: Checked) -> Failures:
    return [] if checked.said("lab") or checked.said("source") else ["neither lab nor source is said"]


def _sex_and_age(checked: Checked) -> Failures:
    if not checked.said("subject"):
        return None
    sex, age = checked.said("subject.sex"), checked.said("subject.age")
    failures = [] if sex else ["the sex is not said"]
    if sex and recognise(Vocabulary.SEX, sex) is None:
        failures = [unknown_term(Vocabulary.SEX, sex)]
    if not age:
        failures.append("the age is not said")
    elif age_of(age) is None:
        failures.append(f"the age {age!r} is no duration of ISO 8601 of one part, as P56D")
    return failures


def _forms(checked: Checked) -> Failures:
    date, doi, related = (checked.said(path) for path in ("acquisition.date", "doi", "related"))
    if not (date or doi or related):
        return None
    failures = [f"{date!r} is no date"] if date and not is_date(date) else []
    failures += [f"{doi!r} is no DOI"] if doi and identifier_of(doi) != ("DOI", doi) else []
    unknown = [one["identifier"] for one in related or [] if not identifier_of(one["identifier"])[0]]
    failures += [f"{identifier!r} is no DOI, PMID, arXiv number or address" for identifier in unknown]
    relations = [one.get("relation", "References") for one in related or []]
    return failures + [f"{one!r} is no relation of DataCite's" for one in relations if one not in RELATIONS]


def _no_day_of_a_person(checked: Checked) -> Failures:
    date = checked.said("acquisition.date")
    if checked.said("species") != "human" or not date:
        return None
    return [] if re.fullmatch("[0-9]{4}", date) else [f"{date} says more than the year"]


def _wanted(checked: Checked) -> Failures:
    term = recognise(Vocabulary.MODALITY, checked.said("acquisition.modality"))
    if term is None or not term.wants:
        return None
    names = {"acquisition.stains": "stain or marker", "specimen.preparation": "preparation"}
    return [
        f"the {names[path]} is not said, and {term.en} asks for it" for path in term.wants if not checked.said(path)
    ]


def _findings(severity: Severity) -> Callable[[Checked], Failures]:
    def test(checked: Checked) -> Failures:
        return [
            f"{asset.name}: {one.message}" + (f" ({one.flag})" if one.flag else "")
            for asset in checked.assets
            for one in asset.findings
            if one.severity is severity
        ]

    return test


def _each(what: str, test_one: Callable[[CheckedAsset], bool]) -> Callable[[Checked], Failures]:
    def test(checked: Checked) -> Failures:
        return [f"{asset.name} {what}" for asset in checked.assets if not test_one(asset)]

    return test


def _one_name_each(checked: Checked) -> Failures:
    counted = Counter(asset.name for asset in checked.assets)
    return [f"{count} assets are named {name}" for name, count in counted.items() if count > 1]


TESTS: dict[str, Callable[[Checked], Failures]] = {
    "D1": _needs("title", "the title"),
    "D2": _needs("species", "the species"),
    "D3": _needs("licence", "the licence"),
    "D4": _is_term("licence", Vocabulary.LICENCE),
    "D5": _needs("description", "the description"),
    "D6": _has_author,
    "D7": _orcids,
    "D8": _where_from,
    "D9": _needs("keywords", "a keyword"),
    "D10": _needs("subject.name", "the subject"),
    "D11": _sex_and_age,
    "D12": _needs("ethics", "the approval"),
    "D13": _forms,
    "D14": _no_day_of_a_person,
    "A1": _needs("acquisition.modality", "the modality"),
    "A2": _is_term("acquisition.modality", Vocabulary.MODALITY),
    "A3": _needs("acquisition.instrument", "the instrument"),
    "A4": _wanted,
    "A5": _is_term("acquisition.stains", Vocabulary.STAIN),
    "F1": lambda checked: [] if checked.assets else ["nothing in it is of a format that Pulvinar reads"],
    "F2": lambda checked: list(checked.unreadable),
    "F3": _findings(Severity.QUESTION),
    "F4": _findings(Severity.DOUBT),
    "F5": _each("has no voxel size", lambda asset: asset.has_size),
    "F6": _each("does not say where left and right are", lambda asset: asset.has_sides),
    "F7": _each("has time points and no time step", lambda asset: asset.has_time_step),
    "F8": _one_name_each,
    "F9": lambda checked: [f"{name} is of no known format" for name in checked.unrecognised],
}
"""The test of each rule, by its id."""


def lines_of(outcome: Outcome) -> Iterator[str]:
    """What to print of a rule that is not met: what fails, and the remedy."""
    yield from outcome.failures[:_SHOWN]
    if len(outcome.failures) > _SHOWN:
        yield f"and {len(outcome.failures) - _SHOWN} more"
    yield f"remedy: {outcome.rule.remedy}"


def conformance_to_json(found: Conformance) -> dict[str, Any]:
    """Every rule with what came of it, as JSON values."""
    return {
        "conforms": found.conforms,
        "rules": [
            {
                "id": one.rule.id,
                "level": one.rule.level.value,
                "what": one.rule.what,
                "met": one.met,
                "applies": one.applies,
                "failures": list(one.failures),
                "remedy": "" if one.met else one.rule.remedy,
            }
            for one in found.outcomes
        ],
    }


def rules_text() -> str:
    """The table of rules for people, as Markdown, in both languages."""
    lines = [
        "# The profile: what `pulvinar check` asks",
        "",
        "A dataset conforms when it meets every rule that says *must*; what it *should* makes it easier to find, to "
        "understand and to use. `pulvinar check PATH` asks before an ingest, `pulvinar check DATASET` after it.",
        "",
        "满足所有 *must* 规则即为合规；*should* 规则让数据更易查找、理解与使用。",
        "",
        "| rule | level | what | why | remedy |",
        "|---|---|---|---|---|",
    ]
    for rule in rules():
        cells = (
            rule.id,
            rule.level.value,
            f"{rule.what}<br>{rule.what_zh}",
            f"{rule.why}<br>{rule.why_zh}",
            f"{rule.remedy}<br>{rule.remedy_zh}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
