"""The manual's pages: what there is and for whom, a search through it, and each document."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pulvinar.web import manual
from pulvinar.web.kept_answers import kept
from pulvinar.web.language import html_tag, language_of
from pulvinar.web.rendering import render

router = APIRouter(prefix="/manual", include_in_schema=False)


@router.get("", dependencies=[Depends(kept)])
def contents(request: Request, q: Annotated[str, Query(max_length=200)] = "") -> Response:
    """All documents by whom they are for, or the passages that have the words `q`."""
    language, words = language_of(request), q.strip()
    values = {
        "query": words,
        "found": manual.search(words, language),
        "chapters": [(title, [manual.page(one, language) for one in names]) for title, names in manual.chapters()],
        "tag_of": html_tag,
    }
    return render(request, "manual.html", values)


@router.get("/{folder}/{document}", dependencies=[Depends(kept)])
def document(
    request: Request,
    folder: Annotated[str, Path(max_length=40)],
    document: Annotated[str, Path(max_length=100)],
) -> Response:
    """One document. Raises `NotFound`."""
    language = language_of(request)
    shown = manual.page(f"{folder}/{document}", language)
    chapters = [(title, [manual.page(one, language) for one in names]) for title, names in manual.chapters()]
    order = list(dict.fromkeys(one for _, pages in chapters for one in pages))
    at = order.index(shown)
    values = {
        "shown": shown,
        "chapters": chapters,
        "before": order[at - 1] if at else None,
        "after": order[at + 1] if at + 1 < len(order) else None,
        "tag_of": html_tag,
    }
    return render(request, "manual_page.html", values)
