"""The API does what its document says, whatever it is asked: made-up requests, right ones and wrong ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.web.conftest import add_dataset, stored_volume

from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings
from pulvinar.web.app import create_app, describe_api

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
EXAMPLES = settings(
    max_examples=15,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# the one never ends, the other starts a browser, or says that there is none
ENDLESS = ["/api/v1/jobs/{job_id}/events", "/api/v1/movies/turntable"]

DOCUMENT = schemathesis.openapi.from_dict(describe_api().openapi())
OPERATIONS = [one.ok() for one in DOCUMENT.exclude(path=ENDLESS).get_all_operations()]


@pytest.fixture(scope="module", autouse=True)
def application(tmp_path_factory) -> Iterator[None]:
    """What is asked: a platform with a brain in it."""
    home = tmp_path_factory.mktemp("openapi")
    with open_platform(load_settings(environment={}, home=home)) as platform:
        voxels = np.ones((1, 1, 20, 20, 20), np.uint8)
        add_dataset(platform, "A brain", [stored_volume(platform, "image", voxels, VolumeKind.IMAGE)])
        application = without_beginning_and_end(create_app(platform))
        for one in OPERATIONS:
            one.schema.app = one.app = application
        yield


def without_beginning_and_end(application: Any) -> Any:
    """The application for a client that would start and end it with each request."""

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        for happened in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{happened}.complete"})

    return asked


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_every_answer_is_one_that_the_document_knows(operation: Any):
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    @EXAMPLES
    def right(case: schemathesis.Case) -> None:
        ask(case)

    @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    @EXAMPLES
    def wrong(case: schemathesis.Case) -> None:
        ask(case)

    right()
    if operation.query or operation.body:
        wrong()


def ask(case: schemathesis.Case) -> None:
    answer = case.call()
    case.validate_response(answer, checks=list(CHECKS))
    assert "nosniff" in answer.headers["x-content-type-options"]
