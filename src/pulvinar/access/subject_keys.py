"""A key for each person: what is encrypted with it is erased by destroying it, wherever copies of it lie.

For backups that can't be rewritten (tapes, write-once buckets, a disk in another house): they hold a person's objects
encrypted, and the keys lie elsewhere. Keys are files of their own, in no database and in no backup of one, for a key
that a backup brings back would bring back the person.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pulvinar.errors import Conflict, Corrupt, NotFound

_KEY_BYTES, _NONCE_BYTES = 32, 12
_MAGIC = b"PVK1"
_DESTROYED = ".destroyed"


@dataclass(frozen=True)
class SubjectKeys:
    """The keys in `folder`, which only this service may read; a second copy of it belongs into another house."""

    folder: Path

    def encrypt(self, subject: str, data: bytes, name: str) -> bytes:
        """`data` for a place that can't be rewritten, bound to the `name` it gets there; the subject's key is made when
        there is none.

        AES-256 in GCM: what was changed is noticed. Raises `Conflict` for a subject that was erased.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _MAGIC + nonce + AESGCM(self._key(subject, make=True)).encrypt(nonce, data, name.encode())

    def decrypt(self, subject: str, data: bytes, name: str) -> bytes:
        """What `encrypt` was given. Raises `NotFound` where the key was destroyed or never was, `Corrupt` where these
        bytes are not those that were written under that name."""
        key = self._key(subject, make=False)
        nonce, sealed = data[len(_MAGIC) : len(_MAGIC) + _NONCE_BYTES], data[len(_MAGIC) + _NONCE_BYTES :]
        try:
            if not data.startswith(_MAGIC):
                raise InvalidTag
            return AESGCM(key).decrypt(nonce, sealed, name.encode())
        except (InvalidTag, ValueError):
            raise Corrupt(f"{name} is not what was encrypted", hint="fetch it from another copy") from None

    def destroy(self, subject: str) -> bool:
        """Make everything that was encrypted for a subject unreadable for good; whether there was a key.

        A mark stays, so that no new key is made for who was erased.
        """
        path = self._path(subject)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        there = path.exists()
        if there:
            # a file system may keep old blocks: what lies there is at least no key any more
            with path.open("r+b") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                _to_disk(file.fileno())
        path.with_suffix(_DESTROYED).touch(mode=0o600)
        path.unlink(missing_ok=True)
        self._sync()
        return there

    def is_destroyed(self, subject: str) -> bool:
        """Whether the key of a subject was destroyed."""
        return self._path(subject).with_suffix(_DESTROYED).exists()

    def _key(self, subject: str, *, make: bool) -> bytes:
        if self.is_destroyed(subject):
            error = Conflict if make else NotFound
            raise error("the key of this subject was destroyed", hint="what was encrypted with it is erased")
        path = self._path(subject)
        if not path.exists():
            if not make:
                raise NotFound("there is no key of this subject")
            self._make(path)
        return path.read_bytes()

    def _make(self, path: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(AESGCM.generate_key(8 * _KEY_BYTES))
            file.flush()
            _to_disk(file.fileno())
        try:
            os.link(new, path)
        except FileExistsError:
            # another process was quicker: its key counts
            pass
        finally:
            new.unlink()
        self._sync()

    def _path(self, subject: str) -> Path:
        # a name of any script and length, and none that tells who it is
        return self.folder / f"{hashlib.sha256(subject.encode()).hexdigest()}.key"

    def _sync(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            _to_disk(descriptor)
        finally:
            os.close(descriptor)


def _to_disk(descriptor: int) -> None:
    os.fsync(descriptor)
