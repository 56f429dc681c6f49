"""What a person may be about to write into a search: fields, terms, kinds and regions, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

from pulvinar.atlases.trees import Tree, trees_of
from pulvinar.catalogue.query_fields import KIND_NAMES, NAMES, VOCABULARIES, Field, field_named
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor
from pulvinar.model.terms import Vocabulary, folded, search_terms
from pulvinar.storage.database import Database

_LAST = re.compile(
    r'^(?P<before>.*?)(?P<minus>-?)(?:(?P<field>[^\s:："()（），,]+)[:：])?(?P<said>["“][^"”]*|[^\s"“”()（）:：，,]*)$',
    re.S,
)
_REGIONS = (Field.REGION, Field.SOMA, Field.END, Field.OF)
_EXAMPLES = {
    Field.RESOLUTION: ("<2um", "<=25um", "10um..50um"),
    Field.DATE: (">=2020", "2020..2024"),
    Field.WITHIN: ("300um of:",),
    Field.HOMOLOGUES: ("yes",),
}


@dataclass(frozen=True)
class Suggestion:
    """What could stand at the end: `query` is all of it with this in place, `kind` what it is (field, region, ...)."""

    query: str
    kind: str
    label_en: str
    label_zh: str = ""


def suggest(database: Database, actor: Actor, written: str, *, limit: int = 10) -> tuple[Suggestion, ...]:
    """Ways to complete the end of a question, the most likely first; regions of the atlases that `actor` may see.

    Nothing that anybody's data say is suggested, so that it tells nothing of them.
    """
    found = _LAST.match(written[-400:])
    if found is None:
        return ()
    said = found["said"].lstrip('"“').strip()
    before = written[: len(written) - len(written[-400:])] + found["before"] + found["minus"]
    with database.session() as session:
        trees = trees_of(session, actor)
    if found["field"]:
        try:
            asked = field_named(found["field"])
        except Invalid:
            return ()
        ways: Iterator[Suggestion] = _values(asked, f"{before}{found['field']}:", said, trees)
    else:
        ways = _anything(before, said, trees) if said else iter(())
    unique = {one.query: one for one in islice(ways, 4 * limit)}
    return tuple(unique.values())[:limit]


def _anything(before: str, said: str, trees: tuple[Tree, ...]) -> Iterator[Suggestion]:
    """Fields that begin so, then terms and regions in turn."""
    plain = said.casefold()
    for names in NAMES.values():
        name = next((one for one in names if one.startswith(plain)), None)
        if name:
            yield Suggestion(f"{before}{name}:", "field", names[0], names[1])
    terms = chain.from_iterable(_terms(field, f"{before}{field}:", said) for field in VOCABULARIES)
    regions = _regions(f"{before}region:", said, trees)
    for pair in zip_longest(terms, regions):
        yield from (one for one in pair if one)


def _values(field: Field, before: str, said: str, trees: tuple[Tree, ...]) -> Iterator[Suggestion]:
    if field in VOCABULARIES:
        yield from _terms(field, before, said)
    elif field in _REGIONS:
        yield from _regions(before, said, trees)
    elif field in (Field.KIND, Field.HAS):
        for kind, names in KIND_NAMES.items():
            if any(folded(said) in folded(name) for name in names):
                yield Suggestion(f"{before}{kind.value}", "kind", names[0].replace("_", " "), names[1])
    elif field is Field.ATLAS:
        found = (tree.atlas for tree in trees if said.casefold() in tree.atlas.casefold())
        yield from (Suggestion(f"{before}{one}", "atlas", one) for one in found)
    else:
        yield from (Suggestion(f"{before}{one}", "example", one) for one in _EXAMPLES.get(field, ()))


def _terms(field: Field, before: str, said: str) -> Iterator[Suggestion]:
    for term in search_terms(said, Vocabulary(VOCABULARIES[field])):
        value = f'"{term.key}"' if " " in term.key else term.key
        yield Suggestion(f"{before}{value}", field.value, term.en, term.zh)


def _regions(before: str, said: str, trees: tuple[Tree, ...]) -> Iterator[Suggestion]:
    """Of each atlas the best in turn."""
    found = [islice(tree.ontology.search(said), 20) for tree in trees] if said else []
    for row in zip_longest(*found):
        for region in row:
            if region is not None:
                yield Suggestion(f'{before}"{region.name}"', "region", region.name, region.name_zh)
