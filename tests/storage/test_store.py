import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pulvinar.errors import Invalid, NotFound, Unavailable
from pulvinar.storage.store import open_store
from pulvinar.storage.store_contract import StoreContract


class TestStores(StoreContract):
    """The shipped contract, on a folder and on a real S3 server."""


@pytest.mark.parametrize("url", ["", "ftp://host/x", "/plain/path", "http://host/bucket"])
def test_an_address_that_is_no_store_is_refused(url: str):
    with pytest.raises(Invalid, match="not the address of a store"):
        open_store(url)


def test_a_server_that_does_not_answer_is_unavailable():
    store = open_store("s3://bucket/x", endpoint="http://127.0.0.1:9", access_key="a", secret_key="b")
    with pytest.raises(Unavailable):
        store.size("key")


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path):
    code = f"""
import resource, signal
from pulvinar.errors import Unavailable
from pulvinar.storage.store import open_store
store = open_store({(tmp_path / "store").as_uri()!r})
store.put_bytes("old", b"kept")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    store.put_bytes("old", bytes(5000))
except Unavailable as error:
    print("free some space" in error.hint, error.message)
print([entry.key for entry in store.list("")], store.read("old"))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, left = ran.stdout.splitlines()
    assert said.startswith(f"True nothing more can be written in {tmp_path / 'store'}: ")
    assert left == "['old'] b'kept'"
    assert [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()] == ["old"]


def test_a_file_of_another_file_system_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = open_store((tmp_path / "store").as_uri())
    source = tmp_path / "source"
    source.write_bytes(b"voxels")

    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self == source:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    store.put_file("a/b", source)
    assert store.read("a/b") == b"voxels"
    assert not source.exists()


def test_limits_of_this_process_are_as_they_were():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_symbolic_link_in_the_store_folder_is_not_an_object(tmp_path: Path):
    store = open_store((tmp_path / "store").as_uri())
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "store" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(NotFound):
        store.read("link")
    assert list(store.list("")) == []
