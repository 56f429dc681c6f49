"""Files that `python -m benchmarks.fuzz` has found: each once made a reader crash, hang or say nothing of use."""

import random
import sys
from pathlib import Path

import pytest
from benchmarks import fuzz
from benchmarks.fuzz import Fuzzed
from tests.ingest.fuzzing import LIMITS, OPTIONS, read_all, read_submission, trouble
from tests.ingest.hostile import hostile_file, hostile_python
from tests.ingest.hostile_files.case import Good, every_twin
from tests.ingest.processes import readers

from pulvinar.errors import NotFound, PulvinarError
from pulvinar.ingest.sandbox import ReaderHost
from pulvinar.ingest.source_files import source_file

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


@pytest.mark.parametrize("name", ["tck", "nifti", "n5"])
def test_the_reader_gets_to_see_every_mutant(name, tmp_path, monkeypatch):
    twin = next(twin for twin in every_twin() if twin.name == name)
    fuzzed = Fuzzed(twin, tmp_path, random.Random(7))
    # the one that is sound, handed to one reader process again and again, as mutants are
    monkeypatch.setattr(fuzz, "mutated", lambda content, choice: content)
    fuzzed.run(8)
    assert fuzzed.outcomes == {"read": fuzzed.tried, "refused": 0, "unrecognised": 0, "failed": 0}
    assert fuzzed.tried > 1


def test_a_reader_that_finds_nothing_is_not_fuzzed(tmp_path):
    def nothing(folder: Path) -> Path:
        (folder / "letter.xyz").write_text("no reader knows this")
        return folder / "letter.xyz"

    with pytest.raises(NotFound, match="no reader finds anything"):
        Fuzzed(Good("letter", nothing, {}), tmp_path, random.Random(7)).run(1)


@pytest.mark.parametrize("name", ["imaris", "tiff", "parquet", "trk"])
def test_many_damaged_files_leave_nothing_open_in_the_reader_process(name, tmp_path):
    twin = next(twin for twin in every_twin() if twin.name == name)
    for folder in ("sound", "root", "scratch"):
        (tmp_path / folder).mkdir()
    sound = twin.make(tmp_path / "sound")
    damaged, choice, refused = tmp_path / "root" / sound.name, random.Random(7), 0
    with ReaderHost(tmp_path / "root", scratch=tmp_path / "scratch", limits=LIMITS, options=OPTIONS) as host:
        for _ in range(100):
            damaged.write_bytes(fuzz.mutated(sound.read_bytes(), choice))
            try:
                read_all(host, [source_file(damaged, sound.name)])
            except PulvinarError:
                refused += 1
        (process,) = readers()
        # its own: the channel, three standard ones, and the threads of a library for all files
        assert refused >= 15
        assert process.num_fds() < 8
        assert process.num_threads() < 8
