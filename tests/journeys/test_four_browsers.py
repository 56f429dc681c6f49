"""Two labs, a reviewer and a visitor, in four browsers on one running server with a dataset of every tier.

Ada's lab owns all of them; Bo is of another lab; the reviewer came by a link that hides names; the visitor is nobody.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import nibabel
import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Page
from tests.access.people import PASSWORD, a_person, acting
from tests.journeys.conftest import Maker, Visitor, until

from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.sharing import end_link, set_tier, share_by_link
from pulvinar.catalogue.versions import get_version
from pulvinar.model.access import LOCAL_OWNER, Access, OrganisationKind, Right, Tier
from pulvinar.model.dataset import Version
from pulvinar.model.record import Contributor, Record, Species
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.storage.pyramid import plan_levels
from pulvinar.web.server import configuration

pytestmark = pytest.mark.browser

READ, SEE, NOTHING = "read", "see", "nothing"
PEOPLE = ("ada", "bo", "reviewer", "visitor")
MAY = {
    "public": (READ, READ, READ, READ),
    "registered": (READ, READ, SEE, SEE),
    "controlled": (READ, SEE, SEE, SEE),
    "embargoed": (READ, NOTHING, NOTHING, NOTHING),
    "private": (READ, NOTHING, READ, NOTHING),
    "draft": (READ, NOTHING, NOTHING, NOTHING),
}
AUTHOR, LAB = "Wombatperson, Ada", "Xylophonlab"


@dataclass(frozen=True)
class Archive:
    """A live server, its datasets by state, and the secret of the reviewer's link."""

    platform: Platform
    address: str
    versions: dict[str, Version]
    link: str

    def title(self, state: str) -> str:
        return self.versions[state].record.title

    def page(self, state: str) -> str:
        return f"/datasets/{self.versions[state].dataset_id}"

    def of_asset(self, state: str) -> dict[str, str]:
        """Every kind of address at which bytes are."""
        version = self.versions[state]
        (asset,) = version.assets
        data, api = f"/data/{version.digest}/{asset.id}", f"/api/v1/assets/{version.digest}/{asset.id}"
        return {
            "chunk": f"{data}/chunks/0/c/0/0/0/0/0",
            "shard": f"{data}/objects/image.ome.zarr/zarr.json",
            "thumbnail": f"{api}/thumbnail",
            "cutout": f"{api}/cutout?start=0,0,0&stop=2,2,2&format=npy",
        }


@pytest.fixture(scope="module")
def archive(tmp_path_factory, samples) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("four")
    with open_platform(load_settings(environment={}, home=folder, public=True)) as platform:
        versions, link = _filled(platform, samples)
        server = uvicorn.Server(configuration(platform))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            while not server.started:
                thread.join(0.01)
                assert thread.is_alive()
            yield Archive(platform, f"http://127.0.0.1:{listener.getsockname()[1]}", versions, link)
            server.should_exit = True
            thread.join(20)


def _filled(platform: Platform, samples):
    ada, bo = (a_person(platform.database, login) for login in ("ada", "bo"))
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        labs = [make_organisation(work, name, OrganisationKind.LAB) for name in ("Lab of vision", "Lab of hearing")]
        for lab, person in zip(labs, (ada, bo), strict=True):
            set_member(work, lab.id, person.id, Right.ADMINISTER)
    image = nibabel.load(samples / "macaque/inia19/inia19-t1-brain.nii.gz")
    voxels = np.ascontiguousarray(np.squeeze(np.asarray(image.dataobj)).T[::4, ::4, ::4].astype("uint16"))[None, None]
    volume = Volume(
        VolumeKind.IMAGE,
        "uint16",
        plan_levels(voxels.shape, (2000.0, 2000.0, 2000.0), "uint16", VolumeKind.IMAGE),
        (Channel("T1"),),
    )
    maker = Maker(platform)
    versions = {}
    for state in MAY:
        asset, objects = maker.volume(f"quetzal {state}", voxels, volume)
        record = Record(
            f"Quetzal {state}word", Species.MACAQUE, "CC0-1.0", lab=LAB, contributors=(Contributor(AUTHOR),)
        )
        with UnitOfWork(platform.database, acting(platform.database, ada.id)) as work:
            made = create_dataset(work, record, access=Access(Tier.PUBLIC, home=labs[0].id))
            draft = open_draft(work, made.id)
            add_asset(work, draft.id, asset, objects)
            if state not in ("draft", "public"):
                opens = datetime.now(UTC) + timedelta(days=2) if state == "embargoed" else None
                set_tier(work, made.id, Tier(state), opens=opens)
            if state != "draft":
                publish(work, draft.id)
        versions[state] = get_version(platform.database, LOCAL_OWNER, made.id)
    ends = datetime.now(UTC) + timedelta(days=1)
    with UnitOfWork(platform.database, acting(platform.database, ada.id)) as work:
        _, secret = share_by_link(work, versions["private"].dataset_id, ends=ends, blind=True)
    return versions, secret


