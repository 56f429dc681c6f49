"""Transforms over HTTP and from Python: which there are, and points brought over with the path that was taken."""

from __future__ import annotations

from pathlib import Path

import httpx2
import numpy as np
import pytest

import pulvinar
from pulvinar.access.visibility import EVERYONE, hide
from pulvinar.atlases.transform_formats import Ends, read_transform
from pulvinar.atlases.transforms import apply
from pulvinar.catalogue.transforms import stored_to_json
from pulvinar.cli.verbs import means_of
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest.transform_install import End, TransformFiles, TransformFormat, add_transform
from pulvinar.model.space import Points, Space
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

FIELD = Path(__file__).parents[1] / "atlases" / "transform_formats" / "niftyreg" / "deformation.nii.gz"
REFERENCE, FLOATING = Space("reference", "mouse", "SAR"), Space("floating", "mouse", "SAR")
HANDED = TransformFiles(
    files=(FIELD,),
    format=TransformFormat.NIFTYREG,
    source=End("reference", "SAR"),
    target=End("floating", "SAR"),
    licence="CC-BY-4.0",
    expected_error_um=15.0,
    species="mouse",
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory, serving):
    """A platform of its own with one transform for everyone and one for nobody, and the address of its server."""
    settings = load_settings(environment={"PULVINAR_PUBLIC": "yes"}, home=tmp_path_factory.mktemp("transforms"))
    with open_platform(settings) as platform:
        means = means_of(platform)
        added = add_transform(means, HANDED)
        matrix = tmp_path_factory.mktemp("files") / "affine.txt"
        matrix.write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
        hidden = add_transform(
            means,
            TransformFiles((matrix,), TransformFormat.NIFTYREG, End("floating"), End("secret", "SAR"), "CC0-1.0", 1.0),
        )
        with platform.database.writing() as session:
            hide(session, hidden.dataset_id, EVERYONE)
        with serving(platform) as address:
            yield address, added


@pytest.fixture
def brains(shown):
    client = pulvinar.connect(shown[0])
    yield client
    client.close()


def test_transforms_are_told_with_error_licence_and_what_to_cite(brains, shown):
    (told,) = brains.transforms()
    added = shown[1]
    # a script that reads what the commands write finds the same words here
    assert told == stored_to_json(added)
    assert (told["source"], told["target"], told["kind"]) == ("reference", "floating", "displacement")
    assert (told["expected_error_um"], told["licence"], told["invertible"]) == (15.0, "CC-BY-4.0", True)
    assert (told["dataset_id"], told["digest"], told["asset_id"]) == (added.dataset_id, added.digest, added.asset.id)


def test_what_is_found_and_does_not_open_is_passed_over(brains, shown):
    found = brains.find("reference")
    assert [asset.id for asset in found] == [shown[1].asset.id]
    assert list(found.open_all()) == []
    with pytest.raises(Invalid, match="is a transform, which has no array"):
        next(iter(found)).open()


def test_many_points_are_brought_over_and_the_path_is_told(brains, shown, tmp_path):
    places = np.random.default_rng(0).uniform(-20_000, 20_000, (45_000, 3))
    brought = brains.transform_points(places, "reference", "floating")
    expected = apply(read_transform(FIELD, Ends(REFERENCE, FLOATING), tmp_path), Points(REFERENCE, places))
    np.testing.assert_allclose(brought.zyx_um, expected.zyx_um, atol=1e-2)
    assert brought.expected_error_um == 15.0
    (leg,) = brought.path
    assert (leg["source"], leg["target"], leg["inverted"]) == ("reference", "floating", False)
    assert (leg["dataset_id"], leg["version"]) == (shown[1].dataset_id, 1)
    back = brains.transform_points(brought.zyx_um[:10], "floating", "reference")
    assert back.path[0]["inverted"]
    assert back.expected_error_um >= 15.0
    assert brains.transform_points(np.zeros((0, 3)), "reference", "floating").zyx_um.shape == (0, 3)


def test_where_no_path_leads_the_remedy_is_told(brains):
    with pytest.raises(NotFound, match="no transform leads from floating to mars") as caught:
        brains.transform_points([[0, 0, 0]], "floating", "mars")
    assert "reference; pulvinar transform add" in caught.value.hint


def test_what_may_not_be_seen_leads_nowhere(brains):
    with pytest.raises(NotFound, match="from floating to secret") as caught:
        brains.transform_points([[0, 0, 0]], "floating", "secret")
    assert "secret" not in caught.value.hint


def test_points_of_no_shape_and_too_many_at_once_are_refused(brains, shown):
    with pytest.raises(Invalid, match="shape"):
        brains.transform_points([[0, 0]], "reference", "floating")
    with pytest.raises(Invalid, match="no number"):
        brains.transform_points([[0, 0, np.nan]], "reference", "floating")
    for count, code in ((10_001, "invalid"), (100_001, "too_large")):
        asked = {"source": "reference", "target": "floating", "points": [[0, 0, 0.123456]] * count}
        answer = httpx2.post(f"{shown[0]}/api/v1/transforms/points", json=asked)
        assert answer.json()["error"]["code"] == code


def test_the_page_of_its_dataset_says_where_it_leads(shown):
    address, added = shown
    page = httpx2.get(f"{address}/datasets/{added.dataset_id}", params={"lang": "en"}).text
    assert "reference → floating, expected error 15.0 µm" in " ".join(page.split())
    assert "transform.json" in page
    chinese = httpx2.get(f"{address}/datasets/{added.dataset_id}", params={"lang": "zh"}).text
    assert "预期误差" in chinese
