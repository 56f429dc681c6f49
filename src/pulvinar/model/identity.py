"""Identifiers that are unique across nodes, so that two Pulvinars can exchange without renaming."""

from __future__ import annotations

import re

from ulid import ULID

from pulvinar.errors import Invalid

_PATTERN = re.compile(r"[a-z][a-z0-9]{1,15}-[0-9a-hjkmnp-tv-z]{26}")


def new_id(node: str = "local") -> str:
    """A new identifier, `<node>-<ulid>` in lower case: sorts by the time it was made."""
    return f"{node}-{str(ULID()).lower()}"


def check_id(text: str) -> str:
    """`text` itself when it is an identifier; raises `Invalid` otherwise (so it is safe in a path)."""
    if not _PATTERN.fullmatch(text):
        raise Invalid(f"{text!r} is not an identifier", hint="expected a node name, a dash and 26 characters")
    return text
