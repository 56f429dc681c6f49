"""The published JSON Schema of records (draft 2020-12): types from `model.record`, meanings from `record_fields.toml`.

A schema that was published never changes. The newest is made from the code and compared with the published text by a
test; the ones before it are kept in `schemas/`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from pulvinar.errors import NotFound
from pulvinar.model.record import RECORD
from pulvinar.model.record_migrations import SCHEMA_VERSION
from pulvinar.model.terms import Vocabulary, terms

DRAFT = "https://json-schema.org/draft/2020-12/schema"


@cache
def record_fields() -> dict[str, dict[str, Any]]:
    """What each field means, by its path ("acquisition.date"), in the order of `record_fields.toml`."""
    loaded: dict[str, dict[str, Any]] = tomllib.loads(
        (files("pulvinar.catalogue") / "record_fields.toml").read_text("utf-8")
    )
    return loaded


def field_name(path: str, language: str) -> str:
    """What people call the field at `path` ("acquisition.date") in a language ("en", "zh"); `path` where it is none.

    A place in a list doesn't matter: "contributors.0.name" is "contributors.name".
    """
    plain = ".".join(part for part in path.split(".") if not part.isdigit())
    said = record_fields().get(plain)
    return str(said[language]) if said else path


def schema_id(version: int) -> str:
    """The name of a schema, the same on every server."""
    return f"urn:pulvinar:record:{version}"


def published_schema(version: int | None = None) -> dict[str, Any]:
    """The schema of that number, the newest without one. Raises `NotFound` for a number that there isn't."""
    version = SCHEMA_VERSION if version is None else version
    if version == SCHEMA_VERSION:
        return record_schema()
    if not 1 <= version < SCHEMA_VERSION:
        raise NotFound(f"there is no schema {version} of records", hint=f"there are 1 to {SCHEMA_VERSION}")
    loaded: dict[str, Any] = json.loads(
        (files("pulvinar.catalogue") / "schemas" / f"record-{version}.json").read_text("utf-8")
    )
    return loaded


def record_schema() -> dict[str, Any]:
    """The newest schema."""
    made = RECORD.json_schema(mode="validation")
    definitions = made.pop("$defs")
    whole = _inlined(made, definitions)
    for path, node in walk(whole):
        _describe(path, node)
    whole["required"] = [*whole["required"], "schema_version"]
    head = {
        "$schema": DRAFT,
        "$id": schema_id(SCHEMA_VERSION),
        "title": "Record",
        "description": "The metadata of one dataset in Pulvinar.",
    }
    return head | {key: value for key, value in whole.items() if key not in head}


def walk(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a schema with its path; a list's fields have the list's path before theirs."""
    for name, node in schema.get("properties", {}).items():
        path = f"{above}.{name}" if above else name
        yield path, node
        for inner in (node, node.get("items", {}), *node.get("anyOf", ())):
            yield from walk(inner, path)


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """`node` with what it refers to in its place: a field of a record then has one place to look."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found = _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
        return found | {key: value for key, value in node.items() if key != "$ref"}
    return {
        key: _inlined(value, definitions) for key, value in node.items() if key != "title" or isinstance(value, dict)
    }


def _describe(path: str, node: dict[str, Any]) -> None:
    said = record_fields().get(path)
    if said is None:
        return
    node["title"] = said["en"]
    node["description"] = said["meaning"] + (f" Unit: {said['unit']}." if "unit" in said else "")
    node["x-zh"] = {"title": said["zh"], "description": said["meaning_zh"]}
    if "example" in said:
        node["examples"] = [said["example"]]
    if "vocabulary" in said:
        node["x-vocabulary"] = said["vocabulary"]


def fields_text() -> str:
    """The table of fields for people, as Markdown, in both languages."""
    lines = [
        "# The record of a dataset",
        "",
        f"What Pulvinar knows of a dataset, schema {SCHEMA_VERSION}. The same as JSON Schema (draft 2020-12) is "
        "[record.schema.json](record.schema.json); a server gives it at `/api/v1/schema/record`, and every published "
        "one at `/api/v1/schema/record/<number>`. `pulvinar template` writes a file to fill in.",
        "",
        "数据集的元数据记录。同样内容的 JSON Schema 见 [record.schema.json](record.schema.json)。",
        "",
        "| field | name | meaning | unit | example |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(path, said) for path, said in record_fields().items()]
    return "\n".join(lines) + "\n"


def _row(path: str, said: dict[str, Any]) -> str:
    example = json.dumps(said["example"], ensure_ascii=False) if "example" in said else ""
    words = f" ([terms](terms.md#{said['vocabulary']}))" if "vocabulary" in said else ""
    cells = (
        f"`{path}`",
        f"{said['en']}<br>{said['zh']}",
        f"{said['meaning']}{words}<br>{said['meaning_zh']}",
        said.get("unit", ""),
        f"`{example}`" if example else "",
    )
    return "| " + " | ".join(cells) + " |"


def terms_text() -> str:
    """The table of controlled terms for people, as Markdown, in both languages."""
    lines = [
        "# Controlled terms",
        "",
        "What is given under any of these names is stored under its key; what has none is accepted as it is, with a "
        "note that names the nearest. `pulvinar terms` searches them; a server gives them at `/api/v1/terms`.",
        "",
        "受控词表：以下任一名称都会识别为同一个词；表中没有的词照原样接受，并提示最接近的词。",
    ]
    for vocabulary in Vocabulary:
        lines += [
            "",
            f"## {vocabulary.value}",
            "",
            "| key | English | 中文 | also | elsewhere |",
            "|---|---|---|---|---|",
        ]
        for term in terms(vocabulary):
            elsewhere = "; ".join(f"{system} {identifier}" for system, identifier in term.identifiers.items())
            also = ", ".join(term.synonyms)
            lines.append(f"| `{term.key}` | {term.en} | {term.zh} | {also} | {elsewhere} |")
    return "\n".join(lines) + "\n"
