"""The chunk gateway over a real connection: stored bytes as they are, to whoever may read them, and nothing else."""

import asyncio
import http.client
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulvinar.access.visibility import EVERYONE, audience_of, hide, show
from pulvinar.catalogue.stored_objects import objects_of
from pulvinar.errors import Forbidden, NotAuthenticated
from pulvinar.model.access import LOCAL_OWNER, Actor, Right
from pulvinar.model.volume import volume_from_json
from pulvinar.platform import Platform
from pulvinar.storage.shards import chunks_per_shard, index_size, parse_index, shard_path
from pulvinar.web.cors import Cors
from pulvinar.web.gateway import Gateway

Shown = Any
FOREVER = "private, max-age=31536000, immutable"


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def error(self) -> dict[str, str]:
        return json.loads(self.body)["error"]


@pytest.fixture(scope="module")
def get(address: str) -> Iterator[Callable[..., Answer]]:
    """Asks the live server for exactly this path: nothing is tidied up on the way."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)

    def ask(path: str, method: str = "GET", **headers: str) -> Answer:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    yield ask
    connection.close()


def stored_chunks(platform: Platform, shown: Shown) -> dict[str, bytes]:
    """The encoded bytes of every stored chunk, by "<level>/c/<place>", read from the shards themselves."""
    found = {}
    for number, level in enumerate(volume_from_json(shown.asset.details["volume"]).levels):
        grid = chunks_per_shard(level)
        for shard in np.ndindex(*(-(-a // b) for a, b in zip(level.shape, level.shard_shape, strict=True))):
            data = platform.store.read(f"{shown.asset.prefix}/{shard_path(number, shard)}")
            index = parse_index(data[-index_size(grid) :], grid)
            for inner in np.ndindex(*grid):
                if at := index.locate(inner):
                    place = "/".join(str(a * n + b) for a, n, b in zip(shard, grid, inner, strict=True))
                    found[f"{number}/c/{place}"] = data[at[0] : at[0] + at[1]]
    return found


@pytest.mark.parametrize("name", ["image", "labels"])
def test_every_chunk_is_passed_on_unchanged_and_every_other_is_absent(name, request, get, platform):
    shown = request.getfixturevalue(name)
    chunks = stored_chunks(platform, shown)
    assert len(chunks) >= 4
    for number, level in enumerate(volume_from_json(shown.asset.details["volume"]).levels):
        for place in np.ndindex(*(-(-a // b) + 1 for a, b in zip(level.shape, level.chunk_shape, strict=True))):
            path = f"{number}/c/" + "/".join(map(str, place))
            answer = get(f"{shown.data}/chunks/{path}")
            assert (answer.status, answer.body) == ((200, chunks[path]) if path in chunks else (404, b""))
            assert answer.headers["cache-control"] == FOREVER
            assert answer.headers["content-length"] == str(len(answer.body))


def test_head_says_what_get_would(get, image):
    for path in ("/chunks/0/c/0/0/1/0/1", "/objects/image.ome.zarr/0/c/0/0/0/0/0", "/chunks/0/zarr.json"):
        whole, head = get(image.data + path), get(image.data + path, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.body))
        assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}
        assert head.headers["accept-ranges"] == "bytes"


def test_objects_come_whole_and_by_range(get, platform, image):
    path = "image.ome.zarr/0/c/0/0/0/0/0"
    data = platform.store.read(f"{image.asset.prefix}/{path}")
    assert len(data) > 1 << 20  # more than one piece
    whole = get(f"{image.data}/objects/{path}")
    assert (whole.status, whole.body) == (200, data)
    size = len(data)
    for asked, start, stop in (
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, size),
        ("bytes=-20", size - 20, size),
        ("bytes=100-1100000", 100, 1_100_001),
        (f"bytes=7-{size * 2}", 7, size),
    ):
        part = get(f"{image.data}/objects/{path}", Range=asked)
        assert (part.status, part.body) == (206, data[start:stop])
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        assert "content-encoding" not in part.headers
    assert get(f"{image.data}/objects/{path}", Range="bytes=0-1,5-9").body == data
    refused = get(f"{image.data}/objects/{path}", Range=f"bytes={size}-")
    assert (refused.status, refused.headers["content-range"]) == (416, f"bytes */{size}")
    assert json.loads(refused.body)["error"]["code"] == "out_of_range"


def test_a_chunk_has_ranges_too(get, image):
    whole = get(f"{image.data}/chunks/0/c/0/0/1/0/1")
    part = get(f"{image.data}/chunks/0/c/0/0/1/0/1", Range="bytes=-4")
    assert (part.status, part.body) == (206, whole.body[-4:])


def test_etags_save_what_is_known(get, platform, image):
    path = f"{image.data}/objects/image.ome.zarr/zarr.json"
    etag = get(path).headers["etag"]
    stored = {item.path: item.sha256 for item in _objects(platform, image)}
    assert etag == f'"{stored["image.ome.zarr/zarr.json"]}"'
    same = get(path, If_None_Match=etag)
    assert (same.status, same.body, same.headers["cache-control"]) == (304, b"", FOREVER)
    assert get(path, If_None_Match='"other"').status == 200
    assert get(path, Range="bytes=0-3", If_Range=etag).status == 206
    assert get(path, Range="bytes=0-3", If_Range='"other"').status == 200
    chunks = [get(f"{image.data}/chunks/0/c/0/{c}/1/0/1").headers["etag"] for c in (0, 1)]
    assert len({etag, *chunks}) == 3
    assert get(f"{image.data}/chunks/0/c/0/1/1/0/1", If_None_Match=chunks[1]).status == 304


def _objects(platform: Platform, shown: Shown):
    return objects_of(platform.database, platform.actor, shown.asset.id)


@pytest.mark.parametrize(
    "path",
    [
        "/data/{digest}/nobody/chunks/zarr.json",
        "/data/" + "0" * 64 + "/{asset}/chunks/zarr.json",
        "/data/{digest}/{asset}/chunks/9/zarr.json",
        "/data/{digest}/{asset}/other/zarr.json",
        "/data/{digest}/{asset}/objects/",
        "/data/{digest}/{asset}/objects/image.ome.zarr",
        "/data/{digest}/{asset}/precomputed/0/0-64_0-64_0-63",
        "/data/{digest}/{asset}/precomputed/zarr.json",
        "/data/{digest}",
        "/data/",
    ],
)
def test_what_is_not_there_is_404_and_not_remembered(path, get, image):
    answer = get(path.format(digest=image.version.digest, asset=image.asset.id))
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert answer.error["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"


ESCAPES = (
    "..",
    "%2e%2e",
    ".%2e",
    "%252e%252e",
    "..%2f..",
    "..%5c..",
    "%2e%2e%2f",
    "...",
    "%00",
    "\\..",
    "%c0%ae%c0%ae",
)


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("view", ["objects", "chunks", "precomputed", "objects/image.ome.zarr", "chunks/0/c"])
def test_no_path_leads_out_of_an_asset(escape, view, get, platform, image, labels):
    secret = platform.settings.home / "catalogue.sqlite"
    assert secret.exists()
    for target in (
        f"{escape}/{escape}/{escape}/catalogue.sqlite",
        f"{escape}/{escape}/{escape}/{escape}/catalogue.sqlite",
        f"{escape}/{labels.asset.id}/image.ome.zarr/zarr.json",
        f"image.ome.zarr/{escape}/image.ome.zarr/zarr.json",
        f"{escape}{secret}",
        f"/{secret}",
        str(secret).replace("/", "%2f"),
    ):
        assert get(f"{image.data}/{view}/{target}").status == 404


@pytest.mark.parametrize(
    "number", ["+1", "-1", "01", "1_0", " 1", "1.0", "1e0", "0x1", "%d9%a1", "%ef%bc%91", "", "9" * 30]
)
def test_only_plain_numbers_name_a_chunk(number, get, image):
    for position in range(5):
        place = ["0"] * 5
        place[position] = number
        assert get(f"{image.data}/chunks/0/c/{'/'.join(place).replace(' ', '%20')}").status == 404
    assert get(f"{image.data}/chunks/{number.replace(' ', '%20')}/c/0/0/1/0/1").status == 404


def test_nothing_can_be_changed(get, image):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = get(f"{image.data}/chunks/zarr.json", method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


# -- without a connection: who may, and what is broken


def ask(gateway: Gateway, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request to the application itself."""
    return asyncio.run(_ask(gateway, path, method, headers))


