"""Neurons, meshes and tables as text, and Parquet."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.ingest.hostile_files.bombs import gzip_bomb
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile

NAN = float("nan")


def text(folder: Path, content: str | bytes, name: str) -> Path:
    """A file of that text."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


# --- SWC ---

_SWC = "# a neuron\n1 1 0 0 0 2 -1\n2 3 1.5 0 0 1 1\n3 3 3.5 1 0 1 2\n4 3 3.5 -1 0.25 1 2\n"
_NODES = {"x_um": [0, 1.5, 3.5, 3.5], "y_um": [0, 0, 1, -1], "z_um": [0, 0, 0, 0.25], "parent": [-1, 0, 1, 1]}
SWC = Good("swc", lambda folder: text(folder, _SWC, "neuron.swc"), {"neuron": {**_NODES, "radius_um": [2, 1, 1, 1]}})


def _swc(name: str, because: str, more: str, start: str = _SWC) -> None:
    hostile(f"swc: {name}", Refused(because), SWC)(lambda folder: text(folder, start + more, "neuron.swc"))


_swc("a circle", "line 6: the node is its own ancestor", "5 3 1 1 1 1 6\n6 3 2 1 1 1 5\n")
_swc("a node that is its own parent", "line 6: the node is its own ancestor", "5 3 1 1 1 1 5\n")
_swc("all of it a circle", "the node is its own ancestor", "", "1 3 0 0 0 1 2\n2 3 1 0 0 1 1\n")
_swc("an unknown parent", "line 6: its parent is not in the file", "5 3 1 1 1 1 99\n")
_swc("NaN as a coordinate", "line 6: a number is not finite", "5 3 nan 1 1 1 4\n")
_swc("infinity as a coordinate", "line 6: a number is not finite", "5 3 1 1e999 1 1 4\n")
_swc("a number that stands twice", "line 6: its number was given to a node before", "4 3 1 1 1 1 3\n")
_swc("a word among the numbers", "line 6: 'x' is not a number", "5 3 x 1 1 1 4\n")
_swc("a node without a parent's number", "line 6: a node needs seven numbers", "5 3 1 1 1 1\n")
_swc("half a node's number", "line 6: number, type and parent must be whole numbers", "4.5 3 1 1 1 1 4\n")
_swc("no node at all", "has no node", "# nothing\n", "")


@hostile("swc: radii of nothing and less, and a person says that they are not known", Ingested(
    {"neuron": {**_NODES, "radius_um": [2, NAN, NAN, NAN]}}, said=("3 of 4 radii are not positive",)
), SWC, ("--radius-unknown",))  # fmt: skip
@hostile("swc: radii of nothing and less", Refused("3 of 4 radii are not positive", names="--radius-unknown"), SWC)
def radii(folder: Path) -> Path:
    """Whether they are not known or lost, only a person knows."""
    content = _SWC.replace(" 1 1\n", " 0 1\n").replace(" 1 2\n", " -1 2\n")
    return text(folder, content, "neuron.swc")


def _star(count: int) -> Iterable[str]:
    """A soma with so many branches of two nodes."""
    yield "1 1 0 0 0 2 -1"
    for number in range(count):
        angle = number * 2.4
        x, y = np.cos(angle) * 10, np.sin(angle) * 10
        yield f"{2 * number + 2} 3 {x:.4f} {y:.4f} {number % 97} 1 1"
        yield f"{2 * number + 3} 3 {2 * x:.4f} {2 * y:.4f} {number % 97} 1 {2 * number + 2}"


_BRANCHES = 100_000
_PARENTS = np.concatenate([[-1], np.stack([np.zeros(_BRANCHES), np.arange(_BRANCHES) * 2 + 1], axis=1).ravel()])


@hostile("swc: 100,000 branches", Ingested({"neuron": {"parent": _PARENTS}}), SWC)
def branches(folder: Path) -> Path:
    """Unusual, and right."""
    return text(folder, "\n".join(_star(_BRANCHES)), "neuron.swc")


_DEEP = 300_000


@hostile("swc: 300,000 nodes one after the other", Ingested({"neuron": {"parent": np.arange(_DEEP) - 1}}), SWC)
def deep(folder: Path) -> Path:
    """Deeper than any stack; parents come after their children."""
    lines = [f"{n} 3 {n * 0.5} 0 0 1 {n - 1 if n > 1 else -1}" for n in range(_DEEP, 0, -1)]
    return text(folder, "\n".join(lines), "neuron.swc")


@hostile("swc: a line without end", Refused("is longer than"), SWC)
def long_line(folder: Path) -> Path:
    """Forty megabytes of digits."""
    return text(folder, _SWC + "1" * (40 << 20), "neuron.swc")


@hostile("swc: truncated gz", Refused("its compressed stream is damaged"), SWC)
def truncated_swc(folder: Path) -> Path:
    """The end is not there."""
    return text(folder, gzip.compress(_SWC.encode())[:-12], "neuron.swc.gz")


@hostile("swc: gz bomb of nodes", Refused("neuron.swc.gz"), SWC)
def bomb_swc(folder: Path) -> Path:
    """Four gigabytes of one node, again and again."""
    return text(folder, gzip_bomb(b"1 1 0 0 0 1 -1\n", 4 << 30, b"2 3 1 0 0 1 1\n"), "neuron.swc.gz")


# --- OBJ ---

_OBJ = "v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 3\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n"
_VERTICES = {"x_um": [0, 1, 0, 0], "y_um": [0, 0, 2, 0], "z_um": [0, 0, 0, 3]}
OBJ = Good("obj", lambda folder: text(folder, _OBJ, "mesh.obj"), {"mesh": _VERTICES})


