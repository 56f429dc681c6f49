"""Asking the reader process what files say of a person, and for copies that don't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.answers import HOSTILE
from pulvinar.ingest.people.cleaning import Cleaned
from pulvinar.ingest.people.identifiers import Identifier, IdentifierKind
from pulvinar.ingest.people.pseudonyms import Pseudonyms
from pulvinar.ingest.sandbox import ReaderHost

_IDENTIFIERS = TypeAdapter(list[Identifier])
_AT_ONCE = 200
_LOOKED_FOR = 20_000


def identifiers_of(host: ReaderHost, names: Sequence[str]) -> tuple[Identifier, ...]:
    """What the files `names` of a submission say of people, each once. Raises `UnreadableFile`."""
    found: dict[Identifier, None] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = list(names[start : start + _AT_ONCE])
        answer = host.ask({"verb": "identifiers", "names": some}, about=some[0])
        try:
            told = _IDENTIFIERS.validate_python(answer.get("identifiers"))
        except ValidationError:
            raise UnreadableFile(f"{some[0]}: the reader sent no identifiers", hint=HOSTILE) from None
        found |= dict.fromkeys(told)
    return tuple(found)


def look_for(host: ReaderHost, identifiers: Sequence[Identifier], pseudonyms: Pseudonyms) -> None:
    """Say what no cleaned file may hold, before the first is asked for."""
    wanted = [one for one in identifiers if one.kind is not IdentifierKind.FREE]
    if len(wanted) > _LOOKED_FOR:
        raise UnreadableFile(
            f"its files say {len(wanted):,} things of people, more than can be looked for at once",
            hint="hand in the files of fewer people at a time",
        )
    told = [asdict(one) for one in wanted]
    host.ask({"verb": "look for", "identifiers": told, "key": pseudonyms.key.hex()}, about="what identifies people")


def cleaned_file(host: ReaderHost, name: str, into: Path) -> tuple[Cleaned, tuple[str, ...]]:
    """Have a copy of the file `name` written without identifiers; what was made, and what is left of them."""
    answer: dict[str, Any] = host.ask({"verb": "clean", "name": name, "into": str(into)}, about=name)
    subject, writing, left = answer.get("subject"), answer.get("writing"), answer.get("left")
    if not (isinstance(subject, str) and isinstance(writing, bool) and isinstance(left, list)):
        raise UnreadableFile(f"{name}: the reader did not say what it made", hint=HOSTILE)
    return Cleaned(subject, writing), tuple(map(str, left))
