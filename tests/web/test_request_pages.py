"""Asking, accepting and deciding through the pages of a live server: who sees what, and which bytes open by it."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest
from tests.access.people import a_person
from tests.access.terms import COUNTERSIGNED, SAID
from tests.web.conftest import Shown, add_dataset, stored_volume
from tests.web.people import a_visitor

from pulvinar.access.acceptances import acceptances_by
from pulvinar.access.agreements import agreements_on, attach, set_agreement
from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.requests import newest_request
from pulvinar.catalogue.sharing import move, set_tier
from pulvinar.catalogue.uses import DatasetUse, set_use
from pulvinar.model.access import LOCAL_OWNER, OrganisationKind, Right, Tier
from pulvinar.model.identity import new_id
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

CHUNK = "chunks/0/c/0/0/0/0/0"
HTML = {"accept": "text/html"}


class Letters:
    """Keeps mail instead of sending it."""

    def __init__(self):
        self.sent = []

    def send(self, mail):
        self.sent.append(mail)


@pytest.fixture(scope="module")
def site(tmp_path_factory, serving):
    """A public platform, and the address of its server."""
    settings = load_settings(environment={"PULVINAR_PUBLIC": "yes"}, home=tmp_path_factory.mktemp("requests"))
    with open_platform(settings) as platform:
        platform.postman._mailer = Letters()
        with serving(platform) as address:
            yield platform, address


@pytest.fixture(scope="module")
def people(site):
    """A lab's administrator, an applicant and somebody else."""
    platform, address = site
    found = {name: a_visitor(platform, address, name) for name in ("ada", "cy", "dee")}
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
        set_member(work, lab.id, found["ada"].id, Right.ADMINISTER)
    return found | {"lab": lab}


@pytest.fixture
def brain(site, people):
    """A volume of the lab's that is read on request."""
    platform, _ = site
    voxels = np.arange(1, 1 + 20 * 20 * 40, dtype=np.uint16).reshape(1, 1, 20, 20, 40)
    asset, objects = stored_volume(platform, "brain", voxels, VolumeKind.IMAGE)
    version = add_dataset(platform, "A brain to ask for", [(asset, objects)])
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        move(work, version.dataset_id, people["lab"].id)
        set_tier(work, version.dataset_id, Tier.CONTROLLED)
    return Shown(version, asset, voxels)


def chunk(person, brain):
    return person.client.get(f"{brain.data}/{CHUNK}").status_code


def soon(person, brain, status):
    """The status of a chunk once what is remembered of rights is old."""
    deadline = time.monotonic() + 5
    while (found := chunk(person, brain)) != status and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def letters(platform):
    platform.postman._rounds.submit(lambda: None).result()
    return list(platform.postman._mailer.sent)


def letters_to(platform, login):
    return [one.subject for one in letters(platform) if one.to.startswith(login)]


def test_a_request_is_asked_decided_and_told_to_both_sides(site, people, brain):
    platform, _ = site
    ada, cy, dee = people["ada"], people["cy"], people["dee"]
    page = f"/datasets/{brain.version.dataset_id}"
    assert chunk(cy, brain) == 401
    assert "Ask for access" in cy.page(page)
    assert "What for" in cy.page(f"{page}/request")
    cy.send(f"{page}/request", purpose="To count <b>cells</b>.")
    asked = newest_request(platform.database, cy.actor, brain.version.dataset_id)
    assert "waiting" in cy.page(page)
    assert "To count &lt;b&gt;cells&lt;/b&gt;." in ada.page("/inbox")
    assert "To count" not in dee.page("/inbox")
    assert letters_to(platform, "ada")[-1].startswith("Pulvinar: a request")
    assert not letters_to(platform, "dee")
    dee.send(f"/inbox/requests/{asked.id}/grant", 404)
    cy.send(f"/inbox/requests/{asked.id}/grant", 404)
    assert "this is no day" in ada.send(f"/inbox/requests/{asked.id}/grant", 422, ends="soon").text
    ends = (datetime.now(UTC) + timedelta(days=30)).date()
    ada.send(f"/inbox/requests/{asked.id}/grant", ends=str(ends), message="Welcome.")
    assert soon(cy, brain, 200) == 200
    assert chunk(dee, brain) == 401
    told = cy.page("/inbox")
    assert "granted" in told
    assert "Welcome." in told
    assert str(ends) in told
    assert letters_to(platform, "cy")[-1].startswith("Pulvinar: your request")
    assert "already" in ada.send(f"/inbox/requests/{asked.id}/refuse", 409).text


