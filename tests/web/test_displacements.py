"""A transform as displacements at the places of a section: what is left beside the affine map nearest to it."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from tests.atlases.toy import SPACE
from tests.web.accounts import browser

from pulvinar.access.visibility import EVERYONE, hide
from pulvinar.atlases.departure import departure, seen_from
from pulvinar.atlases.transforms import apply, invert
from pulvinar.catalogue.transforms import list_transforms
from pulvinar.cli.verbs import means_of
from pulvinar.errors import Invalid
from pulvinar.ingest.transform_install import End, TransformFiles, TransformFormat, add_transform
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.model.space import Points, Space
from pulvinar.model.transform import AffineTransform, space_to_world

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
    """The platform, and a transform from the toy atlas that moves what is near its middle to the right."""
    platform = public_with_atlas
    return platform, _install(platform, tmp_path_factory.mktemp("field") / "deformation.nii.gz")


def _install(platform, path) -> str:
    """NiftyReg's field of deformation over the toy's world: places of the other space, (x, y, z) in millimetres."""
    side, size = 40, 60.0
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1)
    corner = np.array(space_to_world(SPACE))[:3] @ [0, 0, 0, 1]
    affine = np.diag([size / 1000] * 3 + [1.0])
    affine[:3, 3] = corner[::-1] / 1000 - side * size / 2000
    places = nib.affines.apply_affine(affine, grid)
    far = np.linalg.norm(places - nib.affines.apply_affine(affine, [side / 2] * 3), axis=-1)
    places[..., 0] += 0.1 * np.exp(-((far / 0.4) ** 2))
    image = nib.Nifti1Image(places[..., None, :].astype("f4"), affine)
    image.header.set_intent("vector", name="NREG_TRANS")
    image.header["intent_p1"] = 0
    nib.save(image, path)
    ends = (End(SPACE.name, SPACE.orientation), End("bulged", SPACE.orientation))
    files = TransformFiles((path,), TransformFormat.NIFTYREG, *ends, "CC0-1.0", 5.0, species="mouse")
    return add_transform(means_of(platform), files).asset.id


def ask(client, asset, **more):
    asked = {"transform": asset, "corner": "-1000,-1000,-1000", "right": "0,0,100", "down": "100,0,0"}
    return client.get("/api/v1/atlases/toy/displacements", params={**asked, "columns": 20, "rows": 20, **more})


def test_the_places_of_a_section_move_as_the_transform_says(bulge):
    platform, asset = bulge
    with browser(platform, accept="application/json") as client:
        told = ask(client, asset).json()
    assert (told["source"], told["target"]) == ("toy", "bulged")
    assert len(told["vectors"]) == 400
    stored = next(
        one for one in list_transforms(platform.database, platform.store, LOCAL_OWNER) if one.asset.id == asset
    )
    assert not isinstance(stored.transform, AffineTransform)
    sizes = np.array([np.nan if one is None else np.linalg.norm(one) for one in told["vectors"]])
    assert np.nanmax(sizes) > 10, "something moves"
    assert invert(stored.transform).target == SPACE


def test_what_is_asked_wrongly_is_said(bulge):
    platform, asset = bulge
    with browser(platform, accept="application/json") as client:
        assert ask(client, "nothing").status_code == 404
        wrong = ask(client, asset, corner="1,2")
        assert (wrong.status_code, wrong.json()["error"]["message"]) == (422, "'1,2' is no place")
        assert ask(client, asset, rows=81).status_code == 422
        page = client.get(f"/atlases/toy/view?warp={asset}", headers={"accept": "text/html"}).text
    assert f"warp={asset}" in page


def test_who_may_not_read_it_gets_nothing(bulge):
    platform, asset = bulge
    stored = next(
        one for one in list_transforms(platform.database, platform.store, LOCAL_OWNER) if one.asset.id == asset
    )
    with platform.database.writing() as session:
        hide(session, stored.dataset_id, EVERYONE)
    with browser(platform, accept="application/json") as client:
        assert ask(client, asset).status_code == 404
