"""Who may learn what: every route found from the application x roles x states of a dataset x methods, and 0 leaks.

A leak that is planted (versions are shown to whoever asks) must be found, or the matrix shows nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from unittest import mock

from sqlalchemy import true
from tests.web.leaks import ROLES, STATES, Found, Matrix

from benchmarks._report import machine, report
from pulvinar.catalogue import versions
from pulvinar.platform import open_platform
from pulvinar.settings import load_settings


def main() -> int:
    """Look at the whole matrix, then at a platform that leaks; 0 when the first is tight and the second found out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database-url", default="", help="a database to use; a SQLite file without it")
    chosen = parser.parse_args()
    print(machine(), flush=True)
    found = _look(chosen.database_url, STATES)
    for one in found.leaks:
        print(f"  LEAK {one.state}, {one.role}: {one.route.method} {one.route.path}", flush=True)
    with mock.patch.object(versions, "seen_version", return_value=true()):
        planted = _look("", ("private",))
    paths = Counter(one.route.path.partition("?")[0] for one in planted.leaks)
    print(f"  planted: versions shown to whoever asks; found on {len(paths)} routes, in {len(planted.leaks)} cases")
    figure = f"{found.cases} cases ({len(ROLES)} roles, {len(STATES)} states), {len(found.leaks)} leaks"
    figure += f", a planted one {'found' if planted.leaks else 'NOT found'}"
    return report("leaks", figure, "0 leaks", passed=not found.leaks and bool(planted.leaks))


def _look(database_url: str, states: tuple[str, ...]) -> Found:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(environment={}, home=Path(folder), database_url=database_url, public=True)
        with open_platform(settings) as platform:
            matrix = Matrix(platform)
            print(f"  {len(matrix.routes)} routes", flush=True)
            return matrix.run(states, lambda state: print(f"  {state}", flush=True))


if __name__ == "__main__":
    raise SystemExit(main())
