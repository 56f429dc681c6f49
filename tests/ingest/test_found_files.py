"""Files that `python -m benchmarks.fuzz` has found: each once made a reader crash, hang or say nothing of use."""

import sys
from pathlib import Path

import pytest
from tests.ingest.fuzzing import read_submission, trouble
from tests.ingest.hostile import hostile_file, hostile_python

from pulvinar.errors import PulvinarError

FOUND = sorted(path for path in (Path(__file__).parent / "found").iterdir() if path.name != "README.md")


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_a_found_file_is_read_or_refused_with_a_reason(path, tmp_path):
    try:
        read_submission(path, tmp_path)
    except PulvinarError as error:
        assert trouble(error) == "", error  # noqa: PT017


def test_a_fault_is_told_from_a_refusal():
    assert trouble(TypeError("an integer is required")) == "unforeseen"
    assert trouble(PulvinarError("a.nii: it can't be read: KeyError: 3")) == "unforeseen"
    assert trouble(PulvinarError("a.nii: the reader crashed on it (SIGSEGV)")) == "crash"
    assert trouble(PulvinarError("a.nii is truncated: it ends within its header")) == ""


@pytest.mark.parametrize(
    ("does", "kind"),
    [("{}['nothing']", "unforeseen"), ("import os\nos.abort()", "crash"), ("bytearray(10 << 30)", "memory")],
)
def test_a_reader_with_a_fault_is_found_out(tmp_path, monkeypatch, does, kind):
    monkeypatch.setattr(sys, "executable", hostile_python(tmp_path / "environment"))
    (tmp_path / "scratch").mkdir()
    with pytest.raises(PulvinarError) as caught:
        read_submission(hostile_file(tmp_path, does).path, tmp_path / "scratch")
    assert trouble(caught.value) == kind
