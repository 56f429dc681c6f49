"""How stored records of older schemas become records of today's.

Each step takes the JSON values of one schema to those of the next, and never changes again: what it reads is stored in
somebody's catalogue. A step depends on nothing that may change, the table of terms least of all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pulvinar.errors import Invalid

SCHEMA_VERSION: Literal[2] = 2
"""The schema under which records are written."""

Values = dict[str, Any]


def _stains_apart(old: Values) -> Values:
    """1 to 2: one text of stains becomes a list; what is new stays empty."""
    acquisition = dict(old.get("acquisition") or {})
    stain = acquisition.pop("stain", "")
    parts = (part.strip() for part in re.split("[,;，；、]", stain))
    return {**old, "acquisition": {**acquisition, "stains": [part for part in parts if part]}}


MIGRATIONS: tuple[Callable[[Values], Values], ...] = (_stains_apart,)
"""In order: the first takes schema 1 to 2."""


def up_to_date(values: Mapping[str, Any]) -> Values:
    """The JSON values of a record of any schema, under the newest one; `values` stay as they are.

    A record without a number is of schema 1, which had none. Raises `Invalid` for a number that there isn't yet.
    """
    version = values.get("schema_version", 1)
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        raise Invalid(
            f"a record of schema {version!r} can't be read: this release knows 1 to {SCHEMA_VERSION}",
            hint="bring Pulvinar up to date",
        )
    renewed = dict(values)
    for step in MIGRATIONS[version - 1 :]:
        renewed = step(renewed)
    return {**renewed, "schema_version": SCHEMA_VERSION}
