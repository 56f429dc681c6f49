"""What may not leave, at each place where bytes do: files, cut-outs, what jobs make, peers; looking is free."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import update
from tests.web.conftest import Shown, add_dataset, stored_volume
from tests.web.people import a_visitor

from pulvinar.access.agreement_tables import person_left
from pulvinar.access.export_rules import (
    check_kept,
    check_leaving,
    lift_rule,
    of_dataset,
    of_organisation,
    rule_against,
    rules_on,
    set_rule,
)
from pulvinar.access.inheritance import inherit
from pulvinar.access.organisations import make_organisation, set_member
from pulvinar.access.visibility import audience_of, show
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.sharing import move
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import LOCAL_OWNER, OrganisationKind, Right
from pulvinar.model.dataset import AssetKind
from pulvinar.model.export_rule import ExportRule, RuleKind, Way
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

FINE, COARSE = "chunks/0/c/0/0/0/0/0", "chunks/1/c/0/0/0/0/0"


@pytest.fixture(scope="module")
def site(tmp_path_factory, serving):
    settings = load_settings(environment={"PULVINAR_PUBLIC": "yes"}, home=tmp_path_factory.mktemp("rules"))
    with open_platform(settings) as platform, serving(platform) as address:
        yield platform, address


@pytest.fixture(scope="module")
def people(site):
    """Who administers a lab, and who was given to read."""
    platform, address = site
    found = {name: a_visitor(platform, address, name) for name in ("ada", "cy")}
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        lab = make_organisation(work, "A lab", OrganisationKind.LAB)
        team = make_organisation(work, "A team", OrganisationKind.TEAM, parent=lab.id)
        set_member(work, lab.id, found["ada"].id, Right.ADMINISTER)
    return found | {"lab": lab, "team": team}


def a_brain(site, people):
    """A volume of the team's whose first level is wider than a screen."""
    platform, _ = site
    voxels = np.arange(1, 1 + 8 * 8 * 1100, dtype=np.uint32).reshape(1, 1, 8, 8, 1100)
    asset, objects = stored_volume(platform, "wide", voxels, VolumeKind.IMAGE)
    version = add_dataset(platform, "A brain", [(asset, objects)])
    with UnitOfWork(platform.database, LOCAL_OWNER) as work:
        move(work, version.dataset_id, people["team"].id)
        show(work.session, version.dataset_id, audience_of(people["cy"].id), Right.READ)
    return Shown(version, asset, voxels)


@pytest.fixture
def brain(site, people):
    return a_brain(site, people)


def rule(site, actor, scope, kind, persons=0, jurisdiction=""):
    with UnitOfWork(site[0].database, actor) as work:
        set_rule(work, ExportRule(scope, kind, persons, jurisdiction))


def get(person, path):
    return person.client.get(path)


def statuses(person, brain):
    """What is answered to a file, a cut-out, the older format, a fine and a coarse chunk, and a picture."""
    box = f"{brain.api}/cutout?start=0,0,0&stop=1,1,1&format=npy"
    views = [f"{brain.data}/{one}" for one in ("precomputed/info", FINE, COARSE, "objects/quality/thumbnail.webp")]
    return [get(person, one).status_code for one in (f"{brain.data}/objects/image.ome.zarr/zarr.json", box, *views)]


def test_without_a_rule_everything_leaves(people, brain):
    assert statuses(people["cy"], brain) == [200] * 6


@pytest.mark.parametrize("kind", [RuleKind.SITE, RuleKind.AGGREGATES])
def test_no_way_out_is_forgotten(site, people, brain, kind):
    scope = of_dataset(brain.version.dataset_id)
    rule(site, people["ada"].actor, scope, kind, jurisdiction="the law of the land")
    # a reader looks as coarsely as a screen shows; who works on the data at every level; neither takes them along
    assert statuses(people["cy"], brain) == [401, 403, 401, 401, 200, 200]
    assert statuses(people["ada"], brain) == [401, 403, 401, 200, 200, 200]
    told = get(people["cy"], f"{brain.api}/cutout?start=0,0,0&stop=1,1,1").json()["error"]
    assert kind.value in told["message"]
    assert "the law of the land" in told["message"]
    assert kind.value in get(people["cy"], f"{brain.data}/{FINE}").json()["error"]["message"]
    assert get(people["cy"], f"{brain.data}/{COARSE}").headers["cache-control"] == "no-store"
    with pytest.raises(Forbidden, match="federation"):
        check_leaving(site[0].database, LOCAL_OWNER, brain.version.dataset_id, brain.asset, Way.PEER)


