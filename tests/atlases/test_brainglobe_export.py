"""What is exported, BrainGlobe's own programs read; what they read is what Pulvinar answers."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.atlases.stored_atlas import open_packed
from tests.ingest.atlas_packers.folder_sources import folder_sources

from pulvinar.atlases.brainglobe_export import RegionSurface, export_brainglobe
from pulvinar.errors import Conflict, Invalid
from pulvinar.ingest.atlas_packers.brainglobe import BrainGlobePacker
from pulvinar.ingest.packing import PackedAtlas, PackedVolume
from pulvinar.model.ontology import NameState, Region
from pulvinar.model.record import Species
from pulvinar.model.space import Points, Space, Window
from pulvinar.model.volume import VolumeKind
from pulvinar.storage.sources import ArraySource

PYTHON = Path(os.environ.get("PULVINAR_TEST_CLIENTS", Path(__file__).parents[2] / ".venv-clients")) / "bin" / "python"
SPACE = Space("made up", "macaque", "SAR", origin_um=(0.0, 0.0, 0.0))
REGIONS = (
    Region("made", 10, "CTX", "Cortex, all of it", color="AABBCC", name_zh="皮层", name_zh_state=NameState.REVIEWED),
    Region("made", 70000, "V1", "Visual 1", 10, color="010203", synonyms=("striate",)),
    Region("made", 3, "V1_L", "Visual 1, left", 70000, side="left"),
    Region("made", 4, "V1_R", "Visual 1, right", 70000, side="right"),
    Region("made", 20, "CB", "Cerebellum"),
)
# voxels (z, y, x) of 200 x 300 x 250 um; the first axis falls to inferior, the second rises to right, the third to
# anterior
TO_SPACE = (
    (-200.0, 0.0, 0.0, 5000.0),
    (0.0, 0.0, 250.0, -7000.0),
    (0.0, 300.0, 0.0, -4100.0),
    (0.0, 0.0, 0.0, 1.0),
)


def labels():
    array = np.zeros((70, 30, 25), np.uint32)
    array[5:40, 3:14, 4:20] = 3
    array[5:40, 14:25, 4:20] = 4
    array[45:60, 6:22, 3:11] = 20
    return array


def template():
    """A ramp along z of space, at twice the size of the annotation's voxels, wider than it."""
    z = np.arange(40) * 400.0 - 9500
    return np.broadcast_to(z[:, None, None] + 20000, (40, 30, 25)).astype(np.float32)


def packed(midline_um=100.0, version="2.1", affine=TO_SPACE):
    def source(array):
        return ArraySource(array[None, None])

    ramp = ((400.0, 0.0, 0.0, -9500.0), (0.0, 400.0, 0.0, -8000.0), (0.0, 0.0, 400.0, -5000.0), (0.0, 0.0, 0.0, 1.0))
    same = (labels() * 3).astype(np.uint16)
    return PackedAtlas(
        name="made_macaque_0.2mm",
        version=version,
        title="Made up",
        title_zh="编造的",
        species=Species.MACAQUE,
        space=SPACE,
        licence="CC0-1.0",
        citation="Nobody (2026)",
        source="https://example.org",
        templates=(
            PackedVolume("same", VolumeKind.IMAGE, source(same), (200.0, 300.0, 250.0), affine),
            PackedVolume("ramp", VolumeKind.IMAGE, source(template()), (400.0, 400.0, 400.0), ramp),
        ),
        annotation=PackedVolume("annotation", VolumeKind.LABELS, source(labels()), (200.0, 300.0, 250.0), affine),
        regions=REGIONS,
        midline_um=midline_um,
    )


