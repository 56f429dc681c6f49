"""A public server makes a page of each kind before it answers, and tells of no visit by it."""

import asyncio

import numpy as np
import pytest
from tests.web.conftest import add_dataset, stored_volume

from pulvinar.model.volume import VolumeKind
from pulvinar.operations.use import Use, use_by_month
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web import portal, rendering
from pulvinar.web.app import create_app


@pytest.fixture
def made(monkeypatch):
    """The pages that were made, as a list that grows."""
    pages = []
    render = rendering.render

    def counted(request, template, *about, **more):
        pages.append((template, rendering.language_of(request), request.url.hostname))
        return render(request, template, *about, **more)

    monkeypatch.setattr(portal, "render", counted)
    return pages


def test_the_first_page_and_what_it_leads_to_are_made_in_each_language(tmp_path, made):
    settings = load_settings(environment={}, home=tmp_path, public=True, address="https://brains.example")
    with open_platform(settings) as platform:
        voxels = np.zeros((1, 1, 8, 8, 8), np.uint16)
        add_dataset(platform, "A brain", [stored_volume(platform, "image", voxels, VolumeKind.IMAGE)])
        application = create_app(platform)
        asyncio.run(application.warm_up("http://127.0.0.1:1/"))
        found = {(template, language) for template, language, _ in made}
        assert {(name, one) for name in ("home.html", "dataset.html", "view.html") for one in ("en", "zh")} <= found
        assert {host for *_, host in made} == {"brains.example"}
        application._use.flush()
        assert not any(one.counts.get(Use.VISIT) for one in use_by_month(platform.database, platform.actor))


def test_where_nobody_comes_but_the_owner_nothing_is_made(tmp_path, made):
    with open_platform(load_settings(environment={}, home=tmp_path)) as platform:
        asyncio.run(create_app(platform).warm_up("http://127.0.0.1:1/"))
    assert not made
