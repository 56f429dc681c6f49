"""The name that a researcher has everywhere."""

from __future__ import annotations

import re


def is_orcid(text: str) -> bool:
    """Whether `text` is an ORCID without an address, with the check digit of ISO 7064 MOD 11-2."""
    if not re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", text, re.ASCII):
        return False
    plain = text.replace("-", "")
    total = 0
    for digit in plain[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == plain[-1]
