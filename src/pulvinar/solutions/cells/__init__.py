"""Cells: finding them in whole brains and in sections, counting them by region, comparing groups.

`find_cells` is the verb; `cells_of_block` and `merged` are its two halves for an engine. What it finds is a table,
`Cells`; `count_cells`, `heat_map` and `compare_groups` say what that means, `corrected` and `retrain_volume_model` take
in what people say about it, and `measure` checks the accuracy card beside this file.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "cells_of_block": "search",
    "compare_groups": "groups",
    "corrected": "corrections",
    "count_cells": "regions",
    "find_cells": "search",
    "heat_map": "heat",
    "measure": "card",
    "merged": "search",
    "retrain_volume_model": "corrections",
    "write_cells": "cell_table",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
