"""A transform as displacements at the places of a section: what is left beside the affine map nearest to it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.atlases.bulge import BULGE_UM, add_bulge
from tests.web.accounts import browser

from pulvinar.access.visibility import EVERYONE, hide
from pulvinar.atlases.departure import departure, seen_from
from pulvinar.atlases.transforms import apply
from pulvinar.errors import Invalid
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import AffineTransform

TURNED = ((0.9, 0.1, 0.0, 500.0), (-0.1, 0.9, 0.0, -200.0), (0.0, 0.0, 1.2, 30.0), (0.0, 0.0, 0.0, 1.0))
BRAIN = np.random.default_rng(3).uniform(0, 1000, (200, 3))


def test_a_map_that_is_affine_leaves_nothing():
    there = AffineTransform(Space("a", "mouse", "SAR"), Space("b", "mouse", "SAR"), TURNED)
    places = Points(there.source, BRAIN[:20])
    assert np.abs(departure(there, places, Points(there.source, BRAIN))).max() < 1e-6


def test_a_transform_is_seen_from_either_of_its_ends_alone():
    there = AffineTransform(Space("a", "mouse", "SAR"), Space("b", "mouse", "SAR"), TURNED)
    assert seen_from(there, there.source) is there
    back = seen_from(there, there.target)
    moved = apply(back, apply(there, Points(there.source, BRAIN)))
    assert np.allclose(moved.zyx_um, BRAIN)
    with pytest.raises(Invalid, match="from a to b can't be shown in c"):
        seen_from(there, Space("c", "mouse", "SAR"))


@pytest.fixture(scope="module")
def bulge(public_with_atlas, tmp_path_factory):
    """The platform, the transform, and the middle of the brain in the world."""
    return public_with_atlas, *add_bulge(public_with_atlas, tmp_path_factory.mktemp("field"))


def ask(client, stored, middle=(0.0, 0.0, 0.0), **more):
    """The places of a coronal section around `middle`: 11 by 11, 50 um apart."""
    corner = ",".join(str(part) for part in np.add(middle, (250, 0, -250)))
    asked = {
        "transform": stored.asset.id,
        "corner": corner,
        "right": "0,0,50",
        "down": "-50,0,0",
        "columns": 11,
        "rows": 11,
    }
    return client.get("/api/v1/atlases/toy/displacements", params={**asked, "columns": 11, "rows": 11, **more})


def test_the_places_of_a_section_move_as_the_transform_says(bulge):
    platform, stored, middle = bulge
    with browser(platform, accept="application/json") as client:
        told = ask(client, stored, middle).json()
    assert (told["source"], told["target"]) == ("toy", "bulged")
    vectors = np.array(told["vectors"], float).reshape(11, 11, 3)
    # to the right; the affine map that is nearest takes a part of it
    assert 0.6 * BULGE_UM < vectors[5, 5, 2] < BULGE_UM
    assert np.abs(vectors[5, 5, :2]).max() < 0.1 * BULGE_UM
    sizes = np.linalg.norm(vectors, axis=2)
    assert sizes[5, 5] > sizes[5, 7] > sizes[5, 9]


def test_what_is_asked_wrongly_is_said(bulge):
    platform, stored, _ = bulge
    with browser(platform, accept="application/json") as client:
        assert ask(client, stored, transform="nothing").status_code == 404
        wrong = ask(client, stored, corner="1,2")
        assert (wrong.status_code, wrong.json()["error"]["message"]) == (422, "'1,2' is no place")
        assert ask(client, stored, rows=81).status_code == 422
        page = client.get(f"/atlases/toy/view?warp={stored.asset.id}", headers={"accept": "text/html"}).text
    assert f"warp={stored.asset.id}" in page


def test_its_page_leads_to_the_atlas_that_it_deforms(bulge):
    platform, stored, _ = bulge
    with browser(platform) as client:
        page = client.get(f"/datasets/{stored.dataset_id}").text
    assert f'href="/atlases/toy/view?warp={stored.asset.id}"' in page


def test_who_may_not_read_it_gets_nothing(bulge):
    platform, stored, _ = bulge
    with platform.database.writing() as session:
        hide(session, stored.dataset_id, EVERYONE)
    with browser(platform, accept="application/json") as client:
        assert ask(client, stored).status_code == 404
