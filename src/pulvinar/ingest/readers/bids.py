"""BIDS: a tree of images with what is said of them beside and above, as one dataset.

Images and tables are read as by their own readers; this one gives them names that tell, what their sidecars say, and
what the dataset says of itself. Source: the Brain Imaging Data Structure 1.10.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, PulvinarError
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    PointsData,
    Severity,
    SourceFile,
    TableColumn,
    TableData,
)
from pulvinar.ingest.readers.bids_names import (
    DESCRIPTION,
    BidsName,
    Inheritance,
    below,
    bids_name,
    dataset_roots,
    root_of,
)
from pulvinar.ingest.readers.dicom_person import person_findings, without_person
from pulvinar.ingest.readers.json_files import read_object
from pulvinar.ingest.readers.nifti import NiftiReader
from pulvinar.ingest.readers.tables import TableReader
from pulvinar.model.dataset import AssetKind
from pulvinar.model.text import plain, short

_IMAGES, _TABLE, _SIDECAR = (".nii", ".nii.gz"), ".tsv", ".json"
_MODALITIES = {
    "anat": "MRI", "func": "fMRI", "dwi": "diffusion MRI", "fmap": "MRI field map", "perf": "perfusion MRI",
    "pet": "PET", "micr": "microscopy", "eeg": "EEG", "meg": "MEG", "ieeg": "intracranial EEG", "nirs": "NIRS",
    "beh": "behaviour", "motion": "motion", "mrs": "MR spectroscopy",
}  # fmt: skip
_ABOUT = ("README", "CHANGES", "LICENSE", "CITATION.cff", ".bidsignore")
_ELSEWHERE = ("code", "stimuli")
_MISSING = "n/a"
_LONGEST_TEXT = 20_000
_MOST_SAID = 500
_OFF = 0.01


@dataclass(frozen=True)
class _Dataset:
    """One dataset: where it lies, what it says of itself, its names, and what is said of each participant.

    `part` is "" for the data as recorded, else "derivatives/NAME" or "sourcedata".
    """

    root: str
    said: dict[str, Any]
    names: tuple[BidsName, ...]
    inheritance: Inheritance
    participants: dict[str, dict[str, str]]
    about: tuple[SourceFile, ...]
    metadata: dict[str, Any]
    findings: tuple[Finding, ...]


class BidsReader:
    """Reads the images (NIfTI) and tables of BIDS datasets; other files are left to their own readers."""

    name: ClassVar[str] = "bids"
    priority: ClassVar[int] = 20

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset an image and a table; what can't be read is raised after all that can was found."""
        roots = dataset_roots(files)
        stopped: list[PulvinarError] = []
        made = [_dataset(root, roots, files, stopped) for root in roots]
        datasets = [dataset for dataset in made if dataset is not None]
        outer = {dataset.root: dataset for dataset in datasets}
        for dataset in datasets:
            around = next(one for root, one in outer.items() if not root or f"{dataset.root}/".startswith(f"{root}/"))
            assets = (self._asset(name, dataset, around, options, stopped) for name in dataset.names)
            for index, asset in enumerate(asset for asset in assets if asset is not None):
                # what is said of all belongs to the first
                claimed = (*asset.files, *(file.name for file in dataset.about)) if index == 0 else asset.files
                findings = (*asset.findings, *(dataset.findings if index == 0 else ()))
                yield replace(asset, files=tuple(dict.fromkeys(claimed)), findings=findings)
        if stopped:
            raise stopped[0]

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open as a NIfTI file is."""
        return NiftiReader().open_volume(_own(asset, NiftiReader.name), root, options, scratch)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Read as a table is; `n/a` is a missing value."""
        if asset.kind is AssetKind.VOLUME:
            raise Invalid(f"{asset.name} is a volume")
        data = TableReader().read_geometry(_own(asset, TableReader.name), root, options)
        assert isinstance(data, TableData | PointsData)
        return replace(data, columns={name: _with_gaps(column) for name, column in data.columns.items()})

    def _asset(
        self, name: BidsName, dataset: _Dataset, around: _Dataset, options: Options, stopped: list[PulvinarError]
    ) -> FoundAsset | None:
        reader = NiftiReader() if name.ending in _IMAGES else TableReader()
        try:
            asset = next(iter(reader.find([name.file], options)), None)
        except PulvinarError as error:
            stopped.append(error)
            return None
        if asset is None:
            return None
        part = _part(name.file.name, dataset, around)
        sidecar, used, findings = _sidecar(name, dataset, stopped)
        told, person = without_person({key: str(value or "") for key, value in sidecar.items()})
        sidecar = {key: value for key, value in sidecar.items() if key in told}
        if asset.volume is not None:
            volume, more = _with_repetition(asset, sidecar, options)
            asset = replace(asset, volume=volume)
            findings += more
        header = {**asset.metadata.get("header", {}), "bids": _says(name, dataset, part)}
        if sidecar:
            header["sidecar"] = _bounded(sidecar)
        return replace(
            asset,
            reader=self.name,
            name=f"{part.removeprefix('derivatives/')} {asset.name}".strip(),
            files=(name.file.name, *used, posixpath.join(dataset.root, DESCRIPTION)),
            findings=(*asset.findings, *findings, *person_findings([person], [])),
            metadata={**around.metadata, **_modality(name), "header": header},
        )


