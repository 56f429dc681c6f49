"""Every real sample in a format that is read is found, through the reader process, and read back as its source says."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tests.ingest.sources import (
    ASSETS,
    DICOM,
    GEOMETRY,
    PARTS,
    SEVERAL,
    VOLUMES,
    assert_same_voxels,
    format_of,
    manifest,
    of_several,
)

from pulvinar.ingest.reader import Options, SourceFile
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.submission import open_submission
from pulvinar.model.space import Window

LIMITS = Limits(memory_bytes=4 << 30, cpu_s=600)
ARCHIVES = {
    "human/surgical_neurons/80_human_neurons_swc.tar.gz": ("swc", 80),
    "mouse/fmost_neurons/boutons_apo.tar.gz": ("tables", 247),
}


@pytest.fixture(scope="module")
def host(samples, tmp_path_factory):
    with ReaderHost(samples, scratch=tmp_path_factory.mktemp("reader"), limits=LIMITS, options=Options()) as running:
        yield running


def source_file(root, name):
    with (root / name).open("rb") as file:
        return SourceFile(root / name, name, os.fstat(file.fileno()).st_size, file.read(4096))


@pytest.mark.parametrize("name", manifest())
def test_a_sample_reads_back_as_its_source(host, sample, samples, tmp_path, name):
    path = sample(name)
    if name.endswith((".tif.gz", ".tif.lzma")):
        with open_submission(path, tmp_path, LIMITS) as submission, one_host(submission, tmp_path) as own:
            (asset,) = own.find(submission.files)
            same_as_source(own, asset, submission.root / asset.files[0], "tiff")
        return
    found = host.find([source_file(samples, name)])
    assert len(found) == ASSETS.get(name, 1)
    for asset in found:
        same_as_source(host, asset, path, format_of(name))


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_samples_reads_back_as_its_members(sample, tmp_path, name):
    reader, count = ARCHIVES[name]
    with open_submission(sample(name), tmp_path, LIMITS) as submission, one_host(submission, tmp_path) as own:
        found = own.find(submission.files)
        assert len(found) == count
        for asset in found:
            same_as_source(own, asset, submission.root / asset.files[0], reader)


@pytest.mark.parametrize("name", DICOM)
def test_an_archive_of_dicom_reads_back_as_its_images(sample, tmp_path, name):
    with open_submission(sample(name), tmp_path, LIMITS) as submission, one_host(submission, tmp_path) as own:
        (asset,) = own.find(submission.files)
        assert len(asset.files) == DICOM[name]
        same_as_source(own, asset, submission.root / asset.files[0], "dicom")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", of_several())
def test_a_sample_of_several_assets_reads_back_as_its_source(host, sample, samples, name):
    path = sample(name)
    reader, same = SEVERAL[path.suffix]
    found = host.find([source_file(samples, name)])
    assert {asset.reader for asset in found} == {reader}
    same([host.read_geometry(asset) for asset in found], path)


def one_host(submission, scratch):
    own = scratch / "own"
    own.mkdir()
    return ReaderHost(submission.root, scratch=own, limits=LIMITS, options=Options(), readable=submission.readable)


def same_as_source(host, asset, path, reader):
    assert asset.reader == reader
    if asset.volume is not None:
        same_voxels(host, asset, path, reader)
    else:
        GEOMETRY[reader](host.read_geometry(asset), path)


def same_voxels(host, asset, path, reader):
    expected = PARTS[reader](path, asset.key) if reader in PARTS else VOLUMES[reader](path)
    with host.open_volume(asset) as source:
        shape = source.shape
        # bands, as the pyramid reads: not everything at once
        bands = [(start, min(start + 64, shape[2])) for start in range(0, shape[2], 64)]
        parts = []
        for a, b in bands:
            voxels = source.read(Window((0, 0, a, 0, 0), (shape[0], shape[1], b, shape[3], shape[4])))
            parts.append(voxels.copy())
            source.release(voxels)
    found = np.concatenate(parts, axis=2)
    assert_same_voxels(found, expected)


def test_archives_hold_what_the_list_says(sample):
    for name, (_, count) in ARCHIVES.items():
        with tarfile.open(sample(name)) as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
        assert len([member for member in members if not Path(member.name).name.startswith("._")]) == count
