"""The peers that we are measured against, in an environment of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ENVIRONMENT = Path(".bench") / "peers"
REQUIREMENTS = (
    "acquire-zarr==0.10.0",
    "dask[array]==2026.8.0",
    "ngff-zarr[dask-image]==0.50.0",
    "ome-zarr==0.18.0",
    "tifffile",
    "zarr==3.1.6",
)
NAMES = ("acquire-zarr", "dask+zarr", "ngff-zarr", "ome-zarr-py")


def peers_python() -> Path:
    """The peers' interpreter; installs them on first use, which takes minutes."""
    python = ENVIRONMENT.absolute() / "bin" / "python"
    stamp = ENVIRONMENT / "installed"
    wanted = "\n".join(REQUIREMENTS)
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing the peers into {ENVIRONMENT}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *REQUIREMENTS], check=True)
        stamp.write_text(wanted)
    return python


def command(peer: str, stack: Path, out: Path) -> list[str | Path]:
    """What runs `peer` on `stack`."""
    # -P: the benchmark named inspect, in the script's folder, is not Python's own module of that name
    return [peers_python(), "-P", Path(__file__).with_name("_peer_runs.py"), peer, stack, out]
