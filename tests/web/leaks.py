"""The matrix of what nobody may learn: every route of the application, for each role, over datasets in each state.

A hidden thing must not be told from one that isn't there: the answer to its address is compared with the answer to the
same address with identifiers that nobody ever made. What lists or counts is asked before and after the hidden thing is
made, and must say the same. Of what shows its record alone, nothing but the record is answered.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from sqlalchemy import insert
from tests.access.people import a_person, acting
from tests.access.terms import TERMS
from tests.web.accounts import browser, sign_in
from tests.web.conftest import stored_volume

from pulvinar.access.agreement_tables import acceptance
from pulvinar.access.agreements import attach, set_agreement
from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.tokens import make_token
from pulvinar.access.visibility import EVERYONE
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.collections import add_dataset, make_collection, share_collection
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.requests import ask_for
from pulvinar.catalogue.sharing import set_tier, share_by_link
from pulvinar.catalogue.versions import get_version
from pulvinar.documents.documents import create_document
from pulvinar.documents.log import append
from pulvinar.documents.rights import share_document
from pulvinar.documents.views import save_view
from pulvinar.ingest.uploads.parts import open_part
from pulvinar.ingest.uploads.submissions import create_submission
from pulvinar.model.access import LOCAL_OWNER, Access, Actor, Organisation, OrganisationKind, Right, Tier
from pulvinar.model.account import Account
from pulvinar.model.identity import new_id
from pulvinar.model.mark import Mark, MarkKind
from pulvinar.model.record import Contributor, Record, Species
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import Platform, landing_of
from pulvinar.web.app import WebApplication, create_app

WORDS = ("Quetzalword", "Xylophonlab", "Wombatperson")
"""In the title, the lab and the contributor of what is hidden, and nowhere else."""
ORCID = "0000-0002-1825-0097"
SECRET_RECORD = Record(
    f"The {WORDS[0]} brain",
    Species.MACAQUE,
    "CC0-1.0",
    lab=WORDS[1],
    contributors=(Contributor(WORDS[2], orcid=ORCID),),
)
NAMED = {"species": "macaque", "orcid": ORCID, "lab_id": "nobody"}
"""What names lists of what is hidden, in addresses."""
TOMORROW = timedelta(days=1)
STATES = ("draft", "private", "embargoed", "controlled", "registered")
ROLES = ("visitor", "stranger", "other lab", "stranger's token", "blind link")
ONLY_REGISTERED = ("stranger", "other lab", "stranger's token")
AT_THE_GATEWAY = (
    "chunks/zarr.json",
    "chunks/0/c/0/0/0/0/0",
    "objects/image.ome.zarr/zarr.json",
    "objects/quality/thumbnail.webp",
    "precomputed/info",
)
RECORD_ALONE = {
    "/api/v1/datasets/{dataset_id}",
    "/api/v1/datasets/{dataset_id}/versions",
    "/api/v1/datasets/{dataset_id}/versions/{number}",
    "/api/v1/datasets/{dataset_id}/metadata",
    "/api/v1/datasets/{dataset_id}/conformance",
    "/api/v1/datasets/{dataset_id}/withdrawals",
    "/api/v1/datasets/{dataset_id}/compare",
    "/api/v1/datasets/{dataset_id}/access",
    "/api/v1/datasets/{dataset_id}/agreements",
    "/api/v1/datasets/{dataset_id}/use",
    "/api/v1/datasets/{dataset_id}/export-rules",
    "/api/v1/assets/{version_digest}/{asset_id}",
    "/api/v1/assets/{version_digest}/{asset_id}/anchors",
    "/datasets/{dataset_id}",
    "/datasets/{dataset_id}/access",
    "/datasets/{dataset_id}/versions",
    "/datasets/{dataset_id}/compare",
    "/datasets/{dataset_id}/request",
    "/datasets/{dataset_id}/assets/{asset_id}/neuron",
}
"""What answers, by GET, who sees a record and may read nothing."""
QUERIES = {
    "/api/v1/datasets/{dataset_id}/compare": "?before=1&after=1",
    "/datasets/{dataset_id}/compare": "?before=1&after=1",
    "/api/v1/assets/{version_digest}/{asset_id}/cutout": "?start=0,0,0&stop=2,2,2",
    "/api/v1/assets/{version_digest}/{asset_id}/profile": "?through=100,200,300&through=104,204,304",
    "/api/v1/assets/{version_digest}/{asset_id}/trace": "?at=100,200,300",
    "/api/v1/assets/{version_digest}/{asset_id}/statistics": "?low=99,199,299&high=120,220,320",
    "/api/v1/assets/{version_digest}/{asset_id}/box": "?low=99,199,299&high=120,220,320",
    "/datasets/{dataset_id}/assets/{asset_id}/traces": "?series=0",
    "/api/v1/surfaces/{dataset_id}/assets/{asset_id}": "?column=thickness&surface=none",
}
LENGTHENS_ITSELF = "/api/v1/me/data"
"""One's own account, with all that the log says of it: also that it was asked for."""
ASKED = ("", f"?q={WORDS[0]}", f"?q={WORDS[0][:6]}", f"?q={WORDS[1]}", f"?q={WORDS[2]}", "?species=macaque", "?q=brain")
ASKED += (f"?name={WORDS[1]}", f"?q={ORCID}")
"""With what lists are asked for what is hidden."""


