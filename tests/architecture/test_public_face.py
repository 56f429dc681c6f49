import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pulvinar

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "pulvinar").rglob("*.py"))


def test_the_public_face_is_small_sorted_and_real():
    names = pulvinar.__all__
    assert names == sorted(names)
    assert len(names) <= 25
    assert all(getattr(pulvinar, name).__doc__ for name in names if not name.startswith("__"))


def test_importing_pulvinar_imports_nothing_heavy():
    heavy = ("numpy", "tensorstore", "numba", "sqlalchemy", "fastapi", "dask", "nibabel", "pyarrow")
    code = f"import sys, pulvinar; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree) or not tree.body


def test_no_lock_file_names_a_registry():
    locks = [*ROOT.glob("requirements/*.txt"), *ROOT.glob("viewer/package-lock.json"), *ROOT.glob("viewer/.npmrc")]
    assert len(locks) >= 3
    for lock in locks:
        text = lock.read_text("utf-8")
        assert "index-url" not in text, lock
        assert "registry." not in text, lock
        assert '"resolved": "http' not in text, lock
