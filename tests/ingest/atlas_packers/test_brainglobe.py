"""An atlas that BrainGlobe's own writers have made (`make_brainglobe_atlases.py`), in both of its layouts."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem
from tests.ingest.atlas_packers import mini_zfish as fish
from tests.ingest.atlas_packers.folder_sources import folder_sources

from pulvinar.errors import Invalid, NotFound, Unavailable, UnreadableFile
from pulvinar.ingest.atlas_packers.brainglobe import BrainGlobePacker
from pulvinar.model.record import Species
from pulvinar.model.space import Window

SECOND = "second/mini_zfish_2.0um_v1.0"
THIRD = "third/brainglobe-atlasapi"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("brainglobe")
    with tarfile.open(Path(__file__).with_name("mini_zfish.tar.xz")) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(params=[SECOND, THIRD])
def packed(request, made):
    with folder_sources(made / request.param) as sources:
        yield BrainGlobePacker().pack(sources)


def whole(volume):
    return volume.source.read(Window.whole(volume.source.shape))[0, 0].copy()


def test_voxels_are_those_that_were_packed(packed):
    np.testing.assert_array_equal(whole(packed.annotation), fish.in_asr(fish.annotation()))
    first, second = packed.templates
    np.testing.assert_array_equal(whole(first), fish.in_asr(fish.reference()))
    np.testing.assert_array_equal(whole(second), fish.in_asr(fish.reference() // 2))
    assert (first.name, "GAD1B" in second.name) == ("reference", True)


def test_the_tree_is_that_which_was_packed(packed):
    told = {region.id: region for region in packed.regions}
    assert list(told) == [one["id"] for one in fish.STRUCTURES]
    for one in fish.STRUCTURES:
        region = told[one["id"]]
        path = one["structure_id_path"]
        assert (region.name, region.acronym) == (one["name"], one["acronym"])
        assert region.parent == (path[-2] if len(path) > 1 else None)
        assert region.color == "".join(f"{part:02X}" for part in one["rgb_triplet"])


def test_voxels_lie_where_the_orientation_says(packed):
    # the packed brain rose to right, posterior, superior; the first voxel's corner is at anterior, superior, right
    assert packed.space.orientation == "PIL"
    assert packed.species is Species.ZEBRAFISH
    to_space = np.array(packed.annotation.voxel_to_space_um)
    np.testing.assert_allclose(to_space @ [0, 0, 0, 1], [1, 1, 1, 1])
    np.testing.assert_allclose(to_space @ [2, 3, 4, 1], [5, 7, 9, 1])
    assert packed.midline_um == fish.SHAPE[0] * fish.SIZE_UM / 2


def test_one_of_several_is_chosen_by_name(made):
    with folder_sources(made) as sources:
        assert BrainGlobePacker("mini_zfish_2.0um").pack(sources).name == "mini_zfish_2.0um"
        with pytest.raises(NotFound, match="mini_zfish_3um"):
            BrainGlobePacker("mini_zfish_3um").pack(sources)


def test_the_newest_version_counts(made, tmp_path):
    shutil.copytree(made / THIRD, tmp_path / "root")
    atlases = tmp_path / "root" / "atlases" / "mini_zfish_2.0um"
    old = json.loads((atlases / "3_0" / "manifest.json").read_text())
    (atlases / "3_10").mkdir()
    (atlases / "3_10" / "manifest.json").write_text(json.dumps({**old, "version": "3.10"}))
    with folder_sources(tmp_path / "root") as sources:
        assert BrainGlobePacker().pack(sources).version == "3.10"


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"species": "Rattus norvegicus"}, Invalid, "Rattus"),
        ({"shape": [30, 20, 24]}, UnreadableFile, "the metadata say"),
        ({"resolution": None}, UnreadableFile, "resolution"),
        ({"orientation": "asx"}, UnreadableFile, "not complete"),
        ({"additional_references": ["gone"]}, NotFound, "gone"),
    ],
)
def test_what_an_atlas_says_wrongly_is_named(made, tmp_path, change, error, said):
    root = tmp_path / "root"
    shutil.copytree(made / SECOND, root)
    metadata = json.loads((root / "metadata.json").read_text())
    (root / "metadata.json").write_text(json.dumps(metadata | change))
    with folder_sources(root) as sources, pytest.raises(error, match=said):
        BrainGlobePacker().pack(sources)


def test_a_folder_without_an_atlas_says_what_is_needed(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with folder_sources(tmp_path) as sources, pytest.raises(NotFound, match="no BrainGlobe atlas"):
        BrainGlobePacker().pack(sources)


def test_without_a_network_it_says_how_else(monkeypatch, tmp_path):
    descriptors = pytest.importorskip("brainglobe_atlasapi.descriptors")
    # the discard port: nobody listens
    monkeypatch.setattr(descriptors, "remote_url_s3_http", "http://127.0.0.1:9/{}")
    with pytest.raises(Unavailable, match="can't be reached") as error:
        BrainGlobePacker("mpin_zfish_1um").fetch(tmp_path)
    assert "--from" in error.value.hint


def test_a_name_is_needed_to_download(tmp_path):
    with pytest.raises(Invalid, match="no atlas is named"):
        BrainGlobePacker().fetch(tmp_path)


class _Bucket(LocalFileSystem):
    """BrainGlobe's bucket, as a folder."""

    cachable = False
    root = ""

    def __init__(self, anon=True):
        super().__init__(auto_mkdir=True)

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).replace("s3://brainglobe/atlas", cls.root))

    def get(self, rpath, lpath, **options):
        return super().get(rpath, str(lpath), **options)


def test_an_atlas_is_downloaded_whole_by_its_name(made, monkeypatch, tmp_path):
    bg_atlas = pytest.importorskip("brainglobe_atlasapi.bg_atlas")
    from brainglobe_atlasapi import utils

    monkeypatch.setattr(_Bucket, "root", str(made / THIRD))
    monkeypatch.setattr(bg_atlas.s3fs, "S3FileSystem", _Bucket)
    for module in (utils, bg_atlas):
        monkeypatch.setattr(module, "check_s3_status", lambda raise_error=True: True)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("download", "other"):
        (tmp_path / name).mkdir()
    BrainGlobePacker("mini_zfish_2.0um").fetch(tmp_path / "download")
    with folder_sources(tmp_path / "download") as sources:
        packed = BrainGlobePacker("mini_zfish_2.0um").pack(sources)
        np.testing.assert_array_equal(whole(packed.annotation), fish.in_asr(fish.annotation()))
        assert len(packed.templates) == 2
        # the masks of every region, which nobody needs who has the annotation, are many times as large
        assert not any("annotations.ome.zarr/s0/c" in name for name in sources.names())
    with pytest.raises(NotFound, match="no atlas nowhere_1um"):
        BrainGlobePacker("nowhere_1um").fetch(tmp_path / "other")