@dataclass(frozen=True)
class Thing:
    """The identifiers of a dataset and of what belongs to it, as they stand in addresses."""

    dataset_id: str
    version_digest: str
    asset_id: str
    organisation_id: str
    account_id: str
    job_id: str = field(default_factory=new_id)
    link_id: str = field(default_factory=new_id)
    submission_id: str = field(default_factory=new_id)
    upload_id: str = field(default_factory=new_id)
    agreement_id: str = field(default_factory=new_id)
    request_id: str = field(default_factory=new_id)
    acceptance_id: str = field(default_factory=new_id)
    document_id: str = field(default_factory=new_id)
    collection_id: str = field(default_factory=new_id)
    view_id: str = "0000000000"
    version_id: str = field(default_factory=new_id)
    file_id: str = field(default_factory=new_id)
    rule_id: str = field(default_factory=new_id)

    def at(self, parameter: str) -> str:
        """What stands for a parameter of a route; a parameter that nobody thought of raises `KeyError`."""
        fixed = {"number": "1", "axis": "z", "action": "cancel", "audience": f"actor:{self.account_id}"}
        fixed |= NAMED | {"decision": "grant", "signing": "countersign", "change": "detach", "kind": "site"}
        fixed |= {"folder": "tutorials", "document": "first-brain"}
        return (vars(self) | fixed)[parameter]

    def hidden_in(self, text: str) -> str:
        """`text` with the identifiers of this thing, the number of a request and moments made the same."""
        for name, value in vars(self).items():
            text = text.replace(value, f"<{name}>")
        text = re.sub(r"\b[0-9a-f]{16}\b", "<request>", text)
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+Z]+", "<moment>", text)


@dataclass(frozen=True)
class Route:
    """One method of one route, by its path with parameters."""

    method: str
    path: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of its path."""
        return tuple(re.findall(r"\{(\w+)", self.path))

    def address(self, of: Thing) -> str:
        """Its address for a thing."""
        filled = re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: of.at(match[1]), self.path)
        return filled + QUERIES.get(self.path, "")


def routes_of(application: WebApplication) -> list[Route]:
    """Every route of the application and every view of the gateway. Static files hold nothing of anybody."""
    found = [Route("GET", f"/data/{{version_digest}}/{{asset_id}}/{view}") for view in AT_THE_GATEWAY]
    for included in application.pages.routes:
        for route in getattr(included, "effective_route_contexts", lambda: ())():
            found += [Route(method, route.path) for method in sorted(route.methods)]
    return found


PUBLIC_PARAMETERS = frozenset(
    {"name", "region", "secret", "token_id", "sign_in_id", "axis", "number", "folder", "document", *NAMED}
)
"""What names nothing that belongs to a dataset: atlases, solutions and their regions, and what is one's own."""


