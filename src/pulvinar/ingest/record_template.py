"""A record to fill in: YAML with a comment a field, in English and 中文, and what data of a modality should say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pulvinar.catalogue.record_schema import record_fields
from pulvinar.errors import Invalid
from pulvinar.ingest.record import REQUIRED
from pulvinar.model.terms import Term, Vocabulary, nearest, recognise, terms

_FROM_DATA = ("acquisition.voxel_size_um", "acquisition.orientation", "acquisition.time_step_s")
"""What the files themselves say: a template that asks for it again would invite a slip."""
_WRITTEN_BY_US = ("schema_version", "subject.species")
_OF_SOME = ("acquisition.stains", "specimen.preparation")
"""What only some modalities ask for."""
_GROUPS = ("subject", "specimen", "acquisition")
_LISTS = ("contributors", "related", "funding")
_FILLED = {"specimen.part": "brain", "contributors.role": "author"}


def modality_of(text: str) -> Term:
    """The modality that `text` names. Raises `Invalid` with the nearest one, or with all of them."""
    term = recognise(Vocabulary.MODALITY, text)
    if term is None:
        near = nearest(Vocabulary.MODALITY, text)
        known = ", ".join(one.key for one in terms(Vocabulary.MODALITY))
        raise Invalid(
            f"there is no template for {text!r}" + (f"; {near.key!r} is the nearest modality" if near else ""),
            hint=f"known: {known}",
        )
    return term


def record_template(modality: Term) -> str:
    """A record file for data of `modality`, which `--record` takes as it is: what is left empty is not said."""
    head = [
        f"# A record of {modality.en} data: {modality.zh}",
        "# Fill in what is known and leave the rest; `pulvinar check PATH --record FILE` says what is still missing.",
        "# 填写已知的内容，其余留空；`pulvinar check PATH --record FILE` 会指出还缺什么。",
        "# Voxel size, orientation and time step are read from the data. 体素大小、方向与时间步长取自数据本身。",
        "",
    ]
    return "\n".join([*head, *_lines(modality)]) + "\n"


def _lines(modality: Term) -> Iterator[str]:
    passed_over = {*_FROM_DATA, *_WRITTEN_BY_US, *(path for path in _OF_SOME if path not in modality.wants)}
    first_of: str | None = None
    for path, said in record_fields().items():
        if path in passed_over:
            continue
        group, _, name = path.rpartition(".")
        if path in (*_GROUPS, *_LISTS):
            yield f"{path}:  # {said['en']} {said['zh']}"
            first_of = path
            continue
        yield from _field(group, name, said, _value(path, modality), is_first=group in _LISTS and first_of == group)
        first_of = None


def _field(group: str, name: str, said: dict[str, Any], value: str, *, is_first: bool) -> Iterator[str]:
    indent = "    " if group in _LISTS else "  " if group else ""
    need = " REQUIRED 必填." if not group and name in REQUIRED else ""
    example = f" e.g. {json.dumps(said['example'], ensure_ascii=False)}" if "example" in said else ""
    yield f"{indent}# {said['meaning']}{need}{example}"
    yield f"{indent}# {said['meaning_zh']}"
    dash = "  - " if is_first else indent
    yield f"{dash}{name}: {value}".rstrip()


def _value(path: str, modality: Term) -> str:
    if path == "acquisition.modality":
        return modality.key
    return _FILLED.get(path, "")
