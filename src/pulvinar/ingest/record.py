"""The metadata record of a dataset: from what people answer, from what files say, and what is still missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

from pydantic import ValidationError

from pulvinar.errors import Invalid, MetadataMissing
from pulvinar.ingest.reader import Finding, FoundAsset, Options, Severity
from pulvinar.ingest.readers.bids_names import DESCRIPTION
from pulvinar.model.record import Acquisition, Contributor, Funding, Record, Related, record_from_json, record_to_json
from pulvinar.model.record import Species as SpeciesName
from pulvinar.model.record_migrations import SCHEMA_VERSION
from pulvinar.model.space import Affine, check_orientation, opposite
from pulvinar.model.terms import Vocabulary, keyed, nearest, recognise, terms
from pulvinar.model.text import storable

_WORLD = ("S", "A", "R")

Document = dict[str, Any]
"""A record as JSON values, of which any may be missing."""


@dataclass(frozen=True)
class RecordAnswers:
    """What a person says of the data, one field a flag; an empty one was not said.

    `contributors` are names, or "name <role>", or "name <role> orcid"; `related` "identifier <relation>"; `funding`
    "funder <award>"; `keywords` are free words in any language. `record` is what a record file says, under the flags.
    """

    title: str = ""
    species: str = ""
    licence: str = ""
    description: str = ""
    lab: str = ""
    subject: str = ""
    sex: str = ""
    age: str = ""
    strain: str = ""
    specimen: str = ""
    preparation: str = ""
    modality: str = ""
    instrument: str = ""
    stain: str = ""
    date: str = ""
    contributors: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    citation: str = ""
    source: str = ""
    doi: str = ""
    related: tuple[str, ...] = ()
    funding: tuple[str, ...] = ()
    ethics: str = ""
    record: Document = field(default_factory=dict)


_PLACES = {
    "subject": ("subject", "name"),
    **{name: ("subject", name) for name in ("sex", "age", "strain")},
    "specimen": ("specimen", "name"),
    "preparation": ("specimen", "preparation"),
    **{name: ("acquisition", name) for name in ("modality", "instrument", "date")},
    "stain": ("acquisition", "stains"),
}
"""Where an answer stands in a record, when that isn't under its own name."""
_MEASURED = ("voxel_size_um", "orientation", "time_step_s")
_LISTS = ("contributors", "keywords", "related", "funding")
REQUIRED = {"title": "--title", "species": "--species", "licence": "--licence"}
"""What no dataset can be without, and the flags that say it."""
_VOCABULARIES_ZH = {
    Vocabulary.SPECIES: "物种",
    Vocabulary.SEX: "性别",
    Vocabulary.MODALITY: "模态",
    Vocabulary.STAIN: "染色或标记",
    Vocabulary.LICENCE: "许可",
}
_SAID_BY_FILES = ("--title",)
"""Of these, what some format can hold; the description of a BIDS dataset, and what lies beside it, can say all."""


def questions(assets: Sequence[FoundAsset], answers: RecordAnswers, *, into_existing: bool) -> list[Finding]:
    """Everything that only a person can answer and nobody has: missing record fields and readers' questions.

    Into an existing dataset, the record is there already and only the readers' questions count.
    """
    said = said_document(assets, answers)
    missing = [
        Finding(Severity.QUESTION, f"the {name} of the dataset is not known", flag)
        for name, flag in REQUIRED.items()
        if not into_existing and not said.get(name)
    ]
    asked = [
        Finding(Severity.QUESTION, f"{asset.name}: {finding.message}", finding.flag)
        for asset in assets
        for finding in asset.findings
        if finding.severity is Severity.QUESTION
    ]
    return missing + asked


def refuse_hopeless(answers: RecordAnswers, holds: Callable[[str], bool], *, into_existing: bool) -> None:
    """Raise `MetadataMissing`, before any file is opened, when something is missing that no file could say.

    It names all that is not answered so far: a file may give a title, but nobody should be asked twice. `holds` says
    whether there is a file of a name: one that may say everything is waited for.
    """
    missing = questions((), answers, into_existing=into_existing)
    if any(finding.flag not in _SAID_BY_FILES for finding in missing) and not holds(DESCRIPTION):
        refuse_unanswered(missing)


def refuse_unanswered(findings: Sequence[Finding]) -> None:
    """Raise `MetadataMissing` with everything unanswered at once, naming the flags."""
    if not findings:
        return
    lines: dict[str, None] = dict.fromkeys(f"{finding.message} ({finding.flag or 'no flag'})" for finding in findings)
    flags = dict.fromkeys(finding.flag for finding in findings if finding.flag)
    raise MetadataMissing("not known: " + "; ".join(lines), hint=f"answer with {' '.join(flags)}")


