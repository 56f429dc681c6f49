"""What those are told of assets who look blindly: nothing that names people, labs, their files or their places."""

from __future__ import annotations

from dataclasses import replace

from pulvinar.model.access import Actor
from pulvinar.model.dataset import Asset

ORIGINALS = "original/"
"""Below it lie the files that an asset was brought in from, as they were named, with all that they say."""
_TOLD_BY_FILES = ("source", "header")


def is_hidden(actor: Actor, path: str) -> bool:
    """Whether an object of an asset is not for `actor`: files from a lab say whose they are."""
    return actor.is_blind and path.startswith(ORIGINALS)


def nameless(one: Asset) -> Asset:
    """An asset without who had it made, what its files were called and said, and who keeps it where."""
    details = {key: value for key, value in one.details.items() if key not in _TOLD_BY_FILES}
    if "derivation" in details:
        details["derivation"] = details["derivation"] | {"actor_id": "", "actor_name": ""}
    place = one.location and replace(one.location, url="", owner="")
    return replace(one, details=details, location=place)
