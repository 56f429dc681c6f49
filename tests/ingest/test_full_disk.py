"""A disk that fills up in the middle of an ingest: it is said where, nothing shows, nothing is done again."""

import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import tifffile

from pulvinar.catalogue.datasets import list_datasets
from pulvinar.errors import Unavailable
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means, Request
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.space import Window
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.storage.pending import PendingChunks
from pulvinar.storage.slabs import SlabSource
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.space import room_in
from pulvinar.storage.volumes import open_volume

ANSWERS = RecordAnswers(title="A brain", species="mouse", licence="CC0-1.0")
OPTIONS = Options(voxel_size_um=(2.0, 2.0, 2.0), axes="zyx")
GOES_ON = "the same command goes on from what is finished"


@pytest.fixture(scope="module")
def brain(tmp_path_factory):
    """Noise, which takes 24 MB however it is packed."""
    path = tmp_path_factory.mktemp("brain") / "brain.tif"
    voxels = np.random.default_rng(0).integers(0, 65536, (48, 512, 512)).astype(np.uint16)
    tifffile.imwrite(path, voxels, photometric="minisblack")
    return path


@contextmanager
def disk_of(folder, megabytes):
    """A file system of so many MB at `folder`; yields how to make it larger."""
    folder.mkdir()

    def mount(*how):
        return subprocess.run(["mount", *how, str(folder)], capture_output=True, text=True, check=False)

    done = mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs")
    if done.returncode:
        pytest.skip(f"this machine does not let a test mount a small disk: {done.stderr.strip()}")
    try:
        yield lambda size: mount("-o", f"remount,size={size}m")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def means_in(home):
    with open_platform(load_settings(environment={}, home=home)) as platform:
        yield Means(platform.database, platform.store, home / "scratch", Limits(), threads=2)


@pytest.mark.parametrize("megabytes", [2, 4, 14, 27])
def test_a_full_disk_is_said_and_after_it_the_ingest_goes_on(tmp_path, brain, megabytes):
    """Before the first shard, in one, between two, and behind the last."""
    request = Request(brain, OPTIONS, ANSWERS)
    with disk_of(tmp_path / "small", megabytes) as enlarge:
        home = tmp_path / "small" / "home"
        with means_in(home) as means:
            with pytest.raises(Unavailable) as caught:
                ingest(means, request)
            assert str(home) in caught.value.message
            assert "bytes are free" in caught.value.message
            assert GOES_ON in caught.value.hint
            assert list_datasets(means.database, LOCAL_OWNER).items == ()
            left = {path.stat().st_mtime_ns for path in home.glob("store/assets/**/c/**/*") if path.is_file()}
            assert list(home.glob("store/.partial/*")) == list(home.glob("scratch/*/*")) == []
        enlarge(200)
        with means_in(home) as means:
            (asset,) = ingest(means, request).version.assets
            whole = np.asarray(open_volume(means.store, asset.prefix).level(0).read().result())[0, 0]
            assert np.array_equal(whole, tifffile.imread(brain))
        assert left <= {path.stat().st_mtime_ns for path in home.glob("store/assets/**/c/**/*")}


def test_scratch_files_that_find_no_room_end_in_an_error_and_not_in_the_process(tmp_path):
    """A page of a mapped file that finds the disk full is a SIGBUS."""
    voxels = np.ones((1, 1, 64, 64, 512), np.uint16)
    window = Window.whole(voxels.shape)
    with disk_of(small := tmp_path / "small", 1):
        with pytest.raises(Unavailable, match=str(small)), room_in(small):
            SlabSource(ArraySource(voxels), window, voxels.shape, small).read(window)
        with (
            pytest.raises(Unavailable, match=str(small)),
            room_in(small),
            PendingChunks(voxels.dtype, voxels.nbytes, 0, small) as pending,
        ):
            chunk = pending.find((1, (0, 0, 0, 0, 0)), voxels.shape, 1)
            pending.use(chunk, clear=True)
            pending.leave(chunk)


@pytest.mark.parametrize("kilobytes", [64, 4096])
def test_a_limit_of_file_sizes_is_told_as_a_full_disk_is(tmp_path, brain, kilobytes):
    """`ulimit -f`: it meets the database, or a shard."""
    limit = kilobytes << 10
    command = [sys.executable, "-c", "from pulvinar.cli import main; main()"]
    command += [
        "ingest",
        str(brain),
        "--voxel-size",
        "2",
        "--axes",
        "zyx",
        "--title",
        "A brain",
        "--species",
        "mouse",
        "--licence",
        "CC0-1.0",
    ]
    done = subprocess.run(
        command,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        env={"PULVINAR_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 7
    assert str(tmp_path / "home") in done.stderr
    assert GOES_ON in done.stderr
