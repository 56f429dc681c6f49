"""Controlled terms: species, sex, modalities, stains and licences, by any of their names in English and 中文.

The table is `terms.toml`. A record holds the key of a term where what was said is known, and what was said where it
isn't. Regions are not here: they belong to the ontology of an atlas, which will answer the same three questions
(`recognise`, `nearest`, `search_terms`) for its own.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from pulvinar.model.record import Species

_ALIKE = 0.6
"""Two names are near each other from this share of common letters on."""


class Vocabulary(StrEnum):
    """What a term is a term of."""

    SPECIES = "species"
    SEX = "sex"
    MODALITY = "modality"
    STAIN = "stain"
    LICENCE = "licence"


@dataclass(frozen=True)
class Term:
    """One term. `identifiers` are those of other systems ("bids", "openminds").

    `wants` are the fields of a record that data of a modality should say ("acquisition.stains").
    """

    vocabulary: Vocabulary
    key: str
    en: str
    zh: str
    synonyms: tuple[str, ...] = ()
    identifiers: dict[str, str] = field(default_factory=dict)
    wants: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Key, names and synonyms, each once."""
        latin = self.identifiers.get("latin", "")
        return tuple(dict.fromkeys(name for name in (self.key, self.en, latin, self.zh, *self.synonyms) if name))

    def name(self, language: str) -> str:
        """The name in "en" or "zh"."""
        return self.zh if language == "zh" else self.en


@cache
def terms(vocabulary: Vocabulary) -> tuple[Term, ...]:
    """Every term of `vocabulary`, in the table's order."""
    return tuple(term for term in _table() if term.vocabulary is vocabulary)


@cache
def _table() -> tuple[Term, ...]:
    table = tomllib.loads((files("pulvinar.model") / "terms.toml").read_text("utf-8"))
    return tuple(_term(Vocabulary(name), dict(row)) for name, rows in table.items() for row in rows)


def _term(vocabulary: Vocabulary, row: dict[str, Any]) -> Term:
    key, en, zh = (row.pop(name) for name in ("key", "en", "zh"))
    synonyms, wants = (tuple(row.pop(name, ())) for name in ("synonyms", "wants"))
    return Term(vocabulary, key, en, zh, synonyms, row, wants)


def recognise(vocabulary: Vocabulary, text: str) -> Term | None:
    """The term that `text` names, whatever its case, accents, blanks and dashes; None for what no term is called."""
    return _by_name(vocabulary).get(folded(text))


@cache
def _by_name(vocabulary: Vocabulary) -> dict[str, Term]:
    return {folded(name): term for term in reversed(terms(vocabulary)) for name in term.names}


def by_identifier(vocabulary: Vocabulary, system: str, identifier: str) -> Term | None:
    """The term that another system knows as `identifier`: `by_identifier(MODALITY, "bids", "SPIM")`."""
    return next((term for term in terms(vocabulary) if term.identifiers.get(system) == identifier), None)


def known_as(vocabulary: Vocabulary, text: str, system: str) -> str:
    """What another system calls the term that `text` names; "" where that isn't known."""
    term = recognise(vocabulary, text)
    return term.identifiers.get(system, "") if term else ""


def keyed(vocabulary: Vocabulary, text: str) -> str:
    """The key of the term that `text` names, or `text` itself without blanks around it."""
    term = recognise(vocabulary, text)
    return term.key if term else text.strip()


def named(vocabulary: Vocabulary, text: str, language: str) -> str:
    """What to call `text`, which a record holds, in "en" or "zh": a term's name, else `text` itself."""
    term = recognise(vocabulary, text)
    return term.name(language) if term else text


def nearest(vocabulary: Vocabulary, text: str) -> Term | None:
    """The term whose name is most like `text`, or None when none is like it."""
    wanted = folded(text)
    rated = ((_likeness(wanted, name), term) for name, term in _by_name(vocabulary).items())
    best, term = max(rated, key=lambda pair: pair[0], default=(0.0, None))
    return term if best >= _ALIKE else None


def _likeness(wanted: str, name: str) -> float:
    if not wanted:
        return 0.0
    # "fMOST; annotation" holds a name of several letters as a whole
    if len(name) > 2 and (name in wanted or wanted in name):
        return 0.7 + 0.3 * min(len(name), len(wanted)) / max(len(name), len(wanted))
    return SequenceMatcher(None, wanted, name, autojunk=False).ratio()


def search_terms(query: str, vocabulary: Vocabulary | None = None) -> Iterator[Term]:
    """The terms of which some name has every word of `query`, in either language; every term for an empty query."""
    words = [word for word in map(folded, query.split()) if word]
    for term, names in _searched():
        if vocabulary in (None, term.vocabulary) and any(all(word in name for word in words) for name in names):
            yield term


@cache
def _searched() -> tuple[tuple[Term, tuple[str, ...]], ...]:
    return tuple((term, tuple(map(folded, term.names))) for term in _table())


def folded(text: str) -> str:
    """`text` as names are compared: lower case, without accents, blanks and signs. "c-Fos" and "cFos" are the same."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in letters if letter.isalnum() or letter in "♀♂*")
    return unicodedata.normalize("NFC", plain)


def species_term(species: Species) -> Term:
    """The term of one of the platform's species."""
    return next(term for term in terms(Vocabulary.SPECIES) if term.key == species.value)


def latin_name(species: Species) -> str:
    """The binomial of a species: "Mus musculus"."""
    return species_term(species).identifiers["latin"]


def term_to_json(term: Term) -> dict[str, Any]:
    """A term as JSON values."""
    return {
        "vocabulary": term.vocabulary.value,
        "key": term.key,
        "en": term.en,
        "zh": term.zh,
        "synonyms": list(term.synonyms),
        "identifiers": term.identifiers,
    }
