"""What is handed in: files, folders and archives become a list of regular files, whatever lies among them."""

import gzip
import os
import socket
import tarfile
import tempfile
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from pulvinar.errors import NotFound, PulvinarError, UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.removal import remove_tree
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.source_files import source_file
from pulvinar.ingest.submission import open_submission

LIMITS = Limits(memory_bytes=2 << 30, cpu_s=60, budget_bytes=1 << 30)


@pytest.fixture
def scratch(tmp_path):
    return tmp_path / "scratch"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "submission"
    made.mkdir()
    return made


@pytest.fixture
def opened(scratch):
    """What `open_submission` gives for a path, while nothing needs it any more."""

    def open_it(path):
        with open_submission(path, scratch, LIMITS) as submission:
            return submission

    return open_it


def names(submission):
    return [file.name for file in submission.files]


def test_a_file_is_a_submission_of_itself_alone(opened, folder):
    (folder / "brain.nii").write_bytes(b"12345" * 2000)
    (folder / "neighbour").write_bytes(b"1")
    submission = opened(folder / "brain.nii")
    (file,) = submission.files
    assert (file.name, file.size_bytes, file.head) == ("brain.nii", 10_000, (b"12345" * 2000)[:4096])
    assert submission.root == folder
    assert submission.readable == (folder / "brain.nii",)


