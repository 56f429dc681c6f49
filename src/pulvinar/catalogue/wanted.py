"""What is looked for in an index of words: terms, all or one of several, one without another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pulvinar.catalogue.words import Reach, Run, is_chinese


@dataclass(frozen=True)
class Term:
    """Words that must follow each other; the last of them may be the beginning of one."""

    words: Run
    begins: bool = False

    def reaching(self, reach: Reach) -> Term:
        """The same among the words that have this sign."""
        return Term(tuple(reach + word for word in self.words), self.begins)


@dataclass(frozen=True)
class All:
    """Rows that every part finds; it has at least one."""

    parts: tuple[Wanted, ...]


@dataclass(frozen=True)
class Any:
    """Rows that at least one part finds; it has at least one."""

    parts: tuple[Wanted, ...]


@dataclass(frozen=True)
class But:
    """Rows that `part` finds and `without` doesn't."""

    part: Wanted
    without: Wanted


Wanted = Term | All | Any | But


def term_of(run: Run) -> Term:
    """A run as it is looked for: of a Chinese one the whole pairs; a single character is the beginning of a pair."""
    if is_chinese(run[0]):
        return Term(run[:-1]) if len(run) > 1 else Term(run, begins=True)
    return Term(run)


def reaching(wanted: Wanted, reach: Reach) -> Wanted:
    """The same among the words that have this sign."""
    if isinstance(wanted, Term):
        return wanted.reaching(reach)
    if isinstance(wanted, But):
        return But(reaching(wanted.part, reach), reaching(wanted.without, reach))
    return type(wanted)(tuple(reaching(part, reach) for part in wanted.parts))


def reaching_all(wanted: Wanted, reaches: Sequence[Reach] = tuple(Reach)) -> Wanted:
    """The same, each term among the words of any sign, or of some: what the owner finds."""
    if isinstance(wanted, Term):
        return Any(tuple(wanted.reaching(reach) for reach in reaches))
    if isinstance(wanted, But):
        return But(reaching_all(wanted.part, reaches), reaching_all(wanted.without, reaches))
    if isinstance(wanted, Any) and all(isinstance(part, Term) for part in wanted.parts):
        return Any(tuple(reaching(part, reach) for reach in reaches for part in wanted.parts))
    return type(wanted)(tuple(reaching_all(part, reaches) for part in wanted.parts))


def needed(wanted: Wanted) -> list[Wanted]:
    """What every row that `wanted` finds must have, of phrases each word."""
    if isinstance(wanted, All):
        return [one for part in wanted.parts for one in needed(part)]
    if isinstance(wanted, But):
        return needed(wanted.part)
    ways = wanted.parts if isinstance(wanted, Any) else (wanted,)
    phrases = [way for way in ways if isinstance(way, Term)]
    length = min((len(phrase.words) for phrase in phrases), default=0)
    if length < 2 or len(phrases) < len(ways):
        return [wanted]
    return [Any(tuple(_word(phrase, at) for phrase in phrases)) for at in range(length)]


def _word(phrase: Term, at: int) -> Term:
    return Term(phrase.words[at : at + 1], phrase.begins and at == len(phrase.words) - 1)
