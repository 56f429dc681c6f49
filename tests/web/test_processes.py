"""Several processes at one port: one that dies is started again, all end with the one that watches, and they know the
same."""

import os
import re
import signal
import subprocess
import time

import httpx2
import psutil
import pytest
from tests.conftest import free_ports
from tests.servers import command_line

from pulvinar.errors import Unavailable
from pulvinar.web.processes import Processes

PATIENCE_S = 120


@pytest.fixture
def server(tmp_path):
    (port,) = free_ports(1)
    command, environment = command_line(tmp_path, "serve", "--port", str(port), "--workers", "2")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert re.search(r"http://\S+", process.stdout.readline())
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def answering(process):
    """Those of its children that answer requests."""
    return {one.pid for one in psutil.Process(process.pid).children() if "spawn_main" in " ".join(one.cmdline())}


def within(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_one_that_dies_is_started_again_and_all_end_together(server):
    process, address = server
    before = answering(process)
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    # the other goes on meanwhile; a connection that the dead one held is refused at most once
    within(lambda: httpx2.get(f"{address}/healthz").status_code == 200)
    within(lambda: len(answering(process) - before) == 1)
    assert httpx2.get(f"{address}/healthz", timeout=60).status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) in (0, -signal.SIGTERM)
    within(lambda: not any(map(psutil.pid_exists, before)))


def fails(started):
    raise ValueError("it can't")


def test_processes_that_can_not_start_are_told():
    with pytest.raises(Unavailable, match="did not start"):
        Processes(fails, 2).run(lambda: pytest.fail("it was never ready"), patience_s=5)
