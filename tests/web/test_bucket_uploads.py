"""Large files by S3's multipart uploads, on a real S3 server: what lands is what was sent, whatever lies in between."""

import hashlib
from urllib.parse import urlsplit

import httpx2 as httpx
import numpy as np
import pytest

import pulvinar
from pulvinar.client import bucket as client_bucket
from pulvinar.errors import Conflict, Corrupt
from pulvinar.ingest.uploads import multipart
from pulvinar.ingest.uploads.parts import list_digests
from pulvinar.ingest.uploads.submissions import list_submissions, remove_submission
from pulvinar.model.identity import new_id
from pulvinar.platform import landing_of, open_platform
from pulvinar.settings import load_settings

PART = 5 << 20
ROOT = "/api/v1/submissions"


@pytest.fixture
def platform(tmp_path, s3_server):
    s3_server.store("staging")
    settings = load_settings(
        environment={},
        home=tmp_path / "home",
        upload_bucket_url=f"s3://tests/staging/{new_id('run')}",
        s3_endpoint=s3_server.endpoint,
        s3_access_key=s3_server.access_key,
        s3_secret_key=s3_server.secret_key,
    )
    with open_platform(settings) as opened:
        yield opened


@pytest.fixture
def address(platform, serving, monkeypatch):
    monkeypatch.setattr(multipart, "_PART_BYTES", PART)
    with serving(platform) as found:
        yield found