# the corners of a box around region 20, in space
CORNERS = np.array([[z, y, x] for z in (-7000.0, -3800.0) for y in (-6400.0, -4300.0) for x in (-2500.0, 2400.0)])
FACES = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]], np.uint32)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return open_packed(packed(), tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def exported(opened, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    surfaces = [RegionSurface(20, CORNERS, FACES)]
    return folder, {layout: export_brainglobe(opened, folder, layout=layout, surfaces=surfaces) for layout in (2, 3)}


@pytest.fixture(scope="module")
def theirs(exported):
    """As BrainGlobe's third release opens it."""
    pytest.importorskip("brainglobe_atlasapi")
    from brainglobe_atlasapi import BrainGlobeAtlas

    folder, done = exported
    config = folder / "bg.conf"
    config.touch()
    return BrainGlobeAtlas(done[3].name, brainglobe_dir=folder, check_latest=False, config_dir=config)


def in_their_axes(array):
    """Rising to posterior, inferior, left, from axes that rise to inferior, right, anterior."""
    return array.transpose(2, 0, 1)[::-1, :, ::-1]


def test_their_reader_finds_the_same_voxels_and_orientation(theirs):
    assert theirs.orientation == "asr"
    assert theirs.resolution == (250.0, 200.0, 300.0)
    np.testing.assert_array_equal(theirs.annotation, in_their_axes(labels()))
    np.testing.assert_array_equal(theirs.template, in_their_axes(labels() * 3))


def test_their_reader_finds_the_same_tree(theirs, opened):
    tree = opened.ontology
    (root,) = (one for one in theirs.structures_list if len(one["structure_id_path"]) == 1)
    for region in tree.regions:
        structure = theirs.structures[region.id]
        above = [one.id for one in reversed(tree.ancestors(region.id, itself=True))]
        assert structure["structure_id_path"] == [root["id"], *above]
        assert (structure["acronym"], structure["name"]) == (region.acronym, region.name)
        assert "".join(f"{part:02X}" for part in structure["rgb_triplet"]) == region.color
    assert {node.identifier for node in theirs.hierarchy.children(10)} == {70000}


def to_their_um(zyx_um):
    """From space (SAR) to micrometres from the outer corner of the voxel at anterior, superior, right."""
    front = -7000 + 24 * 250 + 125
    top, right = 5000 + 100, -4100 + 29 * 300 + 150
    z, y, x = zyx_um.T
    return np.stack([front - y, top - z, right - x], axis=1)


def test_their_reader_answers_as_ours_about_places(theirs, opened):
    rng = np.random.default_rng(7)
    zyx_um = rng.uniform([-8900, -7100, -4200], [5100, -900, 4700], (500, 3))
    ours = opened.annotation.regions_at(Points(SPACE, zyx_um))
    assert len(set(ours.tolist())) == 4
    told = [theirs.structure_from_coords(tuple(one), microns=True) for one in to_their_um(zyx_um)]
    np.testing.assert_array_equal(told, ours)
    sides = [theirs.hemisphere_from_coords(tuple(one), microns=True, as_string=True) for one in to_their_um(zyx_um)]
    # the middle of the made-up brain lies in the middle of a voxel, which is as good as either
    sure = np.abs(zyx_um[:, 2] - 100) > 150
    assert sure.sum() > 400
    assert [side for side, one in zip(sides, sure, strict=True) if one] == [
        "left" if x < 100 else "right" for x in zyx_um[sure, 2]
    ]


def test_a_template_of_another_grid_is_interpolated_on_the_annotations(theirs, exported):
    _, done = exported
    assert any("ramp is interpolated" in note for note in done[3].notes)
    name = next(one for one in theirs.additional_references if "ramp" in one)
    values = theirs.additional_references[name].astype(float)
    middle = values[10:14, 5:60, 10:14]
    # a ramp along z of space falls along their second axis, the same everywhere; its values, which were floats, use the
    # whole of 16 bits over its 70 planes
    np.testing.assert_allclose(np.diff(middle, axis=1), -65535 / 69, atol=1)
    np.testing.assert_allclose(np.ptp(middle, axis=(0, 2)), 0, atol=1)


def test_meshes_lie_around_their_region_in_each_layout(theirs, exported, opened):
    meshio = pytest.importorskip("meshio")
    expected = to_their_um(CORNERS)
    points = theirs.mesh_from_structure("CB").points
    np.testing.assert_allclose(points.min(axis=0), expected.min(axis=0), atol=0.5)
    np.testing.assert_allclose(points.max(axis=0), expected.max(axis=0), atol=0.5)
    at = np.argwhere(theirs.annotation == 20) * theirs.resolution
    assert (at.min(axis=0) >= points.min(axis=0) - 1).all()
    _, done = exported
    mesh = meshio.read(done[2].path.parent / "meshes" / "20.obj")
    np.testing.assert_allclose(mesh.points, expected, atol=0.01)
    # who reads the columns z, y, x as x, y, z sees a mirror image: turned once, no triangle is inside out there
    np.testing.assert_array_equal(mesh.cells_dict["triangle"], FACES[:, ::-1])


@pytest.mark.parametrize("layout", [2, 3])
def test_what_comes_back_is_what_went_out(exported, layout):
    folder, done = exported
    root = done[2].path.parent if layout == 2 else folder / "brainglobe-atlasapi"
    sent = packed()
    with folder_sources(root) as sources:
        back = BrainGlobePacker(done[layout].name if layout == 3 else "").pack(sources)
        for told in ("name", "version", "title", "title_zh", "species", "space", "licence", "citation", "midline_um"):
            assert getattr(back, told) == getattr(sent, told)
        by_id = {region.id: region for region in back.regions}
        for region in sent.regions:
            found = by_id[region.id]
            assert (found.names, found.color, found.side) == (region.names, region.color, region.side)
            assert found.name_zh_state == region.name_zh_state
        source = back.annotation.source
        turned = source.read(Window.whole(source.shape))[0, 0]
        np.testing.assert_array_equal(turned, in_their_axes(labels()))
        # and each voxel lies where it lay
        was = np.linalg.inv(np.array(TO_SPACE)) @ np.array(back.annotation.voxel_to_space_um)
        at = np.argwhere(turned == 4)
        stored = np.rint(at @ was[:3, :3].T + was[:3, 3]).astype(int)
        assert (labels()[tuple(stored.T)] == 4).all()


def test_the_second_release_reads_the_second_layout(exported, opened):
    if not PYTHON.exists():
        pytest.skip("the programs that read from a server are not installed")
    script = """
import json, sys
from brainglobe_atlasapi.core import Atlas
atlas = Atlas(sys.argv[1])
at = [[12, 20, 10], [12, 20, 20], [20, 52, 15], [0, 0, 0]]
print("HEARD", json.dumps({
    "regions": [int(atlas.structure_from_coords(tuple(one))) for one in at],
    "sides": [atlas.hemisphere_from_coords(tuple(one), as_string=True) for one in at],
    "path": atlas.structures["V1_L"]["structure_id_path"],
    "space": atlas.space.origin_string,
    "sum": int(atlas.annotation.astype(int).sum()),
    "reference": int(atlas.reference.astype(int).sum()),
    "mesh": atlas.mesh_from_structure("CB").points.min(axis=0).tolist(),
}))
"""
    _, done = exported
    if subprocess.run([PYTHON, "-c", "import brainglobe_atlasapi.core"], capture_output=True).returncode:
        pytest.skip("brainglobe-atlasapi 2 is not among the programs that read from a server")
    ran = subprocess.run([PYTHON, "-c", script, done[2].path.parent], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    heard = json.loads(ran.stdout.rpartition("HEARD")[2])
    turned = in_their_axes(labels())
    places = ([12, 20, 10], [12, 20, 20], [20, 52, 15], [0, 0, 0])
    assert heard["regions"] == [int(turned[tuple(one)]) for one in places]
    assert heard["sides"] == ["right", "left", "right", "right"]
    assert heard["path"] == [997, 10, 70000, 3]
    assert heard["sum"] == labels().sum()
    assert heard["reference"] == labels().sum() * 3
    np.testing.assert_allclose(heard["mesh"], to_their_um(CORNERS).min(axis=0), atol=0.01)


def test_what_brainglobe_has_no_word_for_is_said(tmp_path):
    opened = open_packed(packed(midline_um=None, version="fsl-5.0"), tmp_path / "made")
    done = export_brainglobe(opened, tmp_path / "out")
    said = " ".join(done.notes)
    assert "fsl-5.0 is written as 1.0" in said
    assert "where its middle is" in said
    assert "2 uppermost regions" in said


def test_nothing_is_written_over(opened, exported):
    folder, _ = exported
    for layout in (2, 3):
        with pytest.raises(Conflict, match="there already"):
            export_brainglobe(opened, folder, layout=layout)


def test_regions_that_need_more_than_32_bits_are_refused_and_never_scaled(tmp_path):
    far = 1 << 33
    made = packed()
    array = ArraySource(np.where(labels(), far, 0).astype(np.uint64)[None, None])
    annotation = replace(made.annotation, source=array)
    opened = open_packed(replace(made, annotation=annotation, regions=(Region("made", far, "a", "a"),)), tmp_path)
    for layout in (2, 3):
        with pytest.raises(Invalid, match="numbers from 0 to 8589934592"):
            export_brainglobe(opened, tmp_path / "out", layout=layout)


def test_voxels_that_lie_oblique_are_refused(tmp_path):
    tilted = ((200.0, 50.0, 0.0, 0.0), (0.0, 300.0, 0.0, 0.0), (0.0, 0.0, 250.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    opened = open_packed(packed(affine=tilted), tmp_path / "made")
    with pytest.raises(Invalid, match="oblique"):
        export_brainglobe(opened, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.json"))
