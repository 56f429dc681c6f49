"""Whom documents and views are for: private at first, shared by name, and never more than the dataset below them."""

import pytest

from pulvinar.access.visibility import EVERYONE, REGISTERED
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.sharing import set_tier
from pulvinar.documents.documents import (
    create_document,
    delete_document,
    get_document,
    list_documents,
    rename_document,
)
from pulvinar.documents.log import append, read_marks
from pulvinar.documents.rights import share_document, unshare_document, who_may_document
from pulvinar.documents.views import delete_view, get_view, list_views, save_view
from pulvinar.errors import Forbidden, Invalid, NotFound
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER, Right, Tier
from pulvinar.model.mark import Mark, MarkKind

POINT = Mark(MarkKind.POINT, ((1.0, 2.0, 3.0),))


def share(database, actor, document, audience, right=Right.READ):
    with UnitOfWork(database, actor) as work:
        share_document(work, document.id, audience, right)


def test_a_document_is_private_until_it_is_shared(database, written, ada, people):
    bo = people("bo")
    with pytest.raises(NotFound):
        get_document(database, bo, written.id)
    assert list_documents(database, bo, dataset_id=written.dataset_id).items == ()
    share(database, ada, written, f"actor:{bo.id}")
    assert get_document(database, bo, written.id) == written
    assert list_documents(database, bo).items == (written,)
    with UnitOfWork(database, ada) as work:
        unshare_document(work, written.id, f"actor:{bo.id}")
    with pytest.raises(NotFound):
        read_marks(database, bo, written.id)


def test_a_public_one_is_seen_by_everyone_who_may_view_the_dataset(database, written, ada, people):
    share(database, ada, written, EVERYONE)
    assert get_document(database, ANONYMOUS, written.id) == written
    assert list_documents(database, ANONYMOUS, dataset_id=written.dataset_id).items == (written,)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, written.dataset_id, Tier.CONTROLLED)
    for actor in (ANONYMOUS, people("bo"), ada):
        with pytest.raises(NotFound):
            get_document(database, actor, written.id)
        assert list_documents(database, actor, dataset_id=written.dataset_id).items == ()
    assert get_document(database, LOCAL_OWNER, written.id) == written


def test_everyone_may_be_shown_it_and_never_change_it(database, written, ada):
    for audience in (EVERYONE, REGISTERED):
        with pytest.raises(Invalid):
            share(database, ada, written, audience, Right.WRITE)


def test_only_who_may_share_learns_who_may_what(database, written, ada, people):
    bo = people("bo")
    share(database, ada, written, f"actor:{bo.id}", Right.WRITE)
    assert [(one.audience, one.right) for one in who_may_document(database, ada, written.id)] == [
        (f"actor:{ada.id}", Right.ADMINISTER),
        (f"actor:{bo.id}", Right.WRITE),
    ]
    with pytest.raises(Forbidden):
        who_may_document(database, bo, written.id)
    with pytest.raises(Forbidden):
        share(database, bo, written, EVERYONE)
    with UnitOfWork(database, bo) as work:
        rename_document(work, written.id, "Another title")
    with pytest.raises(Forbidden), UnitOfWork(database, bo) as work:
        delete_document(work, written.id)
    with pytest.raises(Invalid, match="keeps it"), UnitOfWork(database, ada) as work:
        unshare_document(work, written.id, f"actor:{ada.id}")


def test_what_is_deleted_is_gone(database, written, ada):
    with UnitOfWork(database, ada) as work:
        append(work, written.id, {"a": POINT})
    with UnitOfWork(database, ada) as work:
        delete_document(work, written.id)
    with pytest.raises(NotFound):
        read_marks(database, ada, written.id)


def test_a_visitor_and_a_made_up_place_make_nothing(database, brain, ada):
    with pytest.raises(Forbidden, match="may keep nothing"):
        create_document(database, ANONYMOUS, "mine", dataset_id=brain.id)
    for actor in (ada, LOCAL_OWNER):  # an owner may all, and still not on what isn't there
        with pytest.raises(NotFound):
            create_document(database, actor, "mine", dataset_id="local-00000000000000000000000000")
        with pytest.raises(NotFound):
            save_view(database, actor, "A view", "/datasets/local-00000000000000000000000000/view", "")
    with pytest.raises(NotFound):
        create_document(database, ada, "mine", atlas="no_such_atlas")
    for place in ({}, {"dataset_id": brain.id, "atlas": "any"}):
        with pytest.raises(Invalid):
            create_document(database, ada, "mine", **place)
    for title in ("", "  ", "a" * 201):
        with pytest.raises(Invalid):
            create_document(database, ada, title, dataset_id=brain.id)


