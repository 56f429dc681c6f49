from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from tests.examples import examples

from pulvinar.access.tables import granted
from pulvinar.access.visibility import (
    EVERYONE,
    audience_of,
    hide,
    may,
    newest_visible,
    show,
    shown_to,
    visible,
)
from pulvinar.catalogue.tables import dataset
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Actor, Right
from pulvinar.storage.database import Database

GUEST, OTHER = Actor("guest", "guest"), Actor("other", "other")
ACTORS = (LOCAL_OWNER, ANONYMOUS, GUEST, OTHER, Actor("everyone", "somebody who is called so"))
SPECIES = ("mouse", "human")
RIGHTS = st.none() | st.sampled_from(list(Right))
ROW = st.tuples(st.sampled_from(SPECIES), st.booleans(), RIGHTS, RIGHTS)


def fill(database: Database, rows: list[tuple[str, bool, Right | None, Right | None]]) -> list[dict[Actor, Right]]:
    """Datasets 1, 2, … of those rows alone; what each actor is given on each of them, said plainly."""
    given_on = []
    with database.writing() as session:
        session.execute(delete(granted))
        session.execute(delete(dataset))
        for seq, (species, published, of_guest, of_other) in enumerate(rows, 1):
            values = {"seq": seq, "id": f"d{seq}", "species": species, "record": {}, "created": datetime.now(UTC)}
            session.execute(insert(dataset).values(**values))
            rights = {actor: [Right.READ] if published else [] for actor in ACTORS if not actor.is_owner}
            if published:
                show(session, f"d{seq}", EVERYONE, Right.READ)
            for actor, right in ((GUEST, of_guest), (OTHER, of_other)):
                if right:
                    show(session, f"d{seq}", audience_of(actor.id), right)
                    rights[actor].append(right)
            given_on.append({actor: max(some) for actor, some in rights.items() if some} | {LOCAL_OWNER: max(Right)})
    return given_on


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, max_size=9), st.integers(1, 4))
def test_lists_look_ups_and_rights_agree_with_a_plain_reading(database: Database, rows: list, limit: int):
    rights = fill(database, rows)
    with database.session() as session:
        for actor in ACTORS:
            seen = [seq for seq, some in enumerate(rights, 1) if actor in some]
            assert sorted(session.scalars(select(dataset.c.seq).where(visible(actor, dataset.c.id)))) == seen
            for seq, some in enumerate(rights, 1):
                allowed = {right for right in Right if may(session, actor, right, f"d{seq}")}
                assert allowed == {right for right in Right if actor in some and right <= some[actor]}
            for species in (None, *SPECIES):
                wanted = [seq for seq in reversed(seen) if species in (None, rows[seq - 1][0])]
                found: list[int] = []
                while page := list(
                    session.scalars(
                        newest_visible(actor, species=species, below=found[-1] if found else None, limit=limit)
                    )
                ):
                    assert len(page) <= limit
                    found += page
                assert found == wanted


def test_what_was_shown_is_hidden_again_from_that_audience_alone(database: Database):
    fill(database, [("mouse", True, Right.READ, Right.WRITE)])
    with database.writing() as session:
        hide(session, "d1", EVERYONE)
        hide(session, "d1", audience_of(GUEST.id))
        assert shown_to(session, "d1") == (audience_of(OTHER.id),)
        assert not may(session, GUEST, Right.SEE, "d1")
        assert may(session, OTHER, Right.WRITE, "d1")


def test_a_right_that_is_given_again_replaces_the_one_before(database: Database):
    fill(database, [("mouse", False, Right.ADMINISTER, None)])
    with database.writing() as session:
        show(session, "d1", audience_of(GUEST.id), Right.SEE)
        assert not may(session, GUEST, Right.READ, "d1")
        assert may(session, GUEST, Right.SEE, "d1")


@pytest.mark.parametrize("actor", [ANONYMOUS, GUEST])
def test_a_dataset_that_is_not_there_is_shown_to_nobody(database: Database, actor: Actor):
    with database.writing() as session:
        show(session, "nothing", EVERYONE, Right.READ)
        assert not may(session, actor, Right.SEE, "nothing")