def test_what_is_not_seen_looks_as_what_is_not_there(site, people, brain):
    platform, _ = site
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        set_tier(work, brain.version.dataset_id, Tier.PRIVATE)
    there, nowhere = brain.version.dataset_id, new_id()
    dee = people["dee"]
    a_person(platform.database, "root", is_owner=True)
    before = len(letters(platform))
    pages = [dee.page(f"/datasets/{one}/request").replace(one, "") for one in (there, nowhere)]
    assert pages[0] == pages[1]
    for one in (there, nowhere):
        dee.send(f"/datasets/{one}/request", purpose="To look.")
    # those who may share the one that is there are told, and nobody of the other
    assert [one.to for one in letters(platform)[before:]] == ["ada@lab.example.org"]
    told = dee.page("/inbox")
    assert "A brain to ask for" not in told
    assert told.count(">waiting<") == 2
    for one in (there, nowhere):
        request = newest_request(platform.database, dee.actor, one)
        dee.send(f"/inbox/requests/{request.id}/withdraw")


def test_nobody_asks_without_an_account(site, brain):
    _, address = site
    response = httpx.get(f"{address}/datasets/{brain.version.dataset_id}/request", headers=HTML)
    assert response.status_code == 303 or "sign-in" in str(response.url) or "Sign in" in response.text
    shown = httpx.get(f"{address}/datasets/{brain.version.dataset_id}", headers=HTML).text
    assert "Sign in to ask for access" in shown


def test_an_agreement_is_accepted_countersigned_and_asked_again(site, people, brain):
    platform, _ = site
    ada, cy = people["ada"], people["cy"]
    dataset_id = brain.version.dataset_id
    with UnitOfWork(platform.database, ada.actor) as work:
        of = set_agreement(work, COUNTERSIGNED, organisation_id=people["lab"].id)
        attach(work, dataset_id, of.id)
    cy.send(f"/datasets/{dataset_id}/request", purpose="To look.")
    request = newest_request(platform.database, cy.actor, dataset_id)
    ada.send(f"/inbox/requests/{request.id}/grant")
    assert "once you have accepted" in cy.page(f"/datasets/{dataset_id}")
    assert chunk(cy, brain) == 401
    page = cy.page(f"/agreements/{of.id}")
    assert "Use the data for research only." in page
    assert "仅用于研究" in page
    form = {f"field-{name}": value for name, value in SAID.items()} | {"digest": of.terms.digest, "accepted": "yes"}
    assert (
        "Institute is missing" in cy.send(f"/agreements/{of.id}/accept", 422, **(form | {"field-institute": ""})).text
    )
    assert "not accepted" in cy.send(f"/agreements/{of.id}/accept", 422, **(form | {"accepted": ""})).text
    cy.send(f"/agreements/{of.id}/accept", **form)
    assert chunk(cy, brain) == 401
    assert letters_to(platform, "ada")[-1].startswith("Pulvinar: an agreement")
    waiting = ada.page("/inbox")
    acceptance = re.search(r"/inbox/acceptances/([^/]+)/countersign", waiting)[1]
    assert "Institute of Brains" in waiting
    assert ">staff<" in waiting
    assert ">职员<" in ada.client.get("/inbox", headers={"accept": "text/html", "accept-language": "zh"}).text
    cy.send(f"/inbox/acceptances/{acceptance}/countersign", 404)
    ada.send(f"/inbox/acceptances/{acceptance}/countersign")
    assert soon(cy, brain, 200) == 200
    assert "Cy" in ada.page(f"/agreements/{of.id}")
    assert "Institute of Brains" not in people["dee"].page(f"/agreements/{of.id}")
    # a new version without grace closes it, until it is accepted again
    changed = edited(replace(COUNTERSIGNED, grace_days=0, countersigned=False), text_en="Also: say thanks.")
    ada.send(f"/agreements/{of.id}/change", **changed)
    assert soon(cy, brain, 401) == 401
    with platform.database.session() as session:
        now = agreements_on(session, dataset_id)[0]
    assert (now.number, now.terms.fields) == (2, COUNTERSIGNED.fields)
    cy.send(f"/agreements/{of.id}/accept", 409, **form)
    cy.send(f"/agreements/{of.id}/accept", **(form | {"digest": now.terms.digest}))
    assert soon(cy, brain, 200) == 200
    ada.send(f"/inbox/acceptances/{newest_acceptance(platform, cy, of.id)}/end", reason="left")
    assert soon(cy, brain, 401) == 401
    assert "earlier version" in cy.page(f"/agreements/{of.id}?version=1")


def newest_acceptance(platform, person, agreement_id):
    with platform.database.session() as session:
        return acceptances_by(session, person.id, agreement_id)[0].id


