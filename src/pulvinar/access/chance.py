"""Secrets that nobody can guess, and what is stored of them."""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32


def new_secret(prefix: str = "") -> str:
    """256 bits of chance, as letters that stand in an address or a header."""
    return f"{prefix}{secrets.token_urlsafe(_BYTES)}"


def digest_of(secret: str) -> str:
    """The SHA-256 of a secret in hex. Nothing slower is needed: it is of chance, not of somebody's choice."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