async def _ask(gateway: Gateway, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append({**message, "body": bytes(message.get("body", b""))})

    raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    await gateway({"type": "http", "method": method, "path": path, "headers": raw}, _nothing, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], told, b"".join(message["body"] for message in sent[1:]))


async def _nothing() -> dict[str, Any]:
    raise AssertionError("the gateway reads no body")


@pytest.fixture
def make(platform: Platform) -> Iterator[Callable[..., Gateway]]:
    made = []

    def gateway(actor_of: Callable[[Any], Actor] = lambda _: LOCAL_OWNER, origins: str = "") -> Gateway:
        made.append(Gateway(platform.database, platform.store, actor_of=actor_of, cors=Cors(origins)))
        return made[-1]

    yield gateway
    for each in made:
        each.close()


@pytest.mark.parametrize("refusal", [Forbidden, NotAuthenticated])
def test_a_refused_chunk_is_401_because_viewers_take_403_for_empty(refusal, make, image):
    def refuse(_: Any) -> Actor:
        raise refusal("sign in")

    answer = ask(make(refuse), f"{image.data}/chunks/0/c/0/0/1/0/1")
    assert (answer.status, answer.headers["cache-control"]) == (401, "no-store")


STRANGER = Actor("somebody", "somebody")


def test_a_draft_is_not_there_for_a_stranger(make, platform, draft):
    for path in ("chunks/zarr.json", "chunks/0/c/0/0/0/0/0", "objects/image.ome.zarr/zarr.json", "precomputed/info"):
        assert ask(make(), f"{draft.data}/{path}").status == 200
        refused = ask(make(lambda _: STRANGER), f"{draft.data}/{path}")
        nowhere = ask(make(lambda _: STRANGER), f"/data/{'0' * 64}/{draft.asset.id}/{path}")
        assert (refused.status, refused.error["message"]) == (401, nowhere.error["message"])