def edited(terms, **changes):
    """What the form of an agreement sends."""
    form = {"title_en": terms.title.en, "title_zh": terms.title.zh, "text_en": terms.text.en, "text_zh": terms.text.zh}
    form |= {"lasts_days": str(terms.lasts_days), "grace_days": str(terms.grace_days)}
    form |= {"countersigned": "yes"} if terms.countersigned else {}
    for number, one in enumerate(terms.fields):
        form |= {f"name-{number}": one.name, f"kind-{number}": one.kind.value, f"label_en-{number}": one.label.en}
        form |= {f"label_zh-{number}": one.label.zh, f"required-{number}": "yes" if one.required else ""}
        form |= {f"choices-{number}": "\n".join(f"{choice.en} | {choice.zh}" for choice in one.choices)}
    return form | changes


def test_who_sets_terms(site, people, brain):
    ada, cy = people["ada"], people["cy"]
    page = f"/datasets/{brain.version.dataset_id}"
    cy.page(f"{page}/terms", 403)
    assert "Set an agreement" in ada.page(f"{page}/terms")
    cy.page(f"{page}/agreements/new", 403)
    assert "Title, English" in ada.page(f"{page}/agreements/new")
    ada.send(f"{page}/agreements/new", **edited(COUNTERSIGNED))
    assert "both languages" in ada.send(f"{page}/agreements/new", 422, **edited(COUNTERSIGNED, text_zh="")).text
    assert "Data use agreement" in ada.page(f"{page}/terms")
    assert "Data use agreement" in cy.page(page)
    agreement = re.search(r"/agreements/([^?\"]+)\"", ada.page(f"{page}/terms"))[1]
    cy.page(f"/agreements/{agreement}/change", 403)
    assert "student | 学生" in ada.page(f"/agreements/{agreement}/change")
    ada.send(f"{page}/terms/detach", agreement=agreement)
    assert "Data use agreement" not in cy.page(page)
    cy.page(f"/agreements/{agreement}", 404)


def test_codes_of_use_are_matched_and_may_grant(site, people, brain):
    platform, _ = site
    ada, cy = people["ada"], people["cy"]
    page = f"/datasets/{brain.version.dataset_id}"
    ada.send(f"{page}/terms/use", **{"code-DS": "yes", "detail-DS": "epilepsy", "code-NCU": "yes", "days": "10"})
    assert "lacks its detail" in ada.send(f"{page}/terms/use", 422, **{"code-DS": "yes"}).text
    assert "Disease-specific research" in cy.page(page)
    assert "特定疾病研究" in cy.page(f"{page}?lang=zh")
    form = cy.page(f"{page}/request?lang=en")
    assert "Kind of use" in form
    assert "Country" not in form
    cy.send(f"{page}/request", purpose="x", use="disease", disease="Epilepsy of childhood", noncommercial="yes")
    shown = ada.page("/inbox")
    assert "a person must judge" in shown
    assert "Epilepsy of childhood" in shown
    request = newest_request(platform.database, cy.actor, brain.version.dataset_id)
    ada.send(f"/inbox/requests/{request.id}/refuse", message="No.")
    with UnitOfWork(platform.database, ada.actor) as work:
        set_use(work, brain.version.dataset_id, DatasetUse({"DS": "epilepsy", "NCU": ""}, by_itself=True, days=10))
    cy.send(f"{page}/request", purpose="x", use="disease", disease="Epilepsy", noncommercial="yes")
    assert soon(cy, brain, 200) == 200
    granted = newest_request(platform.database, cy.actor, brain.version.dataset_id)
    assert (granted.state, granted.decided_by) == ("granted", "platform")


def test_rules_and_agreements_of_an_organisation(site, people, brain):
    ada, cy = people["ada"], people["cy"]
    at = f"/organisations/{people['lab'].id}"
    for path in ("terms", "agreements/new"):
        cy.page(f"{at}/{path}", 404)
    cy.send(f"{at}/terms/rule", 404, kind="site")
    assert f"{at}/terms" in ada.page(at)
    ada.send(f"{at}/terms/rule", kind="site", jurisdiction="the law of the land")
    assert "the law of the land" in ada.page(f"{at}/terms")
    assert "the law of the land" in cy.page(f"/datasets/{brain.version.dataset_id}")
    assert "reason is missing" in ada.send(f"{at}/terms/lift", 422, kind="site").text
    ada.send(f"{at}/terms/lift", kind="site", reason="it has changed")
    assert "the law of the land" not in ada.page(f"{at}/terms")
    address = ada.send(f"{at}/agreements/new", **edited(COUNTERSIGNED)).headers["location"]
    assert "Data use agreement" in ada.page(address)
    assert address in ada.page(f"{at}/terms")
    # nobody is asked before it is attached to something that they see
    cy.page(address, 404)
