"""Where one request ends and the next begins is never in doubt: what is ambiguous is refused, on a real connection."""

import socket
from urllib.parse import urlsplit

import pytest

ASKED = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /api/v1/jobs HTTP/1.1\r\nhost: x\r\n"
AMBIGUOUS = {
    "two lengths": POST + b"content-length: 4\r\ncontent-length: 40\r\n\r\nabcd",
    "length and chunks": POST + b"content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nG",
    "a length that is none": POST + b"content-length: +4\r\n\r\nabcd",
    "a blank before the colon": POST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "a coding nobody knows": POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a header over two lines": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\nbad\r\n\r\n",
}


def answers(address: str, sent: bytes) -> bytes:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), 5) as connection:
        connection.settimeout(2)
        connection.sendall(sent)
        found = b""
        try:
            while piece := connection.recv(65536):
                found += piece
        except TimeoutError:
            pass
    return found


def test_two_requests_have_two_answers(address):
    assert answers(address, ASKED + ASKED).count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_is_ambiguous_is_refused_and_nothing_behind_it_is_answered(address, name):
    found = answers(address, AMBIGUOUS[name] + ASKED)
    assert b"HTTP/1.1 200" not in found, found[:300]
