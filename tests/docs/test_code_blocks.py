"""Every block of the tutorials that is fenced as bash or python runs, in order, as a reader would run it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs").rglob("tutorials/*.md"))
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def as_script(text: str) -> str:
    """One bash script: python blocks go to the interpreter that runs the tests."""
    parts = ["set -euo pipefail"]
    for language, code in BLOCK.findall(text):
        parts.append(code if language == "bash" else f"{shlex.quote(sys.executable)} - <<'PYTHON'\n{code}PYTHON\n")
    return "\n".join(parts)


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_a_tutorial_runs(tutorial: Path, tmp_path: Path):
    script = as_script(tutorial.read_text("utf-8"))
    assert script.count("pulvinar") > 3
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