def test_lists_go_on_page_by_page(database, brain, ada):
    made = [create_document(database, ada, f"number {i}", dataset_id=brain.id).id for i in range(5)]
    seen, cursor = [], None
    while True:
        page = list_documents(database, ada, cursor=cursor, limit=2)
        seen += [one.id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made[::-1]
    with pytest.raises(Invalid, match="not a cursor"):
        list_documents(database, ada, cursor="made up")


def test_a_view_opens_with_the_rights_of_who_opens_it(database, brain, ada, people):
    kept = save_view(database, ada, "The hippocampus", f"/datasets/{brain.id}/view?version=1&evil=2", "#l=xy&p=1_2_3")
    assert kept.address == f"/datasets/{brain.id}/view?version=1#l=xy&p=1_2_3"
    assert kept.scene_path == f"/api/v1/scenes/{brain.id}?version=1"
    assert get_view(database, ANONYMOUS, kept.id) == kept
    assert list_views(database, ada) == (kept,)
    assert list_views(database, people("bo")) == ()
    with UnitOfWork(database, LOCAL_OWNER) as work:
        set_tier(work, brain.id, Tier.PRIVATE)
    for actor in (ANONYMOUS, ada):
        with pytest.raises(NotFound):
            get_view(database, actor, kept.id)
    assert list_views(database, ada) == ()


def test_a_view_keeps_the_document_that_was_open(database, brain, ada, written):
    kept = save_view(
        database, ada, "Marks", f"/datasets/{brain.id}/view", f"l=xy&marks={written.id}&p=1_2_3", document_id=written.id
    )
    assert kept.address == f"/datasets/{brain.id}/view#l=xy&p=1_2_3&marks={written.id}"


def test_only_who_keeps_a_view_deletes_it(database, brain, ada, people):
    kept = save_view(database, ada, "A view", f"/datasets/{brain.id}/view", "")
    with pytest.raises(NotFound), UnitOfWork(database, people("bo")) as work:
        delete_view(work, kept.id)
    with UnitOfWork(database, ada) as work:
        delete_view(work, kept.id)
    with pytest.raises(NotFound):
        get_view(database, ada, kept.id)


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/datasets/{id}/view",
        "//evil.example/datasets/{id}/view",
        "/datasets/{id}/view/../../../evil",
        "/datasets/{id}",
        "/sign-out?datasets/{id}/view",
        "javascript:alert(1)//datasets/{id}/view",
        "/datasets/%2e%2e/view",
        "/\\evil.example/datasets/{id}/view",
    ],
)
def test_a_view_leads_nowhere_but_to_the_viewer(database, brain, ada, path):
    with pytest.raises(Invalid):
        save_view(database, ada, "A view", path.replace("{id}", brain.id), "")


@pytest.mark.parametrize("state", ["a" * 20_001, "a b", "a\nb", "中"])
def test_a_state_that_no_address_has_is_refused(database, brain, ada, state):
    with pytest.raises(Invalid):
        save_view(database, ada, "A view", f"/datasets/{brain.id}/view", state)


def test_a_visitor_keeps_no_view(database, brain):
    with pytest.raises(Forbidden):
        save_view(database, ANONYMOUS, "A view", f"/datasets/{brain.id}/view", "")


def test_who_may_share_takes_nothing_from_who_may_more(database, written, ada, people):
    bo = people("bo")
    share(database, ada, written, f"actor:{bo.id}", Right.SHARE)
    share(database, ada, written, "actor:cy", Right.ADMINISTER)
    for audience in (f"actor:{ada.id}", "actor:cy"):
        with pytest.raises(Forbidden):
            share(database, bo, written, audience, Right.SEE)
    with pytest.raises(Forbidden), UnitOfWork(database, bo) as work:
        unshare_document(work, written.id, "actor:cy")
    share(database, bo, written, "actor:dee", Right.WRITE)
    share(database, bo, written, "actor:dee", Right.READ)
