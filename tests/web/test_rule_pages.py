"""An owner makes a rule by forms alone, has it pause and takes it away; programs do the same; others can't."""

import re

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.solutions.stored import catalogued, stored_volume
from tests.web.accounts import signed_in
from tests.web.test_job_pages import run_all

from pulvinar.platform import open_platform, solution_means
from pulvinar.settings import load_settings
from pulvinar.solutions.rules import list_rules
from pulvinar.web.app import create_app

RULES = "/administration/rules"


@pytest.fixture
def platform(tmp_path):
    with open_platform(load_settings(environment={}, home=tmp_path / "home", engine="here")) as opened:
        yield opened


@pytest.fixture
def owner(platform):
    with TestClient(create_app(platform), base_url="http://testserver", headers={"accept-language": "en"}) as client:
        yield client


def publish_one(platform) -> str:
    voxels = np.random.default_rng(3).integers(0, 4000, (1, 1, 20, 20, 20)).astype(np.uint16)
    return catalogued(platform.database, stored_volume(platform.store, platform.settings.resolved_scratch(), voxels))


def jobs_of(owner) -> list[dict]:
    return owner.get("/api/v1/jobs").json()["items"]


def test_a_rule_is_made_paused_resumed_and_removed_by_forms(platform, owner):
    assert f'href="{RULES}"' in owner.get("/administration").text
    page = owner.get(RULES).text
    assert "nothing starts by itself" in page
    # what needs several assets is not offered
    offered = re.findall(r'<option value="(\w+)"', page)
    assert "measure" in offered
    assert {"cell_counts", "cell_groups", "teach_cells"}.isdisjoint(offered)
    assert 'name="parameter.block_side"' in owner.get(f"{RULES}/new?solution=measure").text
    fields = {"name": "Every mouse", "species": "mouse", "kind": "volume", "modality": "", "parameter.block_side": "16"}
    shown = owner.post(f"{RULES}/new?solution=measure", data=fields)
    assert (shown.url.path, "Every mouse" in shown.text, "Mouse" in shown.text) == (RULES, True, True)
    (rule,) = list_rules(solution_means(platform, platform.actor))
    assert dict(rule.conditions) == {"species": "mouse", "kind": "volume"}
    owner.post(f"{RULES}/{rule.id}/pause", data={"x": ""})
    assert '<span class="badge">paused' in owner.get(RULES).text
    publish_one(platform)
    run_all(platform)
    assert jobs_of(owner) == []
    owner.post(f"{RULES}/{rule.id}/resume", data={"x": ""})
    brain = publish_one(platform)
    run_all(platform)
    (job,) = jobs_of(owner)
    assert (job["title"], job["inputs"][0]["dataset_id"], job["parameters"]["block_side"]) == ("Every mouse", brain, 16)
    owner.post(f"{RULES}/{rule.id}/remove", data={"x": ""})
    assert "nothing starts by itself" in owner.get(RULES).text
    assert owner.post(f"{RULES}/{rule.id}/remove", data={"x": ""}).status_code == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "the name of the rule has 0 letters"),
        ({"name": "taken"}, "there is a rule &#39;taken&#39; already"),
        ({"species": "unicorn"}, "there is no species &#39;unicorn&#39;"),
        ({"parameter.block_side": "3"}, "parameter &#39;block_side&#39; is &#39;3&#39;"),
    ],
)
def test_what_can_not_be_a_rule_comes_back_with_the_form(owner, change, said):
    owner.post("/api/v1/rules", json={"name": "taken", "solution": "measure"})
    fields = {"name": "Mine", "species": "mouse", "parameter.block_side": "16", **change}
    refused = owner.post(f"{RULES}/new?solution=measure", data=fields)
    assert refused.status_code in (409, 422)
    assert said in refused.text
    assert f'value="{fields["parameter.block_side"]}"' in refused.text


def test_what_a_rule_could_not_start_is_listed_with_the_reason(platform, owner):
    # the volume has no channel 5
    asked = {"name": "Cells", "solution": "cells", "parameters": {"signal": 5}}
    assert owner.post("/api/v1/rules", json=asked).status_code == 201
    publish_one(platform)
    run_all(platform)
    page = owner.get(RULES).text
    assert "What could not be started" in page
    assert "the volume has no channel 5" in page


def test_programs_do_the_same(owner):
    asked = {"name": "All", "solution": "measure", "conditions": {"species": "macaque"}, "priority": 3}
    made = owner.post("/api/v1/rules", json=asked)
    assert made.status_code == 201
    told = made.json()
    assert (told["conditions"], told["enabled"], told["acts_as"]) == ({"species": "macaque"}, True, "local owner")
    assert owner.get("/api/v1/rules").json() == [told]
    assert owner.patch(f"/api/v1/rules/{told['id']}", json={"enabled": False}).json()["enabled"] is False
    assert owner.delete(f"/api/v1/rules/{told['id']}").status_code == 204
    assert owner.delete(f"/api/v1/rules/{told['id']}").status_code == 404
    several = owner.post("/api/v1/rules", json={"name": "x", "solution": "cell_groups"})
    assert several.status_code == 422


def test_who_is_no_owner_sees_and_changes_no_rule(tmp_path):
    environment = {"PULVINAR_PUBLIC": "yes"}
    with (
        open_platform(load_settings(environment=environment, home=tmp_path / "home")) as platform,
        signed_in(platform, "ada") as ada,
    ):
        for address in (RULES, f"{RULES}/new?solution=measure", "/api/v1/rules"):
            assert ada.get(address, headers={"accept": "application/json"}).status_code == 403
        assert ada.post("/api/v1/rules", json={"name": "x", "solution": "measure"}).status_code == 403
        assert ada.post(f"{RULES}/nothing/remove", data={"x": ""}).status_code == 403


def test_the_pages_speak_chinese(owner):
    owner.post("/api/v1/rules", json={"name": "全部", "solution": "measure"})
    chinese = {"accept-language": "zh"}
    page = owner.get(RULES, headers=chinese).text
    for said in ("规则", "暂停", "移除", "有数据发布时自动"):
        assert said in page
    form = owner.get(f"{RULES}/new?solution=measure", headers=chinese).text
    for said in ("新建规则", "任意", "物种"):
        assert said in form
