"""Pin every package by version and hash, for each Python that we support, without naming a registry.

`run.txt` holds what the platform and its demo need, `dev.txt` that and the tools.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILES = {"run.txt": ("demo",), "dev.txt": ("demo", "dev")}


def main() -> None:
    """Write both files anew."""
    for name, extras in FILES.items():
        command = [sys.executable, "-m", "uv", "pip", "compile", str(HERE.parent / "pyproject.toml")]
        command += [f"--extra={extra}" for extra in extras]
        command += ["--universal", "--python-version=3.11", "--generate-hashes", "--no-header", "--no-annotate"]
        command += ["--no-emit-index-url", "--quiet", "--output-file", str(HERE / name)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
