"""What is too much at a time is told to come again, at once, while what is under way goes on."""

import asyncio
import json
import socket
import threading
import time
from contextlib import ExitStack

import pytest
import uvicorn

from pulvinar.web.admission import Admission
from pulvinar.web.direct_body import UploadProtocol
from pulvinar.web.requests import CAME_S


def scope_of(path: str = "/data/x") -> dict:
    return {"type": "http", "path": path, "method": "GET", "headers": []}


class Waiting:
    """An application whose answers wait until they are let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.under_way = self.most = 0

    async def __call__(self, scope, receive, send) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.let_go.wait()
        self.under_way -= 1
        if scope["path"] == "/fails":
            raise ZeroDivisionError
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def ask(application, path: str = "/data/x") -> list[dict]:
    sent: list[dict] = []

    async def send(message) -> None:
        sent.append(message)

    await application(scope_of(path), None, send)
    return sent


async def several(paths: list[str], most: int) -> tuple[list[list[dict] | BaseException], Waiting, Admission]:
    waiting = Waiting()
    admission = Admission(waiting, most)
    tasks = [asyncio.create_task(ask(admission, path)) for path in paths]
    await asyncio.sleep(0.01)
    waiting.let_go.set()
    return await asyncio.gather(*tasks, return_exceptions=True), waiting, admission


def test_beyond_the_limit_it_is_said_when_to_come_again():
    found, waiting, admission = asyncio.run(several(["/data/x"] * 5, 3))
    assert [sent[0]["status"] for sent in found] == [200, 200, 200, 503, 503]
    assert waiting.most == 3
    headers = dict(found[-1][0]["headers"])
    assert headers[b"retry-after"] == b"1"
    assert headers[b"cache-control"] == b"no-store"
    assert json.loads(found[-1][1]["body"])["error"]["code"] == "busy"
    assert admission._under_way == 0


def test_a_place_is_free_again_after_a_failure():
    found, _, admission = asyncio.run(several(["/fails", "/fails"], 2))
    assert all(isinstance(one, ZeroDivisionError) for one in found)
    assert admission._under_way == 0


def test_streams_that_last_take_no_place():
    found, _, _ = asyncio.run(several(["/api/v1/jobs/a/events"] * 5 + ["/data/x"], 1))
    assert [sent[0]["status"] for sent in found] == [200] * 6


def test_what_has_waited_for_too_long_is_refused():
    async def application(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def statuses(ages):
        admission, found = Admission(application, 10, longest_wait_s=2.0), []

        async def send(message) -> None:
            if message["type"] == "http.response.start":
                found.append((message["status"], dict(message["headers"]).get(b"retry-after")))

        for age in ages:
            await admission({**scope_of(), CAME_S: time.monotonic() - age}, None, send)
        return found

    assert asyncio.run(statuses([0.0, 1.5, 2.5])) == [(200, None), (200, None), (503, b"1")]


async def slow(scope, receive, send) -> None:
    """Holds the event loop up, as thousands of small answers do."""
    time.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def test_those_who_wait_behind_others_are_told_to_come_again():
    options = {"http": UploadProtocol, "loop": "uvloop", "lifespan": "off", "log_level": "warning"}
    server = uvicorn.Server(uvicorn.Config(Admission(slow, 100, longest_wait_s=0.5), **options))
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as ending:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            thread.join(0.01)
        port = listener.getsockname()[1]
        asking = [ending.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for _ in range(9)]
        time.sleep(0.3)
        for one in asking:
            one.sendall(b"GET /data/x HTTP/1.1\r\nHost: h\r\n\r\n")
        answers = [one.recv(4096) for one in asking]
        server.should_exit = True
        ending.close()
        thread.join(20)
    accepted = [one for one in answers if one.startswith(b"HTTP/1.1 200")]
    refused = [one for one in answers if one.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in one]
    assert len(accepted) + len(refused) == 9
    assert accepted
    assert refused


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_passes(kind):
    seen = []

    async def application(scope, receive, send) -> None:
        seen.append(scope["type"])

    asyncio.run(Admission(application, 1)({"type": kind}, None, None))
    assert seen == [kind]
