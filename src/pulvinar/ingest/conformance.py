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
from pulvinar.ingest.inspection import Inspection
from pulvinar.ingest.reader import Finding, Options, Severity, finding_from_json
from pulvinar.ingest.record import (
    Document,
    RecordAnswers,
    in_terms,
    orientation_of,
    said_document,
    unknown_term,
    unknown_term_zh,
)
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.model.orcid import is_orcid
from pulvinar.model.record import record_to_json
from pulvinar.model.terms import Vocabulary, recognise
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
class Failure:
    """What is wrong, in English and in Chinese."""

    en: str
    zh: str


def _same_text(text: str) -> str:
    return text


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
    """What is known of a dataset: its record as far as it is said, its assets, and the files that are none.

    `in_chinese` says in Chinese what a reader has said in English, where somebody knows how.
    """

    record: Document
    assets: tuple[CheckedAsset, ...]
    unreadable: tuple[str, ...] = ()
    unrecognised: tuple[str, ...] = ()
    in_chinese: Callable[[str], str] = _same_text

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
    failures: tuple[Failure, ...] = ()
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


def checked_version(version: Version, in_chinese: Callable[[str], str] = _same_text) -> Checked:
    """What the catalogue knows of a version; `in_chinese` as in `Checked`."""
    assets = tuple(map(_checked_asset, version.assets))
    return Checked(record_to_json(version.record), assets, in_chinese=in_chinese)


def _checked_asset(asset: Asset) -> CheckedAsset:
    findings = tuple(map(finding_from_json, asset.details.get("findings", ())))
    if asset.kind is not AssetKind.VOLUME or not asset.details.get("volume"):
        return CheckedAsset(asset.name, findings)
    volume = volume_from_json(asset.details["volume"])
    has_step = volume.shape[0] == 1 or bool(volume.time_step_s)
    return CheckedAsset(asset.name, findings, True, bool(orientation_of(volume.affine_um)), has_step)


# the tests: what fails, or None where a rule has nothing to ask

Failures = list[Failure] | None


def _needs(path: str, what: str, what_zh: str) -> Callable[[Checked], Failures]:
    def test(checked: Checked) -> Failures:
        return [] if checked.said(path) else [Failure(f"{what} is not said", f"没有说明{what_zh}")]

    return test


def _is_term(path: str, vocabulary: Vocabulary) -> Callable[[Checked], Failures]:
    def test(checked: Checked) -> Failures:
        said = checked.said(path)
        texts = [text for text in (said if isinstance(said, list | tuple) else [said]) if text]
        if not texts:
            return None
        return [_unknown(vocabulary, text) for text in texts if recognise(vocabulary, text) is None]

    return test


def _unknown(vocabulary: Vocabulary, text: str) -> Failure:
    return Failure(unknown_term(vocabulary, text), unknown_term_zh(vocabulary, text))


def _has_author(checked: Checked) -> Failures:
    people = checked.said("contributors") or []
    named = any(one.get("role", "author") == "author" for one in people)
    return [] if named else [Failure("no author is named", "没有写明作者")]


def _orcids(checked: Checked) -> Failures:
    given = [one["orcid"] for one in checked.said("contributors") or [] if one.get("orcid")]
    wrong = [orcid for orcid in given if not is_orcid(orcid)]
    return [Failure(f"{orcid} is no ORCID", f"{orcid} 不是 ORCID") for orcid in wrong] if given else None


def _where_from(checked: Checked) -> Failures:
    failure = Failure("neither lab nor source is said", "实验室与来源都没有说明")
    return [] if checked.said("lab") or checked.said("source") else [failure]


def _sex_and_age(checked: Checked) -> Failures:
    if not checked.said("subject"):
        return None
    sex, age = checked.said("subject.sex"), checked.said("subject.age")
    failures = [] if sex else [Failure("the sex is not said", "没有说明性别")]
    if sex and recognise(Vocabulary.SEX, sex) is None:
        failures = [_unknown(Vocabulary.SEX, sex)]
    if not age:
        failures.append(Failure("the age is not said", "没有说明年龄"))
    elif age_of(age) is None:
        text = f"the age {age!r} is no duration of ISO 8601 of one part, as P56D"
        failures.append(Failure(text, f"年龄 {age!r} 不是单一单位的 ISO 8601 时长，如 P56D"))
    return failures


def _forms(checked: Checked) -> Failures:
    date, doi, related = (checked.said(path) for path in ("acquisition.date", "doi", "related"))
    if not (date or doi or related):
        return None
    failures = [Failure(f"{date!r} is no date", f"{date!r} 不是日期")] if date and not is_date(date) else []
    if doi and identifier_of(doi) != ("DOI", doi):
        failures.append(Failure(f"{doi!r} is no DOI", f"{doi!r} 不是 DOI"))
    unknown = [one["identifier"] for one in related or [] if not identifier_of(one["identifier"])[0]]
    failures += [
        Failure(f"{one!r} is no DOI, PMID, arXiv number or address", f"{one!r} 不是 DOI、PMID、arXiv 编号或网址")
        for one in unknown
    ]
    relations = [one.get("relation", "References") for one in related or []]
    return failures + [
        Failure(f"{one!r} is no relation of DataCite's", f"{one!r} 不是 DataCite 的关系类型")
        for one in relations
        if one not in RELATIONS
    ]


