import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pulvinar.compute.batches import run_block
from pulvinar.compute.engine import Batch, BlockResult, BlockSaid
from pulvinar.compute.external import run_program
from pulvinar.errors import JobFailed, Unavailable


def test_a_program_works_in_its_folder_and_its_lines_are_logged(tmp_path: Path):
    def task(index: int) -> BlockResult:
        run_program(["sh", "-c", "echo begun; printf $ANSWER > out"], tmp_path, environment={"ANSWER": "42"})
        return BlockResult()

    told: list[object] = []
    run_block(Batch("b", task, (0,)), 0, told.append)
    assert [one.text for one in told if isinstance(one, BlockSaid)] == ["begun"]
    assert (tmp_path / "out").read_text() == "42"


def test_it_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PULVINAR_S3_SECRET_KEY", "secret")
    run_program(["sh", "-c", "env > out"], tmp_path)
    assert "secret" not in (tmp_path / "out").read_text()


def test_how_it_fails_is_told(tmp_path: Path):
    with pytest.raises(JobFailed, match="sh ended with 3: no such brain"):
        run_program(["sh", "-c", "echo no such brain >&2; exit 3"], tmp_path)
    with pytest.raises(MemoryError):
        run_program(["sh", "-c", "kill -9 $$"], tmp_path)
    with pytest.raises(Unavailable, match="'greedy-of-old' is not installed"):
        run_program(["greedy-of-old"], tmp_path)


def test_without_a_container_runtime_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match="no container runtime"):
        run_program(["true"], tmp_path, image="docker://alpine")


def test_it_ends_with_the_block_that_runs_it(tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from pulvinar.compute.external import run_program; "
        "run_program(['sh', '-c', 'echo $$ > pid; exec sleep 60'], Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) as worker:
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        number = int((tmp_path / "pid").read_text())
        worker.kill()
    while Path(f"/proc/{number}").exists() and "Z" not in Path(f"/proc/{number}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
