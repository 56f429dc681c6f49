"""The server's key in a backup, sealed by a passphrase.

The key that seals second factors (`secret_key_file`) lies in no database: without it nobody with a second factor gets
in after a restoration. It goes along only sealed, by a passphrase that is kept elsewhere. Keys of persons never go
along: to destroy them is what erases.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pulvinar.errors import Invalid, NotFound
from pulvinar.storage.store import Store

KEY = "keys/secret.key.sealed"
_LEAST_PASSPHRASE = 20
_MAGIC, _SALT_BYTES, _NONCE_BYTES = b"PVS1", 16, 12
# 64 MiB and about a fifth of a second for each guess
_SCRYPT = {"n": 1 << 16, "r": 8, "p": 1, "maxmem": 128 << 20, "dklen": 32}


def keep_key(backup: Store, key_file: Path, passphrase: str) -> None:
    """Put the server's key into a backup, sealed by scrypt and AES-256 in GCM.

    Raises `Invalid` for a passphrase below 20 characters, `NotFound` where there is no key.
    """
    if len(passphrase) < _LEAST_PASSPHRASE:
        raise Invalid(f"the passphrase has {len(passphrase)} characters", hint=f"{_LEAST_PASSPHRASE} or more")
    if not key_file.exists():
        raise NotFound(f"there is no key at {key_file}", hint="see the setting secret_key_file")
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(_derived(passphrase, salt)).encrypt(nonce, key_file.read_bytes(), KEY.encode())
    backup.put_bytes(KEY, _MAGIC + salt + nonce + sealed)


def holds_key(backup: Store) -> bool:
    """Whether a backup has the server's key."""
    return next(backup.list("keys"), None) is not None


def bring_key_back(backup: Store, key_file: Path, passphrase: str) -> None:
    """Write the server's key of a backup to `key_file`, for its owner alone to read.

    Raises `NotFound` where the backup has none, `Invalid` for a wrong passphrase or another key that is there.
    """
    sealed = backup.read(KEY)
    body = sealed[len(_MAGIC) :]
    salt, nonce = body[:_SALT_BYTES], body[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES]
    try:
        key = AESGCM(_derived(passphrase, salt)).decrypt(nonce, body[_SALT_BYTES + _NONCE_BYTES :], KEY.encode())
    except (InvalidTag, ValueError):
        raise Invalid("this passphrase does not open the key in the backup", hint="is it the one of then?") from None
    if key_file.exists() and key_file.read_bytes() != key:
        raise Invalid(f"there is another key at {key_file}", hint="move it away first")
    if not key_file.exists():
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())


def _derived(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(passphrase.encode(), salt=salt, **_SCRYPT)
