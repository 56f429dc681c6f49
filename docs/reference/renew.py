"""Writes this folder's documents from the code; a test compares them. Run it by `make reference`."""

from __future__ import annotations

import html
import json
from pathlib import Path

import typer
from typer.cli import get_docs_for_click

from pulvinar.catalogue.record_schema import fields_text, record_schema, terms_text
from pulvinar.cli.app import app
from pulvinar.ingest.conformance import rules_text
from pulvinar.settings import PREFIX, Settings
from pulvinar.web.api.document import openapi_text

HERE = Path(__file__).parent


def documents() -> dict[str, str]:
    """Every document of the reference, by file name."""
    return {
        "openapi.json": openapi_text(),
        "commands.md": commands(),
        "settings.md": settings(),
        "record.md": fields_text(),
        "record.schema.json": json.dumps(record_schema(), ensure_ascii=False, indent=1) + "\n",
        "terms.md": terms_text(),
        "rules.md": rules_text(),
    }


def commands() -> str:
    """Every command with its options, as `--help` tells them."""
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="pulvinar", title="Commands")
    return html.unescape(text).strip() + "\n"


def settings() -> str:
    """Every setting with its variable, its default and what it does."""
    lines = [
        "# Settings",
        "",
        "An argument of a command counts more than the environment, the environment more than the TOML file that "
        f"`{PREFIX}CONFIG` names (its keys are the names below), the file more than the default. A name that is not in "
        "this list is an error. `pulvinar settings` prints what is in force.",
        "",
        "| name | variable | default | what it does |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "the user's data folder" if field.default_factory else _shown(field.default)
        lines.append(f"| {name} | `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    return "" if default in ("", None) else f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    for file, content in documents().items():
        (HERE / file).write_text(content, "utf-8")
