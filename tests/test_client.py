"""`pulvinar.connect`: what a person gets from a server somewhere else, and what it costs to import."""

import subprocess
import sys

import pytest

import pulvinar
from pulvinar.errors import Unavailable

SERVER_PACKAGES = ("sqlalchemy", "fastapi", "starlette", "uvicorn", "alembic", "psycopg", "numba", "nibabel", "obstore")
HEAVY = (*SERVER_PACKAGES, "numpy", "xarray", "dask", "tensorstore", "pyarrow", "httpx2", "pydantic")


def _imported(code: str, names: tuple[str, ...]) -> str:
    check = f"import sys; {code}; print([name for name in {names!r} if name in sys.modules])"
    return subprocess.check_output([sys.executable, "-c", check], text=True).strip()


def test_connecting_imports_nothing_heavy():
    assert _imported("import pulvinar; pulvinar.connect('http://127.0.0.1:1')", HEAVY) == "[]"


def test_a_missing_server_is_said():
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 does not answer"):
        list(pulvinar.connect("http://127.0.0.1:1").datasets())
