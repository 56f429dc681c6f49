"""The solution `cell_groups`: counts of many animals in two groups, compared region by region."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pulvinar.compute.engine import BlockResult
from pulvinar.errors import Invalid
from pulvinar.ingest.canonical import parquet
from pulvinar.model.atlas import PartKind
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.ontology import Ontology
from pulvinar.model.plan import Block, Need, Plan, Step, StepKind
from pulvinar.model.solution import Input, Output, Parameter, ParameterKind, SolutionDescription, Words
from pulvinar.solutions.cells.groups import compare_groups, plot_comparison
from pulvinar.solutions.solution import Asked, Desk

_GROUPS = ("a", "b")
_FEWEST = 2
_DEEPEST = 20
_COLUMNS = ("region", "side", "density")
_PLOT = "pictures/effects.png"
_PLOT_TITLE = {"en": "Effects and their evidence, a dot a region", "zh": "各脑区的效应与证据，每点一个脑区"}

DESCRIPTION = SolutionDescription(
    name="cell_groups",
    version="1",
    title=Words("Compare groups", "比较两组"),
    summary=Words(
        "Cells counted by region in the animals of two groups: how the densities of each region differ, how large and "
        "how sure that is, corrected for the many regions, as a table and a plot.",
        "比较两组动物各脑区的细胞密度：差异多大、有多可信，并按脑区数作多重比较校正，给出表格与图。",
    ),
    inputs=(
        *(
            Input(
                name,
                Words(f"Group {name}", f"{name} 组"),
                (AssetKind.TABLE,),
                help=Words(
                    "What Count cells by region has made, one table an animal, two at least.",
                    "“按脑区计数细胞”的结果，每只动物一张表，至少两张。",
                ),
                several=True,
            )
            for name in _GROUPS
        ),
        Input(
            "template",
            Words("Atlas", "图谱"),
            (AssetKind.VOLUME,),
            help=Words("The atlas in which they were counted.", "计数所用的图谱。"),
            of_atlas=True,
        ),
    ),
    outputs=(Output("comparison", Words("Regions compared", "各脑区比较"), AssetKind.TABLE),),
    parameters=(
        Parameter(
            "depth",
            ParameterKind.INTEGER,
            Words("Depth in the atlas's tree", "图谱树中的深度"),
            0,
            minimum=0,
            maximum=_DEEPEST,
            help=Words(
                "0: the finest regions; 1: those right below the whole brain, and so on. No region is in another one.",
                "0 表示最细的脑区；1 表示全脑之下的第一层，依此类推。所比较的脑区互不包含。",
            ),
        ),
        Parameter("side", ParameterKind.CHOICE, Words("Side", "侧"), "both", choices=("both", "left", "right")),
    ),
    citation="Benjamini & Hochberg (1995) J. R. Stat. Soc. B 57:289-300; Hedges & Olkin (1985)",
)


class CellGroups:
    """The solution `cell_groups`."""

    description = DESCRIPTION

    def plan(self, asked: Asked) -> Plan:
        """One block. Raises `Invalid` for a group of fewer than two animals, one that is in both, a table that isn't of
        counts, and an atlas without regions."""
        chosen = [asked.several(name) for name in _GROUPS]
        for name, of in zip(_GROUPS, chosen, strict=True):
            if len(of) < _FEWEST:
                raise Invalid(f"group {name} has {len(of)} animals", hint=f"give {_FEWEST} tables at least")
        assets = [asked.inputs[one] for of in chosen for one in of]
        if len({one.id for one in assets}) < len(assets):
            raise Invalid("a table is given more than once", hint="each animal counts once")
        for one in assets:
            if missing := set(_COLUMNS) - set(one.details.get("columns", ())):
                raise Invalid(
                    f"{one.name} has no column {min(missing)!r}", hint="give tables made by Count cells by region"
                )
        if not asked.atlases["template"].atlas.has(PartKind.TERMINOLOGY):
            raise Invalid("the atlas has no regions", hint="choose the one in which the cells were counted")
        need = Need(400_000_000, cpu_s=5 + len(assets), fixed_bytes=400_000_000)
        return Plan((Step("compare", StepKind.WHOLE, need),))

    def run(self, step: Step, block: Block, desk: Desk) -> BlockResult:
        """Compare."""
        asked, ontology = desk.asked, desk.atlas("template").ontology
        groups = [[desk.asset(one) for one in asked.several(name)] for name in _GROUPS]
        animals = [_densities(desk, one, str(asked.parameters["side"])) for of in groups for one in of]
        regions = compared_regions(animals, ontology, int(asked.parameters["depth"]))
        densities = np.array([[animal[region] for region in regions] for animal in animals])
        in_b = [at >= len(groups[0]) for at in range(len(animals))]
        found = compare_groups(np.array(regions, np.int64), densities, in_b)
        named = [ontology.region(one) for one in regions]
        with tempfile.TemporaryDirectory() as folder:
            plot = Path(folder) / "effects.png"
            plot_comparison(found, [one.acronym or one.name for one in named], plot)
            drawn = desk.put("comparison", _PLOT, plot.read_bytes())
        compared = found.to_table()
        columns = {
            "region": compared["region"].to_numpy(),
            "acronym": np.array([one.acronym for one in named], object),
            "name": np.array([one.name for one in named], object),
            "name_zh": np.array([one.name_zh for one in named], object),
        } | {name: compared[name].to_numpy() for name in compared.column_names[1:]}
        table = desk.put("comparison", "table.parquet", parquet(columns))
        details = {
            "name": f"{len(groups[0])} animals and {len(groups[1])} compared",
            "count": len(regions),
            "columns": list(columns),
            "pictures": [{"path": _PLOT, "title": _PLOT_TITLE}],
            "groups": {name: [one.id for one in of] for name, of in zip(_GROUPS, groups, strict=True)},
        }
        return BlockResult(objects=(drawn, table), details={"comparison": details})


def compared_regions(animals: Iterable[dict[int, float]], ontology: Ontology, depth: int) -> list[int]:
    """The regions that every animal has, `depth` steps below the root or where the tree ends before that; at depth 0
    where it ends. None of them is in another. Raises `Invalid` for tables without a region in common, or of another
    atlas."""
    common = set.intersection(*(set(one) for one in animals))
    if strange := sorted(common - {one.id for one in ontology.regions}):
        raise Invalid(f"the atlas has no region {strange[0]}", hint="choose the one in which the cells were counted")
    inner = {one.parent for one in map(ontology.region, common) if one.parent is not None}
    ends = [one for one in common if one not in inner]
    if depth:
        below = {one: len(ontology.ancestors(one)) for one in common}
        ends = [one for one in common if below[one] == depth or (below[one] < depth and one not in inner)]
    if not ends:
        raise Invalid("the animals have no region in common", hint="count all of them in one atlas")
    return sorted(ends, key=ontology.position)


def _densities(desk: Desk, asset: Asset, side: str) -> dict[int, float]:
    """Cells a cubic millimetre by region of one animal; a region without volume on that side has none."""
    stored = io.BytesIO(desk.store.read(f"{asset.prefix}/table.parquet"))
    region, of, density = (column.to_numpy() for column in pq.read_table(stored, columns=list(_COLUMNS)).columns)
    told = (of == side) & np.isfinite(density)
    return dict(zip(region[told].tolist(), density[told].tolist(), strict=True))
