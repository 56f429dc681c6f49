"""The API as programs see it: pages, versions, pictures, cut-outs, and one shape for every failure."""

import gzip
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx2
import nibabel
import numpy as np
import pytest

import pulvinar.errors
from pulvinar.errors import PulvinarError
from pulvinar.platform import Platform
from pulvinar.web import errors
from pulvinar.web.api.document import openapi_text

Shown = Any


@pytest.fixture(scope="module")
def api(address: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=address) as client:
        yield client


def test_every_route_is_documented_with_its_answer():
    paths = json.loads(openapi_text())["paths"]
    assert len(paths) >= 10
    for path, methods in paths.items():
        for told in methods.values():
            answers = told["responses"]
            answer = next(answers[status] for status in ("200", "201", "204") if status in answers)
            assert told["description"], path
            bodies = answer.get("content", {}).items()
            assert all(kind != "application/json" or body["schema"] for kind, body in bodies), path


def test_datasets_come_page_by_page_newest_first(api, image, labels):
    seen, cursor = [], None
    while True:
        page = api.get("/api/v1/datasets", params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["items"]) <= 1
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert {image.version.dataset_id, labels.version.dataset_id} <= set(seen)


def test_datasets_are_found_by_words_and_species(api, image, labels):
    found = api.get("/api/v1/datasets", params={"q": "labels", "species": "mouse"}).json()["items"]
    assert [item["id"] for item in found] == [labels.version.dataset_id]
    assert api.get("/api/v1/datasets", params={"q": "labels", "species": "human"}).json()["items"] == []


def test_a_dataset_leads_to_its_bytes(api, image):
    dataset = api.get(f"/api/v1/datasets/{image.version.dataset_id}").json()
    assert dataset["record"]["title"] == "A brain with image"
    assert dataset["latest"]["digest"] == image.version.digest
    versions = api.get(f"/api/v1/datasets/{dataset['id']}/versions").json()
    assert [item["number"] for item in versions] == [1]
    version = api.get(f"/api/v1/datasets/{dataset['id']}/versions/1").json()
    (asset,) = version["assets"]
    assert api.get(asset["links"]["self"]).json() == asset
    assert api.get(asset["links"]["chunks"] + "zarr.json").json()["attributes"]["ome"]["version"] == "0.5"
    assert api.get(asset["links"]["zarr"] + "zarr.json").status_code == 200
    manifest = api.get(f"/api/v1/datasets/{dataset['id']}/versions/1/manifest").json()
    assert image.version.digest in json.dumps(manifest)


def test_pictures_are_kept_by_the_browser(api, image):
    picture = api.get(f"{image.api}/thumbnail")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/webp")
    assert "immutable" in picture.headers["cache-control"]
    again = api.get(f"{image.api}/thumbnail", headers={"if-none-match": picture.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert api.get(f"{image.api}/sections/z").status_code == 200
    assert api.get(f"{image.api}/sections/x").status_code == 404
    assert api.get(f"{image.api}/sections/q").status_code == 422


def cutout(api: httpx2.Client, shown: Shown, **query: str) -> httpx2.Response:
    return api.get(f"{shown.api}/cutout", params={"start": "60,5,4", "stop": "95,90,101", **query})


def test_a_cut_out_is_the_box_that_was_asked_for(api, image):
    answer = cutout(api, image, format="npy", channel="1")
    found = np.load(io.BytesIO(answer.content))
    assert np.array_equal(found, image.voxels[:, 1:, 60:95, 5:90, 4:101])
    assert answer.headers["content-disposition"].startswith(
        'attachment; filename="image-level0-60_5_4-to-95_90_101-channel1.npy"'
    )


def test_64_bit_labels_stay_64_bit_in_nifti(api, labels):
    answer = api.get(f"{labels.api}/cutout", params={"start": "0,0,0", "stop": "90,70,80"})
    nifti = nibabel.Nifti1Image.from_bytes(gzip.decompress(answer.content))
    assert np.array_equal(np.asarray(nifti.dataobj).T, labels.voxels[0, 0])
    assert np.asarray(nifti.dataobj).dtype == np.uint64


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"stop": "95,90,999"}, 422),
        ({"stop": "1,1"}, 422),
        ({"stop": "-1,2,3"}, 422),
        ({"level": "77"}, 422),
        ({"level": "-1"}, 422),
        ({"format": "exe"}, 422),
        ({"channel": "2"}, 422),
        ({"time": "1"}, 422),
    ],
)
def test_a_box_that_is_not_there_is_refused(query, status, api, image):
    answer = cutout(api, image, **query)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "hint", "request_id"}