def test_a_right_that_is_taken_away_bites_within_two_seconds(make, platform, image):
    gateway = make(lambda _: STRANGER)
    path = f"{image.data}/chunks/0/c/0/0/1/0/1"

    async def until_refused() -> float:
        assert (await _ask(gateway, path)).status == 200
        with platform.database.writing() as session:
            hide(session, image.version.dataset_id, EVERYONE)
        began = time.monotonic()
        while (await _ask(gateway, path)).status == 200:
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    try:
        assert asyncio.run(until_refused()) < 2
        assert ask(gateway, path).status == 401
    finally:
        with platform.database.writing() as session:
            show(session, image.version.dataset_id, EVERYONE, Right.READ)


def give(platform: Platform, shown: Shown, right: Right, **more: Any) -> None:
    with platform.database.writing() as session:
        show(session, shown.version.dataset_id, audience_of(STRANGER.id), right, **more)


def test_who_may_only_view_gets_coarse_levels_and_pictures(make, platform, wide):
    gateway = make(lambda _: STRANGER)
    give(platform, wide, Right.VIEW)
    assert ask(gateway, f"{wide.data}/chunks/zarr.json").status == 200
    assert ask(gateway, f"{wide.data}/chunks/1/c/0/0/0/0/0").status == 200
    assert ask(gateway, f"{wide.data}/objects/quality/thumbnail.webp").status == 200
    for path in ("chunks/0/c/0/0/0/0/0", "objects/image.ome.zarr/zarr.json", "precomputed/info"):
        assert ask(gateway, f"{wide.data}/{path}").status in (401, 404), path
    give(platform, wide, Right.READ)
    assert ask(make(lambda _: STRANGER), f"{wide.data}/chunks/0/c/0/0/0/0/0").status == 200


def test_who_may_only_see_gets_no_byte(make, platform, wide):
    give(platform, wide, Right.SEE)
    for path in ("chunks/zarr.json", "chunks/1/c/0/0/0/0/0", "objects/quality/thumbnail.webp"):
        assert ask(make(lambda _: STRANGER), f"{wide.data}/{path}").status == 401


def test_what_was_given_for_a_time_is_over_when_the_time_is(make, platform, wide):
    give(platform, wide, Right.READ, ends=datetime.now(UTC) + timedelta(seconds=0.5))
    gateway, path = make(lambda _: STRANGER), f"{wide.data}/chunks/0/c/0/0/0/0/0"
    assert ask(gateway, path).status == 200
    time.sleep(2)
    assert ask(gateway, path).status == 401


def test_a_token_for_seeing_reads_nothing_though_its_person_may(make, platform, wide):
    give(platform, wide, Right.READ)
    path = f"{wide.data}/chunks/0/c/0/0/0/0/0"
    assert ask(make(lambda _: STRANGER), path).status == 200
    assert ask(make(lambda _: replace(STRANGER, ceiling=Right.SEE)), path).status == 401