def test_a_folder_is_all_its_files_in_a_stable_order(opened, folder):
    for name in ("b.nii", "a/z.nii", "a/b/y.nii", "c/x.nii", "a.nii"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    submission = opened(folder)
    assert names(submission) == ["a.nii", "b.nii", "a/z.nii", "a/b/y.nii", "c/x.nii"]
    assert submission.readable == (folder,)
    assert submission.skipped == ()


def test_a_relative_path_and_a_named_link_mean_the_same(opened, folder, monkeypatch):
    (folder / "brain.nii").write_text("1")
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.chdir(folder.parent)
    assert opened(Path("submission")) == opened(folder) == opened(Path("link"))


def test_what_operating_systems_leave_is_passed_over_and_said(opened, folder):
    for name in (".DS_Store", "._brain.nii", "Thumbs.db", "a/.DS_Store", "__MACOSX/._brain.nii", "desktop.ini"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (folder / "brain.nii").write_text("1")
    (folder / ".hidden.nii").write_text("2")
    submission = opened(folder)
    assert names(submission) == [".hidden.nii", "brain.nii"]
    assert len(submission.skipped) == 6
    assert all(line.endswith(": left by an operating system") for line in submission.skipped)


def test_links_and_devices_are_never_followed_and_said(opened, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (folder / "brain.nii").write_text("1")
    (folder / "file link").symlink_to(outside / "secret")
    (folder / "folder link").symlink_to(outside)
    (folder / "own link").symlink_to("brain.nii")
    (folder / "ring").symlink_to("ring")
    (folder / "nowhere").symlink_to("nowhere else")
    (folder / "up").symlink_to("..")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket"))
    if os.geteuid() == 0:
        os.mknod(folder / "device", 0o600 | 0o020000, os.makedev(1, 5))
    submission = opened(folder)
    assert names(submission) == ["brain.nii"]
    assert len(submission.skipped) == 8 + (os.geteuid() == 0)
    assert all(line.endswith(": a link or a device, which is never followed") for line in submission.skipped)


def test_hard_links_are_files(opened, folder):
    (folder / "brain.nii").write_text("1")
    os.link(folder / "brain.nii", folder / "same.nii")
    assert names(opened(folder)) == ["brain.nii", "same.nii"]


def test_an_empty_folder_is_a_submission_of_nothing(opened, folder):
    (folder / "empty").mkdir()
    assert opened(folder).files == ()


def test_what_is_not_there_is_not_found(opened, folder):
    (folder / "file").touch()
    (folder / "nowhere").symlink_to("nowhere else")
    for name in ("nothing", "file/below", "nowhere", "nothing/at/all"):
        with pytest.raises(NotFound, match="there is nothing at"):
            opened(folder / name)


@pytest.mark.parametrize("name", ["ring", "pipe", "socket", "x" * 300, "a\0b"])
def test_what_is_neither_file_nor_folder_is_refused(opened, folder, name):
    (folder / "ring").symlink_to("ring")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket"))
    with pytest.raises(UnreadableFile) as caught:
        opened(folder / name)
    assert caught.value.hint
    assert len(str(caught.value)) < 400


@contextmanager
def as_nobody():
    """Without the power of root to read every file, where these tests run as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def public_folder():
    """A folder that also others reach, who may not read all that is in it."""
    made = Path(tempfile.mkdtemp(prefix="pulvinar-test-"))
    made.chmod(0o755)
    yield made
    for path in made.rglob("*"):
        path.chmod(0o700)
    remove_tree(made)


def test_a_file_that_may_not_be_read_is_named(public_folder, scratch):
    (public_folder / "brain.nii").write_text("1")
    (public_folder / "private.nii").write_text("2")
    (public_folder / "private.nii").chmod(0)
    for path in (public_folder, public_folder / "private.nii"):
        with (
            pytest.raises(UnreadableFile, match=r"private.nii can't be read: you may not read it") as caught,
            as_nobody(),
        ):
            open_submission(path, scratch, LIMITS).__enter__()
        assert caught.value.hint


def test_a_folder_that_may_not_be_read_is_named_and_never_left_out_in_silence(public_folder, scratch):
    (public_folder / "brain.nii").write_text("1")
    (public_folder / "private").mkdir()
    (public_folder / "private" / "inside").mkdir()
    (public_folder / "private").chmod(0)
    for path in (public_folder, public_folder / "private", public_folder / "private" / "inside"):
        with pytest.raises(UnreadableFile, match="private") as caught, as_nobody():
            open_submission(path, scratch, LIMITS).__enter__()
        assert caught.value.hint


def test_a_file_that_is_gone_is_named(folder):
    with pytest.raises(UnreadableFile, match="it was removed meanwhile"):
        source_file(folder / "gone", "gone")


def test_a_file_that_became_a_link_is_not_followed(folder):
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(UnreadableFile, match="it is a link"):
        source_file(folder / "link", "link")


def test_a_file_that_became_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnreadableFile, match="no regular file"):
        source_file(folder / "pipe", "pipe")


def test_a_file_that_keeps_changing_into_a_link_gives_itself_or_an_error(opened, folder, tmp_path):
    (tmp_path / "secret").write_text("secret " * 10)
    path, stop = folder / "brain.nii", threading.Event()
    path.write_text("innocent")

    def flip():
        while not stop.is_set():
            path.unlink()
            path.symlink_to(tmp_path / "secret")
            path.unlink()
            path.write_text("innocent")

    flipping = threading.Thread(target=flip)
    flipping.start()
    seen = set()
    try:
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            try:
                seen |= {file.head for file in opened(folder).files}
            except UnreadableFile:
                seen.add("refused")
    finally:
        stop.set()
        flipping.join()
    assert seen <= {b"innocent", b"", "refused"}


@pytest.mark.parametrize("becomes", ["gone", "link", "pipe"])
def test_a_file_that_changes_after_it_was_listed_is_an_error_of_the_reader(folder, scratch, becomes):
    path = folder / "brain.nii"
    path.write_text("1")
    scratch.mkdir()
    limits = Limits(memory_bytes=2 << 30, answer_s=20)
    with (
        open_submission(folder, scratch, limits) as submission,
        ReaderHost(submission.root, scratch=scratch, limits=limits, readable=submission.readable) as host,
    ):
        path.unlink()
        if becomes == "link":
            path.symlink_to("/etc/passwd")
        elif becomes == "pipe":
            os.mkfifo(path)
        with pytest.raises(UnreadableFile, match=r"brain\.nii"):
            host.find(submission.files)


def test_ten_thousand_files_take_seconds(opened, folder):
    for number in range(100):
        (folder / f"{number:02}").mkdir()
        for plane in range(100):
            (folder / f"{number:02}" / f"{plane:02}.tif").write_bytes(b"II*\0")
    began = time.process_time()
    submission = opened(folder)
    assert len(submission.files) == 10_000
    assert time.process_time() - began < 5


def test_a_very_deep_folder_is_refused_and_can_be_removed(opened, folder):
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("deep", dir_fd=here)
        there = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)
    with pytest.raises(UnreadableFile, match="too long") as caught:
        opened(folder)
    assert len(str(caught.value)) < 400
    remove_tree(folder)
    assert not folder.exists()


def test_removing_follows_no_link(folder, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (folder / "link").symlink_to(tmp_path / "kept")
    remove_tree(folder)
    assert (tmp_path / "kept" / "file").exists()
    (tmp_path / "other").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "other")
    assert (tmp_path / "kept" / "file").exists()


def test_the_fingerprint_is_of_names_and_content(opened, folder):
    def fingerprint():
        return opened(folder).fingerprint

    (folder / "a.nii").write_text("1")
    (folder / "b.nii").write_text("2")
    first = fingerprint()
    os.utime(folder / "a.nii", (0, 0))
    assert fingerprint() == first, "times don't count where the content is read"
    (folder / "._a.nii").write_text("x")
    assert fingerprint() == first, "nor does what is passed over"
    (folder / "a.nii").write_text("3")
    assert fingerprint() != first
    (folder / "a.nii").write_text("1")
    (folder / "b.nii").rename(folder / "c.nii")
    assert fingerprint() != first


def test_a_large_file_is_known_by_size_and_time(opened, folder):
    (folder / "large").write_bytes(bytes(2 << 20))
    first = opened(folder).fingerprint
    assert opened(folder).fingerprint == first
    os.utime(folder / "large", (1, 1))
    assert opened(folder).fingerprint != first


def test_names_and_contents_can_not_be_moved_into_each_other(opened, folder):
    (folder / "a\n1").write_text("")
    first = opened(folder).fingerprint
    (folder / "a\n1").rename(folder / "a")
    (folder / "a").write_text("\n")
    assert opened(folder).fingerprint != first


def test_a_name_that_no_catalogue_can_write_is_refused(opened, folder):
    path = Path(os.fsdecode(os.fsencode(folder) + b"/Gr\xf6\xdfe.nii"))
    path.write_text("1")
    for submission in (folder, path):
        with pytest.raises(UnreadableFile, match="is no UTF-8 text") as caught:
            opened(submission)
        assert str(caught.value).isprintable()
        assert "rename" in caught.value.hint


def test_a_folder_above_may_have_any_name(opened, folder):
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/Gr\xf6\xdfe"))
    odd.mkdir()
    (odd / "brain.nii").write_text("1")
    assert names(opened(odd)) == ["brain.nii"]


def test_formats_are_known_by_content_and_not_by_name(samples, folder, scratch):
    # a text may be of many formats: without its name it is still known, under another's it may not be
    wanted = {
        ".nrrd": ("nrrd", ".nii"), ".mgz": ("mgh", ".nrrd"), ".nii.gz": ("nifti", ".mnc"), ".mnc": ("minc", ".mgz"),
        ".tif": ("tiff", ".nii.gz"), ".swc": ("swc", ""), ".obj": ("obj", ""),
    }  # fmt: skip
    expected = {}
    for ending, (reader, other) in wanted.items():
        path = min(samples.rglob(f"*{ending}"), key=lambda path: path.stat().st_size, default=None)
        if path is not None:
            (folder / f"a {reader} file{other}").write_bytes(path.read_bytes())
            expected[f"a {reader} file{other}"] = reader
    assert len(expected) >= 4
    scratch.mkdir()
    with (
        open_submission(folder, scratch, LIMITS) as submission,
        ReaderHost(folder, scratch=scratch, limits=LIMITS, options=Options(unit="um")) as host,
    ):
        found = {asset.files[0]: asset.reader for asset in host.find(submission.files)}
    assert found == expected


def test_a_packed_tiff_is_unpacked_and_gone_afterwards(samples, folder, scratch):
    tiff = min(samples.rglob("*.tif"), key=lambda path: path.stat().st_size)
    (folder / "plane.tif.gz").write_bytes(gzip.compress(tiff.read_bytes()))
    with open_submission(folder / "plane.tif.gz", scratch, LIMITS) as submission:
        assert names(submission) == ["plane.tif"]
        assert submission.files[0].path.read_bytes() == tiff.read_bytes()
        assert scratch in submission.root.parents
    assert list(scratch.iterdir()) == []


def test_a_packed_nifti_is_left_to_its_reader(samples, opened, folder):
    nifti = min(samples.rglob("*.nii.gz"), key=lambda path: path.stat().st_size)
    assert opened(nifti).files[0].path == nifti.resolve()


def test_what_a_killed_run_has_unpacked_is_used_again(folder, scratch):
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("brain.nii", "1")
    with open_submission(folder / "a.zip", scratch, LIMITS) as submission:
        left = submission.root
        before = left.stat().st_ino
        (scratch / "kept").mkdir()
        left.rename(scratch / "kept" / "content")
    (scratch / "kept" / "content").rename(left)
    with open_submission(folder / "a.zip", scratch, LIMITS) as submission:
        assert submission.root.stat().st_ino == before
        assert names(submission) == ["brain.nii"]


def test_an_error_while_a_submission_is_open_cleans_up_too(folder, scratch):
    (folder / "brain.nii").write_text("1")
    with tarfile.open(folder / "a.tar", "w") as archive:
        archive.add(folder / "brain.nii", "brain.nii")
    with pytest.raises(PulvinarError), open_submission(folder / "a.tar", scratch, LIMITS):
        raise UnreadableFile("something else")
    assert list(scratch.iterdir()) == []
