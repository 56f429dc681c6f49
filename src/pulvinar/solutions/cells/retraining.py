"""The solution `teach_cells`: the classifier goes on learning from what people said of its cells, and is measured on
corrections that it was not taught."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from pulvinar.compute.engine import BlockResult
from pulvinar.errors import Invalid, Unavailable
from pulvinar.model.dataset import AssetKind
from pulvinar.model.plan import Block, Need, Plan, Step, StepKind
from pulvinar.model.solution import Input, Output, Parameter, ParameterKind, SolutionDescription, Words
from pulvinar.model.space import Window
from pulvinar.model.volume import Volume, VolumeKind, volume_from_json
from pulvinar.solutions.cards import Figure
from pulvinar.solutions.cells.blocks import Voxel, block_of, whole_block
from pulvinar.solutions.cells.corrections import (
    CorrectedVolume,
    Corrections,
    Verdict,
    corrections_from_table,
    measure_model,
    retrain_volume_model,
)
from pulvinar.solutions.cells.matching import Agreement, agreement, difference, with_interval
from pulvinar.solutions.cells.models import CARD, MODEL, NETWORK, WEIGHTS, model_file
from pulvinar.solutions.cells.searching import BACKGROUND, DIAMETER, DIAMETER_Z, SIGNAL, volume_search
from pulvinar.solutions.cells.simulated import TESTING, Scene, make_scene
from pulvinar.solutions.cells.splitting import TILE, split
from pulvinar.solutions.cells.teaching import Examples, made_examples
from pulvinar.solutions.cells.volumes import VolumeSearch
from pulvinar.solutions.grids import grid_space_name
from pulvinar.solutions.solution import Asked, Desk

_FIXED_BYTES = 1_500_000_000
"""What a process has that trains: torch, and the examples."""
_FEWEST = 16
_REMEMBERED = range(1000, 1006)
"""Made scenes of the first teaching that are shown again, so that nothing is forgotten."""
_MADE = range(200_000, 200_004)
"""Made scenes that no model has seen."""
_MADE_SNR = 3.0
_AROUND = 0.5
"""A cell that a correction is about may lie so many diameters outside of the corrections' box."""
_WITHIN = 0.5

DESCRIPTION = SolutionDescription(
    name="teach_cells",
    version="1",
    title=Words("Teach the cell classifier", "训练细胞分类器"),
    summary=Words(
        "The classifier of Find cells goes on learning from cells that people have accepted, rejected and added in a "
        "volume; what it has learned is measured on corrections that were held back, beside the model that comes with "
        "Pulvinar.",
        "“查找细胞”的分类器根据人们在体数据中接受、否定和补充的细胞继续学习；并用留出的修正来衡量其效果，"
        "与 Pulvinar 自带的模型对照。",
    ),
    inputs=(
        Input(
            "image",
            Words("Image", "图像"),
            (AssetKind.VOLUME,),
            help=Words("The volume in which the cells were found.", "查找细胞所用的体数据。"),
        ),
        Input(
            "corrections",
            Words("Corrections", "修正"),
            (AssetKind.TABLE,),
            help=Words(
                "Verdicts frozen from documents of marks, or tables with z_um, y_um, x_um and verdict (accept, reject, "
                "add), places from the centre of the image's first voxel.",
                "由标记文档冻结的判断，或含 z_um、y_um、x_um 与 verdict（accept、reject、add）的表格，"
                "位置从图像首个体素中心起算。",
            ),
            several=True,
        ),
        replace(
            MODEL,
            help=Words(
                "The one that goes on learning; left out, the one that comes with Pulvinar.",
                "继续学习的模型；留空则用 Pulvinar 自带的模型。",
            ),
        ),
    ),
    outputs=(Output("model", Words("Cell classifier", "细胞分类器"), AssetKind.MODEL),),
    parameters=(
        DIAMETER,
        DIAMETER_Z,
        SIGNAL,
        BACKGROUND,
        Parameter(
            "rounds",
            ParameterKind.INTEGER,
            Words("Rounds of training", "训练轮数"),
            10,
            minimum=1,
            maximum=200,
            help=Words("How often every example is shown.", "每个样例展示的次数。"),
        ),
    ),
)


