"""A long body that a thread reads from the connection ends where it ends: what comes behind it is the next request."""

import re
import socket
from urllib.parse import urlsplit

import pytest
from tests.web.test_uploads import BODY, ROOT, SPOKEN, address, begun, content, platform, web  # noqa: F401

from pulvinar.platform import landing_of


@pytest.fixture
def line(address):  # noqa: F811
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), 20) as connection:
        yield connection


def head(method: str, path: str, **headers: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "x", **headers}.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


def patch(upload: str, size: int, offset: int = 0, **more: str) -> bytes:
    said = {**BODY, "Content-Length": str(size), "Upload-Offset": str(offset), **more}
    return head("PATCH", upload, **said)


def answers(line: socket.socket, wanted: int) -> list[int]:
    """The statuses of the answers that come, until `wanted` are there or the connection ends."""
    came = b""
    while len(found := re.findall(rb"HTTP/1\.1 (\d{3})", came)) < wanted:
        piece = line.recv(65536)
        if not piece:
            break
        came += piece
    return [int(one) for one in found]


def test_requests_behind_a_long_body_on_the_same_connection_are_answered_each(web, line):  # noqa: F811
    data = content(3_000_001)
    first, second = begun(web, len(data), "a.tif"), begun(web, len(data), "b.tif")
    line.sendall(patch(first, len(data)) + data + head("HEAD", first, **SPOKEN) + patch(second, len(data)) + data)
    assert answers(line, 3) == [204, 200, 204]
    line.sendall(head("HEAD", second, **SPOKEN))
    assert answers(line, 1) == [200]
    assert web.head(second, headers=SPOKEN).headers["upload-offset"] == str(len(data))


def test_who_waits_to_be_told_to_go_on_is_told(platform, web, line):  # noqa: F811
    data = content(2_000_000)
    upload = begun(web, len(data))
    line.sendall(patch(upload, len(data), Expect="100-continue"))
    assert answers(line, 1) == [100]
    line.sendall(data)
    assert answers(line, 1) == [204]
    assert web.head(upload, headers=SPOKEN).headers["upload-offset"] == str(len(data))


def test_a_line_that_brings_little_at_a_time_is_waited_for(web, line):  # noqa: F811
    data = content(1_200_000)
    upload = begun(web, len(data))
    line.sendall(patch(upload, len(data)))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for first in range(0, len(data), 7_001):
        line.sendall(data[first : first + 7_001])
    assert answers(line, 1) == [204]


def test_a_buffer_that_is_used_again_leaves_nothing_of_the_body_before(platform, web, line):  # noqa: F811
    bodies = {f"{size}.bin": content(size) for size in (9_000_000, 1_048_577, 4 << 20, (4 << 20) + 1, 5_000_003)}
    for name, data in bodies.items():
        # in two requests: the second begins where no block does
        upload = begun(web, len(data), name)
        half = len(data) // 2 + 1 if len(data) > 4_200_000 else len(data)
        line.sendall(patch(upload, half) + data[:half])
        assert answers(line, 1) == [204]
        if half < len(data):
            line.sendall(patch(upload, len(data) - half, offset=half) + data[half:])
            assert answers(line, 1) == [204]
    landing = landing_of(platform)
    found = {one.name: one.read_bytes() for one in landing.folder.rglob("*.bin")}
    assert found == bodies


def test_a_body_that_is_refused_by_its_headers_leaves_the_connection_as_it_should_be(web, line):  # noqa: F811
    data = content(2_000_000)
    upload = begun(web, len(data))
    line.sendall(patch(upload, len(data), offset=5) + data + head("HEAD", upload, **SPOKEN))
    assert answers(line, 2) == [409, 200]


def test_what_is_no_upload_never_goes_past_the_limits_of_other_bodies(web, line):  # noqa: F811
    line.sendall(head("POST", "/api/v1/jobs", **{"Content-Length": "3000000"}) + content(200_000))
    assert answers(line, 1)[0] in (401, 413)
    assert web.get(f"{ROOT}/none", headers=SPOKEN).status_code == 404
