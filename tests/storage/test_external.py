"""Reading what others own: only what an operator allows, and nothing beside it."""

import os
import socket
from pathlib import Path

import pytest
from tests.file_server import served

from pulvinar.errors import Forbidden, Invalid, NotFound, TooLarge, Unavailable
from pulvinar.storage.external import ExternalSources, S3Access, normal_url
from pulvinar.storage.external_http import _is_public, checked_connection
from pulvinar.storage.external_state import changes, see, state_from_text

FILES = {"zarr.json": b"{}", "0/c/0/0/0": bytes(range(200)), "0/c/0/0/1": b"more"}


@pytest.fixture
def folder(tmp_path):
    for name, data in FILES.items():
        path = tmp_path / "brain" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "brain"


@pytest.fixture(params=["folder", "s3", "http"])
def source(request, folder, tmp_path):
    """The same files in each kind of place, and how one of them is changed there (None: removed)."""
    if request.param == "folder":

        def put(name, data):
            (folder / name).write_bytes(data) if data is not None else (folder / name).unlink()

        yield ExternalSources(tmp_path.as_uri()).open(folder.as_uri()), put
    elif request.param == "http":

        def put(name, data):
            (folder / name).write_bytes(data) if data is not None else (folder / name).unlink()

        with served(tmp_path) as (address, _):
            yield ExternalSources(address, private=True).open(f"{address}/brain"), put
    else:
        server = request.getfixturevalue("s3_server")
        name = f"external-{tmp_path.name}"
        store = server.store(name)
        for key, data in FILES.items():
            store.put_bytes(f"brain/{key}", data)
        access = S3Access(server.endpoint, server.access_key, server.secret_key)

        def put(key, data):
            store.put_bytes(f"brain/{key}", data) if data is not None else store.delete(f"brain/{key}")

        yield ExternalSources(f"s3://tests/{name}", s3=access).open(f"s3://tests/{name}/brain"), put


def test_a_source_gives_wholes_parts_and_ends(source):
    place, _ = source
    whole = FILES["0/c/0/0/0"]
    assert place.read("0/c/0/0/0").data == whole
    assert place.read("0/c/0/0/0", start=10, length=20).data == whole[10:30]
    assert place.read("0/c/0/0/0", start=150).data == whole[150:]
    assert place.read_end("0/c/0/0/0", 7).data == whole[-7:]
    assert place.look("0/c/0/0/0").size_bytes == 200
    assert place.look("0/c/0/0/0").tag == place.read("0/c/0/0/0").tag != ""
    for missing in ("0/c/9/9/9", "0"):
        with pytest.raises(NotFound):
            place.read(missing)
        with pytest.raises(NotFound):
            place.look(missing)
    with pytest.raises(TooLarge):
        place.read("0/c/0/0/0", most=199)
    for key in ("../secret", "/etc/passwd", "a//b", "."):
        with pytest.raises(Invalid):
            place.read(key)


def test_what_changes_is_told(source):
    place, put = source
    before = see(place, {"zarr.json": b"{}"}, ["0/c/0/0/0", "0/c/0/0/1", "0/c/7/7/7"])
    assert set(before.objects) == set(FILES)
    assert state_from_text(before.to_text()) == before
    assert list(changes(place, before)) == []
    put("0/c/0/0/1", b"else")
    os.utime(Path(place._root) / "0/c/0/0/1", ns=(1, 1)) if hasattr(place, "_root") else None
    put("0/c/0/0/0", None)
    put("zarr.json", b"[]")
    put("new", b"1")
    told = dict(changes(place, before))
    assert told["zarr.json"].startswith("has changed")
    assert told["0/c/0/0/0"] == "is gone"
    assert told["0/c/0/0/1"].startswith("has changed since it was seen")
    assert (told.pop("new", "") == "is new") == before.complete


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/a", "/etc", "file:///a/../b", "file://host/a", "http:///a", "https://user:word@host/a",
        "https://host/a?b=c", "https://host/a#b", "https://host/%2e%2e/a", "https://host/a/%252e%252e/b",
        "https://host/a\\..\\b", "https://host:port/a", "s3:///a", "https://host/a//b", "https://host/a%00b", "",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url):
    with pytest.raises(Invalid):
        normal_url(url)


def test_addresses_have_one_form():
    assert normal_url("HTTPS://Host:443/a/b/") == "https://host/a/b"
    assert normal_url("http://host:8080") == "http://host:8080"
    assert normal_url("s3://Bucket/a b") == "s3://Bucket/a%20b"
    assert normal_url("file:///a%20b/") == "file:///a%20b"
    assert normal_url("http://[::1]:80/a") == "http://[::1]/a"


@pytest.mark.parametrize(
    "url",
    [
        "https://host.evil.org/data/a", "https://host/database", "https://evil.org/host/data/a", "http://host/data/a",
        "https://host:8443/data/a", "file:///etc", "s3://other/a", "s3://bucket", "file:///srv/brains2/a",
    ],
)  # fmt: skip
def test_only_what_is_allowed_is_opened(url):
    sources = ExternalSources("https://host/data s3://bucket/brains file:///srv/brains")
    assert sources.check("https://host/data/a") == "https://host/data/a"
    with pytest.raises(Forbidden, match="is not among the external sources"):
        sources.open(url)
    with pytest.raises(Forbidden):
        ExternalSources().open(url)


