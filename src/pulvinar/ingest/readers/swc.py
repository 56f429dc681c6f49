"""SWC: reconstructed neurons, as a forest of nodes.

One line a node: number, type, x, y, z, radius, number of the parent (negative at a root); `#` begins a comment. Vaa3D's
ESWC has more behind these. Source: Cannon et al., 1998, J. Neurosci. Methods 84:49, the SWC+ description of INCF, and
Vaa3D's wiki.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SkeletonData,
    SourceFile,
)
from pulvinar.ingest.readers.forests import depths, parents_come_first, skeleton_data, skeleton_findings
from pulvinar.ingest.readers.frames import micrometres
from pulvinar.ingest.readers.streams import plain_name, start_of, stem_of
from pulvinar.ingest.readers.text import (
    Floats,
    Ints,
    blocks,
    check_lines,
    is_text,
    line_count,
    numbers_by_line,
    whole_lines,
)
from pulvinar.ingest.readers.text import without_comments as split_comments
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Triple

_COLUMNS = 7
_MOST_COLUMNS = 64
_MOST_NODES = 200_000_000
_MOST_COMMENTS = 200
_FEWEST_STEPS = 20
_FINEST_STEP_UM = 0.17
_SCALE = re.compile(r"SCALE:?\s+([-+.\deE]+)[\s,]+([-+.\deE]+)[\s,]+([-+.\deE]+)\s*$")
_UNIT = re.compile(r"\b(?:in|unit:?|units:?)\s+(µm|μm|um|mm|nm|microns?|micrometers?|pixels?|voxels?)\b", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class _Table:
    """The file's columns, the line of each row, its comments and how many columns were left out."""

    rows: Floats
    lines: Ints
    comments: list[str]
    extra: int


class SwcReader:
    """Reads neurons with any number of roots."""

    name: ClassVar[str] = "swc"
    priority: ClassVar[int] = 400

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; raises `UnreadableFile`, naming the line, for a file that is no forest."""
        for file in files:
            head = start_of(file.head)
            named = plain_name(file.name).endswith((".swc", ".eswc"))
            if is_text(head) and (named or _looks_like_swc(whole_lines(file))):
                yield self._found(file, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: every asset of this reader is a skeleton."""
        raise Invalid(f"{asset.name} is a neuron, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The neuron; radii of zero and less are NaN."""
        name = asset.files[0]
        table = _read(root / name, name)
        scale, _ = _scale(table.comments, options)
        return _skeleton(table, name, options, scale)

    def _found(self, file: SourceFile, options: Options) -> FoundAsset:
        table = _read(file.path, file.name)
        scale, findings = _scale(table.comments, options)
        skeleton = _skeleton(table, file.name, options, scale)
        roots = int(np.count_nonzero(skeleton.parent < 0))
        findings += skeleton_findings(skeleton, options)
        if table.extra:
            findings.append(Finding(Severity.NOTE, f"{table.extra} columns beyond SWC's seven are left out"))
        findings += _axes_finding(table.comments, options)
        if not options.unit and not any(one.flag == "--unit" and one.severity is Severity.QUESTION for one in findings):
            findings += _voxel_doubts(skeleton)
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem_of(file.name),
            kind=AssetKind.SKELETON,
            files=(file.name,),
            findings=tuple(findings),
            metadata={"header": {"comments": table.comments, "nodes": len(table.rows), "roots": roots}},
        )


def _voxel_doubts(skeleton: SkeletonData) -> list[Finding]:
    """A doubt about the unit where nodes lie closer than light can show, or on whole numbers only.

    Measured: in 92 neurons traced in micrometres the typical step is 0.35 to 18 um; in 14 of 25 um voxels, 0.04 to
    0.08 voxels. No neuron in micrometres has whole coordinates only.
    """
    child = np.flatnonzero(skeleton.parent >= 0)
    if len(child) < _FEWEST_STEPS:
        return []
    steps = np.linalg.norm(skeleton.zyx_um[child] - skeleton.zyx_um[skeleton.parent[child]], axis=1)
    step, extent = float(np.median(steps)), float(np.ptp(skeleton.zyx_um, axis=0).max())
    if 0 < step < _FINEST_STEP_UM:
        text = f"its nodes would lie {step:.2g} µm apart, closer than light shows, and it would reach {extent:.3g} µm"
    elif (skeleton.zyx_um == np.rint(skeleton.zyx_um)).all():
        text = "its nodes lie on whole numbers only"
    else:
        return []
    advice = "its coordinates may be voxels: then give --unit voxel --voxel-size z,y,x"
    return [Finding(Severity.DOUBT, f"{text}: {advice}", "--unit")]


def _looks_like_swc(lines: list[bytes]) -> bool:
    """Whether every line that isn't a comment is a node and one of them a root: for files of any name."""
    seen: set[bytes] = set()
    roots = 0
    for line in lines:
        words = line.split(b"#")[0].split()
        if not words:
            continue
        whole = len(words) == _COLUMNS and all(re.fullmatch(rb"-?\d+", words[i]) for i in (0, 1, 6))
        if not whole or not all(re.fullmatch(rb"-?[\d.]+([eE][-+]?\d+)?", word) for word in words) or words[0] in seen:
            return False
        seen.add(words[0])
        roots += words[6] == b"-1"
    return len(seen) >= 3 and roots > 0