def _no_day_of_a_person(checked: Checked) -> Failures:
    date = checked.said("acquisition.date")
    if checked.said("species") != "human" or not date:
        return None
    failure = Failure(f"{date} says more than the year", f"{date} 不止写了年份")
    return [] if re.fullmatch("[0-9]{4}", date) else [failure]


def _wanted(checked: Checked) -> Failures:
    term = recognise(Vocabulary.MODALITY, checked.said("acquisition.modality"))
    if term is None or not term.wants:
        return None
    names = {
        "acquisition.stains": ("stain or marker", "染色或标记物"),
        "specimen.preparation": ("preparation", "制备方法"),
    }
    missing = [names[path] for path in term.wants if not checked.said(path)]
    return [
        Failure(f"the {en} is not said, and {term.en} asks for it", f"没有说明{zh}，而{term.zh}需要它")
        for en, zh in missing
    ]


def _findings(severity: Severity) -> Callable[[Checked], Failures]:
    def test(checked: Checked) -> Failures:
        return [
            Failure(
                f"{asset.name}: {one.message}" + (f" ({one.flag})" if one.flag else ""),
                f"{asset.name}：{checked.in_chinese(one.message)}" + (f"（{one.flag}）" if one.flag else ""),
            )
            for asset in checked.assets
            for one in asset.findings
            if one.severity is severity
        ]

    return test


def _each(what: str, what_zh: str, test_one: Callable[[CheckedAsset], bool]) -> Callable[[Checked], Failures]:
    def test(checked: Checked) -> Failures:
        failing = [asset.name for asset in checked.assets if not test_one(asset)]
        return [Failure(f"{name} {what}", f"{name} {what_zh}") for name in failing]

    return test


def _one_name_each(checked: Checked) -> Failures:
    counted = Counter(asset.name for asset in checked.assets)
    twice = [(name, count) for name, count in counted.items() if count > 1]
    return [Failure(f"{count} assets are named {name}", f"{count} 个资产都名为 {name}") for name, count in twice]


def _something(checked: Checked) -> Failures:
    text = "nothing in it is of a format that Pulvinar reads"
    return [] if checked.assets else [Failure(text, "其中没有 Pulvinar 可读格式的文件")]


def _readable(checked: Checked) -> Failures:
    return [Failure(line, checked.in_chinese(line)) for line in checked.unreadable]


def _known_formats(checked: Checked) -> Failures:
    return [Failure(f"{name} is of no known format", f"{name} 的格式未知") for name in checked.unrecognised]


TESTS: dict[str, Callable[[Checked], Failures]] = {
    "D1": _needs("title", "the title", "标题"),
    "D2": _needs("species", "the species", "物种"),
    "D3": _needs("licence", "the licence", "许可"),
    "D4": _is_term("licence", Vocabulary.LICENCE),
    "D5": _needs("description", "the description", "内容"),
    "D6": _has_author,
    "D7": _orcids,
    "D8": _where_from,
    "D9": _needs("keywords", "a keyword", "关键词"),
    "D10": _needs("subject.name", "the subject", "受试对象"),
    "D11": _sex_and_age,
    "D12": _needs("ethics", "the approval", "伦理审批"),
    "D13": _forms,
    "D14": _no_day_of_a_person,
    "A1": _needs("acquisition.modality", "the modality", "模态"),
    "A2": _is_term("acquisition.modality", Vocabulary.MODALITY),
    "A3": _needs("acquisition.instrument", "the instrument", "仪器"),
    "A4": _wanted,
    "A5": _is_term("acquisition.stains", Vocabulary.STAIN),
    "F1": _something,
    "F2": _readable,
    "F3": _findings(Severity.QUESTION),
    "F4": _findings(Severity.DOUBT),
    "F5": _each("has no voxel size", "没有体素大小", lambda asset: asset.has_size),
    "F6": _each("does not say where left and right are", "没有说明左右方向", lambda asset: asset.has_sides),
    "F7": _each("has time points and no time step", "有多个时间点而没有时间步长", lambda asset: asset.has_time_step),
    "F8": _one_name_each,
    "F9": _known_formats,
}
"""The test of each rule, by its id."""


def lines_of(outcome: Outcome) -> Iterator[str]:
    """What to print of a rule that is not met: what fails, and the remedy, in both languages."""
    shown, more = outcome.failures[:_SHOWN], len(outcome.failures) - _SHOWN
    yield from (one.en for one in shown)
    yield from [f"and {more} more"] if more > 0 else []
    yield f"remedy: {outcome.rule.remedy}"
    yield from (one.zh for one in shown if one.zh != one.en)
    yield from [f"另有 {more} 处"] if more > 0 else []
    yield f"办法：{outcome.rule.remedy_zh}"


def conformance_to_json(found: Conformance) -> dict[str, Any]:
    """Every rule with what came of it, as JSON values."""
    return {
        "conforms": found.conforms,
        "rules": [
            {
                "id": one.rule.id,
                "level": one.rule.level.value,
                "what": one.rule.what,
                "what_zh": one.rule.what_zh,
                "met": one.met,
                "applies": one.applies,
                "failures": [failure.en for failure in one.failures],
                "failures_zh": [failure.zh for failure in one.failures],
                "remedy": "" if one.met else one.rule.remedy,
                "remedy_zh": "" if one.met else one.rule.remedy_zh,
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
