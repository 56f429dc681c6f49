import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.slurm.simulated import Nodes, simulated_slurm

from pulvinar.compute.engine import Engine, EngineOptions, open_engine
from pulvinar.compute.engine_contract import MEMORY_BYTES, EngineContract
from pulvinar.compute.slots import Slot

SLOTS = (Slot("standard", 2, MEMORY_BYTES),)


@pytest.fixture(scope="module")
def local_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_engine(EngineOptions("local", SLOTS, tmp_path_factory.mktemp("engine")))
    yield engine
    engine.close()


class TestHere(EngineContract):
    """The shipped contract, in this process."""

    isolates = False

    @pytest.fixture
    def engine(self) -> Engine:
        return open_engine(EngineOptions("here", SLOTS))


class TestLocal(EngineContract):
    """The shipped contract, on real processes of Dask."""

    @pytest.fixture
    def engine(self, local_engine: Engine) -> Engine:
        return local_engine


def require_slurm() -> None:
    """Skip where there is no Slurm, but not where there has to be one."""
    if shutil.which("sbatch") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "Slurm is not installed: deploy/slurm/simulated.py --install"
        )


@pytest.fixture(scope="module")
def slurm_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """On two nodes of a real Slurm that runs here."""
    require_slurm()
    folder = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch, simulated_slurm(folder / "cluster", Nodes(2, 1, 2000)) as configuration:
        patch.setenv("SLURM_CONF", str(configuration))
        options = EngineOptions("slurm", (Slot("standard", 1, MEMORY_BYTES),), folder, address="127.0.0.1", nodes=2)
        engine = open_engine(options)
        yield engine
        engine.close()


@pytest.mark.slow
class TestSlurm(EngineContract):
    """The shipped contract, on pilots of a real Slurm."""

    @pytest.fixture
    def engine(self, slurm_engine: Engine) -> Engine:
        return slurm_engine


def test_the_engine_of_slurm_leaves_interrupts_to_whoever_runs_it():
    code = """
import signal
mine = lambda *_: None
signal.signal(signal.SIGINT, mine)
import pulvinar.compute.engines.slurm
assert signal.getsignal(signal.SIGINT) is mine
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_engine_leaves_nothing_behind(tmp_path: Path):
    engine = open_engine(EngineOptions("local", SLOTS, tmp_path))
    (keys,) = tmp_path.glob("engine-*/dask-key.pem")
    assert keys.stat().st_mode & 0o077 == 0
    engine.close()
    assert not list(tmp_path.iterdir())
