"""The plainest server that a file can be PUT to: it writes what comes to a file, and makes it durable in the end.

`python -m benchmarks._sink FILE` prints its port. An empty FILE keeps nothing.
"""

from __future__ import annotations

import os
import re
import socket
import sys


def main() -> None:
    """Serve PUT after PUT."""
    target = sys.argv[1]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                take(connection, target)


def take(connection: socket.socket, target: str) -> None:
    """One request: its head, then so many bytes as it says."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        if not more:
            return
        head += more
    head, _, body = head.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    left = int(length[1]) if length else 0
    if b"100-continue" in head.lower():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    buffer = memoryview(bytearray(1 << 20))
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640) if target else -1
    write(file, memoryview(body))
    left -= len(body)
    while left:
        count = connection.recv_into(buffer, min(left, len(buffer)))
        if not count:
            break
        write(file, buffer[:count])
        left -= count
    if file >= 0:
        os.fsync(file)
        os.close(file)
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def write(file: int, data: memoryview) -> None:
    """All of `data`, where it is kept."""
    while file >= 0 and data:
        data = data[os.write(file, data) :]


if __name__ == "__main__":
    main()
