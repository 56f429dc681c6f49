"""All marks of a document at once, out of it and into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.assets import find_home
from pulvinar.documents.log import MOST_CHANGES, append, read_marks
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, Version
from pulvinar.model.document import Document, Operation
from pulvinar.model.mark import Mark
from pulvinar.model.space import Affine
from pulvinar.model.transform import affine_rows
from pulvinar.storage.database import Database


def all_marks(database: Database, actor: Actor, document_id: str) -> dict[str, Mark]:
    """The marks of a document by their names. Raises `NotFound`."""
    marks: dict[str, Mark] = {}
    after = ""
    while page := read_marks(database, actor, document_id, after=after)[1]:
        marks |= {name: mark for name, _, mark in page}
        after = page[-1][0]
    return marks


@dataclass(frozen=True)
class JudgedCells:
    """The cells that a document's verdicts are about: in which dataset, and how the volume in which they were found
    lies in the world (`to_world_um`, from micrometres from the centre of its first voxel; None where nobody knows)."""

    version: Version
    asset: Asset
    to_world_um: Affine | None


def judged_cells(database: Database, actor: Actor, document: Document) -> JudgedCells:
    """What the verdicts of a document are about. Raises `Invalid` for a document that is about no cells, `NotFound`."""
    if not document.asset_id:
        raise Invalid("this document is about no table of cells", hint="make one for the cells that you judge")
    version, asset = find_home(database, actor, document.asset_id, Right.VIEW)
    rows = asset.details.get("to_world_um")
    return JudgedCells(version, asset, None if rows is None else affine_rows(rows))


def bring_in(database: Database, actor: Actor, document_id: str, marks: Mapping[str, Mark]) -> tuple[Operation, ...]:
    """Set marks in a document, by as many operations as they need; each is durable before the next begins.

    Raises `NotFound`, `Forbidden`.
    """
    left, done = iter(marks.items()), []
    while piece := dict(islice(left, MOST_CHANGES)):
        with UnitOfWork(database, actor) as work:
            done.append(append(work, document_id, piece))
    return tuple(done)
