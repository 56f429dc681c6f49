import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pulvinar import errors
from pulvinar.cli.app import app
from pulvinar.cli.errors import EXIT_CODES, exit_code
from pulvinar.cli.samples import known_samples
from pulvinar.errors import Invalid, MetadataMissing, PulvinarError
from pulvinar.ingest.units import voxel_size
from pulvinar.settings import Settings


def test_help_imports_nothing_heavy():
    code = "import sys, pulvinar.cli.app; print([m for m in sys.modules if m.split('.')[0] in sys.argv[1:]])"
    heavy = ["numpy", "tensorstore", "numba", "sqlalchemy", "PIL", "pyarrow", "fastapi", "pydantic", "nibabel"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_kind_of_error_has_its_exit_code():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PulvinarError)]
    direct = [kind for kind in kinds if PulvinarError in kind.__bases__]
    assert set(direct) == set(EXIT_CODES)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)
    assert exit_code(MetadataMissing("x")) == EXIT_CODES[Invalid]


def test_settings_lists_each_with_what_it_does_and_hides_secrets(monkeypatch):
    monkeypatch.setenv("PULVINAR_S3_SECRET_KEY", "hush-hush")
    shown = CliRunner().invoke(app, ["settings", "--json"])
    rows = json.loads(shown.stdout)
    assert {row["name"] for row in rows} == set(Settings.model_fields)
    assert all(row["what"] for row in rows)
    assert "hush-hush" not in shown.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("25", (25.0, 25.0, 25.0)),
        ("50,40,40", (50.0, 40.0, 40.0)),
        ("0.5mm", (500.0, 500.0, 500.0)),
        ("5um,2um,650nm", (5.0, 2.0, 0.65)),
        ("0.5,0.2,0.2mm", (500.0, 200.0, 200.0)),
        ("5 x 2 x 2 µm", (5.0, 2.0, 2.0)),
        ("2 1 1", (2.0, 1.0, 1.0)),
        ("1e-3mm", (1.0, 1.0, 1.0)),
        ("1x2x3", (1.0, 2.0, 3.0)),
        ("", None),
    ],
)
def test_voxel_sizes_as_people_type_them(text, expected):
    assert voxel_size(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "1,2", "5 parsec", "x", "1e400", "1mm,2,3", "1,2mm,3"])
def test_a_voxel_size_that_is_none_is_refused(text):
    with pytest.raises(Invalid):
        voxel_size(text)


def test_public_samples_are_whole_entries():
    for name, item in known_samples().items():
        assert item["url"].startswith("https://"), name
        assert len(item["sha256"]) == 64, name
        assert item["licence"], name
        assert item["title"], name


def test_an_unknown_sample_names_the_known_ones(tmp_path: Path):
    done = CliRunner().invoke(app, ["samples", "fetch", "unicorn", "--to", str(tmp_path)])
    assert isinstance(done.exception, errors.NotFound)
    assert "human-t1" in done.exception.hint


def test_a_sample_without_a_network_is_unavailable(tmp_path: Path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    done = CliRunner().invoke(app, ["samples", "fetch", "human-t1", "--to", str(tmp_path)])
    assert isinstance(done.exception, errors.Unavailable)