def make_record(assets: Sequence[FoundAsset], answers: RecordAnswers, options: Options) -> Record:
    """The record of a new dataset: flags over the record file over what the files say.

    Raises `Invalid` for an unknown species or a value that can't be.
    """
    return record_of(said_document(assets, answers, options))


def said_document(assets: Sequence[FoundAsset], answers: RecordAnswers, options: Options | None = None) -> Document:
    """All that is said of a dataset, however little: flags over the record file over what the files say.

    Voxel size, orientation and time step are those of the data, whatever a record file says.
    """
    given = {
        one.name: value for one in fields(answers) if one.name != "record" and (value := getattr(answers, one.name))
    }
    said = joined(_placed(_said_by_files(assets)), answers.record)
    said = joined(joined(said, _placed(given)), {"acquisition": _measured(assets, options or Options())})
    subject = said.get("subject") or {}
    return {"species": subject["species"], **said} if subject.get("species") else said


def record_of(said: Document) -> Record:
    """`said` as a whole record, its terms under their keys.

    Raises `Invalid`, naming the field, for an unknown species and for what no record can hold.
    """
    document = storable(in_terms(said))
    subject = {key: value for key, value in (document.get("subject") or {}).items() if value and key != "species"}
    species = document.get("species")
    document["subject"] = {"name": "unnamed", **subject, "species": species} if subject else None
    try:
        record = record_from_json({**document, "schema_version": SCHEMA_VERSION})
    except ValidationError as error:
        problem = error.errors()[0]
        path = ".".join(str(part) for part in problem["loc"]) or "the record"
        raise Invalid(
            f"{path}: {problem['msg']}", hint="docs/reference/record.md says what each field of a record holds"
        ) from None
    _refuse_impossible(record.acquisition)
    return record


def _refuse_impossible(acquisition: Acquisition) -> None:
    """Raise `Invalid` for lengths and times that can't be, and for letters that are no orientation."""
    measured = {"voxel_size_um": acquisition.voxel_size_um or (), "time_step_s": (acquisition.time_step_s,)}
    for name, values in measured.items():
        if not all(value is None or (isfinite(value) and value > 0) for value in values):
            raise Invalid(f"acquisition.{name}: {values} can't be", hint="each is a number, more than 0")
    if acquisition.orientation:
        check_orientation(acquisition.orientation)


def described(record: Record, said: Document) -> Record:
    """`record` with what `said` says of the same dataset; what that leaves empty stays, and what was measured too.

    Raises `Invalid` as `record_of` does.
    """
    before = record_to_json(record)
    measured = {name: before["acquisition"][name] for name in _MEASURED}
    return record_of(joined(joined(before, said), {"acquisition": measured}))


def in_terms(said: Document) -> Document:
    """A copy of `said` with the keys of terms for whatever names one; raises `Invalid` for an unknown species."""
    document = {key: dict(value) if isinstance(value, dict) else value for key, value in said.items()}
    if document.get("species"):
        document["species"] = species_of(str(document["species"])).value
    subject, acquisition = document.get("subject") or {}, document.get("acquisition") or {}
    other = subject.get("species")
    if other and species_of(str(other)).value != document.get("species"):
        raise Invalid(
            f"the subject is of the species {other}, the dataset of {document.get('species') or 'none that is said'}",
            hint="say the same of both, or leave the subject's species out",
        )
    for holder, name, vocabulary in (
        (document, "licence", Vocabulary.LICENCE),
        (subject, "sex", Vocabulary.SEX),
        (acquisition, "modality", Vocabulary.MODALITY),
    ):
        text = holder.get(name)
        if isinstance(text, str):
            holder[name] = keyed(vocabulary, text)
    stains = acquisition.get("stains")
    if isinstance(stains, list | tuple):
        acquisition["stains"] = [keyed(Vocabulary.STAIN, one) if isinstance(one, str) else one for one in stains]
    return document


def term_notes(record: Record) -> list[Finding]:
    """A note on each word of `record` that should be a term and is none, with the nearest one."""
    asked = [(Vocabulary.MODALITY, record.acquisition.modality, "--modality")]
    asked += [(Vocabulary.STAIN, stain, "--stain") for stain in record.acquisition.stains]
    asked += [(Vocabulary.LICENCE, record.licence, "--licence")]
    asked += [(Vocabulary.SEX, record.subject.sex, "--sex")] if record.subject else []
    return [
        Finding(Severity.NOTE, unknown_term(vocabulary, text), flag)
        for vocabulary, text, flag in asked
        if text and recognise(vocabulary, text) is None
    ]


def unknown_term(vocabulary: Vocabulary, text: str) -> str:
    """What to say of `text` where a term was expected: the nearest one, if any."""
    near = nearest(vocabulary, text)
    advice = f"; the nearest is {near.key} ({near.en}, {near.zh})" if near else ""
    return f"the {vocabulary.value} {text!r} is none of the controlled terms and is kept as it is{advice}"


