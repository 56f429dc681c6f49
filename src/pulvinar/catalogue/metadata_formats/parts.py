"""What several formats write and read in the same way. Documents from elsewhere may have any shape: what has another
than expected is passed over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from pulvinar.model.record import Contributor, Related
from pulvinar.model.terms import Vocabulary, recognise, terms

Document = dict[str, Any]
"""A record as JSON values, of which any may be missing."""

_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE | re.ASCII)
_PREFIXED = re.compile(r"(PMID|arXiv):\s*(\S+)", re.IGNORECASE)
_DURATION = re.compile(r"P(\d+(?:\.\d+)?)([YMWD])", re.ASCII)
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)
UNITS = {"Y": "year", "M": "month", "W": "week", "D": "day"}


def without_empty(value: Any) -> Any:
    """`value` without what says nothing: empty text, lists and objects, and null."""
    if isinstance(value, dict):
        kept = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ("", None, [], {})}
    if isinstance(value, list | tuple):
        return [item for item in map(without_empty, value) if item not in ("", None, [], {})]
    return value


def unlike(items: list[Any]) -> list[Any]:
    """`items` each once, in their order."""
    return [item for index, item in enumerate(items) if item not in items[:index]]


def text_of(value: Any) -> str:
    """`value` when it is text or a number, else ""."""
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def objects_of(value: Any) -> list[Mapping[str, Any]]:
    """The JSON objects in `value`: a list of them, or one alone."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Mapping)]


def texts_of(value: Any) -> list[str]:
    """The texts in `value`: a list of them, or one alone."""
    return [text for item in (value if isinstance(value, list) else [value]) if (text := text_of(item))]


def object_of(value: Any) -> Mapping[str, Any]:
    """`value` when it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def bare_doi(text: str) -> str:
    """The DOI that `text` is, without an address or "doi:"; "" for what is none."""
    found = _DOI.fullmatch(text.strip())
    return found[1] if found else ""


def identifier_of(text: str) -> tuple[str, str]:
    """The kind of an identifier as DataCite calls it, and its value without a prefix; ("", text) when not known."""
    if doi := bare_doi(text):
        return "DOI", doi
    if found := _PREFIXED.fullmatch(text.strip()):
        return ("PMID" if found[1].upper() == "PMID" else "arXiv"), found[2]
    if text.strip().startswith(("https://", "http://")):
        return "URL", text.strip()
    return "", text.strip()


def as_address(text: str) -> str:
    """An identifier as an address where it has one: a DOI below doi.org."""
    kind, value = identifier_of(text)
    return {"DOI": f"https://doi.org/{value}", "PMID": f"https://pubmed.ncbi.nlm.nih.gov/{value}"}.get(kind, text)


def related_of(texts: list[str]) -> list[Document]:
    """Publications that are named without a relation."""
    return [vars(Related(bare_doi(text) or text)) for text in texts]


def age_of(text: str) -> tuple[float, str] | None:
    """The number and the unit ("day", "week", "month", "year") of an ISO 8601 duration of one part; None for others."""
    found = _DURATION.fullmatch(text.strip())
    return (float(found[1]), UNITS[found[2]]) if found else None


def age_text(value: float, unit: str) -> str:
    """The ISO 8601 duration of an age: `age_text(56, "day")` is "P56D"; "" for an unknown unit."""
    letter = next((letter for letter, name in UNITS.items() if unit.rstrip("s") == name), "")
    return f"P{value:g}{letter}" if letter else ""


def is_date(text: str) -> bool:
    """Whether `text` is a year, a month or a day: YYYY, YYYY-MM or YYYY-MM-DD."""
    if _DATE.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError:
        return False
    return True


def names_of(person: Contributor) -> tuple[str, str]:
    """Family and given names of "Lovelace, Ada" or "Ada Lovelace"; a name of one word is a given name alone."""
    if "," in person.name:
        family, _, given = person.name.partition(",")
        return family.strip(), given.strip()
    given, _, family = person.name.strip().rpartition(" ")
    return (family, given) if given else ("", family)


def species_key(*texts: str) -> str:
    """The species that one of `texts` names, by its name or an address of the NCBI taxonomy; "" for none of ours."""
    for text in texts:
        number = re.search(r"NCBITaxon[_:](\d+)", text)
        for term in terms(Vocabulary.SPECIES):
            if number and term.identifiers["ncbi_taxon"] == number[1]:
                return term.key
        if found := recognise(Vocabulary.SPECIES, text):
            return found.key
    return ""
