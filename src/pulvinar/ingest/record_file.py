"""Record files: what a person or another program wrote of a dataset, beside its data.

A record of ours as YAML, TOML or JSON, of which any field may be missing, or one of the formats of
`catalogue.metadata_formats`; what a file is, its content says.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from pulvinar.catalogue.metadata_formats import FormatName, read_document
from pulvinar.catalogue.metadata_formats.bids import ABOUT_ALL, DESCRIPTION
from pulvinar.catalogue.record_schema import record_fields
from pulvinar.errors import Invalid, PulvinarError, TooLarge, UnreadableFile
from pulvinar.ingest.readers.text import decoded, is_text
from pulvinar.ingest.record import Document, contributor, funding, parted, record_of, related

MOST_BYTES = 4 << 20
_GROUPS = ("subject", "specimen", "acquisition")
_LISTS = {"contributors": contributor, "related": related, "funding": funding}
_HINT = "docs/reference/record.md says what each field holds; pulvinar template writes a file to fill in"


def read_record_file(path: Path) -> tuple[FormatName, Document]:
    """The format of a record file, and what it says, in the fields of a record.

    A folder is taken as a BIDS dataset, of which the files about the whole are read. Raises `UnreadableFile` when it is
    no text of these forms, `TooLarge` beyond 4 MiB, `Invalid`, naming the field, for what no record can hold.
    """
    try:
        name, said = read_document(_bids_folder(path) if path.is_dir() else _parsed(_text(path)))
        return name, checked_document(said)
    except OSError as error:
        raise UnreadableFile(f"{path} can't be read: {error.strerror}") from error
    except RecursionError:
        raise UnreadableFile(f"{path}: lists in lists without end") from None
    except PulvinarError as error:
        if str(path) in error.message:
            raise
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error


def _text(path: Path) -> str:
    if path.stat().st_size > MOST_BYTES:
        raise TooLarge(f"{path} has more than {MOST_BYTES >> 20} MiB", hint="a record is smaller")
    data = path.read_bytes()
    if not is_text(data):
        raise UnreadableFile(f"{path} is no text", hint="a record is YAML, TOML, JSON or OME-XML")
    return decoded(data)


def _bids_folder(folder: Path) -> Document:
    """The files about a whole BIDS dataset, by name: JSON as values, tables as text."""
    found = {name: _text(folder / name) for name in ABOUT_ALL if (folder / name).is_file()}
    if DESCRIPTION not in found:
        raise UnreadableFile(
            f"{folder} is a folder without {DESCRIPTION}", hint="name a record file, or a BIDS dataset"
        )
    return {name: _parsed(text) if name.endswith(".json") else text for name, text in found.items()}


def checked_document(said: Mapping[str, Any]) -> Document:
    """`said` in the shapes of a record, its terms as they were given. Raises `Invalid`, naming the field."""
    document = _eased(said)
    _refuse_slips(document)
    species = document.get("species") or _group(document, "subject").get("species") or "mouse"
    # what is missing may come from flags and files: here only what is said counts
    record_of({"title": "-", "licence": "-", **document, "species": species})
    return document


def _parsed(text: str) -> Any:
    """JSON values, or the text itself where it is XML."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("<"):
        return start
    try:
        return json.loads(start) if start.startswith(("{", "[")) else _from_toml_or_yaml(start)
    except ValueError as error:
        raise UnreadableFile(f"it is no JSON: {error}", hint="repair it where the message says") from error


def _from_toml_or_yaml(text: str) -> Any:
    try:
        return _plain(tomllib.loads(text))
    except tomllib.TOMLDecodeError as toml_error:
        try:
            return _blank(yaml.load(text, _Texts))
        except yaml.YAMLError as error:
            where = str(getattr(error, "problem_mark", "") or toml_error).strip()
            problem = getattr(error, "problem", "") or error
            raise UnreadableFile(
                f"it is neither YAML nor TOML: {problem} ({where})", hint="repair it where the message says"
            ) from error


class _Texts(yaml.BaseLoader):
    """YAML in which every value is a text: 2025-03-14 is no object, `no` no falsehood, and a grant 007 stays 007."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As YAML says, without aliases: a few of them make a document without end."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) have no place in a record")
        return super().compose_node(parent, index)


def _blank(value: Any) -> Any:
    """What YAML calls null as what it is, and the number of a schema as a number."""
    if isinstance(value, dict):
        made = {key: _blank(item) for key, item in value.items()}
        number = made.get("schema_version")
        return made | ({"schema_version": int(number)} if isinstance(number, str) and number.isdigit() else {})
    if isinstance(value, list):
        return [_blank(item) for item in value]
    return None if value in ("null", "~") else value


def _plain(value: Any) -> Any:
    """TOML's dates as the text that they are written in."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else value.isoformat()


def _eased(said: Mapping[str, Any]) -> Document:
    """`said` with texts where lists were meant taken apart, and without entries that were not filled in."""
    document = _filled(said)
    for name, parse in _LISTS.items():
        entries = document.get(name)
        if isinstance(entries, str):
            entries = [entries]
        if isinstance(entries, list):
            shaped = [vars(parse(entry)) if isinstance(entry, str) else entry for entry in entries]
            # of an entry that a template offers and nobody filled in, the first field is empty
            filled = [one for one in shaped if not isinstance(one, dict) or next(iter(one.values()), "")]
            document[name] = [_filled(one) if isinstance(one, dict) else one for one in filled]
    if isinstance(document.get("keywords"), str):
        document["keywords"] = [*parted(document["keywords"])]
    for name in _GROUPS:
        group = document.get(name)
        if isinstance(group, Mapping):
            document[name] = _filled(group)
    acquisition = _group(document, "acquisition")
    if isinstance(acquisition.get("stains"), str):
        acquisition["stains"] = [*parted(acquisition["stains"])]
    return _filled(document)


def _filled(said: Mapping[str, Any]) -> Document:
    return {key: value for key, value in said.items() if value not in ("", None, [], {})}


def _group(document: Document, name: str) -> Document:
    group = document.get(name)
    return group if isinstance(group, dict) else {}


def _refuse_slips(document: Document) -> None:
    """Raise `Invalid` for a field that no record has, naming the one that was meant, and for a group that is none."""
    for name, value in document.items():
        _refuse_unknown(name)
        if name in _GROUPS and not isinstance(value, dict):
            raise Invalid(f"{name} is a group of fields, not {value!r}", hint=_HINT)
        for entry in value if isinstance(value, list) else [value]:
            for below in entry if isinstance(entry, dict) else ():
                _refuse_unknown(f"{name}.{below}")


def _refuse_unknown(path: str) -> None:
    fields = [*record_fields()]
    if path not in fields:
        near = get_close_matches(path, fields, 1)
        raise Invalid(
            f"a record has no field {path!r}" + (f"; {near[0]!r} is meant, perhaps" if near else ""), hint=_HINT
        )
