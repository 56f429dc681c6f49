"""Removing a folder that a hostile file may have filled."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4


def remove_tree(folder: Path) -> None:
    """Remove `folder` and all below it, however deep; what can't be removed stays."""
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir() and not folder.is_symlink():
        _flatten(folder)
        with suppress(OSError):
            folder.rmdir()


def _flatten(folder: Path) -> None:
    """Empty `folder` from the top: folders in folders are moved up, so that no path gets long."""
    again = True
    while again:
        again = False
        for path in [*folder.iterdir()]:
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    for inner in [*path.iterdir()]:
                        if inner.is_dir() and not inner.is_symlink():
                            inner.rename(folder / uuid4().hex)
                        else:
                            inner.unlink()
                    path.rmdir()
                else:
                    path.unlink()
                again = True
