"""What is said to browsers with every answer, and what a request may bring, on the bare application."""

import asyncio
import json
import logging

import pytest

from pulvinar.errors import NotFound
from pulvinar.web.cors import Cors
from pulvinar.web.security import BODY_LIMIT_BYTES, Guarded

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY = {"type": "http.response.body", "body": b"hello"}


async def greet(scope, receive, send):
    await send(dict(START))
    await send(dict(BODY))


async def swallow(scope, receive, send):
    """Reads the whole body, then greets."""
    while (await receive()).get("more_body"):
        pass
    await greet(scope, receive, send)


def ask(application, *, method="GET", headers=(), pieces=(b"",), origins=""):
    """What is sent of one request whose body comes in `pieces`."""
    coming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces[:-1]]
    coming.append({"type": "http.request", "body": pieces[-1], "more_body": False})
    sent, taken = [], iter(coming)

    async def receive():
        return next(taken)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": "/", "headers": list(headers)}
    asyncio.run(Guarded(application, Cors(origins))(scope, receive, send))
    left = sum(len(message["body"]) for message in taken)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], sent[0]["headers"], body, left


def said(headers):
    return {name.decode(): value.decode() for name, value in headers}


def test_every_answer_has_the_headers_once_and_a_name():
    _, headers, body, _ = ask(greet)
    names = [name for name, _ in headers]
    assert len(names) == len(set(names))
    assert body == b"hello"
    told = said(headers)
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "SAMEORIGIN"
    assert told["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert len(told["x-request-id"]) == 16
    assert said(ask(greet)[1])["x-request-id"] != told["x-request-id"]


def test_a_policy_that_a_page_brings_is_kept():
    async def page(scope, receive, send):
        own = [(b"content-security-policy", b"default-src 'self'")]
        await send({**START, "headers": own})
        await send(dict(BODY))

    told = [value for name, value in ask(page)[1] if name == b"content-security-policy"]
    assert told == [b"default-src 'self'"]


def test_a_request_cannot_choose_its_own_name():
    _, headers, _, _ = ask(greet, headers=[(b"x-request-id", b"mine\r\nx: y")])
    assert "mine" not in said(headers)["x-request-id"]


@pytest.mark.parametrize("declared", [None, b"10", b"-1", b"many", b"9" * 30, "٣".encode()])
def test_a_body_is_counted_whatever_its_header_says(declared):
    headers = [] if declared is None else [(b"content-length", declared)]
    pieces = [b"x" * (1 << 16)] * 40
    status, _, body, left = ask(swallow, method="POST", headers=headers, pieces=pieces)
    assert (status, json.loads(body)["error"]["code"]) == (413, "too_large")
    assert left >= sum(map(len, pieces)) - BODY_LIMIT_BYTES - (1 << 16)


def test_a_body_that_is_declared_too_large_is_refused_before_it_is_read():
    pieces = [b"x" * 1000]
    headers = [(b"content-length", str(BODY_LIMIT_BYTES + 1).encode())]
    status, _, _, left = ask(swallow, method="POST", headers=headers, pieces=pieces)
    assert (status, left) == (413, 1000)


def test_a_body_of_just_the_limit_is_taken():
    half = b"x" * (BODY_LIMIT_BYTES // 2)
    headers = [(b"content-length", str(BODY_LIMIT_BYTES).encode())]
    assert ask(swallow, method="POST", headers=headers, pieces=[half, half])[0] == 200
    assert ask(swallow, method="POST", pieces=[half, half + b"x"])[0] == 413


def test_a_failure_is_told_in_the_envelope_with_all_headers(caplog):
    async def fail(scope, receive, send):
        raise RuntimeError("the password is swordfish")

    with caplog.at_level(logging.ERROR, "pulvinar.web"):
        status, headers, body, _ = ask(fail)
    error = json.loads(body)["error"]
    assert (status, error["code"]) == (500, "internal")
    assert error["request_id"] == said(headers)["x-request-id"]
    assert int(said(headers)["content-length"]) == len(body)
    assert said(headers)["x-content-type-options"] == "nosniff"
    assert b"swordfish" not in body
    assert error["request_id"] in caplog.text


def test_a_failure_on_purpose_is_told_as_it_is():
    async def miss(scope, receive, send):
        raise NotFound("there is no 海马", hint="look elsewhere")

    status, _, body, _ = ask(miss)
    error = json.loads(body)["error"]
    assert (status, error["message"], error["hint"]) == (404, "there is no 海马", "look elsewhere")


def test_a_failure_behind_the_headers_breaks_the_connection():
    async def break_off(scope, receive, send):
        await send(dict(START))
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="disk"):
        ask(break_off)


def test_only_an_origin_that_is_let_in_gets_a_preflight_answered():
    question = [(b"origin", b"https://lab.example"), (b"access-control-request-method", b"GET")]
    status, headers, body, _ = ask(greet, method="OPTIONS", headers=question, origins="https://lab.example/")
    assert (status, body) == (204, b"")
    assert said(headers)["access-control-allow-origin"] == "https://lab.example"
    assert said(headers)["access-control-allow-methods"] == "GET, HEAD"
    assert said(headers)["x-content-type-options"] == "nosniff"
    for origins in ("", "https://other.example", "https://lab.example.evil.example", "https://lab"):
        status, headers, _, _ = ask(greet, method="OPTIONS", headers=question, origins=origins)
        assert status == 200
        assert "access-control-allow-origin" not in said(headers)


def test_answers_for_origins_are_kept_apart_and_bring_no_cookies():
    asked = [(b"origin", b"https://lab.example")]
    told = said(ask(greet, headers=asked, origins="*")[1])
    assert (told["vary"], told["access-control-allow-origin"]) == ("origin", "https://lab.example")
    assert "access-control-allow-credentials" not in told
    assert said(ask(greet, origins="https://lab.example")[1])["vary"] == "origin"
    assert "vary" not in said(ask(greet, headers=asked)[1])


@pytest.mark.parametrize("declared", [str(BODY_LIMIT_BYTES + 1), "9" * 5000])
def test_a_declared_length_beyond_the_limit_is_refused_however_it_is_written(declared):
    status, _, body, left = ask(
        swallow, method="POST", headers=[(b"content-length", declared.encode())], pieces=(b"x",)
    )
    assert (status, json.loads(body)["error"]["code"]) == (413, "too_large")
    assert left == 1


def test_what_an_answer_depends_on_adds_up():
    async def varied(scope, receive, send):
        await send({**START, "headers": [(b"vary", b"accept-language")]})
        await send(dict(BODY))

    _, headers, _, _ = ask(varied, headers=[(b"origin", b"https://a.example")], origins="https://a.example")
    assert {value for name, value in headers if name == b"vary"} == {b"accept-language", b"origin"}
