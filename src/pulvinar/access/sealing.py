"""Small secrets that must be read again, sealed by a key that isn't in the database."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from pulvinar.errors import Corrupt, Unavailable


class Sealer:
    """Seals and opens texts with one key."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    def seal(self, text: str) -> str:
        """`text`, sealed."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was sealed. Raises `Corrupt` where another key sealed it."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise Corrupt(
                "a sealed secret was not sealed by this key", hint="is secret_key_file the right one?"
            ) from error


def open_sealer(file: Path) -> Sealer:
    """The sealer whose key lies in `file`, which is made where there is none, for its owner alone to read.

    Raises `Unavailable` for a file that can't be read or made, that others may read, or that holds no key.
    """
    try:
        if not file.exists():
            _make_key(file)
        if file.stat().st_mode & 0o077:
            raise Unavailable(f"{file} can be read by others", hint=f"chmod 600 {file}")
        return Sealer(file.read_bytes().strip())
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"the key in {file} can't be used: {error}", hint="see the setting secret_key_file"
        ) from error


def _make_key(file: Path) -> None:
    # a link, so that of two processes that start together both use the key of the one that came first
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(Fernet.generate_key())
            opened.flush()
            os.fsync(opened.fileno())
        try:
            file.hardlink_to(fresh)
        except FileExistsError:
            return
    finally:
        fresh.unlink()
