"""Marks as files: out of a document, and into one."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from pulvinar.access.work import UnitOfWork
from pulvinar.documents import documents, log
from pulvinar.documents.exchange import all_marks, judged_cells
from pulvinar.documents.formats import MarkFormat, corrections_csv, read_marks_file, write_marks
from pulvinar.documents.rights import check_document
from pulvinar.errors import Invalid
from pulvinar.model.access import Actor, Right
from pulvinar.model.solution import Value
from pulvinar.platform import Platform, solution_means
from pulvinar.solutions.cells.freezing import freeze_corrections
from pulvinar.web.api.documents import DocumentId, OperationOut, operations_out
from pulvinar.web.context import CurrentActor, CurrentPlatform, refuse_other_sites
from pulvinar.web.limits import costly

_WRITTEN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The marks, in the form that was asked for.",
        "content": {"application/json": {"schema": {"type": ["object", "array"]}}, "text/csv": {}},
    }
}
router = APIRouter(prefix="/documents", tags=["documents"], dependencies=[Depends(refuse_other_sites), Depends(costly)])


@router.get("/{document_id}/export", response_class=Response, responses=_WRITTEN)
def export_marks(
    platform: CurrentPlatform,
    actor: CurrentActor,
    document_id: DocumentId,
    form: Annotated[
        Literal["json", "csv", "neuroglancer", "corrections"],
        Query(alias="format", description="corrections: the verdicts, as the solution cells is taught by them."),
    ] = "json",
) -> Response:
    """The marks as a file."""
    document = documents.get_document(platform.database, actor, document_id)
    marks = all_marks(platform.database, actor, document_id)
    if form == "corrections":
        written = corrections_csv(marks, judged_cells(platform.database, actor, document).to_world_um)
    else:
        written = write_marks(marks, MarkFormat(form), document.title)
    name = f'attachment; filename="{document_id}-{form}.{written.suffix}"'
    return Response(written.text, media_type=written.media_type, headers={"content-disposition": name})


@router.post("/{document_id}/import", status_code=201)
async def import_marks(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    document_id: DocumentId,
    form: Annotated[MarkFormat, Query(alias="format")] = MarkFormat.JSON,
) -> OperationOut:
    """Bring in a file of marks, the body of the request, as one operation."""
    body = await request.body()
    return await asyncio.to_thread(_import, platform, actor, document_id, body, form)


def _import(platform: Platform, actor: Actor, document_id: str, body: bytes, form: MarkFormat) -> OperationOut:
    with platform.database.session() as session:
        check_document(session, actor, Right.WRITE, document_id)
    try:
        marks = read_marks_file(body.decode(), form)
    except UnicodeDecodeError as error:
        raise Invalid("the file is not written in UTF-8") from error
    with UnitOfWork(platform.database, actor) as work:
        done = log.append(work, document_id, marks)
    return operations_out(platform, actor, [done])[0]


class FrozenOut(BaseModel):
    """Verdicts as a table that never changes."""

    dataset_id: str = Field(description="A draft of yours, which holds it.")
    asset_id: str = Field(description="What the solution teach_cells takes as corrections.")
    count: int
    image_id: str = Field(description="The volume in which the cells were found; empty where nobody wrote it down.")
    parameters: dict[str, Value] = Field(description="How they were looked for.")


@router.post("/{document_id}/freeze", status_code=201)
def freeze(platform: CurrentPlatform, actor: CurrentActor, document_id: DocumentId) -> FrozenOut:
    """Write the verdicts on cells down as they are now, as a table for the solution teach_cells."""
    made = freeze_corrections(solution_means(platform, actor), document_id)
    return FrozenOut(
        dataset_id=made.dataset_id,
        asset_id=made.asset.id,
        count=made.asset.details["count"],
        image_id=made.image_id,
        parameters=made.parameters,
    )
