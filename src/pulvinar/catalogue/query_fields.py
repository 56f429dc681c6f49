"""The fields of a search, what they are called in English and 中文, and how what is said of them is read."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum

from pulvinar.errors import Invalid
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Species
from pulvinar.model.terms import Vocabulary, folded, nearest, recognise


class Field(StrEnum):
    """What can be said of a thing that is looked for."""

    SPECIES = "species"
    MODALITY = "modality"
    STAIN = "stain"
    LICENCE = "licence"
    LAB = "lab"
    KIND = "kind"
    HAS = "has"
    REGION = "region"
    SOMA = "soma"
    END = "end"
    ATLAS = "atlas"
    HOMOLOGUES = "homologues"
    RESOLUTION = "resolution"
    DATE = "date"
    WITHIN = "within"
    OF = "of"
    BOX = "box"


NAMES: dict[Field, tuple[str, ...]] = {
    Field.SPECIES: ("species", "物种", "种属"),
    Field.MODALITY: ("modality", "模态", "成像方式"),
    Field.STAIN: ("stain", "染色", "标记"),
    Field.LICENCE: ("licence", "许可", "license", "许可证", "协议"),
    Field.LAB: ("lab", "实验室", "单位"),
    Field.KIND: ("kind", "类型", "type"),
    Field.HAS: ("has", "包含", "含有"),
    Field.REGION: ("region", "脑区", "区域"),
    Field.SOMA: ("soma", "胞体"),
    Field.END: ("end", "末梢", "终点", "ends"),
    Field.ATLAS: ("atlas", "图谱", "脑图谱"),
    Field.HOMOLOGUES: ("homologues", "同源", "homologs", "同源脑区"),
    Field.RESOLUTION: ("resolution", "分辨率"),
    Field.DATE: ("date", "日期", "时间"),
    Field.WITHIN: ("within", "范围", "距离"),
    Field.OF: ("of", "中心"),
    Field.BOX: ("box", "方框", "长方体"),
}
"""What each field is called: its English name, its Chinese one, then what else is understood."""

VOCABULARIES = {
    Field.SPECIES: Vocabulary.SPECIES,
    Field.MODALITY: Vocabulary.MODALITY,
    Field.STAIN: Vocabulary.STAIN,
    Field.LICENCE: Vocabulary.LICENCE,
}
KIND_NAMES: dict[AssetKind, tuple[str, ...]] = {
    AssetKind.VOLUME: ("volume", "体数据", "image", "图像"),
    AssetKind.SKELETON: ("skeleton", "骨架", "neuron", "神经元"),
    AssetKind.POINTS: ("points", "点云", "cells", "细胞"),
    AssetKind.MESH: ("mesh", "网格", "surface", "曲面"),
    AssetKind.TABLE: ("table", "表格"),
    AssetKind.TIME_SERIES: ("time_series", "时间序列", "time series", "signals"),
    AssetKind.CONNECTIVITY: ("connectivity", "连接", "matrix", "连接矩阵"),
    AssetKind.TRACTS: ("tracts", "纤维束", "tractography"),
    AssetKind.TRANSFORM: ("transform", "空间变换", "warp"),
    AssetKind.MODEL: ("model", "模型", "network"),
}
_BY_NAME = {name: field for field, names in NAMES.items() for name in names}
_KIND_BY_NAME = {folded(name): kind for kind, names in KIND_NAMES.items() for name in (*names, f"{kind.value}s")}
_YES = {"yes": True, "true": True, "on": True, "是": True, "no": False, "false": False, "off": False, "否": False}
# Both signs for micro; casefold makes one of them.
_UNIT_UM = {"nm": 1e-3, "纳米": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "微米": 1.0, "mm": 1e3, "毫米": 1e3}
LONGEST_UM = 1e6
_LENGTH = re.compile(rf"(\d{{1,9}}(?:\.\d{{0,40}})?|\.\d{{1,40}})\s*({'|'.join(_UNIT_UM)})?", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})年?(?:[-/]?(\d{1,2})月?(?:[-/]?(\d{1,2})日?)?)?")


def field_named(name: str) -> Field:
    """The field called `name`, in either language. Raises `Invalid` with the one that is most like it."""
    found = _BY_NAME.get(name.casefold())
    if found:
        return found
    near = get_close_matches(name.casefold(), _BY_NAME, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}:" if near else f"fields are {', '.join(Field)}"
    raise Invalid(f"{name!r} is not a field", hint=f"{hint}? Quote it to look for it as text")


def term_said(field: Field, said: str, *, quoted: bool) -> str:
    """The key of the term that `said` names, or `said` itself where records may say what no term is.

    Raises `Invalid` for an unknown species, and for what is nearly a term and not quoted.
    """
    vocabulary = VOCABULARIES[field]
    term = recognise(vocabulary, said)
    if term:
        return term.key
    near = nearest(vocabulary, said)
    if field is Field.SPECIES:
        hint = f"did you mean {near.key}?" if near else f"species are {', '.join(Species)}"
        raise Invalid(f"{said!r} is no species of this platform", hint=hint)
    if near and not quoted:
        hint = f"did you mean {near.key}? Quote it to look for exactly what you wrote"
        raise Invalid(f"{said!r} is no known {field.value}", hint=hint)
    return said


def kind_said(said: str) -> AssetKind:
    """The kind of asset that `said` names, in either language. Raises `Invalid` with the nearest."""
    found = _KIND_BY_NAME.get(folded(said))
    if found:
        return found
    near = get_close_matches(folded(said), _KIND_BY_NAME, n=1)
    hint = f"did you mean {_KIND_BY_NAME[near[0]].value}?" if near else f"kinds are {', '.join(AssetKind)}"
    raise Invalid(f"{said!r} is no kind of asset", hint=hint)


def yes_said(said: str) -> bool:
    """Yes or no; raises `Invalid` for anything else."""
    found = _YES.get(said.casefold())
    if found is None:
        raise Invalid(f"{said!r} is neither yes nor no", hint="say yes or no")
    return found


def length_um(said: str) -> float:
    """A length in micrometres, of "300um", "0.5 mm" or "10微米". Raises `Invalid` for no length or one without unit."""
    found = _LENGTH.fullmatch(said.strip())
    if found is None:
        raise Invalid(f"{said!r} is not a length", hint="a number with a unit, for example 300um or 0.5mm")
    number, unit = found.groups()
    if unit is None:
        raise Invalid(f"{said!r} has no unit", hint=f"for example {number}um")
    length = round(float(number) * _UNIT_UM[unit.casefold()], 9)
    if length > LONGEST_UM:
        raise Invalid(f"{said!r} is longer than any brain", hint="use at most 1000mm")
    return length


def length_written(length: float) -> str:
    """`length_um` reads it back."""
    return f"{plain_number(length)}um"


def plain_number(value: float) -> str:
    """Digits and no exponent, without a fraction that says nothing; it is read back as the same number."""
    return f"{Decimal(repr(value)).normalize():f}"


def days_of(said: str) -> tuple[date, date]:
    """The first day of a year, month or day, and the first that is no longer in it. Raises `Invalid` for none."""
    found = _DATE.fullmatch(said.strip())
    try:
        if found is None:
            raise ValueError(said)
        year, month, day = (int(part) if part else None for part in found.groups())
        first = date(year or 0, month or 1, day or 1)
        if first.year > 9998:
            raise ValueError(said)
    except ValueError as error:
        hint = "a year, month or day: 2020, 2020-05 or 2020-05-17"
        raise Invalid(f"{said!r} is not a date", hint=hint) from error
    if day:
        return first, first + timedelta(days=1)
    if month:
        return first, (first + timedelta(days=31)).replace(day=1)
    return first, date(first.year + 1, 1, 1)
