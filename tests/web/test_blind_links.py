"""Who comes by a link for blind review learns no name: of no person, lab, file or place, at no address."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest
from tests.access.terms import TERMS
from tests.web.conftest import stored_volume
from tests.web.leaks import Thing, routes_of
from tests.web.people import a_visitor

from pulvinar.access.agreements import set_agreement
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.sharing import share_by_link
from pulvinar.catalogue.uses import DatasetUse, set_use
from pulvinar.catalogue.versions import get_version
from pulvinar.catalogue.withdrawals import withdraw
from pulvinar.model.access import LOCAL_OWNER, Access, Right, Tier
from pulvinar.model.agreement import Bilingual
from pulvinar.model.dataset import Location, Ownership, StoredObject, asset_digest
from pulvinar.model.record import Contributor, Record, Species
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app

NAME = "Wombatperson"
OTHERS = {"name", "region", "secret", "token_id", "sign_in_id"}
"""Parameters that name nothing of a dataset."""
PEOPLE = {"contributors": (Contributor(NAME),), "lab": f"Lab of {NAME}", "source": NAME}
RECORD = Record("A brain", Species.MOUSE, "CC0-1.0", **PEOPLE)
NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)


def named_volume(platform):
    """A volume that somebody had made from files named after them, whose fine bytes lie at their place."""
    asset, objects = stored_volume(platform, "volume", np.ones((1, 1, 20, 20, 20), np.uint8), VolumeKind.IMAGE)
    path = f"original/{NAME}.nrrd"
    platform.store.put_bytes(f"{asset.prefix}/{path}", b"NRRD")
    objects = (*objects, StoredObject(path, 4, "0" * 64))
    made = {"job_id": "local-01job", "output": "aligned", "solution": "align", "solution_version": "1", "inputs": []}
    made |= {"parameters": {}, "actor_id": NAME, "actor_name": NAME, "engine": "local", "commit": "", "libraries": {}}
    made |= {"started": NOW.isoformat(), "ended": NOW.isoformat()}
    files = [{"name": f"{NAME}.nrrd", "size_bytes": 4}]
    told = {"source": {"reader": "nrrd", "files": files}, "header": {"comments": [f"traced by {NAME}"]}}
    size = sum(one.size_bytes for one in objects)
    changed = {"size_bytes": size, "object_count": len(objects), "digest": asset_digest(objects)}
    return replace(asset, details={**asset.details, **told, "derivation": made}, **changed), objects


@pytest.fixture(scope="module", params=["view", "read"])
def reviewer(request, tmp_path_factory, serving):
    """A browser that came by a link, the application, and what is to be reviewed."""
    settings = load_settings(environment={"PULVINAR_PUBLIC": "yes"}, home=tmp_path_factory.mktemp("blind"))
    with open_platform(settings) as platform, serving(platform) as address:
        keeper = a_visitor(platform, address, NAME.lower(), is_owner=True)
        asset, objects = named_volume(platform)
        with UnitOfWork(platform.database, keeper.actor) as work:
            made = create_dataset(work, RECORD, access=Access(Tier.PRIVATE))
            draft = open_draft(work, made.id)
            add_asset(work, draft.id, asset, objects)
            publish(work, draft.id)
            withdraw(work, made.id, 1, "The wrong animal.", replaced_by=f"https://{NAME}.example/brain")
            second = open_draft(work, made.id)
            again, more = named_volume(platform)
            place = Location(Ownership.EXTERNAL, f"https://{NAME}.example/brain.zarr", f"Lab of {NAME}", NOW)
            add_asset(work, second.id, again, more)
            placed, its = named_volume(platform)
            add_asset(work, second.id, replace(placed, location=place), its)
            publish(work, second.id)
            third = open_draft(work, made.id)
            third_asset, its = named_volume(platform)
            add_asset(work, third.id, third_asset, its)
            set_use(work, made.id, DatasetUse({"US": NAME, "NCU": ""}))
            if request.param == "view":
                terms = replace(TERMS, title=Bilingual(f"Terms of {NAME}", f"{NAME} 的条款"))
                agreement = set_agreement(work, terms, dataset_id=made.id).id
            else:
                agreement = "none"
            ends = datetime.now(UTC) + timedelta(days=1)
            right = Right[request.param.upper()]
            _, secret = share_by_link(work, made.id, ends=ends, right=right, blind=True, label=f"for {NAME}")
        version = get_version(platform.database, LOCAL_OWNER, made.id, 2)
        thing = Thing(
            made.id, version.digest, again.id, "none", keeper.id, agreement_id=agreement, version_id=version.id
        )
        with httpx.Client(base_url=address, timeout=30) as guest:
            assert guest.get(f"/review/{secret}").status_code == 303
            yield guest, create_app(platform), thing, request.param


def test_no_answer_names_anybody(reviewer):
    guest, application, thing, _ = reviewer
    told = 0
    for route in routes_of(application):
        if route.method != "GET" or "events" in route.path or OTHERS & set(route.parameters):
            continue
        for accept in ("application/json", "text/html"):
            address = route.address(thing).replace("/versions/1", "/versions/2").replace("=1&after=1", "=2&after=2")
            answer = guest.get(address, headers={"accept": accept})
            told += answer.status_code == 200
            said = answer.text + repr(answer.headers)
            found = re.search(rf"(?i).{{0,80}}{NAME}", said)
            assert found is None, (address, accept, answer.status_code, found[0])
    assert told > 30


def test_the_originals_are_not_for_who_looks_blindly(reviewer):
    guest, _, thing, right = reviewer
    for path in (f"objects/original/{NAME}.nrrd", "objects/original/"):
        assert guest.get(f"/data/{thing.version_digest}/{thing.asset_id}/{path}").status_code in (401, 404)
    manifest = guest.get(f"/api/v1/datasets/{thing.dataset_id}/versions/2/manifest")
    assert manifest.status_code == (200 if right == "read" else 403)
    assert "original/" not in manifest.text
    formats = ("datacite", "openminds", "bids", "nwb", "ome", "prov", "ro-crate")
    for name in formats:
        told = guest.get(f"/api/v1/datasets/{thing.dataset_id}/metadata?version=2&format={name}")
        assert NAME.lower() not in told.text.lower(), name
