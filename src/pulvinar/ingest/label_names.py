"""Names of label ids: read from the tables that come beside atlases, stored where a viewer finds them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.canonical import segment_properties
from pulvinar.ingest.readers.text import decoded, is_text

MOST_BYTES = 32 << 20
_ID_WORDS = ("id", "index", "label", "value", "key", "no", "number", "structure_id")
_NAME_WORDS = ("name", "region", "structure", "structure_name", "label_name", "fullname", "full_name")


@dataclass(frozen=True)
class LabelName:
    """One region of a label volume as its table names it; `color` as RRGGBB, "" when not given."""

    id: int
    name: str
    acronym: str = ""
    color: str = ""


def read_label_names(path: Path) -> tuple[LabelName, ...]:
    """The names in `path`: a CSV or TSV with a header, lines "id name [r g b a]", or an ontology as nested JSON.

    Raises `UnreadableFile` when it is none of these, `TooLarge` beyond 32 MiB.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TooLarge(f"{path} has more than {MOST_BYTES >> 20} MiB", hint="a table of names is smaller")
        data = path.read_bytes()
        if data and not is_text(data):
            raise UnreadableFile(f"{path} is no text", hint="name a table of ids and names, or an ontology as JSON")
        found = {item.id: item for item in _parse(decoded(data)) if item.id != 0}
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise UnreadableFile(f"no label names in {path}: {error}") from error
    if not found:
        raise UnreadableFile(
            f"no label names in {path}", hint="expected a CSV with a number and a name column, or lines 'id name'"
        )
    return tuple(found[key] for key in sorted(found))


def label_name_files(names: tuple[LabelName, ...]) -> dict[str, bytes]:
    """The objects that carry `names`: Neuroglancer's segment properties, and the whole table as JSON."""
    properties = segment_properties(
        {item.id: item.name for item in names},
        {item.id: item.acronym for item in names if item.acronym},
        {item.id: item.color for item in names if item.color},
    )
    table = [{"id": item.id, "name": item.name, "acronym": item.acronym, "color": item.color} for item in names]
    return {
        "segments/info": json.dumps(properties, ensure_ascii=False, separators=(",", ":")).encode(),
        "segments/names.json": json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode(),
    }


def _parse(text: str) -> Iterator[LabelName]:
    if text.lstrip()[:1] in "{[":
        return _from_json(json.loads(text))
    head = text.lstrip().split("\n", 1)[0]
    if ("," in head or "\t" in head) and not re.match(r"\s*\d", head):
        return _from_table(text, "\t" if "\t" in head else ",")
    return _from_lines(text)


def _from_json(document: Any) -> Iterator[LabelName]:
    """Every object with an id and a name, at whatever depth: Allen's structure graphs are nested by `children`."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            if isinstance(item.get("id"), int) and isinstance(item.get("name"), str):
                color = str(item.get("color_hex_triplet", ""))
                yield LabelName(item["id"], item["name"], str(item.get("acronym") or ""), _color(color))
            waiting.extend(value for value in item.values() if isinstance(value, list | dict))


def _from_table(text: str, delimiter: str) -> Iterator[LabelName]:
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    columns = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    id_column = next((columns[word] for word in _ID_WORDS if word in columns), None)
    name_column = next((columns[word] for word in _NAME_WORDS if word in columns), None)
    if id_column is None or name_column is None:
        raise ValueError(f"its columns are {', '.join(columns)}")
    for row in rows:
        number = (row[id_column] or "").strip()
        if re.fullmatch(r"\d+(\.0+)?", number):
            acronym = row.get(columns.get("acronym", "")) or ""
            yield LabelName(int(float(number)), (row[name_column] or "").strip(), acronym.strip())


def _from_lines(text: str) -> Iterator[LabelName]:
    """Lines "id name" with an optional colour of three or four numbers, as FreeSurfer and NeuroMaps write them."""
    for line in text.splitlines():
        matched = re.match(r"\s*(\d+)[\s,]+(\S.*?)((?:\s+\d+){3,4})?\s*$", line)
        if matched and not matched[2][0].isdigit():
            rgb = [int(part) for part in (matched[3] or "").split()[:3]]
            color = "".join(f"{min(part, 255):02X}" for part in rgb)
            yield LabelName(int(matched[1]), matched[2].strip(), color=_color(color))


def _color(text: str) -> str:
    return text.upper() if re.fullmatch(r"[0-9A-Fa-f]{6}", text) else ""