def unknown_term_zh(vocabulary: Vocabulary, text: str) -> str:
    """As `unknown_term`, in Chinese."""
    near = nearest(vocabulary, text)
    advice = f"；最接近的是 {near.key}（{near.zh}，{near.en}）" if near else ""
    return f"{_VOCABULARIES_ZH[vocabulary]} {text!r} 不是受控词，按原文保留{advice}"


def species_of(text: str) -> SpeciesName:
    """The species that `text` names, in English, Chinese or Latin; raises `Invalid` with the names that are known."""
    term = recognise(Vocabulary.SPECIES, text)
    if term is None:
        known = "; ".join(
            f"{one.key} ({', '.join(name.lower() for name in one.names[1:])})" for one in terms(Vocabulary.SPECIES)
        )
        raise Invalid(f"{text!r} is not a species that Pulvinar knows", hint=f"--species takes one of {known}")
    return SpeciesName(term.key)


def contributor(text: str) -> Contributor:
    """`"Ada Lovelace <author> 0000-0002-1825-0097"` as a contributor; role and ORCID may be left out."""
    name, role, orcid = _with_bracket(text)
    return Contributor(name=name, role=role or "author", orcid=orcid)


def related(text: str) -> Related:
    """`"10.1038/nature <IsSupplementTo>"` as a related work; the relation may be left out."""
    identifier, relation, _ = _with_bracket(text)
    return Related(identifier, relation) if relation else Related(identifier)


def funding(text: str) -> Funding:
    """`"A Foundation <award 17>"` as a funding; the award may be left out."""
    funder, award, _ = _with_bracket(text)
    return Funding(funder, award)


def _with_bracket(text: str) -> tuple[str, str, str]:
    before, _, rest = text.partition("<")
    inside, _, after = rest.partition(">")
    return before.strip(), inside.strip(), after.strip()


def orientation_of(affine_um: Affine | None) -> str:
    """Three letters, one for each voxel axis (z, y, x): the side that rising indexes go to; "" when not known."""
    if affine_um is None:
        return ""
    columns = [[affine_um[row][column] for row in range(3)] for column in range(3)]
    letters = ""
    for column in columns:
        row = max(range(3), key=lambda index: abs(column[index]))
        letters += _WORLD[row] if column[row] > 0 else opposite(_WORLD[row])
    return letters if len({frozenset((letter, opposite(letter))) for letter in letters}) == 3 else ""


def _measured(assets: Sequence[FoundAsset], options: Options) -> Document:
    """Voxel size, orientation and time step: what a person says over what the first volume's header does."""
    first = next((asset.volume for asset in assets if asset.volume is not None), None)
    voxel_size = options.voxel_size_um or (first.voxel_size_um if first else None)
    return {
        "voxel_size_um": list(voxel_size) if voxel_size else None,
        "orientation": options.orientation or orientation_of(first.affine_um if first else None),
        "time_step_s": options.time_step_s or (first.time_step_s if first else None),
    }


def _said_by_files(assets: Sequence[FoundAsset]) -> Document:
    """What the files say under the names of answers; where they differ, the first one."""
    names = {one.name for one in fields(RecordAnswers)} - {"record"}
    said: Document = {}
    for asset in assets:
        for key, value in asset.metadata.items():
            if key in names and value and _right_shape(key, value):
                said.setdefault(key, value)
    return said


def _right_shape(key: str, value: Any) -> bool:
    # a file may hold anything under a known word: what doesn't fit the record stays in the asset's header only
    if key in _LISTS:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if key == "species":
        return isinstance(value, str) and recognise(Vocabulary.SPECIES, value) is not None
    return isinstance(value, str | int | float)


def _placed(flat: Mapping[str, Any]) -> Document:
    """Answers under their names as a document: each where a record has it, in its shape there."""
    document: Document = {}
    for name, value in flat.items():
        *above, last = _PLACES.get(name, (name,))
        holder = document.setdefault(above[0], {}) if above else document
        holder[last] = _shaped(name, value)
    return document


def _shaped(name: str, value: Any) -> Any:
    parse = {"contributors": contributor, "related": related, "funding": funding}.get(name)
    if parse is not None:
        return [vars(parse(text)) for text in value]
    if name == "keywords":
        return [str(word) for word in value]
    if name == "stain":
        return list(parted(str(value)))
    return str(value).strip()


def parted(text: str) -> Iterator[str]:
    """The parts of a list that was written as one text: "DAPI, GFP"."""
    return (part.strip() for part in re.split("[,;，；、]", text) if part.strip())


def joined(under: Mapping[str, Any], over: Mapping[str, Any]) -> Document:
    """Both documents in one; what `over` says counts more, what it leaves empty doesn't."""
    both = dict(under)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(both.get(key), Mapping):
            both[key] = joined(both[key], value)
        elif value not in (None, "", [], (), {}) or key not in both:
            both[key] = value
    return {key: value for key, value in both.items() if value is not None}