def test_links_lead_nowhere(folder, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a").write_bytes(b"secret")
    (folder / "file").symlink_to(tmp_path / "secret" / "a")
    (folder / "inner").symlink_to(tmp_path / "secret")
    sources = ExternalSources(folder.as_uri())
    place = sources.open(folder.as_uri())
    for key in ("file", "inner/a"):
        with pytest.raises(Unavailable, match="is a link"):
            place.read(key)
    assert {item.path for item in place.list()} == set(FILES)
    with pytest.raises(Forbidden):
        sources.open((folder / "inner").as_uri())
    (folder / "pipe.fifo").unlink(missing_ok=True)
    with pytest.raises(NotFound):
        sources.open((folder / "nothing").as_uri())


def test_a_redirection_is_followed_only_to_what_is_allowed(folder, tmp_path):
    with served(tmp_path) as (other, reached), served(tmp_path, redirect=f"{other}/brain/zarr.json") as (address, _):
        with pytest.raises(Forbidden):
            ExternalSources(address, private=True).open(f"{address}/brain").read("zarr.json")
        assert not reached.seen
        both = ExternalSources(f"{address} {other}", private=True)
        assert both.open(f"{address}/brain").read("zarr.json").data == b"{}"
    for bad in ("file:///etc/passwd", "http://169.254.169.254/latest", "//evil.org/a", "http://x/a?token=1"):
        with served(tmp_path, redirect=bad) as (address, _), pytest.raises((Forbidden, Invalid)):
            ExternalSources(address, private=True).open(f"{address}/brain").read("zarr.json")


def test_redirections_end(tmp_path):
    with served(tmp_path) as (address, handler):
        handler.redirect = f"{address}/brain/zarr.json"
        with pytest.raises(Unavailable, match="without end"):
            ExternalSources(address, private=True).open(f"{address}/brain").read("zarr.json")
        assert len(handler.seen) < 12


def test_private_networks_are_reached_only_when_that_is_allowed(folder, tmp_path):
    with served(tmp_path) as (address, handler):
        with pytest.raises(Forbidden, match="private network"):
            ExternalSources(address).open(f"{address}/brain").read("zarr.json")
        local = address.replace("127.0.0.1", "localhost")
        with pytest.raises(Forbidden, match="private network"):
            ExternalSources(local).open(f"{local}/brain").read("zarr.json")
        assert not handler.seen
    for host in ("10.0.0.1", "192.168.1.1", "169.254.169.254", "::1", "fd00::1", "0.0.0.0"):
        with pytest.raises(Forbidden, match="private network"):
            checked_connection(host, 80, private=False)


def test_which_addresses_are_public():
    for address in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"):
        assert _is_public(address)
    older = (
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "240.0.0.1",
        "224.0.0.1",
    )
    newer = ("::1", "::", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1", "5f00::1")
    holding = (
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
    )
    for address in (*older, *newer, *holding):
        assert not _is_public(address), address


def test_a_web_server_leads_to_no_folder(folder, tmp_path):
    with served(tmp_path, redirect=f"{folder.as_uri()}/zarr.json") as (address, _):
        allowed = ExternalSources(f"{address} {folder.as_uri()}", private=True)
        with pytest.raises(Forbidden, match="on no web server"):
            allowed.open(f"{address}/brain").read("zarr.json")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost.", "①②⑦.⓪.⓪.①"])
def test_other_ways_to_write_an_address_lead_nowhere_else(host):
    with pytest.raises((Forbidden, Unavailable)):
        checked_connection(host, 80, private=False)


def test_a_name_whose_address_changes_leads_nowhere_else(folder, tmp_path, monkeypatch):
    # the first answer is public, the second is not: whoever asks twice connects to the second
    answers = iter([("8.8.8.8", 80), ("127.0.0.1", 80)])
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(*kind, next(answers))])
    reached = []

    def connect(address, *_):
        reached.append(address)
        raise OSError("no route")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Unavailable):
        ExternalSources("http://rebound.org").open("http://rebound.org/a").read("zarr.json")
    assert reached == [("8.8.8.8", 80)]


def test_a_server_without_ranges_serves_wholes_and_refuses_parts(folder, tmp_path):
    with served(tmp_path, ranges=False) as (address, _):
        place = ExternalSources(address, private=True).open(f"{address}/brain")
        assert place.read("0/c/0/0/0").data == FILES["0/c/0/0/0"]
        with pytest.raises(Unavailable, match="knows no ranges"):
            place.read("0/c/0/0/0", start=5, length=3)


def test_a_server_that_is_gone_is_unavailable(folder, tmp_path):
    with served(tmp_path) as (address, _):
        sources = ExternalSources(address, private=True)
        assert sources.open(f"{address}/brain").read("zarr.json").data == b"{}"
    with pytest.raises(Unavailable, match="does not answer"):
        sources.open(f"{address}/brain").read("zarr.json")


def test_a_bucket_that_nobody_may_read_is_unavailable(s3_server):
    server = s3_server
    server.store("external-closed").put_bytes("zarr.json", b"{}")
    anybody = ExternalSources("s3://tests/external-closed", s3=S3Access(server.endpoint))
    with pytest.raises(Unavailable):
        anybody.open("s3://tests/external-closed").read("zarr.json")
