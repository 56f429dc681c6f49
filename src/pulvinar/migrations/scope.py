"""What Alembic compares with the tables of the code."""

from __future__ import annotations

SEARCH = ("dataset_words", "asset_words")


def is_ours(name: str | None, kind: str) -> bool:
    """Whether it is compared: the search indexes are made by hand, and FTS5 keeps shadow tables beside it."""
    return not (kind == "table" and name is not None and name.startswith(SEARCH))