def test_a_rule_of_an_organisation_binds_what_its_teams_have(site, people, brain):
    scope = of_organisation(people["lab"].id)
    rule(site, people["ada"].actor, scope, RuleKind.SITE)
    assert statuses(people["cy"], brain)[:2] == [401, 403]
    with pytest.raises(Invalid, match="reason"), UnitOfWork(site[0].database, people["ada"].actor) as work:
        lift_rule(work, scope, RuleKind.SITE, "")
    with UnitOfWork(site[0].database, people["ada"].actor) as work:
        lift_rule(work, scope, RuleKind.SITE, "the law has changed")
    with site[0].database.session() as session:
        assert rules_on(session, brain.version.dataset_id) == ()


def test_aggregates_that_were_computed_leave(site, brain):
    raw = ExportRule("dataset:x", RuleKind.AGGREGATES)
    made = {"derivation": {}}
    for kind in AssetKind:
        leaves = kind in (AssetKind.TABLE, AssetKind.POINTS, AssetKind.CONNECTIVITY)
        assert (rule_against([raw], replace(brain.asset, kind=kind, details=made)) is None) == leaves
        assert rule_against([raw], replace(brain.asset, kind=kind)) == raw


def test_so_many_persons_leave_in_a_month(site, people, brain):
    platform, _ = site
    others = [a_brain(site, people) for _ in range(2)]
    scope = of_organisation(people["team"].id)
    rule(site, people["ada"].actor, scope, RuleKind.PERSONS, 2)
    path = "objects/image.ome.zarr/zarr.json"
    leaving = [get(people["cy"], f"{one.data}/{path}").status_code for one in (brain, others[0], others[1], brain)]
    assert leaving == [200, 200, 401, 200]
    refused = get(people["cy"], f"{others[1].api}/cutout?start=0,0,0&stop=1,1,1")
    assert "no more than 2 persons" in refused.json()["error"]["message"]
    # chunks are for looking, else they would be a way around
    assert get(people["cy"], f"{others[1].data}/{FINE}").status_code == 401
    with platform.database.writing() as session:
        session.execute(update(person_left).values(month="2001-01", at=datetime(2001, 1, 1, tzinfo=UTC)))
    assert get(people["cy"], f"{others[1].data}/{path}").status_code == 200
    with UnitOfWork(platform.database, people["ada"].actor) as work:
        lift_rule(work, scope, RuleKind.PERSONS, "end of test")


def test_what_is_made_of_bound_data_is_bound(site, people, brain):
    platform, _ = site
    made, elsewhere = a_brain(site, people), a_brain(site, people)
    with platform.database.writing() as session:
        inherit(session, made.version.dataset_id, [brain.version.dataset_id])
    rule(site, people["ada"].actor, of_dataset(brain.version.dataset_id), RuleKind.SITE)
    assert statuses(people["cy"], made)[:2] == [401, 403]
    with platform.database.session() as session:
        check_kept(session, made.version.dataset_id, [brain.version.dataset_id])
        with pytest.raises(Conflict, match="site"):
            check_kept(session, elsewhere.version.dataset_id, [brain.version.dataset_id])


def test_who_sets_rules(site, people, brain):
    scope = of_dataset(brain.version.dataset_id)
    with pytest.raises(Forbidden):
        rule(site, people["cy"].actor, scope, RuleKind.SITE)
    with pytest.raises(NotFound):
        rule(site, people["cy"].actor, of_organisation(people["lab"].id), RuleKind.SITE)
    for persons, kind in ((0, RuleKind.PERSONS), (3, RuleKind.SITE)):
        with pytest.raises(Invalid):
            rule(site, people["ada"].actor, scope, kind, persons)
    with pytest.raises(Invalid):
        rule(site, people["ada"].actor, "node", RuleKind.SITE)