@pytest.fixture
def web(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
def in_bucket(platform, s3_server):
    """The keys of what lies in the bucket."""
    from pulvinar.storage.store import open_store

    keys = {"access_key": s3_server.access_key, "secret_key": s3_server.secret_key}
    store = open_store(platform.settings.upload_bucket_url, endpoint=s3_server.endpoint, **keys)
    return lambda: [one.key for one in store.list("")]


def content(size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def begun(web, size: int, name: str = "脑.tif") -> tuple[str, dict]:
    made = web.post(ROOT, json={"title": "large"}).json()["id"]
    answer = web.post(f"{ROOT}/{made}/bucket-uploads", json={"path": name, "size_bytes": size})
    assert answer.status_code == 201, answer.text
    return made, answer.json()


def signed(web, submission: str, file_id: str, number: int, digest: str) -> dict:
    asked = {"number": number, "sha256": digest}
    answer = web.post(f"{ROOT}/{submission}/bucket-uploads/{file_id}/parts", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def put(web, submission: str, file_id: str, number: int, data: bytes, digest: str = "") -> int:
    to = signed(web, submission, file_id, number, digest or sha(data))
    return httpx.put(to["url"], content=data, headers=to["headers"], timeout=60).status_code


def complete(web, submission: str, file_id: str) -> httpx.Response:
    return web.post(f"{ROOT}/{submission}/bucket-uploads/{file_id}/complete")


def test_our_client_hands_in_files_of_all_sizes_and_each_part_is_verified(platform, address, tmp_path, in_bucket):
    folder = tmp_path / "large"
    folder.mkdir()
    files = {
        "脑.tif": content(4 * PART + 70_001),
        "whole parts": content(4 * PART),
        "small": content(1000),
        "none": b"",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    done = pulvinar.connect(address).upload(folder, by_bucket=True)
    assert done.state in ("looking", "looked", "failed")
    landing = landing_of(platform)
    for name, data in files.items():
        assert (landing.files(done.id) / name).read_bytes() == data
    digests = {one.sha256 for one in list_digests(landing, platform.actor, done.id)}
    first = files["脑.tif"]
    assert {sha(first[at : at + PART]) for at in range(0, len(first), PART)} <= digests
    # nothing stays behind
    assert in_bucket() == []


def test_what_was_sent_before_a_break_is_not_sent_again(platform, web):
    data = content(2 * PART + 5)
    submission, told = begun(web, len(data))
    assert (told["part_count"], told["part_bytes"], told["there"]) == (3, PART, {})
    assert put(web, submission, told["file_id"], 2, data[PART : 2 * PART]) == 200
    again = web.post(f"{ROOT}/{submission}/bucket-uploads", json={"path": "脑.tif", "size_bytes": len(data)}).json()
    assert again == {**told, "there": {"2": sha(data[PART : 2 * PART])}}
    refused = complete(web, submission, told["file_id"])
    assert (refused.status_code, "part 1" in refused.text) == (409, True)
    assert put(web, submission, told["file_id"], 1, data[:PART]) == 200
    assert put(web, submission, told["file_id"], 3, data[2 * PART :]) == 200
    assert complete(web, submission, told["file_id"]).json()["whole"] is True
    assert complete(web, submission, told["file_id"]).json()["whole"] is True
    assert (landing_of(platform).files(submission) / "脑.tif").read_bytes() == data


def test_landing_goes_on_where_a_request_ended(platform, web, monkeypatch):
    monkeypatch.setattr(multipart, "_LAND_S", -1.0)
    data = content(2 * PART + 5)
    submission, told = begun(web, len(data))
    for number in (1, 2, 3):
        assert put(web, submission, told["file_id"], number, data[(number - 1) * PART : number * PART]) == 200
    assert complete(web, submission, told["file_id"]).json() == {
        "received": 0,
        "size_bytes": len(data),
        "whole": False,
    }
    monkeypatch.setattr(multipart, "_LAND_S", 20.0)
    assert complete(web, submission, told["file_id"]).json()["whole"] is True
    assert (landing_of(platform).files(submission) / "脑.tif").read_bytes() == data


def test_bytes_that_are_not_what_was_announced_never_count(platform, web, in_bucket):
    data = content(PART + 5)
    submission, told = begun(web, len(data))
    wrong = bytes([data[0] ^ 1]) + data[1:PART]
    taken = put(web, submission, told["file_id"], 1, wrong, sha(data[:PART]))
    assert put(web, submission, told["file_id"], 2, data[PART:]) == 200
    if taken == 200:
        # a bucket that doesn't check: the platform does
        refused = complete(web, submission, told["file_id"])
        assert (refused.status_code, "SHA-256" in refused.text) == (460, True), refused.text
        assert in_bucket() == []
    (landed,) = list_submissions(platform.database, platform.actor)
    assert landed.received_bytes == 0
    for number, piece in ((1, data[:PART]), (2, data[PART:])):
        assert put(web, submission, told["file_id"], number, piece) == 200
    assert complete(web, submission, told["file_id"]).json()["whole"] is True
    assert (landing_of(platform).files(submission) / "脑.tif").read_bytes() == data


def test_an_address_opens_nothing_else(web):
    data = content(PART + 5)
    submission, told = begun(web, len(data))
    to = signed(web, submission, told["file_id"], 1, sha(data[:PART]))
    other = to["url"].replace("partNumber=1", "partNumber=2")
    assert other != to["url"]
    send = {"content": data[:PART], "headers": to["headers"], "timeout": 60}
    assert httpx.put(other, **send).status_code == 403
    without = {**send, "headers": {}}
    assert httpx.put(to["url"], **without).status_code == 403
    assert httpx.get(to["url"]).status_code == 403
    bare = urlsplit(to["url"])
    assert httpx.put(f"{bare.scheme}://{bare.netloc}{bare.path}", **send).status_code == 403
    assert httpx.put(to["url"], **send).status_code == 200


def test_what_is_wrong_is_refused(platform, web):
    submission, told = begun(web, PART + 5)
    of_part = f"{ROOT}/{submission}/bucket-uploads/{told['file_id']}/parts"
    assert web.post(of_part, json={"number": 3, "sha256": sha(b"")}).status_code == 422
    assert web.post(of_part, json={"number": 1, "sha256": "abc"}).status_code == 422
    other = web.post(ROOT, json={"title": "another"}).json()["id"]
    stolen = of_part.replace(submission, other)
    assert web.post(stolen, json={"number": 1, "sha256": sha(b"")}).status_code == 404
    too_large = {"path": "x", "size_bytes": 10**15}
    assert web.post(f"{ROOT}/{submission}/bucket-uploads", json=too_large).status_code in (413, 503)
    clash = {"path": "脑.TIF", "size_bytes": 5}
    assert web.post(f"{ROOT}/{submission}/bucket-uploads", json=clash).status_code == 409


def test_what_is_given_up_leaves_nothing_in_the_bucket(platform, web, in_bucket):
    data = content(PART + 5)
    submission, told = begun(web, len(data))
    assert put(web, submission, told["file_id"], 1, data[:PART]) == 200
    remove_submission(landing_of(platform), platform.actor, submission)
    assert in_bucket() == []
    to_nowhere = web.post(f"{ROOT}/{submission}/bucket-uploads", json={"path": "脑.tif", "size_bytes": 5})
    assert to_nowhere.status_code == 404


def test_a_file_that_arrives_damaged_each_time_is_told(address, tmp_path, monkeypatch):
    path = tmp_path / "brain.tif"
    path.write_bytes(content(4 * PART))
    real = client_bucket._put

    def damaged(signed, data):
        real(signed, b"\0" + data[1:])

    monkeypatch.setattr(client_bucket, "_put", damaged)
    monkeypatch.setattr(client_bucket, "persistently", lambda attempt: _once(attempt))
    with pytest.raises((Corrupt, client_bucket.Broken)):
        pulvinar.connect(address).upload(path, by_bucket=True)


def _once(attempt):
    return attempt()


def test_a_server_without_a_bucket_says_so(tmp_path, serving):
    with open_platform(load_settings(environment={}, home=tmp_path / "home")) as platform, serving(platform) as at:
        path = tmp_path / "brain.tif"
        path.write_bytes(content(17 << 20))
        with pytest.raises(Conflict, match="by way of a bucket"):
            pulvinar.connect(at).upload(path, by_bucket=True)