class TeachCells:
    """The solution `teach_cells`."""

    description = DESCRIPTION

    def plan(self, asked: Asked) -> Plan:
        """One block, which reads what lies around the corrections alone.

        Raises `Invalid` for too few corrections or ones about another volume, `Unavailable` where the extra `train`
        isn't installed.
        """
        if find_spec("torch") is None or find_spec("onnx") is None:
            raise Unavailable("a model can't be trained here", hint="pip install 'pulvinar[train]'")
        task = _Task(asked)
        count = sum(int(asked.inputs[name].details["count"]) for name in task.tables)
        if count < _FEWEST:
            raise Invalid(f"{count} corrections teach nothing", hint=f"give {_FEWEST} at least, cells and others")
        read = task.most_read
        itemsize = np.dtype(task.volume.dtype).itemsize
        memory = prod(read) * len(task.volume.channels) * itemsize
        memory += task.search().block_bytes(read, task.size_um, itemsize)
        need = Need(_FIXED_BYTES + memory, cpu_s=60 + 0.5 * count, fixed_bytes=_FIXED_BYTES)
        return Plan((Step("teach", StepKind.WHOLE, need),))

    def run(self, step: Step, block: Block, desk: Desk) -> BlockResult:
        """Teach, and measure."""
        with tempfile.TemporaryDirectory(prefix="pulvinar-teach-") as folder:
            return _teach(_Task(desk.asked), desk, Path(folder) / NETWORK)


@dataclass(frozen=True)
class _Task:
    asked: Asked

    def __post_init__(self) -> None:
        image, volume = self.asked.inputs["image"], self.volume
        if volume.kind is not VolumeKind.IMAGE or volume.levels[0].shape[0] != 1:
            raise Invalid("cells are found in an image of one time point", hint="choose another volume")
        for name in self.tables:
            about = self.asked.inputs[name].details.get("corrections", {}).get("space", "")
            if about not in ("", grid_space_name(image)):
                raise Invalid(
                    f"{self.asked.inputs[name].name} is about cells of another volume than {image.name}",
                    hint="choose the volume in which these cells were found",
                )

    @property
    def volume(self) -> Volume:
        return volume_from_json(self.asked.inputs["image"].details["volume"])

    @property
    def tables(self) -> list[str]:
        return self.asked.several("corrections")

    @property
    def shape(self) -> Voxel:
        z, y, x = self.volume.levels[0].shape[2:]
        return z, y, x

    @property
    def size_um(self) -> tuple[float, float, float]:
        return self.volume.levels[0].voxel_size_um

    def search(self, model: Path | None = None) -> VolumeSearch:
        return volume_search(self.volume, self.asked.parameters, model)

    @property
    def most_read(self) -> Voxel:
        """The most voxels that are read at once."""
        search = self.search()
        side = np.ceil((TILE + 2 * _AROUND) * np.divide(search.diameter_um, self.size_um))
        around = np.add(search.halo(self.size_um), search.grain(self.size_um))
        z, y, x = np.minimum(side + 2 * around, self.shape).astype(int).tolist()
        return z, y, x

    def corrections(self, desk: Desk) -> Corrections:
        """All that were given. Raises `Invalid` for one that lies outside of the image, and where all are of a kind."""
        parts = [
            corrections_from_table(
                pq.read_table(io.BytesIO(desk.store.read(f"{desk.asset(name).prefix}/table.parquet")))
            )
            for name in self.tables
        ]
        every = Corrections(
            np.concatenate([one.zyx_um for one in parts]), tuple(verdict for one in parts for verdict in one.verdict)
        )
        # a cell at the rim may have its middle outside of it
        rim = np.array(self.search().diameter_um)
        end = np.multiply(self.shape, self.size_um) + rim
        outside = ~((every.zyx_um >= -rim) & (every.zyx_um < end)).all(axis=1)
        if outside.any():
            place = ", ".join(f"{one:g}" for one in every.zyx_um[outside][0])
            raise Invalid(
                f"{int(outside.sum())} corrections lie outside of the image, as the one at {place} um",
                hint="places are micrometres z, y, x from the centre of the image's first voxel",
            )
        cells = every.are(Verdict.ACCEPT, Verdict.ADD)
        if cells.all() or not cells.any():
            raise Invalid(
                "all corrections say the same", hint="accept or add some cells, and reject some that are none"
            )
        return every

    def pieces(self, desk: Desk, corrections: Corrections, tiles: npt.NDArray[np.intp]) -> Iterator[CorrectedVolume]:
        """The corrections by their `tiles`, each with the voxels around it."""
        search, opened = self.search(), desk.open_volume("image")
        around, last = _AROUND * np.array(search.diameter_um), np.subtract(self.shape, 1)
        for tile in np.unique(tiles):
            here = corrections[np.flatnonzero(tiles == tile)]
            low = np.floor((here.zyx_um.min(axis=0) - around) / self.size_um)
            high = np.maximum(np.ceil((here.zyx_um.max(axis=0) + around) / self.size_um), 0) + 1
            (a, b, c), (d, e, f) = (
                np.clip(one, 0, end).astype(int).tolist() for one, end in ((low, last), (high, self.shape))
            )
            halo, grain = search.halo(self.size_um), search.grain(self.size_um)
            block = block_of(self.shape, (a, b, c), (d, e, f), halo, grain)
            window = Window((0, 0, *block.read_start), (1, len(self.volume.channels), *block.read_stop))
            yield CorrectedVolume(np.asarray(opened.read(0, window))[0], self.size_um, here, block)


