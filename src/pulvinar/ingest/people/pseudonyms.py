"""Names that stand for others, the same each time, which only the holder of a key can connect."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

_KEY_BYTES = 32
_LEAST_DAYS, _MOST_DAYS = 30, 3650
_UID_ROOT = "2.25."
"""UIDs made of a UUID's number (PS3.5, B.2): nobody has to be asked for a root."""
_STANDARD = "1.2.840.10008."
"""What the standard itself has named: classes and transfer syntaxes, which tell nothing of a person."""


@dataclass(frozen=True)
class Pseudonyms:
    """What replaces identifiers, by a secret `key`: with another key all are others."""

    key: bytes

    def __repr__(self) -> str:
        return "Pseudonyms()"

    def uid(self, uid: str) -> str:
        """What stands for a UID; one that the standard has named stays."""
        if not uid or uid.startswith(_STANDARD):
            return uid
        return _UID_ROOT + str(int.from_bytes(self._digest("uid", uid)[:16]))

    def subject(self, identity: str) -> str:
        """What stands for a person."""
        return f"sub-{self._digest('subject', identity).hex()[:12]}"

    def moved(self, day: date, identity: str) -> date:
        """`day` as it is told of a person: all days of one are moved back by as much, so that times between stay."""
        span = _MOST_DAYS - _LEAST_DAYS
        days = _LEAST_DAYS + int.from_bytes(self._digest("days", identity)[:8]) % span
        try:
            return day - timedelta(days=days)
        except OverflowError:
            return date.min

    def _digest(self, what: str, text: str) -> bytes:
        return hmac.digest(self.key, f"{what}\n{text}".encode(), hashlib.sha256)


def load_pseudonyms(folder: Path) -> Pseudonyms:
    """The pseudonyms of this node, by the key in `folder`, which is made when there is none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "pseudonyms.key"
    if not path.exists():
        _write_once(path, secrets.token_bytes(_KEY_BYTES))
    return Pseudonyms(path.read_bytes())


def _write_once(path: Path, key: bytes) -> None:
    """Write a key that nobody else may read; where another process was quicker, its key stays."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