def test_a_file_name_is_safe_whatever_an_asset_is_called():
    from pulvinar.web.downloads import disposition

    told = disposition('a"b\r\nSet-Cookie: x=海马.npy')
    assert "\r" not in told
    assert "\n" not in told
    assert told.count('"') == 2
    assert "%E6%B5%B7" in told


def test_what_is_not_there_is_said_in_one_shape(api):
    for path in ("/api/v1/datasets/local-nothing", "/api/v1/nothing", "/api/v1/assets/0/1", "/api/v1/scenes/none"):
        answer = api.get(path)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (404, "not_found"), path
        assert error["request_id"] == answer.headers["x-request-id"]
    refused = api.post("/api/v1/datasets")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("number", ["0", "99999999999999999999999", "-1", "x"])
def test_a_number_that_no_version_has_is_refused_in_plain_words(api, image, number):
    dataset = image.version.dataset_id
    for path in (f"/datasets/{dataset}/versions/{number}", f"/scenes/{dataset}?version={number}"):
        answer = api.get(f"/api/v1{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid"), path
        assert "version" in answer.json()["error"]["message"] or "number" in answer.json()["error"]["message"]


def test_head_answers_as_get_does_without_the_body(api, image):
    for path in ("/", "/api/v1/datasets", f"{image.api}/thumbnail", "/api/v1/nothing"):
        whole, head = api.get(path), api.head(path)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        assert head.headers["content-length"] == str(len(whole.content))


def test_cut_outs_of_two_boxes_are_saved_under_two_names(api, image):
    told = set()
    for stop, channel in (("70,30,30", 0), ("70,30,30", 1), ("70,30,31", 0)):
        asked = {"start": "60,5,4", "stop": stop, "channel": channel, "format": "npy"}
        told.add(api.get(f"{image.api}/cutout", params=asked).headers["content-disposition"])
    assert len(told) == 3


def test_every_kind_of_failure_has_a_status():
    kinds = [
        kind for kind in vars(pulvinar.errors).values() if isinstance(kind, type) and issubclass(kind, PulvinarError)
    ]
    statuses = {kind.__name__: errors.status_of(kind("x")) for kind in kinds if kind is not PulvinarError}
    assert statuses == {
        "NotFound": 404,
        "NotAuthenticated": 401,
        "Forbidden": 403,
        "Invalid": 422,
        "UnreadableFile": 422,
        "MetadataMissing": 422,
        "UnitMissing": 422,
        "SpaceMismatch": 422,
        "Conflict": 409,
        "TooLarge": 413,
        "TooOften": 429,
        "Unavailable": 503,
        "JobFailed": 500,
        "Corrupt": 500,
    }


def test_an_unknown_failure_shows_its_name_and_nothing_else(api, monkeypatch, caplog):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr("pulvinar.catalogue.datasets.list_datasets", fail)
    with caplog.at_level(logging.ERROR, "pulvinar.web"):
        answer = api.get("/api/v1/datasets")
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    request_id = answer.json()["error"]["request_id"]
    (record,) = [record for record in caplog.records if request_id in record.getMessage()]
    assert "swordfish" in str(record.exc_info)