@dataclass
class Leak:
    """One answer that tells what it must not."""

    state: str
    role: str
    route: Route
    told: str


@dataclass
class Found:
    """How many cases were looked at, and which of them leak."""

    cases: int = 0
    leaks: list[Leak] = field(default_factory=list)

    def look(self, fine: bool, state: str, role: str, route: Route, told: str) -> None:
        """Count a case."""
        self.cases += 1
        if not fine:
            self.leaks.append(Leak(state, role, route, told))


class Matrix:
    """A public platform with people, and in it a dataset in each state."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._application = create_app(platform)
        self.routes = routes_of(self._application)
        self._owner = a_person(platform.database, "keeper", email="keeper@hidden.example")
        self._petitioner = a_person(platform.database, "petitioner", email="petitioner@hidden.example")
        self._lab = self._new_lab("A hidden lab", self._owner)
        with UnitOfWork(platform.database, self._keeper()) as work:
            self._shown = make_collection(work, "What everyone sees")
            share_collection(work, self._shown, EVERYONE, Right.READ)
        voxels = np.ones((1, 1, 20, 20, 20), np.uint8)
        self._stored = [stored_volume(platform, "volume", voxels, VolumeKind.IMAGE) for _ in STATES]

    def _new_lab(self, name: str, *members: Account) -> Organisation:
        with UnitOfWork(self._platform.database, LOCAL_OWNER) as work:
            made = make_organisation(work, name, OrganisationKind.LAB)
            for one in members:
                set_member(work, made.id, one.id, Right.ADMINISTER)
        return made

    def _keeper(self) -> Actor:
        return acting(self._platform.database, self._owner.id)

    @contextmanager
    def clients(self) -> Iterator[Mapping[str, TestClient]]:
        """A browser or a program of each role."""
        database = self._platform.database
        stranger, other = (a_person(database, login) for login in ("stranger", "other"))
        self._new_lab("Another lab", other)
        with UnitOfWork(database, acting(database, stranger.id)) as work:
            _, token = make_token(work, stranger.id, "a program", Right.ADMINISTER, 30)
        public = self._make(("public", *self._extra()), Record("A public thing", Species.MOUSE, "CC0-1.0"))
        with UnitOfWork(database, self._keeper()) as work:
            ends = datetime.now(UTC) + TOMORROW
            _, secret = share_by_link(work, public.dataset_id, ends=ends, blind=True)
        with ExitStack() as stack:
            made = {role: stack.enter_context(browser(self._platform)) for role in ROLES if role != ROLES[3]}
            made[ROLES[3]] = stack.enter_context(browser(self._platform, authorization=f"Bearer {token}"))
            for role, login in (("stranger", "stranger"), ("other lab", "other")):
                assert sign_in(made[role], login).status_code == 303
            assert made["blind link"].get(f"/review/{secret}").status_code == 303
            _wait_until_noted(made[ROLES[3]], made["stranger"])
            made["keeper"] = stack.enter_context(browser(self._platform))
            assert sign_in(made["keeper"], "keeper").status_code == 303
            yield made

    def _extra(self) -> tuple[Any, ...]:
        return stored_volume(self._platform, "volume", np.ones((1, 1, 20, 20, 20), np.uint8), VolumeKind.IMAGE)

    def _make(self, stored: tuple[Any, ...], record: Record) -> Thing:
        """A dataset in a state: ("private", asset, objects)."""
        state, asset, objects = stored
        with UnitOfWork(self._platform.database, self._keeper()) as work:
            access = Access(Tier.PUBLIC, home=self._lab.id)
            made = create_dataset(work, record, access=access)
            draft = open_draft(work, made.id)
            add_asset(work, draft.id, asset, objects)
            if state not in ("draft", "public"):
                opens = datetime.now(UTC) + TOMORROW if state == "embargoed" else None
                set_tier(work, made.id, Tier(state), opens=opens)
        more = {} if state == "public" else {"request_id": self._ask(made.id)}
        if state != "draft":
            with UnitOfWork(self._platform.database, self._keeper()) as work:
                publish(work, draft.id)
        version = get_version(self._platform.database, LOCAL_OWNER, made.id)
        submission, upload = self._hand_in()
        more |= {"submission_id": submission, "upload_id": upload, "version_id": version.id}
        more |= self._write_on(made.id)
        thing = Thing(made.id, version.digest, asset.id, self._lab.id, self._owner.id, **more)
        return thing if state == "public" else self._bound(thing)

    def _bound(self, thing: Thing) -> Thing:
        """A dataset with an agreement that somebody has accepted."""
        with UnitOfWork(self._platform.database, self._keeper()) as work:
            of = set_agreement(work, TERMS, organisation_id=self._lab.id)
            attach(work, thing.dataset_id, of.id)
            row = {"id": new_id(), "account_id": self._petitioner.id, "name": WORDS[2], "values": {}}
            row |= {"agreement_id": of.id, "number": 1, "digest": of.terms.digest, "address": "", "accepted": of.made}
            work.session.execute(insert(acceptance).values(**row))
        return replace(thing, agreement_id=of.id, acceptance_id=row["id"])

    def _ask(self, dataset_id: str) -> str:
        """Have somebody ask for a dataset, and give the request: later it may be for all who signed in."""
        with UnitOfWork(self._platform.database, acting(self._platform.database, self._petitioner.id)) as work:
            return ask_for(work, dataset_id, f"To see the {WORDS[0]}.").id

    def _write_on(self, dataset_id: str) -> dict[str, str]:
        """Marks on such a dataset, shown to everyone who may view it, and a view of it."""
        database, keeper = self._platform.database, self._keeper()
        document = create_document(database, keeper, f"Marks on the {WORDS[0]}", dataset_id=dataset_id)
        with UnitOfWork(database, keeper) as work:
            share_document(work, document.id, EVERYONE, Right.READ)
            append(work, document.id, {"note": Mark(MarkKind.NOTE, ((1.0, 2.0, 3.0),), text=WORDS[1])})
        view = save_view(database, keeper, f"A view of the {WORDS[0]}", f"/datasets/{dataset_id}/view", "l=xy")
        with UnitOfWork(database, keeper) as work:
            collection = make_collection(work, f"With the {WORDS[0]}", WORDS[1])
            for one in (collection, self._shown):
                add_dataset(work, one, dataset_id)
        return {"document_id": document.id, "view_id": view.id, "collection_id": collection}

    def _hand_in(self) -> tuple[str, str]:
        """What is on its way to become such a dataset."""
        landing, keeper = landing_of(self._platform), self._keeper()
        submission = create_submission(landing, keeper, SECRET_RECORD.title)
        return submission.id, open_part(landing, keeper, submission.id, f"{WORDS[0]}.nii", 100).id

    def run(self, states: tuple[str, ...] = STATES, progress: Callable[[str], None] = lambda _: None) -> Found:
        """Look at every case of some states."""
        found = Found()
        with self.clients() as clients:
            for state in states:
                progress(state)
                self._look_at(state, clients, found)
        return found

    def _look_at(self, state: str, clients: Mapping[str, TestClient], found: Found) -> None:
        stored = self._stored[STATES.index(state)]
        # who guesses links is slowed down, which is another answer
        open_ones = PUBLIC_PARAMETERS - {"secret"}
        lists = [one for one in self.routes if one.method == "GET" and set(one.parameters) <= open_ones]
        lists = [one for one in lists if one.path != LENGTHENS_ITSELF]
        seeing = {"controlled": ROLES, "registered": tuple(one for one in ROLES if one not in ONLY_REGISTERED)}
        sees = seeing.get(state, ())
        blind = [role for role in ROLES if role not in sees and not (state == "registered" and role in ONLY_REGISTERED)]
        named = NAMED | {"lab_id": self._lab.id}
        before = {role: [_answer(clients[role], one, ask, named) for one in lists for ask in ASKED] for role in blind}
        thing = self._make((state, *stored), SECRET_RECORD)
        self._control(clients["keeper"], thing)
        for role in blind:
            self._compare_lists(state, role, clients[role], lists, before[role], found)
            self._compare_addresses(state, role, clients[role], thing, found)
        for role in sees:
            self._only_the_record(state, role, clients[role], thing, found)
        with UnitOfWork(self._platform.database, LOCAL_OWNER) as work:
            set_tier(work, thing.dataset_id, Tier.PRIVATE)

    def _control(self, keeper: TestClient, thing: Thing) -> None:
        """Who may do all finds it at the very addresses at which others find nothing."""
        for path in ("/datasets/{dataset_id}", "/data/{version_digest}/{asset_id}/chunks/zarr.json"):
            answer = keeper.get(Route("GET", path).address(thing))
            assert answer.status_code == 200, (path, answer.status_code)

    def _compare_lists(
        self, state: str, role: str, client: TestClient, lists: list[Route], before: list[str], found: Found
    ) -> None:
        asked = [(one, ask) for one in lists for ask in ASKED]
        for (route, ask), old in zip(asked, before, strict=True):
            now = _answer(client, route, ask, NAMED | {"lab_id": self._lab.id})
            found.look(now == old, state, role, replace(route, path=route.path + ask), now)

    def _compare_addresses(self, state: str, role: str, client: TestClient, thing: Thing, found: Found) -> None:
        twin = Thing(new_id(), "0" * 64, new_id(), new_id(), new_id())
        for route in self.routes:
            if set(route.parameters) <= PUBLIC_PARAMETERS:
                continue
            real, other = (_ask(client, route, one) for one in (thing, twin))
            same = (real[0], thing.hidden_in(real[1])) == (other[0], twin.hidden_in(other[1]))
            found.look(same and not any(word in real[1] for word in WORDS), state, role, route, real[1])

    def _only_the_record(self, state: str, role: str, client: TestClient, thing: Thing, found: Found) -> None:
        for route in self.routes:
            if not {"dataset_id", "version_digest", "asset_id"} & set(route.parameters):
                continue
            status, told = _ask(client, route, thing)
            allowed = route.method == "GET" and route.path in RECORD_ALONE
            found.look(allowed or status >= 400, state, role, route, told)


def _wait_until_noted(program: TestClient, person: TestClient) -> None:
    """Use a token, and wait until its person is told of it: that is no change that a hidden thing makes."""
    until = time.monotonic() + 20
    program.get("/")
    while person.get("/api/v1/me/tokens").json()[0]["used"] is None and time.monotonic() < until:
        time.sleep(0.1)


def _ask(client: TestClient, route: Route, of: Thing) -> tuple[int, str]:
    body: dict[str, Any] = {}
    if route.method not in ("GET", "HEAD"):
        body = {"json": _BODIES.get(route.path, {})} if route.path.startswith("/api/") else {"data": _FORM}
    answer = client.request(route.method, route.address(of), headers={"accept": "application/json"}, **body)
    return answer.status_code, answer.text


_FORM = {"tier": "public", "login": "stranger", "right": "read", "name": "mine", "kind": "team", "role": "administer"}
_BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/datasets/{dataset_id}/access/tier": {"tier": "public"},
    "/api/v1/datasets/{dataset_id}/access/grants": {"login": "stranger"},
    "/api/v1/datasets/{dataset_id}/access/links": {"ends": (datetime.now(UTC) + TOMORROW).isoformat()},
    "/api/v1/organisations/{organisation_id}/members": {"login": "stranger"},
}


def _answer(client: TestClient, route: Route, ask: str, named: Mapping[str, str]) -> str:
    """What a list says, without what differs each time."""
    path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: named.get(match[1], "nobody"), route.path)
    if path.endswith("/events"):
        return ""
    answer = client.get(f"{path}{ask}", headers={"accept": "text/html,application/json"})
    return f"{answer.status_code} " + Thing("-", "-", "-", "-", "-").hidden_in(answer.text)
