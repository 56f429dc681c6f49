"""Uploads by tus, spoken by a client of others, by hand, and by ours: what breaks goes on, what is wrong is refused."""

import base64
import hashlib
import io
import threading

import httpx2 as httpx
import numpy as np
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

import pulvinar
from pulvinar.client import tus
from pulvinar.errors import Conflict, Forbidden
from pulvinar.ingest.uploads.submissions import create_submission, list_submissions
from pulvinar.model.access import ANONYMOUS, Actor
from pulvinar.platform import landing_of, open_platform
from pulvinar.settings import load_settings

ROOT = "/api/v1/uploads"
SPOKEN = {"Tus-Resumable": "1.0.0"}
BODY = {**SPOKEN, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request, tmp_path, migrated):
    settings = load_settings(
        environment={}, home=tmp_path / "home", database_url=migrated(request, request.param), upload_quota_gb=0.1
    )
    with open_platform(settings) as opened:
        yield opened


@pytest.fixture
def address(platform, serving):
    with serving(platform) as found:
        yield found


@pytest.fixture
def web(address):
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


def content(size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


def metadata(**said: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())


def checksum(piece: bytes) -> str:
    return f"sha256 {base64.b64encode(hashlib.sha256(piece).digest()).decode()}"


def create(web, size: int, **headers: str) -> httpx.Response:
    return web.post(ROOT, headers={**SPOKEN, "Upload-Length": str(size), **headers})


def begun(web, size: int, name: str = "brain.tif") -> str:
    return create(web, size, **{"Upload-Metadata": metadata(filename=name)}).headers["location"]


def test_a_client_of_others_hands_a_file_in_whole(platform, address, tmp_path):
    data = content(5_000_001)
    uploader = TusClient(f"{address}{ROOT}").uploader(
        file_stream=io.BytesIO(data), chunk_size=700_000, metadata={"filename": "脑.nii"}, upload_checksum=False
    )
    uploader.upload()
    (made,) = list_submissions(platform.database, platform.actor)
    assert (landing_of(platform).files(made.id) / "脑.nii").read_bytes() == data
    assert made.received_bytes == len(data)


def test_a_client_of_others_goes_on_where_it_was(platform, address):
    data = content(3_000_000)
    client = TusClient(f"{address}{ROOT}")
    first = client.uploader(file_stream=io.BytesIO(data), chunk_size=1_000_001, metadata={"filename": "a"})
    first.upload_chunk()
    second = client.uploader(file_stream=io.BytesIO(data), chunk_size=1_000_000, url=first.url)
    assert second.offset == 1_000_001
    second.upload()
    (made,) = list_submissions(platform.database, platform.actor)
    assert (landing_of(platform).files(made.id) / "a").read_bytes() == data


def test_what_is_spoken_is_said(web):
    told = web.options(ROOT)
    assert told.status_code == 204
    assert told.headers["tus-version"] == "1.0.0"
    assert "concatenation" in told.headers["tus-extension"]
    assert told.headers["tus-checksum-algorithm"] == "sha256"
    assert web.post(ROOT, headers={"Upload-Length": "3"}).status_code == 412


def test_what_has_come_of_a_broken_body_is_kept_unless_it_has_a_checksum(web, address):
    data = content(2_000_000)

    def half():
        yield data[:1_500_000]
        raise ConnectionError("the line is cut")

    upload = begun(web, len(data))
    length = {"Content-Length": str(len(data)), "Upload-Offset": "0"}
    with pytest.raises(ConnectionError):
        httpx.patch(f"{address}{upload}", content=half(), headers={**BODY, **length})
    offset = wait_for_offset(web, upload)
    assert 0 < offset <= 1_500_000
    rest = web.patch(upload, content=data[offset:], headers={**BODY, "Upload-Offset": str(offset)})
    assert rest.headers["upload-offset"] == str(len(data))
    checked = begun(web, len(data), "other.tif")
    with pytest.raises(ConnectionError):
        httpx.patch(
            f"{address}{checked}", content=half(), headers={**BODY, **length, "Upload-Checksum": checksum(data)}
        )
    assert wait_for_offset(web, checked, patience=0) == 0


def wait_for_offset(web, upload: str, patience: int = 100) -> int:
    for _ in range(patience + 1):
        told = web.head(upload, headers=SPOKEN)
        assert told.headers["cache-control"] == "no-store"
        if told.headers["upload-offset"] != "0":
            break
        threading.Event().wait(0.02)
    return int(told.headers["upload-offset"])


def test_bytes_that_are_not_those_that_were_sent_count_for_nothing(web):
    data = content(100_000)
    upload = begun(web, len(data))
    sent = {**BODY, "Upload-Offset": "0", "Upload-Checksum": checksum(data)}
    assert web.patch(upload, content=data[:-1] + b"?", headers=sent).status_code == 460
    assert web.head(upload, headers=SPOKEN).headers["upload-offset"] == "0"
    assert web.patch(upload, content=data, headers=sent).status_code == 204
    refused = web.patch(upload, content=b"", headers={**BODY, "Upload-Offset": "5"})
    assert refused.status_code == 409
    assert web.patch(upload, content=b"", headers={**SPOKEN, "Upload-Offset": "5"}).status_code == 415
    odd = {**BODY, "Upload-Offset": "0", "Upload-Checksum": "md5 AAAA"}
    assert web.patch(begun(web, 4, "x"), content=b"1234", headers=odd).status_code == 422


def test_more_than_was_said_is_refused(web):
    upload = begun(web, 10)
    assert web.patch(upload, content=b"x" * 11, headers={**BODY, "Upload-Offset": "0"}).status_code == 413


def test_parts_come_in_any_order_and_are_put_together_in_place(platform, web):
    data = content(300_000)
    made = web.post("/api/v1/submissions", json={"title": "parts"}).json()["id"]
    web.post(f"/api/v1/submissions/{made}/files", json=[{"path": "d/猴.tif", "size_bytes": len(data)}])
    addresses = {}
    for start in (200_000, 0, 100_000):
        said = metadata(submission=made, path="d/猴.tif", start=str(start))
        piece = data[start : start + 100_000]
        told = web.post(
            ROOT,
            content=piece,
            headers={
                **BODY,
                "Upload-Length": "100000",
                "Upload-Concat": "partial",
                "Upload-Metadata": said,
                "Upload-Checksum": checksum(piece),
            },
        )
        assert told.status_code == 201, told.text
        assert told.headers["upload-offset"] == "100000"
        addresses[start] = told.headers["location"]
    assert web.post(f"/api/v1/submissions/{made}/finish").status_code == 409
    wrong = "final;" + " ".join(addresses[start] for start in (100_000, 0, 200_000))
    assert web.post(ROOT, headers={**SPOKEN, "Upload-Concat": wrong}).status_code == 422
    right = "final;" + " ".join(addresses[start] for start in sorted(addresses))
    assert web.post(ROOT, headers={**SPOKEN, "Upload-Concat": right}).status_code == 201
    assert (landing_of(platform).files(made) / "d" / "猴.tif").read_bytes() == data
    assert [len(list(landing_of(platform).files(made).rglob("*.*")))] == [1]
    assert web.post(f"/api/v1/submissions/{made}/finish").json()["state"] == "looking"


def test_an_upload_that_is_ended_counts_no_more(web):
    upload = begun(web, 10)
    web.patch(upload, content=b"12345", headers={**BODY, "Upload-Offset": "0"})
    assert web.delete(upload, headers=SPOKEN).status_code == 204
    assert web.head(upload, headers=SPOKEN).status_code == 404
    assert web.get("/api/v1/submissions").json()[0]["received_bytes"] == 0


def test_an_empty_file_is_whole_at_once(platform, web):
    begun(web, 0, "empty.txt")
    (made,) = list_submissions(platform.database, platform.actor)
    assert (landing_of(platform).files(made.id) / "empty.txt").read_bytes() == b""
    assert web.post(f"/api/v1/submissions/{made.id}/finish").status_code == 200


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/../b", "C:\\x", "con.tif", "a\x00b", "\u202egpj.exe"]
)
def test_names_that_lead_elsewhere_are_refused(web, name):
    told = create(web, 1, **{"Upload-Metadata": metadata(filename=name)})
    assert told.status_code == 422
    assert "can't be kept" in told.json()["error"]["message"]


