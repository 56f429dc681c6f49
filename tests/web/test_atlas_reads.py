"""Who may only see that an atlas is there gets its names, and neither its voxels nor its surfaces."""

import numpy as np
import pytest
from tests.atlases.toy import SPACE, VOXEL_UM, install_toy
from tests.web.accounts import browser

from pulvinar.access.visibility import EVERYONE, show
from pulvinar.model.access import Right
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings

API = "/api/v1/atlases/toy"
PLACE = [12 * VOXEL_UM[0], 30 * VOXEL_UM[1], 20 * VOXEL_UM[2]]


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    settings = load_settings(environment={}, home=tmp_path_factory.mktemp("public"), public=True)
    with open_platform(settings) as opened:
        install_toy(opened, name="toy", surfaces=True)
        yield opened


@pytest.fixture(scope="module")
def visitor(platform):
    with browser(platform) as client:
        yield client


def asked(visitor) -> dict[str, int]:
    """The status of every question to the atlas."""
    places = np.array([PLACE], "<f8").tobytes()
    answers = {
        "names": visitor.get(f"{API}/regions/11"),
        "mirror": visitor.post(f"{API}/mirror", json={"points": [PLACE]}),
        "picture": visitor.get("/atlases/toy/regions/11/picture/z"),
        "place": visitor.get("/atlases/toy/at", params={"place": "500,600,250"}),
        "mask": visitor.get(f"{API}/regions/11/mask"),
        "surface": visitor.get(f"{API}/regions/11/surface"),
        "regions at": visitor.post(f"{API}/regions-at", json={"points": [PLACE], "space": SPACE.name}),
        "regions at, for programs": visitor.post(f"{API}/regions-at/binary", content=places),
    }
    return {name: answer.status_code for name, answer in answers.items()}


NAMES, LOOKS = ("names", "mirror"), ("picture", "place")
READS = ("mask", "surface", "regions at", "regions at, for programs")


@pytest.mark.parametrize(
    ("right", "given"), [(Right.SEE, NAMES), (Right.VIEW, NAMES + LOOKS), (Right.READ, NAMES + LOOKS + READS)]
)
def test_each_right_opens_what_it_names(platform, visitor, right, given):
    dataset = platform.atlas("toy").dataset_id
    with platform.database.writing() as session:
        show(session, dataset, EVERYONE, right)
    found = asked(visitor)
    assert found == {name: 200 if name in given else 403 for name in found}
