"""`pulvinar upload` to a server that is killed on the way: the same command and another server end it whole."""

import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from tests.conftest import free_ports

PULVINAR = [sys.executable, "-c", "from pulvinar.cli import main; main()"]


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "PULVINAR_HOME": str(tmp_path / "home")}


def serve(environment, port: int) -> subprocess.Popen:
    server = subprocess.Popen(
        [*PULVINAR, "serve", "--port", str(port)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert f":{port}/" in server.stdout.readline()
    return server


def test_a_killed_server_and_a_killed_client_cost_nothing_but_time(environment, tmp_path):
    folder = tmp_path / "brain"
    folder.mkdir()
    data = np.random.default_rng(1).bytes(300_000_000)
    (folder / "large.bin").write_bytes(data)
    (folder / "说明.txt").write_text("small")
    (port,) = free_ports(1)
    server = serve(environment, port)
    command = [*PULVINAR, "upload", str(folder), "--to", f"http://127.0.0.1:{port}", "--json"]
    staged = tmp_path / "home" / "scratch" / "uploads"
    try:
        client = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            if list(staged.glob("*/files/large.bin")):
                break
            threading.Event().wait(0.05)
        threading.Event().wait(0.3)
        client.send_signal(signal.SIGKILL)
        client.wait()
        again = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        threading.Event().wait(1.5)
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = serve(environment, port)
        told = json.loads(again.communicate(timeout=200)[0])
        assert again.returncode == 0
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    assert len(list(staged.iterdir())) == 1
    assert told["received_bytes"] == told["size_bytes"]
    assert (staged / told["id"] / "files" / "large.bin").read_bytes() == data
    assert (staged / told["id"] / "files" / "说明.txt").read_text() == "small"


def test_no_folder_no_watching(environment, tmp_path):
    done = subprocess.run(
        [*PULVINAR, "watch", str(tmp_path / "none"), "--once"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "there is no folder" in done.stderr
