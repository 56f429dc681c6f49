"""What the documents say is what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest
import typer

from pulvinar.cli.app import app

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
TEXTS = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])


def renewed() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("renew", REFERENCE / "renew.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.documents()


def test_the_reference_is_what_the_code_says():
    for name, text in renewed().items():
        written = (REFERENCE / name).read_text("utf-8")
        assert written == text, f"docs/reference/{name} is behind: run `make reference` and commit the result"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_flag_that_is_named_exists(path: Path):
    commands = typer.main.get_command(app).commands
    blocks = re.findall(r"^```(?:console|bash)\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    named = re.findall(r"pulvinar ([a-z]+)((?:\\\n|[^\n])*)", "\n".join(blocks))
    for name, rest in named:
        assert name in commands, f"{path.name} names pulvinar {name}"
        command = commands[name]
        # of a group, its first word is the command
        command = getattr(command, "commands", {}).get(rest.split()[0], command) if rest.split() else command
        known = {flag for item in command.params for flag in item.opts}
        flags = set(re.findall(r"(?<=\s)--[a-z-]+", rest.partition("#")[0]))
        assert flags <= known, f"{path.name} gives pulvinar {name} {flags - known}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_there(path: Path):
    for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text("utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), f"{path.name} links to {target}"