@pytest.fixture
def copy(platform: Platform, image: Shown) -> Iterator[Path]:
    """A copy of the image's objects where the objects were; they are put back afterwards."""
    folder = platform.store.local_path(image.asset.prefix)
    assert folder
    saved = folder.with_name("saved")
    shutil.copytree(folder, folder.with_name("copy"))
    folder.rename(saved)
    folder.with_name("copy").rename(folder)
    yield folder
    shutil.rmtree(folder)
    saved.rename(folder)


def test_a_lost_shard_is_an_error_and_never_an_empty_chunk(make, image, copy):
    (copy / "image.ome.zarr/0/c/0/0/0/0/0").unlink()
    answer = ask(make(), f"{image.data}/chunks/0/c/0/0/1/0/1")
    assert (answer.status, answer.error["code"]) == (500, "corrupt")
    assert answer.headers["cache-control"] == "no-store"
    assert ask(make(), f"{image.data}/objects/image.ome.zarr/0/c/0/0/0/0/0").status == 500
    assert ask(make(), f"{image.data}/chunks/0/c/0/1/1/0/1").status == 200


def test_a_damaged_index_is_an_error_and_never_an_empty_chunk(make, image, copy):
    shard = copy / "image.ome.zarr/0/c/0/0/0/0/0"
    data = bytearray(shard.read_bytes())
    data[-30] ^= 1
    shard.write_bytes(data)
    assert ask(make(), f"{image.data}/chunks/0/c/0/0/1/0/1").error["code"] == "corrupt"


def test_a_shortened_object_breaks_off_and_is_never_whole(make, image, copy):
    shard = copy / "image.ome.zarr/0/c/0/0/0/0/0"
    with shard.open("r+b") as file:
        file.truncate(shard.stat().st_size - 10)
    with pytest.raises(Exception, match="broke off"):
        ask(make(), f"{image.data}/objects/image.ome.zarr/0/c/0/0/0/0/0")


def test_other_origins_read_only_what_the_settings_let_them(make, image):
    path = f"{image.data}/chunks/0/c/0/0/1/0/1"
    ours = ask(make(), path, Origin="https://lab.example")
    assert "access-control-allow-origin" not in ours.headers
    named = make(origins="https://lab.example https://other.example")
    shown = ask(named, path, Origin="https://lab.example")
    assert shown.headers["access-control-allow-origin"] == "https://lab.example"
    assert {"content-range", "content-length", "etag"} <= set(
        shown.headers["access-control-expose-headers"].split(", ")
    )
    assert "access-control-allow-origin" not in ask(named, path, Origin="https://evil.example").headers
    asked = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "range"}
    assert ask(named, path, "OPTIONS", Origin="https://lab.example", **asked).status == 204
    assert ask(named, path, "OPTIONS", Origin="https://evil.example", **asked).status == 405
    assert ask(make(origins="*"), path, Origin="null").headers["access-control-allow-origin"] == "null"


def test_many_askers_share_one_question_and_get_the_same_bytes(make, platform, image):
    gateway = make()
    chunks = {path: data for path, data in stored_chunks(platform, image).items() if path.startswith("0/")}

    async def all_at_once() -> list[Answer]:
        return await asyncio.gather(*(_ask(gateway, f"{image.data}/chunks/{path}") for path in list(chunks) * 20))

    answers = asyncio.run(all_at_once())
    assert [answer.body for answer in answers] == list(chunks.values()) * 20


@settings(max_examples=200, deadline=None)
@given(path=st.text(max_size=60), view=st.sampled_from(["chunks", "objects", "precomputed"]))
def test_no_address_makes_the_gateway_fail(path, view, platform, image):
    gateway = Gateway(platform.database, platform.store, actor_of=lambda _: LOCAL_OWNER, cors=Cors(""))
    try:
        assert ask(gateway, f"{image.data}/{view}/{path}").status in (200, 404)
    finally:
        gateway.close()


def test_what_is_read_twice_comes_from_memory_and_is_the_same(make, image):
    gateway = make()
    path = f"{image.data}/chunks/0/c/0/0/1/0/1"

    async def several() -> list[bytes]:
        return [(await _ask(gateway, path)).body for _ in range(5)]

    assert len(set(asyncio.run(several()))) == 1
