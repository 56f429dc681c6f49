"""Plain Neuroglancer, as its own package brings and serves it, and its own writer of annotations: in an environment of
its own."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
SERVE = """
import json, sys, neuroglancer
neuroglancer.set_server_bind_address("127.0.0.1")
for line in sys.stdin:
    viewer = neuroglancer.Viewer()
    viewer.set_state(neuroglancer.ViewerState(json.loads(line)))
    print(viewer.get_viewer_url(), flush=True)
"""


@dataclass(frozen=True)
class PlainViewer:
    """A running Neuroglancer; `data` is the address of the files that it was given to show."""

    process: subprocess.Popen[str]
    data: str

    def page(self, state: Mapping[str, Any]) -> str:
        """The address of a page that shows `state`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(state) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


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
def plain_viewer(data: Path) -> Iterator[PlainViewer]:
    """Neuroglancer's own server, and one of the files in `data`."""
    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=str(data)))
    threading.Thread(target=files.serve_forever, daemon=True).start()
    command = [plain_python(), "-c", SERVE]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield PlainViewer(process, f"http://127.0.0.1:{files.server_address[1]}")
    finally:
        process.terminate()
        process.wait(30)
        files.shutdown()


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        self.send_header("access-control-allow-origin", "*")
        super().end_headers()

    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002 - the base class calls it so
        pass
