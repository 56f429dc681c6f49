"""What people said of cells, frozen: the verdicts of a document as a table that never changes, so that what is taught
by them can say by what."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from pulvinar.access.inheritance import inherit
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.documents.documents import get_document
from pulvinar.documents.exchange import all_marks, judged_cells
from pulvinar.documents.formats import CORRECTION_COLUMNS, corrections_of
from pulvinar.ingest.canonical import parquet
from pulvinar.model.access import Right
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, asset_digest
from pulvinar.model.derivation import derivation_from_json
from pulvinar.model.document import Document
from pulvinar.model.identity import new_id
from pulvinar.model.solution import Value
from pulvinar.solutions.derived import new_home
from pulvinar.solutions.solution import output_prefix, store_at
from pulvinar.solutions.submission import Means

_TABLE = "table.parquet"


@dataclass(frozen=True)
class Frozen:
    """Corrections as an asset of a draft. `image_id` is the volume in which the cells were found and `parameters` how
    they were looked for, "" and empty where nobody wrote that down."""

    dataset_id: str
    asset: Asset
    image_id: str
    parameters: dict[str, Value]


def freeze_corrections(means: Means, document_id: str) -> Frozen:
    """Write the verdicts of a document down as they are now, in a dataset of their own for no more people than the
    cells are; others who are to teach with them are given that dataset.

    Raises `NotFound`, `Forbidden` for who may look at the cells and not read them, and `Invalid` for a document about
    no cells or without a verdict.
    """
    document = get_document(means.database, means.actor, document_id)
    judged = judged_cells(means.database, means.actor, document)
    places, verdicts = corrections_of(all_marks(means.database, means.actor, document_id), judged.to_world_um)
    data = parquet(dict(zip(CORRECTION_COLUMNS, (*places.T, np.array(verdicts)), strict=True)))
    table = StoredObject(_TABLE, len(data), hashlib.sha256(data).hexdigest())
    asset = _asset(document, judged.asset, new_id(means.node), table, verdicts)
    store_at(means.places).put_bytes(f"{asset.prefix}/{_TABLE}", data)
    source = judged.version
    record = replace(
        source.record,
        title=f"{document.title}: {source.record.title}",
        description="Verdicts on cells that were found: accepted, rejected, missed.",
        source=f"dataset {source.dataset_id} version {source.number}",
        doi="",
        related=(),
    )
    with UnitOfWork(means.database, means.actor) as work:
        work.ask(Right.READ, source.dataset_id)
        work.ask(Right.WRITE)
        home = new_home(work, record, [source.dataset_id], means.node)
        inherit(work.session, home.id, {source.dataset_id})
        draft = open_draft(work, home.id)
        add_asset(work, draft.id, asset, [table])
        work.record_event("freeze-corrections", document_id, {"asset": asset.id, "number": document.number})
    image_id, parameters = _found_by(judged.asset)
    return Frozen(home.id, asset, image_id, parameters)


def _asset(document: Document, cells: Asset, asset_id: str, table: StoredObject, verdicts: list[str]) -> Asset:
    details = {
        "findings": [],
        "count": len(verdicts),
        "columns": list(CORRECTION_COLUMNS),
        "corrections": {
            "document": document.id,
            "number": document.number,
            "cells": cells.id,
            "space": cells.details.get("space", {}).get("name", ""),
            "verdicts": dict(Counter(verdicts)),
        },
    }
    name = f"corrections: {document.title}"
    prefix = output_prefix(asset_id)
    return Asset(asset_id, name, AssetKind.TABLE, prefix, table.size_bytes, 1, asset_digest([table]), details)


def _found_by(cells: Asset) -> tuple[str, dict[str, Value]]:
    """The volume that `cells` were found in, and the parameters that they were looked for with."""
    if "derivation" not in cells.details:
        return "", {}
    made = derivation_from_json(cells.details["derivation"])
    image = next((one.asset_id for one in made.inputs if one.name == "image"), "")
    return image, dict(made.parameters)
