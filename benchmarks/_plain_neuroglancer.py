"""Plain Neuroglancer, as its own package brings it, and its own writer of annotations: in an environment of its own."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

ENVIRONMENT = Path(".bench") / "neuroglancer"
REQUIREMENT = "neuroglancer==2.41.2"
WRITE = """
import sys, numpy, neuroglancer
from neuroglancer.write_annotations import AnnotationWriter
places = numpy.load(sys.argv[1])
space = neuroglancer.CoordinateSpace(names=["x", "y", "z"], units="m", scales=[1e-6] * 3)
writer = AnnotationWriter(space, "point", properties=[neuroglancer.AnnotationPropertySpec(id="type", type="uint8")])
for number, (x, y, z) in enumerate(places.tolist()):
    writer.add_point((x, y, z), type=number % 40)
writer.write(sys.argv[2])
"""


def plain_python() -> Path:
    """Its interpreter; installs it on first use."""
    python = ENVIRONMENT.absolute() / "bin" / "python"
    if not (ENVIRONMENT / "installed").exists():
        print(f"installing {REQUIREMENT} into {ENVIRONMENT}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", REQUIREMENT], check=True)
        (ENVIRONMENT / "installed").touch()
    return python


def write_annotations(places: Path, folder: Path) -> None:
    """The points (n, 3) of `places` (x, y, z, micrometres) as Neuroglancer's own writer stores them."""
    subprocess.run([plain_python(), "-c", WRITE, places, folder], check=True)


@contextmanager
def plain_viewer(also: Path | None = None) -> Iterator[str]:
    """The address of Neuroglancer's own page, of a server of static files; `also` lies below it at `data/`."""
    python = plain_python()
    where = "import neuroglancer, pathlib; print(pathlib.Path(neuroglancer.__file__).parent / 'static' / 'client')"
    found = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip()
    handler = functools.partial(_Files, directory=found, also=also)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def page(viewer: str, state: Mapping[str, Any]) -> str:
    """The address of a view."""
    return f"{viewer}/#!{quote(json.dumps(state))}"


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, also: Path | None, **named: Any) -> None:
        self._also = also
        super().__init__(*arguments, **named)

    def translate_path(self, path: str) -> str:
        if self._also is not None and path.startswith("/data/"):
            return str(self._also / path.removeprefix("/data/").partition("?")[0])
        return super().translate_path(path)

    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002 - the base class calls it so
        pass
