"""Datasets as cards: which of them an actor may look at, and so see a picture of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pulvinar.access.visibility import may_among
from pulvinar.model.access import Actor, Right
from pulvinar.model.dataset import Asset, Dataset
from pulvinar.platform import Platform
from pulvinar.web.dataset_page import cover_of


def viewable_covers(platform: Platform, actor: Actor, datasets: Sequence[Dataset]) -> Callable[[Dataset], Asset | None]:
    """What gives of each of `datasets` the asset whose picture stands for it; None where `actor` may not look at it."""
    with platform.database.session() as session:
        viewable = may_among(session, actor, Right.VIEW, [one.id for one in datasets])
    return lambda one: cover_of(one.latest.assets) if one.latest and one.id in viewable else None