def _own(asset: FoundAsset, reader: str) -> FoundAsset:
    """The asset as the reader of its first file knows it."""
    return replace(asset, reader=reader, files=asset.files[:1])


def _with_gaps(column: TableColumn) -> TableColumn:
    """A column of numbers with `n/a` between them as numbers; other columns as they are."""
    if not isinstance(column, np.ndarray):
        column = np.array(column.to_pylist(), dtype=object)
    if column.dtype.kind != "O":
        return column
    gaps = column == _MISSING
    if not gaps.any():
        return column
    try:
        numbers = np.array([np.nan if gap else float(value) for gap, value in zip(gaps, column, strict=True)])
    except ValueError:
        return np.where(gaps, "", column)
    return np.where(gaps, "", column) if gaps.all() else numbers


def _dataset(
    root: str, roots: Sequence[str], files: Sequence[SourceFile], stopped: list[PulvinarError]
) -> _Dataset | None:
    mine = [file for file in files if root_of(file.name, roots) == root]
    by_name = {below(file.name, root): file for file in mine}
    said = _read(by_name[DESCRIPTION], stopped)
    if said is None:
        return None
    names = [
        name
        for file in mine
        if below(file.name, root).split("/")[0] not in _ELSEWHERE and (name := bids_name(file)) is not None
    ]
    participants = _participants(by_name.get("participants.tsv"))
    about = [
        file for name, file in by_name.items() if name == DESCRIPTION or (("/" not in name) and name.startswith(_ABOUT))
    ]
    readable = tuple(name for name in names if name.ending in (*_IMAGES, _TABLE))
    subjects = {name.entities["sub"] for name in names if "sub" in name.entities}
    metadata, findings = _about_dataset(said, participants, subjects, by_name)
    return _Dataset(
        root, said, readable, Inheritance(root, names), participants, tuple(about), metadata, tuple(findings)
    )


def _read(file: SourceFile, stopped: list[PulvinarError]) -> dict[str, Any] | None:
    """What a JSON file says; None where it can't be read, which is raised later."""
    try:
        return read_object(file)
    except PulvinarError as error:
        if error.message not in {known.message for known in stopped}:
            stopped.append(error)
        return None


def _participants(file: SourceFile | None) -> dict[str, dict[str, str]]:
    """What participants.tsv says of each, by the label behind `sub-`."""
    if file is None or file.size_bytes > 16 << 20:
        return {}
    lines = file.path.read_text("utf-8", "replace").removeprefix("\ufeff").splitlines()
    rows = [line.split("\t") for line in lines if line.strip()]
    if not rows or rows[0][0].strip() != "participant_id":
        return {}
    columns = [plain(column).strip() for column in rows[0]]
    found = [dict(zip(columns, (plain(cell).strip() for cell in row), strict=False)) for row in rows[1:]]
    return {row["participant_id"].removeprefix("sub-"): row for row in found}


def _about_dataset(
    said: dict[str, Any],
    participants: dict[str, dict[str, str]],
    subjects: set[str],
    by_name: dict[str, SourceFile],
) -> tuple[dict[str, Any], list[Finding]]:
    """What goes into the dataset's record, under the names of its fields."""
    authors = said.get("Authors")
    readme = next(
        (by_name[name] for name in ("README", "README.md", "README.txt", "README.rst") if name in by_name), None
    )
    text = readme.path.read_bytes()[:_LONGEST_TEXT].decode("utf-8", "ignore").strip() if readme else ""
    metadata: dict[str, Any] = {
        "title": said.get("Name"),
        "licence": said.get("License"),
        "contributors": [one for one in authors if isinstance(one, str)] if isinstance(authors, list) else None,
        "citation": said.get("HowToAcknowledge"),
        "source": said.get("DatasetDOI"),
        "keywords": said.get("Keywords"),
        "description": text,
    }
    species = {row.get("species", "").lower() for row in participants.values()} - {"", _MISSING}
    findings = []
    if len(species) == 1:
        metadata["species"] = species.pop()
    elif not species and participants:
        # participants.tsv: "if species is not provided, it is homo sapiens"
        metadata["species"] = "human"
        text = "participants.tsv names no species: human is assumed, as BIDS says"
        findings.append(Finding(Severity.DOUBT, text, "--species"))
    if len(subjects) == 1:
        (label,) = subjects
        row = participants.get(label, {})
        metadata |= {"subject": f"sub-{label}", "sex": row.get("sex"), "age": row.get("age")}
    filled = {key: value for key, value in metadata.items() if value and value != _MISSING}
    return filled, findings


