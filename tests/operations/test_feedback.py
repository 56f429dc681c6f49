"""What people say: kept without who said it, bounded, and summed by service and month."""

from __future__ import annotations

import pytest

from pulvinar.errors import Forbidden, Invalid, TooOften
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.operations import feedback
from pulvinar.operations.feedback import Kind, Service, said_by_people, satisfaction, say


def test_scores_are_summed_by_service(database):
    for score in (5, 4, 4):
        say(database, Kind.SURVEY, Service.PORTAL, score=score)
    say(database, Kind.FEEDBACK, Service.CLUSTER, comment="  Slow.\n", page="/jobs", language="en")
    found = {one.service: one for one in satisfaction(database, LOCAL_OWNER)}
    assert found[Service.PORTAL].scores == (0, 0, 0, 2, 1)
    assert found[Service.PORTAL].mean == pytest.approx(13 / 3)
    assert (found[Service.CLUSTER].mean, found[Service.CLUSTER].comments) == (None, 1)
    (said,) = said_by_people(database, LOCAL_OWNER, service=Service.CLUSTER)
    assert (said.comment, said.page, said.score, said.kind) == ("Slow.", "/jobs", None, Kind.FEEDBACK)


@pytest.mark.parametrize("given", [{}, {"comment": "  "}, {"score": 0}, {"score": 6}, {"comment": "x" * 4001}])
def test_nothing_and_too_much_are_refused(database, given):
    with pytest.raises(Invalid):
        say(database, Kind.FEEDBACK, Service.PORTAL, **given)


def test_a_day_has_an_end(database, monkeypatch):
    monkeypatch.setattr(feedback, "MOST_A_DAY", 2)
    for _ in range(2):
        say(database, Kind.FEEDBACK, Service.PORTAL, score=3)
    with pytest.raises(TooOften):
        say(database, Kind.FEEDBACK, Service.PORTAL, score=3)


def test_only_owners_read_it(database):
    for asked in (said_by_people, satisfaction):
        with pytest.raises(Forbidden):
            asked(database, ANONYMOUS)
