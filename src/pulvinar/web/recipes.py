"""How what a page offers is done in code: the same in Python and by commands, with the page's own identifiers.

Every recipe is whole and runs as it stands; a test runs each against a live server. Whatever people wrote comes into
them quoted, as a literal of Python or a word of the shell.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pulvinar.catalogue.query_fields import plain_number
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.model.volume import volume_from_json
from pulvinar.web.phrases import mark

HERE_MACHINE = mark("On the server’s own machine")
ANY_MACHINE = mark("On any machine")
_FOLDER = "FOLDER"
_STORED = {
    AssetKind.SKELETON: "skeleton.parquet",
    AssetKind.POINTS: "points.parquet",
    AssetKind.TABLE: "table.parquet",
    AssetKind.MESH: "mesh.ply",
    AssetKind.TRACTS: "tracts.parquet",
    AssetKind.TRANSFORM: "transform.json",
}


@dataclass(frozen=True)
class Recipe:
    """One thing that can be done: `python` and `command` are code, `where` says on which machine the command runs."""

    name: str
    python: str
    command: str
    where: str


def of_dataset(base: str, version: Version) -> Recipe:
    """See what a dataset holds."""
    python = _connected(base) + (
        f"dataset = brains.dataset({literal(version.dataset_id)})\n"
        "print(dataset.title)\n"
        f"for asset in dataset.assets(version={version.number}):\n"
        "    print(asset.name, asset.kind, asset.size_bytes)\n"
        "dataset.explore()  # in a notebook: the viewer in a frame"
    )
    return Recipe("dataset", python, f"pulvinar show {_sh(version.dataset_id)}", HERE_MACHINE)


def of_asset(base: str, version: Version, asset: Asset) -> Recipe:
    """Read an asset, a volume lazily, and fetch a file of it."""
    python = _connected(base) + f"asset = brains.dataset({literal(version.dataset_id)}).asset({literal(asset.id)})\n"
    if asset.kind is AssetKind.VOLUME:
        volume = volume_from_json(asset.details["volume"])
        last = len(volume.levels) - 1
        stop = ",".join(str(size) for size in volume.levels[last].shape[2:])
        python += (
            f"volume = asset.volume(level={last})  # xarray, axes (t, c, z, y, x), micrometres; nothing is read yet\n"
            "voxels = volume.compute()\n"
            "print(voxels.shape, float(voxels.mean()))"
        )
        path = f"/api/v1/assets/{version.digest}/{asset.id}/cutout?level={last}&start=0,0,0&stop={stop}&format=nii.gz"
        return Recipe("asset", python, f"curl -f -o {_sh(_file_name(asset, 'nii.gz'))} {_sh(base + path)}", ANY_MACHINE)
    if asset.kind in _STORED:
        stored = _STORED[asset.kind]
        python += (
            "print(asset.open())"
            if asset.kind not in (AssetKind.MESH, AssetKind.TRANSFORM)
            else f"print(len(asset.read({literal(stored)})), 'bytes')"
        )
        address = f"{base}/data/{version.digest}/{asset.id}/objects/{stored}"
        name = _file_name(asset, stored.rpartition(".")[2])
        return Recipe("asset", python, f"curl -f -o {_sh(name)} {_sh(address)}", ANY_MACHINE)
    return Recipe("asset", f"{python}print(asset.open())", f"pulvinar show {_sh(version.dataset_id)}", HERE_MACHINE)


def of_search(base: str, words: str) -> Recipe:
    """Find what a search on a page finds."""
    python = _connected(base) + (
        f"for asset in brains.find({literal(words)}):\n    print(asset.title, asset.name, asset.kind, asset.dataset_id)"
    )
    return Recipe("search", python, f"pulvinar search -- {_sh(words)}", HERE_MACHINE)


def of_atlas(base: str, name: str) -> Recipe:
    """Look through an atlas."""
    python = _connected(base) + (
        f"atlas = brains.atlas({literal(name)})\n"
        "for region in atlas.regions():\n"
        "    print(region['id'], region['name'])"
    )
    return Recipe("atlas", python, f"pulvinar atlas regions {_sh(name)}", HERE_MACHINE)


def of_region(base: str, atlas: str, region_id: int, *, has_voxels: bool) -> Recipe:
    """A region in figures, and where it lies."""
    more = (
        f"mask, start = atlas.mask_of({region_id})  # bool (z, y, x), and the voxel at which its box begins\n"
        f"print(mask.sum(), start, atlas.statistics([{region_id}]))"
    )
    python = _connected(base) + (
        f"atlas = brains.atlas({literal(atlas)})\n"
        f"print(atlas.region({region_id}))\n"
        f"{more if has_voxels else f'print(atlas.children({region_id}))'}"
    )
    return Recipe("region", python, f"pulvinar atlas region {_sh(atlas)} {region_id}", HERE_MACHINE)


def of_place(base: str, atlas: str, zyx_um: Sequence[float], around: str, *, named: bool) -> Recipe:
    """What is at a place of an atlas that has named regions or none, and what the search `around` it finds."""
    z, y, x = (plain_number(value) for value in zyx_um)
    told = (
        "for there in (place, atlas.mirror(place)):\n"
        "    (region,) = atlas.at(there)\n"
        "    print(region['name'], region['distance_um'], 'um away')  # 0 inside of it\n"
    )
    python = _connected(base) + (
        f"atlas = brains.atlas({literal(atlas)})\n"
        f"place = [[{z}, {y}, {x}]]  # z, y, x in micrometres\n"
        f"{told if named else ''}"
        f"for asset in brains.find({literal(around)}):\n"
        "    print(asset.title, asset.name, asset.kind)"
    )
    command = f"pulvinar atlas at {_sh(atlas)} {x},{y},{z}" if named else f"pulvinar search -- {_sh(around)}"
    return Recipe("place", python, command, HERE_MACHINE)


def of_neuron(base: str, version: Version, asset: Asset) -> Recipe:
    """Read a neuron, and fetch it as SWC."""
    python = _connected(base) + (
        f"neuron = brains.dataset({literal(version.dataset_id)}).asset({literal(asset.id)})\n"
        "skeleton = neuron.skeleton()\n"
        "print(skeleton.zyx_um.shape, 'nodes (z, y, x) in micrometres')\n"
        "print(neuron.anchors())  # where it lies"
    )
    path = f"/datasets/{version.dataset_id}/assets/{asset.id}/neuron.swc?version={version.number}"
    command = f"curl -f -o {_sh(_file_name(asset, 'swc'))} {_sh(base + path)}"
    return Recipe("neuron", python, command, ANY_MACHINE)


def of_upload(base: str) -> Recipe:
    """Hand in a folder."""
    python = _connected(base) + (
        f"submission = brains.upload({literal(_FOLDER)}, title='What it is')\n"
        "print(submission.page)  # describe it there"
    )
    return Recipe("upload", python, f"pulvinar upload {_FOLDER} --to {_sh(base)}", ANY_MACHINE)


def of_solution(base: str, name: str, inputs: Mapping[str, str]) -> Recipe:
    """Run a solution on inputs, each an asset's identifier, DATASET:NAME, or the name of an atlas."""
    given = ", ".join(f"{literal(one)}: {literal(asset)}" for one, asset in inputs.items())
    python = _connected(base) + (
        f"job = brains.run({literal(name)}, {{{given}}})\nprint(job)  # job.wait().dataset() is what it makes"
    )
    words = " ".join(f"--input {_sh(f'{one}={asset}')}" for one, asset in inputs.items())
    return Recipe("solution", python, f"pulvinar job submit {_sh(name)} {words}", HERE_MACHINE)


def of_job(base: str, job_id: str) -> Recipe:
    """Watch a job."""
    python = _connected(base) + f"job = brains.job({literal(job_id)})\nprint(job.state)\nprint(*job.log(), sep='\\n')"
    return Recipe("job", python, f"pulvinar job show {_sh(job_id)}", HERE_MACHINE)


def of_collection(base: str, collection_id: str) -> Recipe:
    """Go through the datasets of a collection."""
    python = _connected(base) + (
        f"for dataset in brains.collection({literal(collection_id)}).datasets():\n    print(dataset.id, dataset.title)"
    )
    return Recipe("collection", python, f"pulvinar collection show {_sh(collection_id)}", HERE_MACHINE)


def _connected(base: str) -> str:
    return f"import pulvinar\n\nbrains = pulvinar.connect({literal(base)})\n"


def literal(text: str) -> str:
    """`text` as a literal of Python: JSON's strings are some."""
    return json.dumps(text, ensure_ascii=False)


def _sh(text: str) -> str:
    return shlex.quote(text)


def _file_name(asset: Asset, suffix: str) -> str:
    """A name for a file of `asset` that no folder hides behind and no option begins with."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in asset.name)[:60]
    return f"{kept.strip('-._') or 'asset'}.{suffix}"