def test_names_that_only_some_systems_tell_apart_are_refused_with_both(web):
    made = web.post("/api/v1/submissions", json={}).json()["id"]
    told = web.post(
        f"/api/v1/submissions/{made}/files",
        json=[{"path": "É.tif", "size_bytes": 1}, {"path": "E\u0301.tif", "size_bytes": 1}],
    )
    assert told.status_code == 409
    assert "NFC, NFD" in told.json()["error"]["message"]
    assert web.get(f"/api/v1/submissions/{made}").json()["file_count"] == 0


def test_the_quota_is_asked_before_the_first_byte(web):
    told = create(web, 200_000_000, **{"Upload-Metadata": metadata(filename="large")})
    assert told.status_code == 413
    assert "quota" in told.json()["error"]["message"]


def test_the_disk_keeps_a_reserve(web, monkeypatch):
    from pulvinar.ingest.uploads import landing

    monkeypatch.setattr(landing.shutil, "disk_usage", lambda _: landing.shutil._ntuple_diskusage(1000, 940, 60))
    assert create(web, 11, **{"Upload-Metadata": metadata(filename="a")}).status_code == 503
    assert create(web, 10, **{"Upload-Metadata": metadata(filename="b")}).status_code == 201


def test_two_at_once_do_not_write_the_same_bytes(web, address, platform):
    data = content(1_000_000)
    upload = begun(web, len(data))
    go, sent = threading.Event(), threading.Event()

    def slowly():
        yield data[:10]
        sent.set()
        go.wait(20)
        yield data[10:]

    answers = []
    headers = {**BODY, "Content-Length": str(len(data)), "Upload-Offset": "0"}
    other = threading.Thread(
        target=lambda: answers.append(httpx.patch(f"{address}{upload}", content=slowly(), headers=headers))
    )
    other.start()
    sent.wait(20)
    for _ in range(100):
        second = web.patch(upload, content=b"!" * 10, headers={**BODY, "Upload-Offset": "0"})
        if second.status_code == 423:
            break
        # it came before the first had begun: both can't be right, and the file tells which was
        assert second.status_code in (204, 409)
    go.set()
    other.join()
    assert 423 in (second.status_code, *(one.status_code for one in answers)) or answers[0].status_code == 409