def _read(path: Path, name: str) -> _Table:
    rows: list[Floats] = []
    lines: list[Ints] = []
    comments: list[str] = []
    widths: set[int] = set()
    # Vaa3D's rows end with as many values of features as a node has
    ragged = plain_name(name).endswith(".eswc")
    count = 0
    for first, block in blocks(path, name):
        text, found = split_comments(block)
        comments += found[: max(_MOST_COMMENTS - len(comments), 0)]
        numbers = first + np.arange(line_count(text), dtype=np.int64)
        values, counts = numbers_by_line(np.frombuffer(text.replace(b",", b" "), np.uint8), numbers, name)
        used = counts > 0
        numbers, counts = numbers[used], counts[used]
        widths |= set(np.flatnonzero(np.bincount(counts)).tolist())
        width = min(widths, default=_COLUMNS)
        check_lines(counts >= _COLUMNS, numbers, name, "a node needs seven numbers")
        check_lines((counts == width) | ragged, numbers, name, f"it has not {width} numbers as the lines before")
        check_lines(counts <= _MOST_COLUMNS, numbers, name, f"it has more than {_MOST_COLUMNS} numbers")
        count += len(numbers)
        if count > _MOST_NODES:
            raise TooLarge(f"{name} has more than {_MOST_NODES} nodes")
        if len(numbers):
            rows.append(_first_columns(values, counts))
            lines.append(numbers)
    if not rows:
        raise UnreadableFile(f"{name} has no node: it is empty or all comment")
    table = _Table(np.concatenate(rows), np.concatenate(lines), comments, max(widths) - _COLUMNS)
    _check_numbers(table, name)
    return table


def _first_columns(values: Floats, counts: Ints) -> Floats:
    """The first seven of each row's numbers; `counts` says how many each has."""
    if (counts == counts[0]).all():
        return values.reshape(len(counts), -1)[:, :_COLUMNS]
    begins = np.cumsum(counts) - counts
    first: Floats = values[begins[:, None] + np.arange(_COLUMNS)]
    return first


def _check_numbers(table: _Table, name: str) -> None:
    rows = table.rows
    finite = np.isfinite(rows)
    if not finite.all():
        check_lines(finite.all(axis=1), table.lines, name, "a number is not finite")
    number, kind, parent = rows[:, 0], rows[:, 1], rows[:, 6]
    for column in (number, kind, parent):
        whole = column == np.rint(column)
        check_lines(whole, table.lines, name, "number, type and parent must be whole numbers")
    for column in (number, parent):
        check_lines(np.abs(column) < 2**53, table.lines, name, "its number is too large")
    check_lines(np.abs(kind) < 2**15, table.lines, name, "its type is no type of SWC")


def _skeleton(table: _Table, name: str, options: Options, scale: Triple) -> SkeletonData:
    rows, lines = table.rows, table.lines
    ids = rows[:, 0].astype(np.int64)
    parent = _parent_rows(ids, rows[:, 6].astype(np.int64), lines, name)
    if not parents_come_first(parent):
        check_lines(~depths(parent)[1], lines, name, "the node is its own ancestor")
    nodes, types = rows[:, 2:6], rows[:, 1].astype(np.int16)
    return skeleton_data(nodes, parent, types, options, scale=scale, node_id=ids)


def _parent_rows(ids: Ints, parents: Ints, lines: Ints, name: str) -> Ints:
    """The row of each node's parent, -1 at a root."""
    order, ordered = np.arange(len(ids)), ids
    if not (ids[1:] > ids[:-1]).all():
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        again = np.zeros(len(ids), bool)
        again[order[1:]] = ordered[1:] == ordered[:-1]
        check_lines(~again, lines, name, "its number was given to a node before")
    # of numbers without a gap each tells its row
    gapless = ordered[-1] - ordered[0] == len(ids) - 1
    spot = np.maximum(parents - ordered[0], 0) if gapless else np.searchsorted(ordered, parents)
    spot = np.minimum(spot, len(ids) - 1)
    check_lines((parents < 0) | (ordered[spot] == parents), lines, name, "its parent is not in the file")
    return np.where(parents < 0, -1, order[spot]).astype(np.int64)


def _scale(comments: list[str], options: Options) -> tuple[Triple, list[Finding]]:
    """Factors of the x, y, z columns to micrometres, and what was assumed. `--unit` overrules the file."""
    if options.unit:
        return (1.0, 1.0, 1.0), []
    for comment in comments:
        if match := _SCALE.search(comment):
            try:
                x, y, z = (float(word) for word in match.groups())
            except ValueError:
                continue
            if (x, y, z) == (1.0, 1.0, 1.0):
                break
            if min(x, y, z) > 0 and np.isfinite([x, y, z]).all():
                text = f"the file's SCALE of {x:g} {y:g} {z:g} is applied, and gives µm"
                return (x, y, z), [Finding(Severity.NOTE, text, "--unit")]
            return (1.0, 1.0, 1.0), [Finding(Severity.DOUBT, f"its SCALE {comment!r} can't be: not applied", "--unit")]
    stated = next((match[1] for comment in comments if (match := _UNIT.search(comment))), "")
    length = micrometres(stated) if stated else None
    if length is not None:
        return (length, length, length), [Finding(Severity.NOTE, f"the file says that its unit is {stated}", "--unit")]
    if stated:
        text = f"the file says that its unit is the {stated}: give --unit voxel and --voxel-size"
        return (1.0, 1.0, 1.0), [Finding(Severity.QUESTION, text, "--unit")]
    return (1.0, 1.0, 1.0), [Finding(Severity.NOTE, "the file has no unit: µm is taken, as SWC says", "--unit")]


def _axes_finding(comments: list[str], options: Options) -> list[Finding]:
    said = next((comment for comment in comments if re.search(r"\bAxes\b", comment, re.IGNORECASE)), "")
    if not said or options.axes:
        return []
    text = f"a comment says {' '.join(said.split())[:200]!r}; it is not used, the columns are taken as x, y, z"
    return [Finding(Severity.DOUBT, text, "--axes")]
