"""Pin every package by version and hash, for each Python that we support, without naming a registry.

`run.txt` holds what the platform and its demo need, `dev.txt` that and the tools, `clients.txt` the programs that are
tried as readers of a server, in an environment of their own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent / "pyproject.toml"
FILES: dict[str, tuple[Path, tuple[str, ...]]] = {
    "run.txt": (PROJECT, ("demo", "align")),
    "dev.txt": (PROJECT, ("demo", "dev")),
    "clients.txt": (HERE / "clients.in", ()),
}


def main() -> None:
    """Write both files anew."""
    for name, (source, extras) in FILES.items():
        command = [sys.executable, "-m", "uv", "pip", "compile", str(source)]
        command += [f"--extra={extra}" for extra in extras]
        command += ["--universal", "--python-version=3.11", "--generate-hashes", "--no-header", "--no-annotate"]
        command += ["--no-emit-index-url", "--quiet", "--output-file", str(HERE / name)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
