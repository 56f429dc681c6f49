"""A region as a file: its surface in the forms that other programs read, over HTTP and from Python."""

from __future__ import annotations

import io
from contextlib import closing

import httpx2
import numpy as np
import pytest
import trimesh
from tests.atlases.toy import ONTOLOGY, VOXEL_UM, install_toy, labels, renamed

import pulvinar
from pulvinar.errors import NotFound
from pulvinar.platform import Platform

TH, ROOT = 614454277, 997


@pytest.fixture(scope="module")
def installed(platform: Platform):
    return install_toy(platform, name="shell", ontology=renamed("shell"), surfaces=True)


@pytest.fixture
def atlas(address: str, installed):
    with closing(pulvinar.connect(address)) as client:
        yield client.atlas("shell")


def get(address: str, path: str) -> httpx2.Response:
    return httpx2.get(f"{address}/api/v1/atlases/shell/regions/{path}")


@pytest.mark.parametrize("form", ["ply", "obj", "stl"])
def test_the_surface_of_a_region_encloses_its_volume_where_it_lies(address: str, installed, form: str):
    answer = get(address, f"cortex/surface?format={form}")
    assert answer.headers["content-disposition"].endswith(f"shell-COR.{form}")
    mesh = trimesh.load(io.BytesIO(answer.content), file_type=form)
    assert mesh.is_watertight
    # in x, y, z and micrometres, and not inside out
    volume_um3 = np.isin(labels(), (11, 12)).sum() * np.prod(VOXEL_UM)
    assert mesh.volume == pytest.approx(volume_um3, rel=0.02)
    low, high = np.array([10, 10, 5]) * VOXEL_UM[::-1], np.array([90, 60, 14]) * VOXEL_UM[::-1]
    assert np.abs(mesh.bounds - [low, high]).max() < 50
    assert np.linalg.norm(mesh.face_normals, axis=1) == pytest.approx(1)


@pytest.mark.parametrize("form", ["ply", "obj", "stl"])
def test_a_surface_says_its_unit_its_space_and_where_the_axes_rise(address: str, installed, form: str):
    start = get(address, f"cortex/surface?format={form}").content[:200].decode("latin-1")
    assert "unit micrometre" in start
    assert "space shell, micrometres, x to right, y to inferior, z to posterior"[:60] in start


def test_python_gets_the_surface_as_arrays_at_each_level_of_detail(address: str, atlas):
    vertices, faces = atlas.mesh_of("thalamus")
    assert (vertices.shape[1], faces.shape[1], faces.max() + 1) == (3, 3, len(vertices))
    mesh = trimesh.load(io.BytesIO(get(address, f"{TH}/surface?format=ply").content), file_type="ply", process=False)
    assert np.array_equal(mesh.vertices, vertices[:, ::-1])
    assert np.array_equal(mesh.faces, faces)
    assert len(atlas.mesh_of("thalamus", level=1)[1]) < len(faces)
    with pytest.raises(NotFound, match="no level 8"):
        atlas.mesh_of("thalamus", level=8)


def test_an_atlas_on_this_machine_has_the_same_surface(platform: Platform, atlas):
    vertices, faces = platform.atlas("shell").mesh_of(TH)
    told, triangles = atlas.mesh_of(TH)
    assert np.array_equal(vertices, told)
    assert np.array_equal(faces, triangles)


def test_what_has_no_surface_is_not_found(platform: Platform, address: str, atlas):
    install_toy(platform, name="bare", ontology=renamed("bare"))
    assert httpx2.get(f"{address}/api/v1/atlases/bare/regions/cortex/surface").status_code == 404
    with pytest.raises(NotFound, match="nowhere"):
        atlas.mesh_of("nowhere")
    assert get(address, "cortex/surface?format=blend").status_code == 422


def test_the_tree_above_and_below_a_region_and_its_volume(atlas):
    below = [one.id for one in ONTOLOGY.descendants(8)]
    assert [one["id"] for one in atlas.descendants("grey matter")] == below
    assert [one["id"] for one in atlas.ancestors("CTX1")] == [10, 8, ROOT]
    assert atlas.volume_of("thalamus") == pytest.approx((labels() == TH).sum() * np.prod(VOXEL_UM) / 1e9)
