"""The words under which text in 中文 and English is found.

Text becomes runs of words: Latin ones in lower case without accents, Chinese by pairs of characters (every character
starts a pair, the last stands alone), so that a phrase of pairs is the exact text and one character is the beginning
of a pair. No dictionary is needed, and none can split a term wrongly.

A word begins with a sign of who may find it: none for everyone, "_" for those with whom the dataset is shared, "~" for
the owner and those who see drafts. So a search by one who sees little never meets what is hidden, however much that is.
Words that the platform adds begin with "__". No text gives a word with such a sign, so that nobody can write one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum

from pulvinar.model.record import Record, Species
from pulvinar.model.terms import Vocabulary, recognise, species_term

Run = tuple[str, ...]


class Reach(StrEnum):
    """Who may find a word, by the sign with which it begins."""

    EVERYONE = ""
    SHARED = "_"
    OWNER = "~"


_LONGEST = 128
_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[^\W_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")


def words_of(content: str) -> list[Run]:
    """The runs of `content`, each the index words of it: one for a Latin word, the pairs for a Chinese run.

    Of a word of more than 128 letters the first 128 count. An English plural counts as its singular, so that each finds
    the other.
    """
    if content.isascii():
        return [(_singular(run[:_LONGEST]),) for run in _RUN.findall(content.lower())]
    folded = unicodedata.normalize("NFKD", content).casefold()
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))
    runs = _RUN.findall(unicodedata.normalize("NFC", plain))
    return [_pairs(run) if is_chinese(run) else (_singular(run[:_LONGEST]),) for run in runs]


def is_chinese(word: str) -> bool:
    """Whether a run or a word is a Chinese one."""
    return "\u3400" <= word[0] <= "\ufaff"


def _singular(word: str) -> str:
    """`word` without a plural's s; Latin endings (thalamus, axis) and names such as GCaMP6s keep theirs."""
    plural = len(word) > 3 and word[-1] == "s" and word[-2].isalpha() and word[-2] not in "sui"
    return word[:-1] if plural else word


def _pairs(run: str) -> Run:
    return tuple(run[i : i + 2] for i in range(len(run)))


def words_of_record(record: Record, asset_names: Iterable[str]) -> list[Run]:
    """The runs under which a dataset is found that says `record` and has those assets, each once."""
    return list(dict.fromkeys(run for part in (*texts_of(record), *asset_names) for run in words_of(part)))


def texts_of(record: Record) -> list[str]:
    """Everything that `record` says in words, the title first, with every name of the terms that it uses."""
    acquisition = record.acquisition
    parts = [record.title, record.description, *species_term(record.species).names, record.lab, *record.keywords]
    parts += _term_words(Vocabulary.MODALITY, acquisition.modality)
    parts += [name for stain in acquisition.stains for name in _term_words(Vocabulary.STAIN, stain)]
    parts += [acquisition.instrument, record.specimen.part, record.citation, record.doi]
    parts += [said for person in record.contributors for said in (person.name, person.orcid)]
    parts += [one.funder for one in record.funding]
    parts += [record.subject.name, record.subject.strain] if record.subject else []
    return parts


def _term_words(vocabulary: Vocabulary, said: str) -> tuple[str, ...]:
    """What a record says, and every name of the term that it names: who looks for 光片 finds "light sheet"."""
    term = recognise(vocabulary, said)
    return (said, *(term.names if term else ()))


def species_word(species: Species) -> str:
    """The word that every dataset of `species` carries, so that the filter is a part of the search."""
    return f"__{species.value}"


def draft_word(audience: str) -> str:
    """The word that every dataset carries whose draft may be found by `audience`."""
    return f"__d{audience_word(audience)[2:]}"


def audience_word(audience: str) -> str:
    """The word that every dataset carries that is shared with `audience`."""
    return f"__{hashlib.sha256(audience.encode()).hexdigest()[:32]}"
