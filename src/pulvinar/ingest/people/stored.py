"""What is stored of a person's files beside their voxels: numbers, and words that a machine has chosen.

A header of a person's data keeps a text only under a key that can't hold free words; what files say of the person is
then looked for in all that would be stored, and refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pulvinar.errors import Invalid
from pulvinar.ingest.people.dicom_removal import described
from pulvinar.ingest.people.identifiers import Identifier, IdentifierKind
from pulvinar.ingest.reader import FoundAsset
from pulvinar.model.record import Record, record_to_json

_SAFE_KEYS = frozenset(
    (
        *("Modality", "Manufacturer", "ManufacturerModelName", "ManufacturersModelName", "MagneticFieldStrength"),
        *("ScanningSequence", "SequenceVariant", "ScanOptions", "MRAcquisitionType", "PatientPosition", "ImageType"),
        *("InPlanePhaseEncodingDirection", "PhaseEncodingDirection", "SliceEncodingDirection", "SoftwareVersions"),
        *("PulseSequenceType", "NonlinearGradientCorrection", "ParallelReductionTechnique", "ConversionSoftware"),
        *("ConversionSoftwareVersion", "SeriesNumber", "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle"),
        *("SliceThickness", "SpacingBetweenSlices", "GantryDetectorTilt", "EchoNumbers", "DiffusionBValue"),
        *("frame", "slice_order", "stored_dtype", "dtype", "axes", "format", "dialect", "unit", "units", "encoding"),
        *("version", "suffix", "datatype", "part", "events", "columns", "rows", "nodes", "roots", "intent_code"),
        *("annotation_type", "segment", "space", "kind", "type", "order", "compression", "orientation"),
        *("sub", "ses", "task", "run", "acq", "rec", "dir", "echo", "sex", "gender", "handedness", "hand", "age"),
        *("TaskName", "CogAtlasID", "SoftwareFilters", "Units"),
    )
)
_DESCRIPTIONS = frozenset(("SequenceName", "SeriesDescription", "ProtocolName", "PulseSequenceDetails"))
_SAYS_WHO_MADE_IT = ("contributors", "lab", "citation", "funding", "related", "source", "ethics")
_LONGEST = 200
_NAMED = 5


def safe_header(said: Mapping[str, Any]) -> dict[str, Any]:
    """What of a header is kept of a person's file: numbers everywhere, texts where they can't say who it is."""
    kept = {key: _safe(key, value) for key, value in said.items()}
    return {key: value for key, value in kept.items() if value is not None}


def _safe(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return safe_header(value) or None
    if isinstance(value, list | tuple):
        return [one for item in value if (one := _safe(key, item)) is not None] or None
    if key in _DESCRIPTIONS:
        return described(str(value)) or None
    return str(value)[:_LONGEST] if key in _SAFE_KEYS else None


def safe_asset(found: FoundAsset, *, is_named: bool = False) -> FoundAsset:
    """`found` of a person, as it may be stored; `is_named`: its name is what the submitter calls it."""
    header = found.metadata.get("header")
    if not isinstance(header, Mapping):
        return found
    name = found.name
    if found.reader == "dicom" and not is_named:
        # DICOM's descriptions are what somebody has typed at the scanner
        name = described(name) or f"series {header.get('SeriesNumber', '')}".strip()
    return replace(found, name=name, metadata={**found.metadata, "header": safe_header(header)})


def traces(texts: Iterable[tuple[str, str]], identifiers: Sequence[Identifier]) -> Iterator[str]:
    """Where one of the `identifiers` is said in `texts`, pairs of a place and its words; the identifier isn't told."""
    needles = {needle: one.where for one in identifiers for needle in one.needles}
    if not needles:
        return
    # a word of its own: "Lee" is no trace in "sleep"
    wanted = re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in sorted(needles, key=len, reverse=True)))
    for place, text in texts:
        for spelt in {text, text.replace("_", " ")}:
            if found := wanted.search(" ".join(spelt.lower().split())):
                yield f"{place} holds what {needles[found[0]]} says"
                break


def refuse_traces(found: Sequence[FoundAsset], record: Record, path: str, identifiers: Sequence[Identifier]) -> None:
    """Raise `Invalid` where what is to be stored says of whom it is: names of files and assets, headers, the record.

    Who made the data is no secret, and isn't looked at.
    """
    surely = [one for one in identifiers if one.kind is not IdentifierKind.FREE]
    told = list(dict.fromkeys(traces(_to_be_stored(found, record, path), surely)))
    if told:
        more = f"; and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
        raise Invalid(
            "the person could be told from what would be stored: " + "; ".join(told[:_NAMED]) + more,
            hint="pulvinar deidentify makes copies without it, under names that tell nothing: hand those in",
        )


def refuse_originals(identifiers: Sequence[Identifier]) -> None:
    """Raise `Invalid` where files that are to be kept say something of a person, or may."""
    telling = [one for one in identifiers if one.kind is not IdentifierKind.FREE or not _is_of_a_program(one.text)]
    if telling:
        where = sorted({one.where for one in telling})[:_NAMED]
        raise Invalid(
            f"the files say of people what is not to be kept: {', '.join(where)}",
            hint="leave out --originals keep, or hand in the copies that pulvinar deidentify makes",
        )


def _is_of_a_program(text: str) -> bool:
    return _PROGRAMS.match(text.strip().lower()) is not None or described(text).split() == text.split()


_PROGRAMS = re.compile(r"(fsl|spm|afni|freesurfer|dcm2nii|ants|itk|mrtrix|nibabel|te=|nilearn)[\w.:=;+\- ]*$")


def _to_be_stored(found: Sequence[FoundAsset], record: Record, path: str) -> Iterator[tuple[str, str]]:
    yield "the name of what was handed in", path
    document = {key: value for key, value in record_to_json(record).items() if key not in _SAYS_WHO_MADE_IT}
    yield "the record", _as_text(document)
    for one in found:
        yield "the name of an asset", one.name
        for name in one.files:
            yield "the name of a file", name
        yield "a header", _as_text(one.metadata.get("header", {}))
        for finding in one.findings:
            yield "a finding", finding.message


def _as_text(document: Mapping[str, Any]) -> str:
    return re.sub(r"[\"{}\[\],:]+", " ", json.dumps(document, ensure_ascii=False))
