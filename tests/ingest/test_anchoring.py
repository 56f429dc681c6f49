"""Where assets lie is computed at ingest, and anew when an atlas changes: as slow, obvious loops would say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import delete, select, text
from tests.atlases.ccf import install, install_ccf
from tests.atlases.toy import ONTOLOGY, SPACE, VOXEL_UM, corner_affine, labels, region, toy_atlas

from pulvinar.access.tables import granted
from pulvinar.access.visibility import EVERYONE, hide
from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import open_atlas, record_atlas
from pulvinar.catalogue.anchors import InRegion, anchors_of, assets_with, set_anchor, stale_anchors, types_in_region
from pulvinar.catalogue.asset_search import search_assets
from pulvinar.catalogue.blocks import Ball, block_corners
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.places import assets_within
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.tables import place_block
from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest.anchor_measures import ends, somata, voxel_to_space
from pulvinar.ingest.anchor_names import parcels_named, region_named, specimen_region
from pulvinar.ingest.anchor_shares import volume_shares
from pulvinar.ingest.anchoring import Anchorer, reanchor
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means, Request
from pulvinar.ingest.transform_install import End, TransformFiles, TransformFormat, add_transform
from pulvinar.migrations import versions
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Right
from pulvinar.model.anchor import Anchor, Certainty, PlaceRole, Role
from pulvinar.model.atlas import PartKind
from pulvinar.model.dataset import Version
from pulvinar.model.ontology import Ontology
from pulvinar.model.record import Record, Species
from pulvinar.model.space import Space
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid import plan_levels

LAYER_1, LAYER_2, THALAMUS = 11, 12, 614454277
ANSWERS = RecordAnswers(title="Something", species="mouse", licence="CC0-1.0")
CORTEX_SPAN, THALAMUS_SPAN = ONTOLOGY.span(10), ONTOLOGY.span(THALAMUS)


@pytest.fixture
def toy(means: Means) -> Means:
    """Means with the toy atlas installed."""
    means.scratch.mkdir(exist_ok=True)
    install_toy(means)
    return means


def install_toy(means: Means, version: str = "1", voxels: np.ndarray | None = None, name: str = "toy"):
    voxels = labels() if voxels is None else voxels
    affine = corner_affine(VOXEL_UM)
    atlas = replace(toy_atlas(affine, voxels.shape, "", ""), name=name, version=version, parts=())
    return install(means, atlas, voxels, affine, ONTOLOGY)


def brought_in(means: Means, path: Path, *, space: str = "toy", options: Options | None = None, **said) -> Version:
    answers = replace(ANSWERS, **said)
    return ingest(means, Request(path, options or Options(), answers, space=space)).version


def anchors_by_atlas(means: Means, version: Version) -> dict[str, Anchor]:
    (asset,) = version.assets
    return {one.atlas: one for one in anchors_of(means.database, LOCAL_OWNER, [asset.id]).get(asset.id, ())}


def anchor_of(means: Means, version: Version, atlas: str = "toy") -> Anchor:
    return anchors_by_atlas(means, version)[atlas]


def label_at(zyx_um, voxels: np.ndarray | None = None) -> int:
    """What one look at the voxels says."""
    voxels = labels() if voxels is None else voxels
    index = [int(np.floor(at / size)) for at, size in zip(zyx_um, VOXEL_UM, strict=True)]
    if any(not 0 <= at < n for at, n in zip(index, voxels.shape, strict=True)):
        return 0
    return int(voxels[tuple(index)])


def write_neuron(path: Path, nodes: list[tuple[int, int, float, float, float, int]]) -> Path:
    """An SWC file: number, type, z, y, x, parent."""
    path.write_text("".join(f"{i} {kind} {x} {y} {z} 1 {up}\n" for i, kind, z, y, x, up in nodes))
    return path


NEURON = [
    (1, 1, 150.0, 800.0, 2500.0, -1),
    (2, 3, 230.0, 800.0, 2500.0, 1),
    (3, 3, 231.0, 900.0, 2600.0, 2),
    (4, 2, 450.0, 812.5, 2525.0, 1),
    (5, 2, 790.0, 820.0, 2555.0, 4),
    (6, 2, 455.0, 1000.0, 4000.0, 4),
]


def test_a_neuron_has_its_soma_ends_and_length_by_region(toy: Means, tmp_path: Path):
    version = brought_in(toy, write_neuron(tmp_path / "neuron.swc", NEURON), options=Options(unit="um"))
    anchor = anchor_of(toy, version)
    places = {number: np.array(at) for number, _, *at, _ in NEURON}
    length: Counter[int] = Counter()
    for number, _, _, _, _, up in NEURON:
        if up > 0:
            way = places[number] - places[up]
            steps = int(np.ceil(np.linalg.norm(way) / 20))
            for step in range(steps):
                at = places[up] + (step + 0.5) / steps * way
                length[label_at(at)] += float(np.linalg.norm(way)) / steps
    outside = length.pop(0)
    assert (anchor.certainty, anchor.space, anchor.atlas_version) == (Certainty.STATED, "toy", "1")
    assert anchor.shares[Role.SOMA] == {LAYER_1: 1}
    assert anchor.shares[Role.END] == {LAYER_2: 1, THALAMUS: 1}
    assert anchor.shares[Role.LENGTH] == pytest.approx(dict(length))
    assert anchor.details["outside"] == {"end": 1, "length": pytest.approx(outside)}
    assert anchor.box_um is not None
    assert anchor.box_um[0] == (150, 800, 2500)
    assert anchor.box_um[1] == pytest.approx((790, 1000, 4000))
    assert anchor.error_um is None
    for role, near, count in (
        (PlaceRole.SOMA, (150, 800, 2510), 1),
        (PlaceRole.END, (150, 800, 2510), 0),
        (PlaceRole.END, (231, 900, 2600), 1),
        (PlaceRole.NODE, (200, 800, 2500), 2),
    ):
        assert assets_within(toy.database, LOCAL_OWNER, SPACE, Ball(near, 60), role).places == count
    wanted = [InRegion((CORTEX_SPAN,), (Role.SOMA,)), InRegion((THALAMUS_SPAN,), (Role.END,))]
    assert len(assets_with(toy.database, LOCAL_OWNER, "toy", wanted).items) == 1


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("within:60um of:(2510,800,150)@toy", True),
        ("within:60um of:(2700,800,150)@toy", False),
        ("kind:skeleton within:0.06mm of:(2.51,0.8,0.15)mm@toy", True),
        ("box:(2490,790,140)..(2510,810,160)@toy", True),
        ("box:(2510,790,140)..(2520,810,160)@toy", False),
        ("box:(2490,790,140)..(2510,810,160)@toy kind:volume", False),
    ],
)
def test_a_neuron_is_found_by_a_place_that_is_written(toy: Means, tmp_path: Path, asked: str, found: bool):
    brought_in(toy, write_neuron(tmp_path / "neuron.swc", NEURON), options=Options(unit="um"))
    items = search_assets(toy.database, LOCAL_OWNER, asked).items
    assert [one.asset.name for one in items] == (["neuron"] if found else [])


def test_a_space_without_an_atlas_is_refused_with_those_that_have_one(toy: Means):
    with pytest.raises(Invalid, match="no atlas lies in a space 'toi'") as caught:
        search_assets(toy.database, LOCAL_OWNER, "box:(0,0,0)..(1,1,1)@toi")
    assert "toy" in caught.value.hint


def test_the_space_of_an_atlas_that_a_visitor_may_not_see_is_not_named(toy: Means):
    with toy.database.writing() as session:
        session.execute(delete(granted))
    with pytest.raises(Invalid, match="no atlas lies in a space 'toy'") as caught:
        search_assets(toy.database, ANONYMOUS, "within:5um of:(1,2,3)@toy")
    assert "there are none" in caught.value.hint


def test_places_that_were_turned_by_an_orientation_lie_where_the_axes_said(toy: Means, tmp_path: Path):
    # columns x, y, z of the file: along AP, DV, LR, in voxels of 10 um
    turned = [(i, kind, x / 10, y / 10, z / 10, up) for i, kind, z, y, x, up in NEURON]
    path = write_neuron(tmp_path / "turned.swc", turned)
    options = Options(unit="voxel", voxel_size_um=(10.0,) * 3, orientation="RIP")
    anchor = anchor_of(toy, brought_in(toy, path, options=options))
    straight = anchor_of(toy, brought_in(toy, write_neuron(tmp_path / "neuron.swc", NEURON)))
    assert anchor.shares[Role.SOMA] == straight.shares[Role.SOMA]
    assert anchor.shares[Role.LENGTH] == pytest.approx(straight.shares[Role.LENGTH])
    assert np.allclose(anchor.box_um, straight.box_um)
    assert anchor.error_um == pytest.approx(5 * np.sqrt(3))


@pytest.mark.parametrize(
    ("parent", "kind", "soma", "end"),
    [
        ([-1, 0, 1], [1, 1, 3], [0], [2]),
        ([-1, 0, 0], [3, 3, 3], [0], [1, 2]),
        ([-1, -1, 0], [3, 3, 3], [], [2]),
        ([-1, 0, -1, 2], [2, 1, 1, 3], [1, 2], [1, 3]),
        ([-1], [1], [0], []),
    ],
)
def test_what_a_soma_is_and_what_an_end(parent, kind, soma, end):
    assert somata(np.array(parent), np.array(kind)).tolist() == soma
    assert ends(np.array(parent)).tolist() == end


def test_cells_are_counted_by_region_and_type(toy: Means, tmp_path: Path):
    random = np.random.default_rng(3)
    zyx = random.uniform((0, 0, 0), (800, 1750, 5000), (500, 3))
    kinds = random.choice(["Neuron", "Astro, cyte", ""], 500)
    rows = [f'{x},{y},{z},"{kind}"' for (z, y, x), kind in zip(zyx.tolist(), kinds, strict=True)]
    (tmp_path / "cells.csv").write_text("\n".join(["x,y,z,Cell type", *rows, ',,,"Neuron"']) + "\n")
    version = brought_in(toy, tmp_path / "cells.csv", options=Options(unit="um"))
    anchor = anchor_of(toy, version)
    expected: Counter[tuple[str, int]] = Counter()
    for at, kind in zip(zyx, kinds, strict=True):
        expected["count", label_at(at)] += 1
        if kind:
            expected[f"count:{kind}", label_at(at)] += 1
    outside = expected.pop(("count", 0))
    told = {(role, region): value for role, values in anchor.shares.items() for region, value in values.items()}
    assert told == {key: count for key, count in expected.items() if key[1]}
    assert anchor.details["outside"]["count"] == outside
    assert anchor.details["type_column"] == "Cell type"
    in_cortex = sum(
        kind == "Neuron" and label_at(at) in (LAYER_1, LAYER_2) for at, kind in zip(zyx, kinds, strict=True)
    )
    assert types_in_region(toy.database, LOCAL_OWNER, "toy", [CORTEX_SPAN])["Neuron"] == in_cortex
    ball = Ball((400, 900, 2500), 700)
    slow = sum(float(np.linalg.norm(at - ball.center_um)) <= 700 for at in zyx)
    assert assets_within(toy.database, LOCAL_OWNER, SPACE, ball, PlaceRole.CELL).places == slow


def test_a_volume_has_the_share_of_its_voxels_in_each_region(toy: Means, tmp_path: Path):
    # axes of the file rise to superior, anterior, right: the first two against the space's
    shape, size = (30, 20, 40), (90.0, 35.0, 120.0)
    np.save(tmp_path / "block.npy", np.random.default_rng(0).integers(0, 99, shape).astype(np.uint16))
    version = brought_in(toy, tmp_path / "block.npy", options=Options(voxel_size_um=size, orientation="IPR"))
    anchor = anchor_of(toy, version)
    counts: Counter[int] = Counter()
    for i, j, k in np.ndindex(*shape):
        # along the space's axes: posterior is the file's second, inferior its first
        counts[label_at(((j + 0.5) * 35.0, (i + 0.5) * 90.0, (k + 0.5) * 120.0))] += 1
    whole = float(np.prod(shape))
    expected = {label: count / whole for label, count in counts.items() if label}
    assert anchor.shares[Role.SHARE] == pytest.approx(expected)
    assert anchor.box_um == ((0, 0, 0), (700, 2700, 4800))
    asked = {
        "box:(4700,2600,690)..(9000,9000,9000)@toy": 1,
        "box:(4700,2600,700)..(9000,9000,9000)@toy": 0,
        "within:10um of:(2400,1300,709)@toy kind:volume": 1,
        "within:10um of:(2400,1300,711)@toy": 0,
    }
    assert {one: len(search_assets(toy.database, LOCAL_OWNER, one).items) for one in asked} == asked


def test_in_an_atlas_of_templates_alone_a_place_is_a_box_and_no_region(means: Means, tmp_path: Path):
    means.scratch.mkdir(exist_ok=True)
    whole = install_toy(means).atlas
    parts = tuple(part for part in whole.parts if part.kind is not PartKind.TERMINOLOGY)
    for name, kept in (("labels", parts), ("nothing", ())):
        with UnitOfWork(means.database, means.actor) as work:
            dataset = create_dataset(work, Record("Templates", Species.MOUSE, "CC0-1.0"))
            work.ask(Right.WRITE, dataset.id)
            record_atlas(work.session, replace(whole, name=name, parts=kept), dataset.id)
    np.save(tmp_path / "block.npy", np.random.default_rng(0).integers(0, 99, (30, 20, 40)).astype(np.uint16))
    version = brought_in(means, tmp_path / "block.npy", options=Options(voxel_size_um=(90.0, 35.0, 120.0)))
    found = anchors_by_atlas(means, version)
    assert found["toy"].shares[Role.SHARE]
    for name in ("labels", "nothing"):
        assert (found[name].box_um, found[name].shares) == (found["toy"].box_um, {})
        assert found[name].certainty is Certainty.STATED


def test_volumes_that_were_there_before_are_put_into_the_index_of_places(toy: Means, tmp_path: Path):
    np.save(tmp_path / "block.npy", np.random.default_rng(0).integers(0, 99, (30, 20, 40)).astype(np.uint16))
    brought_in(toy, tmp_path / "block.npy", options=Options(voxel_size_um=(90.0, 35.0, 120.0)))
    brought_in(toy, write_neuron(tmp_path / "neuron.swc", NEURON), options=Options(unit="um"))
    (name,) = (one.name for one in iter_modules(versions.__path__) if one.name.endswith("boxes_in_the_index_of_places"))
    in_order = select(place_block).order_by(place_block.c.block, place_block.c.role)
    with toy.database.writing() as session:
        rows = session.execute(in_order).all()
        session.execute(delete(place_block).where(place_block.c.role == PlaceRole.BOX.value))
        session.execute(text("DROP INDEX place_block_box_by_number"))
        assert len(session.execute(in_order).all()) < len(rows)
        with Operations.context(MigrationContext.configure(session.connection())):
            import_module(f"{versions.__name__}.{name}").upgrade()
        assert session.execute(in_order).all() == rows


def test_a_volume_too_large_to_be_read_is_looked_at_where_its_voxels_are_like_the_annotations(toy: Means):
    shape, size = (1, 1, 3200, 1500, 1400), (0.25, 1.0, 3.0)
    volume = Volume(VolumeKind.IMAGE, "uint16", plan_levels(shape, size, "uint16", VolumeKind.IMAGE), (Channel("a"),))
    opened = open_atlas(toy.database, toy.store, LOCAL_OWNER, "toy", cache=toy.scratch / "grids")
    shares = volume_shares(opened.annotation, volume, voxel_to_space(None, size, SPACE))
    # its box is 800 x 1500 x 4200 um: of 40 x 60 x 84 voxels of the annotation
    inside = labels()[:40, :60, :84]
    assert shares.by_region == pytest.approx(
        {int(one): np.count_nonzero(inside == one) / inside.size for one in np.unique(inside) if one}, abs=0.02
    )


def test_an_affine_that_says_a_place_is_kept():
    world = ((10.0, 0, 0, 5.0), (0, 10.0, 0, 0.0), (0, 0, 10.0, -7.0), (0, 0, 0, 1.0))
    mni = Space("mni152", "human", "SAR")
    assert np.array_equal(voxel_to_space(world, (10.0,) * 3, mni), world)
    silent = voxel_to_space(None, (10.0,) * 3, mni)
    assert silent[:3, 3].tolist() == [5, 5, 5]


def test_names_of_parcels_and_of_the_specimen_say_where(toy: Means, tmp_path: Path):
    names = ["Thalamus_L", "Thalamus_R", "right cortex layer 1", "lh.cortex", "something else"]
    rows = [f"{name},{','.join(str(i + j) for j in range(5))}" for i, name in enumerate(names)]
    (tmp_path / "matrix.csv").write_text("\n".join([f",{','.join(names)}", *rows]) + "\n")
    version = brought_in(toy, tmp_path / "matrix.csv", space="")
    anchor = anchor_of(toy, version)
    assert version.assets[0].kind == "connectivity"
    assert (anchor.certainty, anchor.box_um) == (Certainty.NAME, None)
    assert anchor.shares == {Role.PARCEL: {10: 1, LAYER_1: 1, THALAMUS: 2}}
    assert (anchor.details["parcels"], anchor.details["matched"]) == (5, 4)

    np.save(tmp_path / "block.npy", np.ones((8, 8, 8), np.uint8))
    size = Options(voxel_size_um=(1.0,) * 3)
    cut = anchor_of(
        toy, brought_in(toy, tmp_path / "block.npy", space="", options=size, record={"specimen": {"part": "丘脑"}})
    )
    assert cut.shares == {Role.NAMED: {THALAMUS: 1}}
    assert anchors_by_atlas(toy, brought_in(toy, tmp_path / "block.npy", space="", options=size, title="Another")) == {}


def test_what_a_name_means():
    assert specimen_region(ONTOLOGY, "brain") is None
    assert specimen_region(ONTOLOGY, "root") is None
    assert region_named(ONTOLOGY, "10") is None
    assert region_named(ONTOLOGY, "lh.cortex") == ONTOLOGY.region(10)
    assert parcels_named(ONTOLOGY, ["cortex", "thalamus", "one", "two", "three"]) == {}
    assert parcels_named(ONTOLOGY, []) == {}
    both = Ontology("sided", "1", (region(1, "root"), region(2, "amygdala l", 1), region(3, "amygdala", 1)))
    # a side that the tree knows is kept
    assert parcels_named(both, ["Amygdala_L", "Amygdala_R"]) == {2: 1, 3: 1}


def test_a_space_that_no_atlas_is_of_is_refused_before_anything_is_read(toy: Means, tmp_path: Path):
    with pytest.raises(Invalid, match="'alen_ccf'") as caught:
        brought_in(toy, tmp_path / "not there", space="alen_ccf")
    assert "toy" in caught.value.hint


def test_a_neuron_of_another_space_is_anchored_through_the_path_that_leads_there(toy: Means, tmp_path: Path):
    """The scan rises to the top, front and right; the toy to the back, bottom and right, 1 mm further on each axis."""
    matrix = tmp_path / "scan.txt"
    matrix.write_text("1 0 0 1\n0 1 0 -1\n0 0 1 -1\n0 0 0 1\n")
    added = add_transform(
        toy,
        TransformFiles(
            (matrix,), TransformFormat.NIFTYREG, End("scan", "SAR"), End("toy"), "CC0-1.0", expected_error_um=35.0
        ),
    )
    scanned = [(i, kind, 1000 - y, 1000 - z, x - 1000, up) for i, kind, z, y, x, up in NEURON]
    version = brought_in(toy, write_neuron(tmp_path / "scanned.swc", scanned), space="scan")
    anchor = anchor_of(toy, version)
    straight = anchor_of(toy, brought_in(toy, write_neuron(tmp_path / "neuron.swc", NEURON)))
    assert (anchor.space, anchor.certainty, anchor.error_um) == ("toy", Certainty.STATED, 35.0)
    assert anchor.details["from_space"] == "scan"
    (leg,) = anchor.details["path"]
    assert (leg["dataset_id"], leg["inverted"], leg["expected_error_um"]) == (added.dataset_id, False, 35.0)
    assert anchor.shares[Role.SOMA] == straight.shares[Role.SOMA]
    assert anchor.shares[Role.END] == straight.shares[Role.END]
    np.testing.assert_allclose(anchor.box_um, straight.box_um, atol=0.01)
    assert "path" not in straight.details
    found = assets_within(toy.database, LOCAL_OWNER, SPACE, Ball((150, 800, 2500), 1), PlaceRole.SOMA)
    assert found.places == 2


def test_a_transform_that_is_hidden_leaves_no_trace_in_anchors(toy: Means, tmp_path: Path):
    matrix = tmp_path / "scan.txt"
    matrix.write_text("1 0 0 1\n0 1 0 -1\n0 0 1 -1\n0 0 0 1\n")
    files = TransformFiles((matrix,), TransformFormat.NIFTYREG, End("scan", "SAR"), End("toy"), "CC0-1.0")
    added = add_transform(toy, files)
    scanned = [(i, kind, 1000 - y, 1000 - z, x - 1000, up) for i, kind, z, y, x, up in NEURON]
    version = brought_in(toy, write_neuron(tmp_path / "scanned.swc", scanned), space="scan")
    assert anchor_of(toy, version).details["path"]
    with toy.database.writing() as session:
        hide(session, added.dataset_id, EVERYONE)
    reanchor(toy)
    assert anchors_by_atlas(toy, version) == {}
    found = assets_within(toy.database, LOCAL_OWNER, SPACE, Ball((150, 800, 2500), 1), PlaceRole.SOMA)
    assert found.places == 0


def test_a_newer_atlas_that_one_may_not_see_makes_nothing_stale(means: Means, tmp_path: Path):
    means.scratch.mkdir(exist_ok=True)
    install_toy(means)
    version = brought_in(means, write_neuron(tmp_path / "neuron.swc", NEURON))
    (asset,) = version.assets
    with UnitOfWork(means.database, LOCAL_OWNER) as work:
        publish(work, version.id)
    newer = install_toy(means, "2")
    with means.database.writing() as session:
        hide(session, newer.dataset_id, EVERYONE)
    assert [one.stale for one in anchors_of(means.database, LOCAL_OWNER, [asset.id])[asset.id]] == [True]
    assert [one.stale for one in anchors_of(means.database, ANONYMOUS, [asset.id])[asset.id]] == [False]


def test_an_atlas_that_is_installed_while_an_asset_is_anchored_makes_it_stale(means: Means, tmp_path: Path):
    means.scratch.mkdir(exist_ok=True)
    install_toy(means)
    version = brought_in(means, write_neuron(tmp_path / "neuron.swc", NEURON))
    (asset,) = version.assets
    anchorer = Anchorer(means.database, means.store, means.scratch, means.actor)
    found = anchorer.anchors(version.record, asset)
    changed = labels()
    changed[changed == LAYER_1] = LAYER_2
    install_toy(means, voxels=changed)
    with means.database.writing() as session:
        for one in found:
            set_anchor(session, asset.id, one.anchor, one.positions, one.blocks, one.known)
    assert anchor_of(means, version).stale


def test_a_volume_is_counted_through_straight_transforms_one_after_the_other(toy: Means, tmp_path: Path):
    shift, back = tmp_path / "shift.txt", tmp_path / "back.txt"
    shift.write_text("1 0 0 1\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    back.write_text("1 0 0 -1\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    ends = (End("scan", "PIR"), End("between", "PIR"), End("toy"))
    for file, source, target in ((back, ends[1], ends[2]), (shift, ends[0], ends[1])):
        files = TransformFiles((file,), TransformFormat.NIFTYREG, source, target, "CC0-1.0", 30.0)
        add_transform(toy, files)
    np.save(tmp_path / "block.npy", np.random.default_rng(0).integers(0, 99, (30, 20, 40)).astype(np.uint16))
    options = Options(voxel_size_um=(20.0, 60.0, 100.0), orientation="PIR")
    through, straight = (
        anchor_of(toy, brought_in(toy, tmp_path / "block.npy", space=space, options=options))
        for space in ("scan", "toy")
    )
    assert through.shares == straight.shares
    np.testing.assert_allclose(through.box_um, straight.box_um, atol=1e-6)
    assert through.error_um == pytest.approx(np.hypot(30, 30))


def test_coordinates_that_miss_the_brain_are_a_doubt(toy: Means, tmp_path: Path):
    far = [(i, kind, z * 20, y, x, up) for i, kind, z, y, x, up in NEURON]
    version = brought_in(toy, write_neuron(tmp_path / "far.swc", far))
    (doubt,) = [one for one in version.assets[0].details["findings"] if one["flag"] == "--space"]
    assert doubt["severity"] == "doubt"
    assert "lies in no region of toy" in doubt["message"]


def test_assets_are_anchored_anew_in_an_atlas_that_comes_later_or_changes(means: Means, tmp_path: Path):
    means.scratch.mkdir(exist_ok=True)
    install_toy(means, name="first")
    version = brought_in(means, write_neuron(tmp_path / "neuron.swc", NEURON))
    (tmp_path / "table.csv").write_text("name,weight\na,1\n")
    brought_in(means, tmp_path / "table.csv", space="", title="A table")
    assert "toy" not in anchors_by_atlas(means, version)
    install_toy(means)
    done = reanchor(means)
    assert done.anchored == 1
    assert done.assets == 2 + 2 * 2
    anchor = anchor_of(means, version)
    assert anchor.shares[Role.SOMA] == {LAYER_1: 1}
    assert set(anchors_by_atlas(means, version)) == {"first", "toy"}

    changed = labels()
    changed[changed == LAYER_1] = LAYER_2
    assert not anchor.stale
    install_toy(means, "2", changed)
    old = anchor_of(means, version)
    assert (old.atlas_version, old.stale) == ("1", True)
    assert stale_anchors(means.database, LOCAL_OWNER, "toy").get(version.dataset_id) == 1
    assert stale_anchors(means.database, ANONYMOUS, "toy") == {}
    assert stale_anchors(means.database, LOCAL_OWNER, "other") == {}
    assert reanchor(means, dataset_id=version.dataset_id, atlas="toy").anchored == 1
    anchor = anchor_of(means, version)
    assert (anchor.atlas_version, anchor.stale) == ("2", False)
    assert anchor.shares[Role.SOMA] == {LAYER_2: 1}
    before = anchor_of(means, version, "first")
    assert before.shares[Role.SOMA] == {LAYER_1: 1}
    assert stale_anchors(means.database, LOCAL_OWNER) == {}
    assert reanchor(means, stale=True).assets == 0
    assert assets_within(means.database, LOCAL_OWNER, SPACE, Ball((150, 800, 2500), 1), PlaceRole.SOMA).places == 1
    with pytest.raises(NotFound, match="no atlas nope"):
        reanchor(means, atlas="nope")
    with pytest.raises(NotFound, match="no dataset"):
        reanchor(means, dataset_id="nope")


def test_an_anchor_is_seen_with_its_asset(toy: Means, tmp_path: Path):
    version = brought_in(toy, write_neuron(tmp_path / "neuron.swc", NEURON))
    (asset,) = version.assets
    assert anchors_of(toy.database, ANONYMOUS, [asset.id]) == {}
    with UnitOfWork(toy.database, LOCAL_OWNER) as work:
        publish(work, version.id)
    assert get_version(toy.database, ANONYMOUS, version.dataset_id).assets[0].id == asset.id
    assert set(anchors_of(toy.database, ANONYMOUS, [asset.id])) == {asset.id}


def soma_of(means: Means, asset_id: str, space: Space) -> np.ndarray:
    mine = (place_block.c.asset_id == asset_id) & (place_block.c.role == "soma")
    with means.database.session() as session:
        row = session.execute(select(place_block).where(mine)).one()
    return block_corners(space, np.array([row.block]))[0] + np.frombuffer(row.places, "<f4")


def test_somata_of_real_neurons_lie_in_or_near_the_region_that_their_files_name(
    means: Means, sample: Callable[[str], Path]
):
    means.scratch.mkdir(exist_ok=True)
    install_ccf(means, sample)
    opened = open_atlas(means.database, means.store, LOCAL_OWNER, "allen_mouse_100um", cache=means.scratch / "grids")
    fmost = brought_in(
        means,
        sample("mouse/fmost_neurons/20_mouse_neurons"),
        space="allen_ccfv3",
        options=Options(unit="voxel", voxel_size_um=(25.0,) * 3, orientation="RIP"),
    )
    named = {one.id: opened.ontology.find(one.name.rpartition("_")[2]).id for one in fmost.assets}
    folder = sample("mouse/mouselight_dendrites/demo-trees")
    told = json.loads((folder / "AA0001-4.json").read_text())["neurons"]
    stated = {one["idString"]: one["soma"]["allenId"] for one in told}
    # what the header says of its axes is true: x along AP, z along LR
    along_ap = Options(unit="um", orientation="RIP")
    request = Request(folder, along_ap, replace(ANSWERS, title="Light"), only=("*.swc",), space="allen_ccfv3")
    named |= {one.id: stated[one.name] for one in ingest(means, request).version.assets}
    assert len(named) == 18
    inside, near = 0, 0
    for asset_id, region_id in named.items():
        (anchor,) = anchors_of(means.database, LOCAL_OWNER, [asset_id])[asset_id]
        (mine,) = anchor.shares[Role.SOMA]
        first, last = opened.ontology.span(region_id)
        inside += first <= opened.ontology.position(mine) <= last
        mask = opened.annotation.mask_of(region_id)
        assert mask is not None
        corner = (np.argwhere(mask.voxels) + mask.start) * 100.0
        soma = soma_of(means, asset_id, opened.atlas.space)
        gap = np.maximum(np.maximum(corner - soma, soma - corner - 100.0), 0)
        near += float(np.linalg.norm(gap, axis=1).min()) <= 250
    assert inside >= 11
    assert near >= 17
