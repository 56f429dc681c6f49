"""The page of use: what engines offered over time, what was used of it, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response

from pulvinar.compute.usage import Span, seen_by, shares, utilisation
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.phrases import mark
from pulvinar.web.rendering import render

router = APIRouter(include_in_schema=False)

_WIDTH, _HEIGHT, _GAP = 960, 220, 0.15
_HOUR_S = 3600.0
_SPANS = {
    "hour": (mark("Last hour"), timedelta(hours=1), 60, "%H:%M"),
    "day": (mark("Last day"), timedelta(days=1), 3600, "%H:%M"),
    "week": (mark("Last week"), timedelta(days=7), 6 * 3600, "%m-%d %H:%M"),
    "month": (mark("Last 30 days"), timedelta(days=30), 86_400, "%m-%d"),
}
_BY = {"actor_id": mark("By user"), "project": mark("By project"), "solution": mark("By solution")}


@dataclass(frozen=True)
class Bar:
    """A span of time: core hours offered and used, GPU hours used, and where its two rectangles lie."""

    label: str
    offered: float
    used: float
    gpu: float
    x: float
    offered_y: float
    offered_height: float
    used_y: float
    used_height: float


@dataclass(frozen=True)
class Chart:
    """Bars of one scale, whose tallest is `most` core hours; `share` was used of all, `busy` of what was offered while
    work waited (None where there was none)."""

    bars: tuple[Bar, ...]
    bar_width: float
    most: float
    share: float | None
    busy: float | None
    width: int = _WIDTH
    height: int = _HEIGHT


def chart_of(spans: Sequence[Span], since: datetime, span_s: int, count: int, time_format: str) -> Chart:
    """The chart of those of `count` spans of `span_s` seconds after `since` in which something was offered or used."""
    most = max((max(one.offered_core_s, one.used_core_s) for one in spans), default=0.0)
    slot = _WIDTH / count
    bars = []
    for one in spans:
        offered, used = (_high(part, most) for part in (one.offered_core_s, one.used_core_s))
        hours = (one.offered_core_s / _HOUR_S, one.used_core_s / _HOUR_S, one.used_gpu_s / _HOUR_S)
        # the first span may have begun before
        x = round(slot * max(0.0, (one.start - since).total_seconds() / span_s), 2)
        label = one.start.strftime(time_format)
        bars.append(Bar(label, *hours, x, _HEIGHT - offered, offered, _HEIGHT - used, used))
    waiting = [one for one in spans if one.waiting_core_s]
    return Chart(tuple(bars), round(slot * (1 - _GAP), 2), most / _HOUR_S, _share(spans), _share(waiting))


def _high(part: float, most: float) -> float:
    return round(_HEIGHT * part / most, 2) if most else 0.0


def _share(spans: Sequence[Span]) -> float | None:
    offered = sum(one.offered_core_s for one in spans)
    return min(1.0, sum(one.used_core_s for one in spans) / offered) if offered else None


@router.get("/usage")
def usage(request: Request, platform: CurrentPlatform, actor: CurrentActor, span: str = "day") -> Response:
    """What was offered and used, and what each user, project and solution took: of others only the owner learns."""
    chosen = span if span in _SPANS else "day"
    _, length, width_s, time_format = _SPANS[chosen]
    since = datetime.now(UTC) - length
    found = utilisation(platform.database, since=since, span_s=width_s)
    tables = [(title, seen_by(actor, by, shares(platform.database, by, since=since))) for by, title in _BY.items()]
    values = {
        "spans": [(name, label) for name, (label, *_) in _SPANS.items()],
        "chosen": chosen,
        "chart": chart_of(found, since, width_s, round(length.total_seconds() / width_s) + 1, time_format),
        "tables": tables,
    }
    return render(request, "usage.html", values)