def _obj(name: str, because: str, more: str) -> None:
    hostile(f"obj: {name}", Refused(because), OBJ)(lambda folder: text(folder, _OBJ + more, "mesh.obj"))


_obj("a vertex that is not there", "line 9: the face names a vertex", "f 1 2 9\n")
_obj("a vertex counted back too far", "line 9: the face names a vertex", "f 1 2 -9\n")
_obj("vertex 0", "line 9: a face counts its vertices from 1", "f 0 1 2\n")
_obj("vertex 2^63", "line 9", "f 1 2 9223372036854775808\n")
_obj("NaN as a coordinate", "line 9: a coordinate is not finite", "v nan 0 0\n")
_obj("a face of two corners", "line 9: a face needs three corners", "f 1 2\n")


@hostile("obj: materials of another folder", Ingested(said=("the materials that it names are not read",)), OBJ)
def materials(folder: Path) -> Path:
    """A library that is never opened."""
    return text(folder, "mtllib ../../../etc/passwd\n" + _OBJ, "mesh.obj")


# --- CSV, TSV, Parquet ---

_CSV = "name,x,y,z\nfirst,1,2,3\nsecond,4,5,6.5\nthird,7,8,9\n"
_CELLS = {"x_um": [1, 4, 7], "y_um": [2, 5, 8], "z_um": [3, 6.5, 9], "name": ["first", "second", "third"]}
CSV = Good("csv", lambda folder: text(folder, _CSV, "cells.csv"), {"cells": _CELLS})


@hostile("table: ten million columns", Refused("longer than"), CSV)
def wide(folder: Path) -> Path:
    """Two lines of twenty megabytes."""
    return text(folder, "\t".join(["1"] * 10_000_000) + "\n" + "\t".join(["2"] * 10_000_000) + "\n", "cells.tsv")


@hostile("table: half a million columns in its first line", Refused("are read"), CSV)
def less_wide(folder: Path) -> Path:
    """A line that a look at the beginning still holds."""
    return text(folder, ("\t".join("1" * 400_000) + "\n") * 2, "cells.tsv")


@hostile("table: rows that differ in length", Refused("row 3: it has 3 cells, the first row has 4"), CSV)
def uneven(folder: Path) -> Path:
    """A cell is lost."""
    return text(folder, _CSV.replace("second,", ""), "cells.csv")


@hostile("table: a quote that never ends", Refused("cells.csv"), CSV)
def open_quote(folder: Path) -> Path:
    """All that follows would be one cell."""
    return text(folder, _CSV.replace("second", '"second') + _CSV * 200, "cells.csv")


@hostile("table: formulas and markup in cells", Ingested({"cells": {
    **_CELLS, "name": ["=cmd|'/c calc'!A0", "<script>alert(1)</script>", "@SUM(1+1)"]
}}), CSV)  # fmt: skip
def formulas(folder: Path) -> Path:
    """Text stays text."""
    return text(folder, _CSV.replace("first", "=cmd|'/c calc'!A0").replace("second", "<script>alert(1)</script>")
                .replace("third", "@SUM(1+1)"), "cells.csv")  # fmt: skip


@hostile("table: truncated gz", Refused("its compressed stream is damaged"), CSV)
def truncated_csv(folder: Path) -> Path:
    """The end is not there."""
    rows = "".join(f"n{n},{n},{n % 7},{n % 11}\n" for n in range(200_000))
    content = gzip.compress(("name,x,y,z\n" + rows).encode())
    return text(folder, content[: len(content) - 1000], "cells.csv.gz")


@hostile("table: wrong checksum of a gz", Refused("its compressed stream is damaged"), CSV)
def flipped_csv(folder: Path) -> Path:
    """One digit is another one."""
    content = bytearray(gzip.compress(_CSV.encode(), compresslevel=0))
    content[content.index(b"6.5")] = ord("8")
    return text(folder, bytes(content), "cells.csv.gz")


@hostile("table: gz bomb", Refused("cells.csv.gz"), CSV)
def bomb_csv(folder: Path) -> Path:
    """Four gigabytes of rows."""
    return text(folder, gzip_bomb(b"x,y,z\n", 4 << 30, b"1,2,3\n"), "cells.csv.gz")


def _parquet(folder: Path, change: Callable[[bytearray], bytes] = bytes) -> Path:
    table = pa.table({"name": _CELLS["name"], "x": [1.0, 4, 7], "y": [2.0, 5, 8], "z": [3, 6.5, 9]})
    pq.write_table(table, folder / "cells.parquet")
    content = bytearray((folder / "cells.parquet").read_bytes())
    return text(folder, bytes(change(content)), "cells.parquet")


PARQUET = Good("parquet", _parquet, {"cells": _CELLS})


@hostile("parquet: truncated", Refused("is damaged"), PARQUET)
def truncated_parquet(folder: Path) -> Path:
    """The footer is at the end, which is not there."""
    return _parquet(folder, lambda content: content[:-20])


@hostile("parquet: a footer of 2 GB", Refused("is damaged"), PARQUET)
def huge_footer(folder: Path) -> Path:
    """Its length is behind it."""
    return _parquet(folder, lambda content: content[:-8] + (0x7FFFFFFF).to_bytes(4, "little") + b"PAR1")


@hostile("parquet: bomb", Refused("cells.parquet"), PARQUET)
def bomb_parquet(folder: Path) -> Path:
    """A million rows of one text of four kilobytes, which a dictionary holds once."""
    text_of_all = pa.DictionaryArray.from_arrays(np.zeros(1_000_000, np.int8), ["x" * 4096])
    pq.write_table(pa.table({"text": text_of_all}), folder / "cells.parquet", store_schema=False)
    return folder / "cells.parquet"