def test_a_body_that_is_no_text_is_refused(api):
    headers = {"content-type": "application/json"}
    answer = api.post("/api/v1/transforms/points", content=b"\xff\xfe\x13", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")


def test_bodies_are_limited(api):
    answer = api.post("/api/v1/datasets", content=b"x" * (2 << 20))
    assert answer.status_code in (405, 413)
    assert api.get("/healthz").status_code == 200


def test_every_answer_tells_browsers_to_be_careful(api, image):
    for path in ("/", "/api/v1/datasets", "/api/v1/nothing", "/nothing", f"{image.api}/thumbnail"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src" in headers["content-security-policy"]
        assert headers["referrer-policy"]
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_a_browser_gets_a_page_where_a_program_gets_the_envelope(api):
    page = api.get("/nothing", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert api.get("/nothing").json()["error"]["code"] == "not_found"


def test_a_form_that_asks_for_too_much_is_answered_by_a_page(api, image):
    asked = {"start": "0,0,0", "stop": "999,1,1"}
    page = api.get(f"{image.api}/cutout", params=asked, headers={"accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert "outside of level 0" in page.text


def test_a_public_server_shows_visitors_what_is_published_and_no_more(platform: Platform, serving, image, draft):
    import dataclasses

    public = dataclasses.replace(platform, settings=platform.settings.model_copy(update={"public": True}))
    with serving(public) as address, httpx2.Client(base_url=address) as visitor:
        seen = {item["id"] for item in visitor.get("/api/v1/datasets").json()["items"]}
        assert image.version.dataset_id in seen
        assert draft.version.dataset_id not in seen
        assert visitor.get(f"{image.data}/chunks/zarr.json").status_code == 200
        for path in (
            f"/datasets/{draft.version.dataset_id}",
            f"{draft.api}/thumbnail",
        ):
            assert visitor.get(path).status_code == 404, path
        assert visitor.get(f"{draft.data}/chunks/zarr.json").status_code == 401


def test_more_than_the_budget_is_refused_with_a_level_that_fits(platform: Platform, serving, image):
    import dataclasses

    small = dataclasses.replace(platform, settings=platform.settings.model_copy(update={"cutout_budget_mb": 1}))
    with serving(small) as address, httpx2.Client(base_url=address) as api:
        refused = api.get(f"{image.api}/cutout", params={"start": "0,0,0", "stop": "100,130,150"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_large")
        query = refused.json()["error"]["hint"].split(": ")[1]
        assert api.get(f"{image.api}/cutout?{query}&format=npy").status_code == 200


def test_metadata_is_given_in_the_words_of_others(api, image):
    from pulvinar.catalogue.metadata_formats import FORMATS, FormatName, read_document

    path = f"/api/v1/datasets/{image.version.dataset_id}/metadata"
    for name, known in FORMATS.items():
        answer = api.get(path, params={"format": name.value, "version": 1})
        assert answer.headers["content-type"].partition(";")[0] == known.media_type
        if known.keeps:
            found, said = read_document(answer.text if name is FormatName.OME else answer.json())
            assert (found, said["species"]) == (name, "mouse")
    assert api.get(path).json()["schema_version"] == 2
    assert api.get(path, params={"format": "marc"}).status_code == 422
    assert api.get("/api/v1/datasets/nothing/metadata").status_code == 404


def test_conformance_is_told_rule_by_rule(api, image):
    found = api.get(f"/api/v1/datasets/{image.version.dataset_id}/conformance").json()
    assert not found["conforms"]
    failed = {rule["id"] for rule in found["rules"] if not rule["met"]}
    assert "A1" in failed
    assert not failed & {"D1", "D2", "D3", "F1", "F5", "F6"}
    assert all(rule["remedy"] for rule in found["rules"] if not rule["met"])


def test_every_published_schema_is_served_under_its_number(api):
    import jsonschema

    newest = api.get("/api/v1/schema/record").json()
    assert newest == api.get("/api/v1/schema/record/2").json()
    first = api.get("/api/v1/schema/record/1").json()
    assert (first["$id"], newest["$id"]) == ("urn:pulvinar:record:1", "urn:pulvinar:record:2")
    for number in (3, 99):
        assert api.get(f"/api/v1/schema/record/{number}").status_code == 404
    dataset = api.get("/api/v1/datasets").json()["items"][0]
    jsonschema.Draft202012Validator(newest).validate(dataset["record"])


def test_terms_are_searched_in_both_languages(api):
    found = api.get("/api/v1/terms", params={"q": "光片"}).json()
    assert [term["key"] for term in found] == ["light-sheet"]
    assert found[0]["identifiers"]["bids"] == "SPIM"
    assert {term["vocabulary"] for term in api.get("/api/v1/terms").json()} == {
        "species", "sex", "modality", "stain", "licence",
    }  # fmt: skip
    only = api.get("/api/v1/terms", params={"vocabulary": "licence"}).json()
    assert {term["vocabulary"] for term in only} == {"licence"}
