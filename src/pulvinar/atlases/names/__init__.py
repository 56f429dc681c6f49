"""Chinese names of regions, for every ontology: a glossary of structures, one of parts, and rules that join them.

`regions.tsv` has the names of structures, `parts.tsv` what follows a comma ("dorsal part", "granule cell layer"). A row
says who reviewed it, or that it is proposed. To mend or add a name, change a row; nothing else knows the words. A site
adds its own in a table of the same columns, which goes before these.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from pulvinar.errors import UnreadableFile
from pulvinar.model.ontology import NameState, Region, folded_name

_SIDES = {"left": "左侧", "right": "右侧"}
_SIDED = re.compile(r"(?:(?P<first>left|right)[ _](?P<rest>.+)|(?P<core>.+), (?P<last>left|right))", re.IGNORECASE)
_REST = re.compile(r"(?P<core>.+)-other")
_LAYER = re.compile(r"layers? (?P<number>[0-9][0-9ab/-]*)", re.IGNORECASE)
_COLUMNS = ("name", "zh", "state", "source")


@dataclass(frozen=True)
class ChineseName:
    """A name, how sure it is, and where it is from; what rules join is as sure as its least sure word."""

    text: str
    state: NameState
    source: str = ""


Glossary = Mapping[str, ChineseName]
"""Names by the English one, folded as `folded_name` does."""


def with_chinese_names(regions: Iterable[Region], extra: Glossary | None = None) -> tuple[Region, ...]:
    """`regions`, each with its Chinese name where one is known and it has none of its own."""
    return tuple(_named(region, extra or {}) for region in regions)


def _named(region: Region, extra: Glossary) -> Region:
    if region.name_zh:
        return region
    found = chinese_name(region.name, extra)
    if found is None:
        return region
    return replace(region, name_zh=found.text, name_zh_state=found.state, name_zh_source=found.source)


def chinese_name(name: str, extra: Glossary | None = None) -> ChineseName | None:
    """What a region of that English name is called in Chinese; None where nobody has said.

    A side goes before ("Putamen, left" is 左侧壳), layers and parts after ("Field CA1, stratum oriens" is CA1区始层).
    So does what is left of a structure beside its named parts ("Claustrum-other").
    """
    known = {**_table("regions.tsv"), **(extra or {})}
    whole = known.get(folded_name(name))
    if whole is not None:
        return whole
    sided = _SIDED.fullmatch(name.strip())
    if sided:
        side = _SIDES[(sided["first"] or sided["last"]).lower()]
        core = chinese_name(sided["rest"] or sided["core"], extra)
        return replace(core, text=side + core.text) if core else None
    rest = _REST.fullmatch(name)
    if rest:
        core = chinese_name(rest["core"], extra)
        return replace(core, text=f"{core.text}其余部分", state=NameState.PROPOSED) if core else None
    return _joined(re.split(r", ?|: |/(?=Layer)", name), known)


def _joined(words: Sequence[str], known: Glossary) -> ChineseName | None:
    """The name of a structure and its parts: as many words as possible are the structure."""
    for cut in range(len(words) - 1, 0, -1):
        head = known.get(folded_name(", ".join(words[:cut])))
        tails = [_part(word) for word in words[cut:]]
        if head is not None and all(tails):
            parts = [head, *(tail for tail in tails if tail)]
            sure = all(part.state is NameState.REVIEWED for part in parts)
            state = NameState.REVIEWED if sure else NameState.PROPOSED
            return ChineseName("".join(part.text for part in parts), state, "joined by rule")
    return None


def _part(word: str) -> ChineseName | None:
    layer = _LAYER.fullmatch(word)
    if layer:
        return ChineseName(f"第{layer['number']}层", NameState.REVIEWED, "number")
    word = word.removeprefix("area ")
    if re.fullmatch(r"[A-Za-z0-9.]{1,6}", word) and re.search(r"[A-Z0-9]", word):
        return ChineseName(f"{word}区", NameState.REVIEWED, "the label itself")
    return _table("parts.tsv").get(folded_name(word))


@cache
def _table(name: str) -> Glossary:
    return _read((files(__name__) / name).read_text("utf-8"), name)


def read_glossary(path: Path) -> Glossary:
    """A site's own table: tab-separated columns name, zh, state, source. Raises `UnreadableFile` for another."""
    try:
        return _read(path.read_text("utf-8-sig"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path} can't be read: {error}", hint="a table as text in UTF-8") from error


def _read(text: str, what: str) -> Glossary:
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    if not set(_COLUMNS) <= set(rows.fieldnames or ()):
        raise UnreadableFile(f"{what} has not the columns {', '.join(_COLUMNS)}", hint="separate them by tabs")
    found = {}
    for number, row in enumerate(rows, 2):
        try:
            name = ChineseName(row["zh"].strip(), NameState(row["state"].strip()), (row["source"] or "").strip())
        except ValueError as error:
            raise UnreadableFile(
                f"{what}, line {number}: {row['state']!r} is no state", hint="proposed or reviewed"
            ) from error
        found[folded_name(row["name"])] = name
    return found