def test_another_person_knows_nothing_of_it(platform):
    landing = landing_of(platform)
    made = create_submission(landing, platform.actor, "mine")
    stranger = Actor("someone", "someone", is_owner=True)
    assert list_submissions(platform.database, stranger) == []
    from pulvinar.errors import NotFound
    from pulvinar.ingest.uploads.parts import get_part, open_part

    part = open_part(landing, platform.actor, made.id, "a", 3)
    with pytest.raises(NotFound):
        get_part(landing, stranger, part.id)
    with pytest.raises(NotFound):
        open_part(landing, stranger, made.id, "a", 3)
    with pytest.raises(Forbidden):
        create_submission(landing, ANONYMOUS, "theirs")


def test_pages_of_other_sites_upload_nothing(web):
    told = create(web, 1, **{"Upload-Metadata": metadata(filename="a"), "Origin": "http://elsewhere"})
    assert told.status_code == 403


def test_our_client_hands_in_a_folder_and_knows_it_again(platform, address, tmp_path, monkeypatch):
    monkeypatch.setattr(tus, "PIECE_BYTES", 100_000)
    monkeypatch.setattr("pulvinar.client.uploads.PIECE_BYTES", 100_000)
    folder = tmp_path / "斑马鱼"
    sizes = {"small.txt": 10, "empty": 0, "deep/er/large.tif": 2_345_678}
    for name, size in sizes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content(size))
    seen = []
    client = pulvinar.connect(address)
    done = client.upload(folder, progress=lambda at, total: seen.append((at, total)))
    assert done.state == "looking"
    assert seen[-1] == (sum(sizes.values()), sum(sizes.values()))
    staged = landing_of(platform).files(done.id)
    assert {name: (staged / name).read_bytes() for name in sizes} == {
        name: content(size) for name, size in sizes.items()
    }
    again = client.upload(folder)
    assert again.id == done.id


def test_a_file_that_changes_on_the_way_is_told(address, tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(content(100))
    client = pulvinar.connect(address)
    made = client.ask("/api/v1/submissions", {"title": "a"})
    client.ask(f"/api/v1/submissions/{made['id']}/files", [{"path": "a.bin", "size_bytes": 90}])
    (there,) = client.json(f"/api/v1/submissions/{made['id']}/files")
    from pulvinar.client.uploads import local_files, ranges_of

    with pytest.raises(Conflict):
        ranges_of(local_files([path])[0], there)


def test_an_unknown_upload_is_not_found_by_a_client_of_others(address):
    with pytest.raises(TusCommunicationError):
        TusClient(f"{address}{ROOT}").uploader(file_stream=io.BytesIO(b"x"), url=f"{address}{ROOT}/local-none").upload()