def _teach(task: _Task, desk: Desk, path: Path) -> BlockResult:
    corrections = task.corrections(desk)
    parts = split(corrections.zyx_um / task.search().diameter_um)
    start = task.search(model_file(desk, "model"))
    taught = task.pieces(desk, corrections[parts.taught], parts.tiles[parts.taught])
    retrain_volume_model(taught, start, path, _remembered(), epochs=int(task.asked.parameters["rounds"]))
    searches = {"taught": task.search(path), "shipped": task.search()}
    if "model" in task.asked.inputs:
        searches["start"] = start
    agreed: dict[str, list[Agreement]] = {name: [] for name in searches}
    for piece in task.pieces(desk, corrections[parts.held], parts.tiles[parts.held]):
        for name, search in searches.items():
            agreed[name].append(measure_model(piece, search))
    card = _card(task, corrections, len(parts.taught), len(parts.held), agreed, searches)
    objects = (
        desk.put_file("model", NETWORK, path),
        desk.put_file("model", WEIGHTS, path.with_suffix(".npz")),
        desk.put("model", CARD, json.dumps(card, ensure_ascii=False, indent=1).encode()),
    )
    name = f"cell classifier taught in {desk.asset('image').name}"
    return BlockResult(objects=objects, details={"model": {"name": name, "network": "volume", "card": card}})


def _card(
    task: _Task,
    corrections: Corrections,
    taught: int,
    held: int,
    agreed: Mapping[str, Sequence[Agreement]],
    searches: Mapping[str, VolumeSearch],
) -> dict[str, Any]:
    """What the model was measured to do, as JSON: figures of it, and those `of` others on the same (the shipped one,
    the one it went on from)."""
    figures: dict[str, list[Figure]] = {}
    for name, parts in agreed.items():
        found = with_interval(parts, lambda part: part.f1)
        made = with_interval([_made(searches[name], seed) for seed in _MADE], lambda part: part.f1)
        data = ", ".join(task.asked.inputs[table].id for table in task.tables)
        figures[name] = [
            Figure("f1_held_out", "GOLD", found.value, found.low, found.high, "", held, ("held-out",), data),
            Figure("f1_made_scenes", "SIM", made.value, made.low, made.high, "", len(_MADE), ("made",), "made"),
        ]
    whole = sum(agreed["taught"], Agreement(0, 0, 0))
    apart = difference(agreed["taught"], agreed["shipped"], lambda part: part.f1)
    return {
        "solution": "teach_cells",
        "taught": taught,
        "held_out": held,
        "left_out": len(corrections.verdict) - taught - held,
        "precision": whole.precision,
        "recall": whole.recall,
        "figures": [asdict(one) for one in figures.pop("taught")],
        "peers": [{**asdict(one), "of": name} for name, listed in figures.items() for one in listed],
        "difference": asdict(apart),
        "better": apart.low > 0,
    }


@cache
def _remembered() -> Examples:
    return made_examples(_REMEMBERED)


@cache
def _scene(seed: int) -> Scene:
    return make_scene(seed, TESTING, snr=_MADE_SNR)


def _made(search: VolumeSearch, seed: int) -> Agreement:
    scene = _scene(seed)
    at = VolumeSearch(scene.diameter_um, model=search.model)
    cells = at.cells_of(scene.signal[None], whole_block(scene.signal.shape), scene.voxel_size_um)
    return agreement(cells.zyx_um / scene.diameter_um, scene.cells_um / scene.diameter_um, _WITHIN)
