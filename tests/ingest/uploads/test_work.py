"""From files that have come to a draft: looked at, described, brought in, taken up again after whatever ended it."""

import numpy as np
import pytest
import tifffile

from pulvinar.catalogue.versions import get_version
from pulvinar.errors import Conflict, Invalid
from pulvinar.ingest.request import Means
from pulvinar.ingest.sandbox import Limits
from pulvinar.ingest.uploads import work
from pulvinar.ingest.uploads.form import answers_of, options_of, prefilled, request_of
from pulvinar.ingest.uploads.landing import Landing
from pulvinar.ingest.uploads.look import last_look
from pulvinar.ingest.uploads.parts import get_part, open_part
from pulvinar.ingest.uploads.submissions import create_submission, finish, get_submission, list_files
from pulvinar.ingest.uploads.writing import PartWriter
from pulvinar.model.access import LOCAL_OWNER
from pulvinar.storage.store import open_store

SAID = {"title": "猕猴", "species": "macaque", "licence": "CC0-1.0", "voxel_size": "5,2,2", "axes": "zyx"}


@pytest.fixture
def landing(database, tmp_path) -> Landing:
    return Landing(database, tmp_path / "scratch" / "uploads")


@pytest.fixture
def means(database, tmp_path) -> Means:
    store = open_store((tmp_path / "store").as_uri())
    limits = Limits(memory_bytes=4 << 30, cpu_s=600, budget_bytes=10**10)
    return Means(database, store, tmp_path / "scratch", limits)


@pytest.fixture
def finished(landing, tmp_path) -> str:
    tifffile.imwrite(tmp_path / "a.tif", np.random.default_rng(0).integers(0, 99, (8, 20, 24)).astype(np.uint16))
    data = (tmp_path / "a.tif").read_bytes()
    made = create_submission(landing, LOCAL_OWNER, "one brain")
    part = open_part(landing, LOCAL_OWNER, made.id, "brain.tif", len(data))
    with PartWriter(landing, LOCAL_OWNER, part, 0) as writer:
        writer.write([data])
        writer.keep()
    assert get_part(landing, LOCAL_OWNER, part.id).received == len(data)
    return finish(landing, LOCAL_OWNER, made.id).id


def test_a_submission_becomes_a_draft_and_its_files_are_gone(landing, means, finished):
    assert work.anything_to_do(landing.database)
    assert work.do_waiting(landing, means) == 1
    assert get_submission(landing.database, LOCAL_OWNER, finished).state == "looked"
    assert last_look(landing, finished).assets[0].files == ("brain.tif",)
    (file,) = list_files(landing.database, LOCAL_OWNER, finished)
    assert len(file.sha256) == 64
    # how the files are read was said anew: they are looked at once more
    assert work.describe(landing, LOCAL_OWNER, finished, SAID).state == "looking"
    work.do_waiting(landing, means)
    assert work.describe(landing, LOCAL_OWNER, finished, {**SAID, "lab": "ION"}).state == "looked"
    assert work.submit(landing, LOCAL_OWNER, finished).state == "taking"
    work.do_waiting(landing, means)
    done = get_submission(landing.database, LOCAL_OWNER, finished)
    assert (done.state, done.trouble) == ("done", "")
    version = get_version(landing.database, LOCAL_OWNER, done.dataset_id, done.version)
    assert version.state == "draft"
    assert version.record.lab == "ION"
    assert not landing.files(finished).exists()
    assert not work.anything_to_do(landing.database)


def test_what_fails_goes_back_to_the_person_with_the_reason(landing, means, finished):
    work.do_waiting(landing, means)
    work.describe(landing, LOCAL_OWNER, finished, {"title": "no species", "licence": "CC0-1.0"})
    work.submit(landing, LOCAL_OWNER, finished)
    work.do_waiting(landing, means)
    back = get_submission(landing.database, LOCAL_OWNER, finished)
    assert back.state == "looked"
    assert "species" in back.trouble
    assert landing.files(finished).exists()


def test_what_ended_in_the_middle_is_taken_up_again(landing, means, finished, monkeypatch):
    class Killed(BaseException): ...

    def killed(*_, **__):
        raise Killed

    work.do_waiting(landing, means)
    work.describe(landing, LOCAL_OWNER, finished, SAID)
    work.do_waiting(landing, means)
    work.submit(landing, LOCAL_OWNER, finished)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(work, "_changed", killed)
        work.do_waiting(landing, means)
    # the dataset was there already: it is found again, not made twice
    assert get_submission(landing.database, LOCAL_OWNER, finished).state == "taking"
    work.do_waiting(landing, means)
    assert get_submission(landing.database, LOCAL_OWNER, finished).state == "done"


def test_nothing_is_submitted_before_it_was_looked_at(landing, finished):
    with pytest.raises(Conflict):
        work.submit(landing, LOCAL_OWNER, finished)


def test_the_form_says_what_flags_say():
    answers = answers_of({"contributors": "Ada <author>\n\n张衡", "keywords": "a，b, c", "title": " t "})
    assert answers.contributors == ("Ada <author>", "张衡")
    assert answers.keywords == ("a", "b", "c")
    assert options_of({"voxel_size": "0.5mm", "orientation": "spr", "time_step": "0.5"}).voxel_size_um == (500.0,) * 3
    assert prefilled((), {"title": "t"})["title"] == "t"
    for wrong in ({"kind": "x"}, {"time_step": "soon"}, {"voxel_size": "1,2"}, {"originals": "reference"}):
        with pytest.raises(Invalid):
            request_of(wrong, None)
