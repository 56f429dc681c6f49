import gzip
import json
import lzma
from io import BytesIO

import numpy as np
import pytest

from pulvinar.atlases.spaces import CCFV3, CcfColumns, ccf_columns
from pulvinar.atlases.transforms import apply
from pulvinar.model.space import Points


@pytest.fixture(scope="module")
def regions(samples):
    """The identifier at places of the CCFv3, looked up in its annotation of 25 um."""
    import tifffile

    folder = samples / "mouse/allen_ccfv3_25um"
    if not folder.exists():
        pytest.skip(f"sample mouse/allen_ccfv3_25um is not at {folder}")
    # axes (LR, AP, DV) in this file
    labels = tifffile.imread(BytesIO(lzma.decompress((folder / "ABA_25um_2017_annotation.tif.lzma").read_bytes())))
    labels = labels.transpose(1, 2, 0)

    def look_up(points):
        assert points.space == CCFV3
        index = np.clip((points.zyx_um // 25).astype(int), 0, np.array(labels.shape) - 1)
        return labels[tuple(index.T)]

    return look_up


@pytest.fixture(scope="module")
def ancestors(samples):
    tree = json.loads((samples / "mouse/allen_ccfv3_25um/ABA_annotation_last.json").read_text())
    found = {}

    def walk(node, above):
        found[node["id"]] = {*above, node["acronym"]}
        for child in node["children"]:
            walk(child, found[node["id"]])

    for node in tree.get("msg", [tree]):
        walk(node, set())
    return found


def numbers(text):
    rows = [line.split()[2:5] for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return np.array(rows, np.float64)


def test_mouselight_neurons_lie_in_the_regions_that_their_archive_says(sample, regions):
    """Its JSON names the region of every point: all but those on a border agree, and no other order of axes does."""
    neurons = json.loads(sample("mouse/mouselight_dendrites/demo-trees/AA0001-4.json").read_text())["neurons"]
    nodes = [node for neuron in neurons for node in neuron["dendrite"]]
    xyz = np.array([[node["x"], node["y"], node["z"]] for node in nodes])
    said = np.array([node["allenId"] or 0 for node in nodes])
    transform = ccf_columns(CcfColumns.MOUSELIGHT)

    def agreement(columns):
        return (regions(apply(transform, Points(transform.source, columns[:, ::-1]))) == said).mean()

    assert agreement(xyz) > 0.9
    assert agreement(xyz[:, ::-1]) < 0.1


def test_somata_of_fmost_neurons_lie_at_the_region_that_names_their_file(sample, regions, ancestors):
    """Within 0.3 mm, which is how well such brains are aligned; in another order of axes, few do."""
    folder = sample("mouse/fmost_neurons/20_mouse_neurons/CCFv3_25um")
    somata = {
        path.name.split(".")[0]: numbers(gzip.decompress(path.read_bytes()).decode())[0] for path in folder.iterdir()
    }
    assert len(somata) == 14
    transform = ccf_columns(CcfColumns.FMOST_25UM)
    around = np.stack(np.meshgrid(*[np.arange(-12, 13) * 25.0] * 3, indexing="ij"), -1).reshape(-1, 3)
    around = around[np.linalg.norm(around, axis=1) <= 300]

    def found(order):
        count = 0
        for name, xyz in somata.items():
            place = apply(transform, Points(transform.source, xyz[order][None, ::-1])).zyx_um
            near = {int(label) for label in np.unique(regions(Points(CCFV3, place + around)))}
            count += any(name.split("_")[-1] in ancestors.get(label, ()) for label in near)
        return count

    assert found([0, 1, 2]) == 14
    assert max(found(order) for order in ([2, 1, 0], [1, 0, 2], [0, 2, 1])) <= 3


@pytest.mark.parametrize(
    ("columns", "xyz"),
    [
        (CcfColumns.FMOST_25UM, (200.0, 100.0, 120.0)),
        (CcfColumns.MOUSELIGHT, (5000.0, 2500.0, 3000.0)),
        (CcfColumns.LR_DV_AP, (3000.0, 2500.0, 5000.0)),
    ],
)
def test_one_place_as_each_convention_writes_it(columns, xyz):
    """AP 5000, DV 2500, LR 3000 micrometres."""
    transform = ccf_columns(columns)
    found = apply(transform, Points(transform.source, np.array([xyz[::-1]])))
    assert found.zyx_um.tolist() == [[5000.0, 2500.0, 3000.0]]
    assert transform.target == CCFV3
