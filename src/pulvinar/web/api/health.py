"""Whether this server can answer: for whoever watches it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text

from pulvinar.web.context import CurrentPlatform

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """A server that answers."""

    status: Literal["ok"] = "ok"
    version: str


@router.get("/healthz")
def get_health(platform: CurrentPlatform) -> Health:
    """Ask the database something; answers 503 when it doesn't."""
    with platform.database.session() as session:
        session.execute(text("SELECT 1"))
    return Health(version=version("pulvinar"))
