"""A notebook for a dataset: connect, see it, open what it holds lazily, and plot one thing of each kind."""

from __future__ import annotations

from typing import Any

import nbformat
from fastapi import APIRouter, Depends, Request, Response

from pulvinar.catalogue.versions import get_version
from pulvinar.model.access import Right
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, WantedVersion
from pulvinar.web.downloads import disposition
from pulvinar.web.language import language_of, translations
from pulvinar.web.limits import costly
from pulvinar.web.phrases import mark
from pulvinar.web.recipes import literal

router = APIRouter(include_in_schema=False)

_FORMAT: Any = nbformat.v4
"""The format's version 4, which has no types."""

_NEEDS = mark("It needs: pip install pulvinar matplotlib. Run the cells from the top down.")
_SEE = mark("What the dataset holds, with pictures:")
_LOOK = mark("The viewer in a frame, where the server allows that; else by the link below it:")
_OPEN = {
    AssetKind.VOLUME: mark("A volume, lazily: only what is drawn is fetched. Coordinates are micrometres."),
    AssetKind.SKELETON: mark("A neuron, seen along the axis that it spreads least over:"),
    AssetKind.POINTS: mark("Points, seen from above:"),
    AssetKind.TABLE: mark("A table, its first rows:"),
    AssetKind.TIME_SERIES: mark("Signals over time:"),
    AssetKind.CONNECTIVITY: mark("A matrix of connections:"),
}
_PLOTS = {
    AssetKind.VOLUME: (
        "levels = asset.details['volume']['levels']\n"
        "coarse = next((n for n, one in enumerate(levels) if max(one['shape'][2:]) <= 512), len(levels) - 1)\n"
        "volume = asset.volume(level=coarse).isel(t=0, c=0)\n"
        "plane = volume.isel(z=volume.sizes['z'] // 2)\n"
        "figure, axes = plt.subplots()\n"
        "edges = [float(edge) for edge in (plane.x[0], plane.x[-1], plane.y[-1], plane.y[0])]\n"
        "axes.imshow(plane, cmap='gray', extent=edges)\n"
        "axes.set(title=asset.name, xlabel='x (µm)', ylabel='y (µm)');"
    ),
    AssetKind.SKELETON: (
        "neuron = asset.skeleton()\n"
        "across = np.argsort(np.ptp(neuron.zyx_um, axis=0))[1:]\n"
        "child = np.flatnonzero(neuron.parent >= 0)\n"
        "pieces = np.stack([neuron.zyx_um[child], neuron.zyx_um[neuron.parent[child]]], axis=1)[:, :, across]\n"
        "figure, axes = plt.subplots()\n"
        "axes.add_collection(matplotlib.collections.LineCollection(pieces, linewidths=0.5))\n"
        "axes.autoscale()\n"
        "axes.set(title=asset.name, aspect='equal', xlabel='µm', ylabel='µm');"
    ),
    AssetKind.POINTS: (
        "points = asset.table()\n"
        "figure, axes = plt.subplots()\n"
        "axes.plot(points['x_um'], points['y_um'], '.', markersize=1)\n"
        "axes.set(title=asset.name, aspect='equal', xlabel='x (µm)', ylabel='y (µm)');"
    ),
    AssetKind.TABLE: "{name: column[:5] for name, column in asset.table().items()}",
    AssetKind.TIME_SERIES: (
        "signals = asset.time_series()\n"
        "figure, axes = plt.subplots()\n"
        "axes.plot(signals.time, signals.isel(series=slice(0, 5)))\n"
        "axes.set(title=asset.name, xlabel='s', ylabel=signals.attrs['unit']);"
    ),
    AssetKind.CONNECTIVITY: (
        "matrix = asset.connectivity()\n"
        "figure, axes = plt.subplots()\n"
        "figure.colorbar(axes.imshow(matrix), label=matrix.attrs['measure'])\n"
        "axes.set(title=asset.name, xlabel='target', ylabel='source');"
    ),
}


def notebook_of(base: str, version: Version, language: str) -> str:
    """The notebook of `version` on the server at `base`, its words in `language`, as JSON.

    Its cells have identifiers that follow from their order: the same version gives the same bytes.
    """
    say = translations(language).gettext
    page = f"{base}/datasets/{version.dataset_id}"
    cells = [
        _FORMAT.new_markdown_cell(f"# {_plain(version.record.title)}\n\n{page}\n\n{say(_NEEDS)}"),
        _FORMAT.new_code_cell(
            "import matplotlib\nimport matplotlib.pyplot as plt\nimport numpy as np\nimport pulvinar\n\n"
            f"brains = pulvinar.connect({literal(base)})\n"
            f"dataset = brains.dataset({literal(version.dataset_id)})"
        ),
        _FORMAT.new_markdown_cell(say(_SEE)),
        _FORMAT.new_code_cell("dataset"),
        _FORMAT.new_markdown_cell(say(_LOOK)),
        _FORMAT.new_code_cell("dataset.explore()"),
    ]
    for asset in _one_of_each(version):
        called = " ".join(asset.name.split())
        where = f"asset = dataset.asset({literal(asset.id)}, version={version.number})  # {called}\n"
        cells += [_FORMAT.new_markdown_cell(say(_OPEN[asset.kind])), _FORMAT.new_code_cell(where + _PLOTS[asset.kind])]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = _FORMAT.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    return str(_FORMAT.writes(made))


def _one_of_each(version: Version) -> list[Asset]:
    """The first asset of each kind that a notebook can plot."""
    first: dict[AssetKind, Asset] = {}
    for asset in version.assets:
        if asset.kind in _PLOTS:
            first.setdefault(asset.kind, asset)
    return list(first.values())


def _plain(text: str) -> str:
    """`text` as one line of words: neither markup of a cell nor a line of its code."""
    line = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#$&" else letter for letter in line)


@router.get("/datasets/{dataset_id}/notebook.ipynb", dependencies=[Depends(costly)])
def notebook(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    version: WantedVersion = None,
) -> Response:
    """The notebook of a dataset: it holds no data, and opens what who runs it may read."""
    shown = get_version(platform.database, actor, dataset_id, version, Right.READ)
    text = notebook_of(str(request.base_url).rstrip("/"), shown, language_of(request))
    headers = {"content-disposition": disposition(f"{shown.dataset_id}.ipynb")}
    return Response(text, media_type="application/x-ipynb+json", headers=headers)
