"""The trees of regions, kept in the database too: a search by the name of a region reads no store."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.orm import Session

from pulvinar.access.visibility import KEPT, visible
from pulvinar.atlases.tables import atlas_tree
from pulvinar.model.access import Actor
from pulvinar.model.ontology import Ontology, ontology_from_json, ontology_to_json

_MOST_KNOWN = 64
_known: dict[str, Ontology] = {}


@dataclass(frozen=True)
class Tree:
    """The regions of an atlas; `digest` is of the terminology."""

    atlas: str
    digest: str
    ontology: Ontology


def keep_tree(session: Session, atlas: str, version: str, dataset_id: str, ontology: Ontology) -> None:
    """Write down the regions of an atlas in place of those it had; whoever installs one calls this."""
    told = ontology_to_json(ontology)
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    session.execute(delete(atlas_tree).where(atlas_tree.c.atlas == atlas))
    values = {"atlas": atlas, "version": version, "dataset_id": dataset_id, "digest": digest}
    session.execute(insert(atlas_tree).values(**values, ontology=told))


def trees_of(session: Session, actor: Actor) -> tuple[Tree, ...]:
    """The trees of the atlases that `actor` may see, by name of the atlas."""
    return _read(session, _seen_trees(actor))


@lru_cache(KEPT)
def _seen_trees(actor: Actor) -> Select[tuple[str, str]]:
    return select(atlas_tree.c.atlas, atlas_tree.c.digest).where(visible(actor, atlas_tree.c.dataset_id))


def all_trees(session: Session) -> dict[str, Ontology]:
    """The tree of every atlas by its name, for whoever writes an index: it shows nothing."""
    return {tree.atlas: tree.ontology for tree in _read(session, select(atlas_tree.c.atlas, atlas_tree.c.digest))}


def _read(session: Session, wanted: Select[tuple[str, str]]) -> tuple[Tree, ...]:
    rows = session.execute(wanted.order_by(atlas_tree.c.atlas)).all()
    return tuple(Tree(row.atlas, row.digest, _ontology(session, row.digest)) for row in rows)


def _ontology(session: Session, digest: str) -> Ontology:
    """A tree is read and checked once in a process."""
    found = _known.get(digest)
    if found is None:
        stored = session.scalars(select(atlas_tree.c.ontology).where(atlas_tree.c.digest == digest).limit(1)).one()
        found = ontology_from_json(stored)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[digest] = found
    return found
