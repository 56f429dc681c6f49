"""Every block of the tutorials that is fenced as bash or python runs, in order, as a reader would run it."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs").rglob("tutorials/*.md"))
COMMANDS = ROOT / "docs" / "reference" / "commands.md"
SLOW_TRANSLATIONS = {"aligning-a-brain.zh.md", "describing-data.zh.md", "first-brain.zh.md"}
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def as_script(text: str) -> str:
    """One bash script: python blocks go to the interpreter that runs the tests."""
    parts = ["set -euo pipefail"]
    for language, code in BLOCK.findall(text):
        parts.append(code if language == "bash" else f"{shlex.quote(sys.executable)} - <<'PYTHON'\n{code}PYTHON\n")
    return "\n".join(parts)


def tutorials() -> list:
    """Each once: of the translations those whose blocks differ from the original's, the slowest in a deep run only."""
    found, seen = [], set()
    # the original comes first
    for path in sorted(TUTORIALS, key=lambda path: path.name.endswith(".zh.md")):
        if (script := as_script(path.read_text("utf-8"))) not in seen:
            seen.add(script)
            found.append(pytest.param(path, marks=[pytest.mark.deep] if path.name in SLOW_TRANSLATIONS else []))
    return found


@pytest.mark.parametrize("name", sorted(SLOW_TRANSLATIONS))
def test_a_translation_names_commands_and_options_that_there_are(name: str):
    known, script = COMMANDS.read_text("utf-8"), as_script((ROOT / "docs" / "tutorials" / name).read_text("utf-8"))
    said = set(re.findall(r"^pulvinar [a-z]+", script, re.MULTILINE)) | set(re.findall(r"(?<= )--[a-z-]+", script))
    assert len(said) > 3
    assert {one for one in said if one not in known} == set()


@pytest.mark.parametrize("tutorial", tutorials(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_a_tutorial_runs(tutorial: Path, tmp_path: Path):
    script = as_script(tutorial.read_text("utf-8"))
    assert script.count("pulvinar") > 1
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PULVINAR_PORT": port}
    # the port that the reader has may be taken here
    ran = subprocess.run(
        ["bash", "-c", script.replace("8765", port)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