class Browsers(dict[str, Page]):
    """A page of each person, each in a browser of their own, which is opened when it is asked for first."""

    def __init__(self, archive: Archive, visit: Callable[[], Visitor]) -> None:
        super().__init__()
        self._archive, self._visit = archive, visit

    def __missing__(self, who: str) -> Page:
        page = self[who] = self._visit().page
        if who in ("ada", "bo"):
            page.goto(f"{self._archive.address}/sign-in")
            page.fill("#login", who)
            page.fill("#password", PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_selector(".who-name")
        elif who == "reviewer":
            page.goto(f"{self._archive.address}/review/{self._archive.link}")
            page.wait_for_selector(".who-name")
        else:
            page.goto(self._archive.address)
        return page


@pytest.fixture
def browsers(archive: Archive, visit) -> Browsers:
    return Browsers(archive, visit)


def fetched(page, path: str) -> int:
    """The status of what the browser itself gets, with its cookies and nothing from its cache."""
    return page.evaluate("path => fetch(path, {cache: 'no-store'}).then(answer => answer.status)", path)


def told(page, path: str):
    return page.evaluate("path => fetch(path, {cache: 'no-store'}).then(answer => answer.json())", path)


def may(state: str, who: str) -> str:
    return MAY[state][PEOPLE.index(who)]


@pytest.mark.parametrize("who", PEOPLE)
def test_each_gets_exactly_the_pages_and_bytes_that_they_may(archive: Archive, browsers, who: str):
    page = browsers[who]
    for state in MAY:
        right = may(state, who)
        assert fetched(page, archive.page(state)) == (404 if right == NOTHING else 200), state
        viewer = f"{archive.page(state)}/view"
        assert (fetched(page, viewer) == 200) == (right == READ), state
        for kind, path in archive.of_asset(state).items():
            status = fetched(page, path)
            assert (status == 200) == (right == READ), (state, kind, status)
            if path.startswith("/data/") and right != READ:
                assert status == 401, (state, kind, status)


@pytest.mark.parametrize("who", PEOPLE)
def test_each_list_search_count_facet_and_suggestion_is_of_what_they_may(archive: Archive, browsers, who: str):
    page = browsers[who]
    seen = {archive.title(state) for state in MAY if may(state, who) != NOTHING}
    page.goto(f"{archive.address}/?species=macaque")
    assert set(page.locator(".card-title").all_text_contents()) == seen
    # what a link shows is not searched for, or a search for a name would tell what it hides
    found = seen - ({archive.title("private")} if who == "reviewer" else set())
    page.goto(f"{archive.address}/?q=quetzal")
    assert set(page.locator(".card-title").all_text_contents()) == found
    answer = told(page, "/api/v1/search?q=quetzal&facets=true")
    assert (answer["count"], len(answer["items"])) == (len(found), len(found))
    for values in answer["facets"].values():
        assert sum(one["count"] for one in values) in (0, len(found)), values
    for state in MAY:
        word = f"{state}word"
        asked = told(page, f"/api/v1/search?q={word}&facets=true")
        assert asked["count"] == (1 if archive.title(state) in found else 0), state
        page.goto(f"{archive.address}/?q={word[:-2]}")
        shown = page.locator("main").inner_text()
        assert (archive.title(state) in shown) == (archive.title(state) in found), state
    for written in ("quet", "xylo", "wombat", "draftw", "privatew"):
        assert "uetzal" not in str(told(page, f"/api/v1/search/suggest?q={written}"))
        assert "Xylophon" not in str(told(page, f"/api/v1/search/suggest?q={written}"))


@pytest.mark.parametrize("who", PEOPLE)
def test_a_page_shows_no_picture_that_its_reader_may_not_see(archive: Archive, browsers, who: str):
    page = browsers[who]
    page.goto(f"{archive.address}/?species=macaque")
    pictures = page.locator(".card img").evaluate_all("all => all.map(one => [one.src, one.naturalWidth > 0])")
    readable = {archive.versions[state].assets[0].id for state in MAY if may(state, who) == READ}
    shown = {re.search(r"/assets/\w+/([\w-]+)/thumbnail", address)[1] for address, _ in pictures}
    assert shown == readable
    until(page, "[...document.querySelectorAll('.card img')].every(one => one.naturalWidth > 0)")


def test_the_reviewer_looks_at_the_data_and_reads_no_name(archive: Archive, browsers):
    page = browsers["reviewer"]
    for path in (archive.page("private"), archive.page("private") + "/versions", archive.page("private") + "/access"):
        page.goto(archive.address + path)
        text = page.content()
        assert "Quetzal privateword" in text, path
        assert AUTHOR not in text, path
        assert LAB not in text, path
    everything = str(told(page, f"/api/v1{archive.page('private')}")) + str(
        told(page, f"/api/v1{archive.page('private')}/versions/1/manifest")
    )
    assert AUTHOR not in everything
    assert LAB not in everything
    page.goto(archive.address + archive.page("private"))
    assert page.locator(".sections img").first.evaluate("one => one.naturalWidth") > 0
    assert page.locator('a[href="/organisations"]').count() == 0
    for login in ("ada", "bo"):
        browsers[login].goto(archive.address + archive.page("public"))
        assert AUTHOR in browsers[login].content()


def test_what_is_taken_back_is_gone_within_five_seconds(archive: Archive, visit):
    with UnitOfWork(archive.platform.database, LOCAL_OWNER) as work:
        ends = datetime.now(UTC) + timedelta(days=1)
        link, secret = share_by_link(work, archive.versions["embargoed"].dataset_id, ends=ends)
    page = visit().page
    page.goto(f"{archive.address}/review/{secret}")
    chunk = archive.of_asset("embargoed")["chunk"]
    assert fetched(page, chunk) == 200
    with UnitOfWork(archive.platform.database, LOCAL_OWNER) as work:
        end_link(work, archive.versions["embargoed"].dataset_id, link.id)
    began = time.monotonic()
    while fetched(page, chunk) == 200:
        assert time.monotonic() - began < 5
        time.sleep(0.05)
    assert fetched(page, chunk) == 401
    assert fetched(page, archive.page("embargoed")) == 404
