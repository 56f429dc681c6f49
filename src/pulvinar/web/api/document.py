"""The OpenAPI document, as it is kept in docs/reference."""

from __future__ import annotations

import json

from pulvinar.web.app import describe_api


def openapi_text() -> str:
    """The OpenAPI document as text that stays the same until the API changes."""
    return json.dumps(describe_api().openapi(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
