"""What records are made of: the published schemas and the controlled terms."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from pulvinar.catalogue.record_schema import published_schema
from pulvinar.model.terms import Vocabulary, search_terms, term_to_json

router = APIRouter(tags=["metadata"])

SchemaNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of a published schema, from 1.")]


@router.get("/schema/record")
def get_newest_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of records as they are written now."""
    return published_schema()


@router.get("/schema/record/{number}")
def get_schema(number: SchemaNumber) -> dict[str, Any]:
    """The JSON Schema (2020-12) of that number; once published it never changes."""
    return published_schema(number)


@router.get("/terms")
def list_terms(
    q: Annotated[str, Query(max_length=200, description="Words of a name, in English or Chinese.")] = "",
    vocabulary: Annotated[Vocabulary | None, Query(description="Only terms of this kind.")] = None,
) -> list[dict[str, Any]]:
    """The controlled terms whose names have all of these words; every one without words."""
    return [term_to_json(term) for term in search_terms(q, vocabulary)]
