"""The form of a submission: what a person says of it, as texts, and what an ingest makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pulvinar.errors import Invalid
from pulvinar.ingest.reader import FoundAsset, Options
from pulvinar.ingest.record import RecordAnswers, said_document
from pulvinar.ingest.request import Originals, Request
from pulvinar.ingest.units import voxel_size
from pulvinar.model.text import storable
from pulvinar.model.volume import VolumeKind

_LINES = ("contributors", "related", "funding")
"""Answers of which each line is one."""
_LONGEST = 20_000


@dataclass(frozen=True)
class FormField:
    """A field of the form: the answer that it gives, and the field of a record that it means."""

    name: str
    path: str
    lines: bool = False


FIELDS: Mapping[str, tuple[FormField, ...]] = {
    "dataset": (
        FormField("title", "title"),
        FormField("species", "species"),
        FormField("licence", "licence"),
        FormField("description", "description", lines=True),
        FormField("contributors", "contributors", lines=True),
        FormField("lab", "lab"),
        FormField("keywords", "keywords"),
        FormField("citation", "citation"),
        FormField("source", "source"),
        FormField("ethics", "ethics"),
    ),
    "subject": (
        FormField("subject", "subject.name"),
        FormField("sex", "subject.sex"),
        FormField("age", "subject.age"),
        FormField("strain", "subject.strain"),
        FormField("specimen", "specimen.name"),
        FormField("preparation", "specimen.preparation"),
    ),
    "acquisition": (
        FormField("modality", "acquisition.modality"),
        FormField("instrument", "acquisition.instrument"),
        FormField("stain", "acquisition.stains"),
        FormField("date", "acquisition.date"),
    ),
}
"""The form in groups, in the order in which it is shown."""
READING = ("voxel_size", "orientation", "kind", "axes", "time_step", "unit")
"""What a person says where files are silent or lie."""
OTHERS = ("originals", "name")
_KNOWN = frozenset((*(one.name for group in FIELDS.values() for one in group), *READING, *OTHERS))


def checked_said(fields_sent: Mapping[str, str]) -> dict[str, str]:
    """What was sent of the form, without what is empty or no field of it. Raises `Invalid` for what can't be."""
    said: dict[str, str] = {}
    for name, text in storable(dict(fields_sent)).items():
        if name in _KNOWN and text.strip():
            if len(text) > _LONGEST:
                raise Invalid(f"{name} has more than {_LONGEST:,} letters", hint="say it in fewer")
            said[name] = text.strip()
    options_of(said)
    return said


def prefilled(assets: Sequence[FoundAsset], said: Mapping[str, str]) -> dict[str, str]:
    """Every field of the form: as a person has said it, else as the files say."""
    document = said_document(assets, RecordAnswers())
    from_files = {one.name: _text(document, one.path) for group in FIELDS.values() for one in group}
    return {**dict.fromkeys(READING, ""), **dict.fromkeys(OTHERS, ""), **from_files, **said}


def _text(document: Mapping[str, Any], path: str) -> str:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, Sequence) and not isinstance(value, str):
        entries = [_entry(one) for one in value]
        return ("\n" if path in _LINES else ", ").join(entry for entry in entries if entry)
    return "" if value is None else str(value)


def _entry(value: Any) -> str:
    """One of a list, as a flag would say it: a name, a role in brackets, an ORCID."""
    if not isinstance(value, Mapping):
        return str(value)
    name, role, orcid = (str(value.get(key) or "") for key in ("name", "role", "orcid"))
    return " ".join(filter(None, (name, f"<{role}>" if role else "", orcid)))


def answers_of(said: Mapping[str, str]) -> RecordAnswers:
    """What the form says of the data."""
    given: dict[str, Any] = {}
    for one in fields(RecordAnswers):
        text = said.get(one.name, "").strip()
        if not text:
            continue
        if one.name in _LINES:
            given[one.name] = tuple(line.strip() for line in text.splitlines() if line.strip())
        elif one.name == "keywords":
            given[one.name] = tuple(word.strip() for word in text.replace("，", ",").split(",") if word.strip())
        else:
            given[one.name] = text
    return RecordAnswers(**given)


def options_of(said: Mapping[str, str]) -> Options:
    """How the form says that files are to be read. Raises `Invalid` for what can't be."""
    kind, step = said.get("kind", ""), said.get("time_step", "").strip()
    if kind and kind not in list(VolumeKind):
        raise Invalid(f"{kind!r} is no kind of volume", hint=" or ".join(VolumeKind))
    try:
        time_step_s = float(step) if step else None
    except ValueError:
        raise Invalid(f"the time step {step!r} is no number", hint="seconds between time points, as 0.5") from None
    return Options(
        voxel_size_um=voxel_size(said.get("voxel_size", "")),
        orientation=said.get("orientation", "").strip().upper(),
        kind=VolumeKind(kind) if kind else None,
        axes=said.get("axes", "").strip().lower(),
        time_step_s=time_step_s,
        unit=said.get("unit", "").strip(),
    )


def request_of(said: Mapping[str, str], path: Path) -> Request:
    """The ingest that the form asks for. Raises `Invalid` for what can't be."""
    originals = said.get("originals") or Originals.KEEP.value
    # what was uploaded is removed in the end: only kept or forgotten can it be
    if originals not in (Originals.KEEP.value, Originals.DISCARD.value):
        raise Invalid(f"the files can't be {originals!r}", hint="keep or discard")
    return Request(
        path=path,
        options=options_of(said),
        answers=answers_of(said),
        originals=Originals(originals),
        name=said.get("name", ""),
    )