def _part(name: str, dataset: _Dataset, around: _Dataset) -> str:
    """Whether a file is derived or a source: "derivatives/NAME", "sourcedata", or ""."""
    first, _, rest = below(name, around.root).partition("/")
    if first == "derivatives":
        return f"{first}/{rest.partition('/')[0]}"
    if first == "sourcedata":
        return first
    if dataset.said.get("DatasetType") == "derivative":
        return f"derivatives/{plain(dataset.said.get('Name', ''))[:80]}".rstrip("/")
    return ""


def _sidecar(
    name: BidsName, dataset: _Dataset, stopped: list[PulvinarError]
) -> tuple[dict[str, Any], list[str], list[Finding]]:
    """What all sidecars together say of a file, the nearest last; their names; and what is doubtful."""
    said: dict[str, Any] = {}
    used: list[str] = []
    findings = []
    for speaking in dataset.inheritance.of(name, name.suffix, _SIDECAR):
        if len(speaking) > 1:
            shown = " and ".join(posixpath.basename(one.file.name) for one in speaking[:5])
            text = f"{shown} in one folder speak of it: BIDS allows one; the last overrules the others"
            findings.append(Finding(Severity.DOUBT, text))
        for one in speaking:
            if (read := _read(one.file, stopped)) is not None:
                said |= read
                used.append(one.file.name)
    return said, used, findings


def _says(name: BidsName, dataset: _Dataset, part: str) -> dict[str, Any]:
    """What the tree says of a file: entities, participant, table of events."""
    events = [one.file.name for speaking in dataset.inheritance.of(name, "events", _TABLE) for one in speaking]
    says = {
        "dataset": plain(dataset.said.get("Name", ""))[:500],
        "version": plain(dataset.said.get("BIDSVersion", ""))[:50],
        "entities": dict(name.entities),
        "suffix": name.suffix,
        "datatype": _datatype(name),
        "part": part,
        "participant": dataset.participants.get(name.entities.get("sub", ""), {}),
        "events": events[-1] if events and name.ending in _IMAGES else "",
    }
    return {key: value for key, value in says.items() if value}


def _datatype(name: BidsName) -> str:
    folder = posixpath.basename(name.folder)
    return folder if folder in _MODALITIES else ""


def _modality(name: BidsName) -> dict[str, str]:
    datatype = _datatype(name)
    return {"modality": _MODALITIES[datatype]} if datatype and name.ending in _IMAGES else {}


def _bounded(sidecar: dict[str, Any]) -> dict[str, Any]:
    """A sidecar of a reasonable size: long texts are cut, long lists counted."""
    return {short(key, 100): _short(value) for key, value in list(sidecar.items())[:_MOST_SAID]}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list) and all(isinstance(item, int | float | str | None) for item in value):
        return value if len(value) <= _MOST_SAID else f"{len(value)} values"
    return value if isinstance(value, int | float | bool | None) else short(plain(value), _MOST_SAID)


def _with_repetition(asset: FoundAsset, sidecar: dict[str, Any], options: Options) -> tuple[Any, list[Finding]]:
    """The volume with the repetition time of its sidecar, which BIDS asks for, over that of its header."""
    volume, said = asset.volume, sidecar.get("RepetitionTime")
    assert volume is not None
    if volume.shape[0] == 1 or options.time_step_s is not None or isinstance(said, bool):
        return volume, []
    if not isinstance(said, int | float) or not 0 < said < 1e6:
        return volume, []
    header = volume.time_step_s
    if header is None or abs(header - said) <= _OFF * said:
        return replace(volume, time_step_s=float(said)), []
    text = f"its sidecar says that its repetition time is {said:g} s, its header {header:g} s: the sidecar is taken"
    return replace(volume, time_step_s=float(said)), [Finding(Severity.DOUBT, text, "--time-step")]
