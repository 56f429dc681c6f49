"""A reader that does to its machine what it is told, as a plugin installed in an environment of its own.

`HOSTILE` is the plugin: a file that begins with "HOSTILE" is its own, and the Python after that line is what it does.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from pulvinar.ingest.reader import SourceFile

HOSTILE = """
from pulvinar.errors import *
from pulvinar.ingest.reader import *
from pulvinar.model.dataset import AssetKind
import numpy as np


class Hostile:
    name = "hostile"
    priority = 1

    def find(self, files, options):
        for file in files:
            if file.head.startswith(b"HOSTILE"):
                space = globals() | {"file": file, "asset": self.asset(file), "reader": self}
                exec(file.path.read_text(), space)
                yield space["asset"]

    def asset(self, file, **described):
        shape = (1, 1, 4, 4, 4)
        said = {"reader": "hostile", "key": file.name, "name": "a brain", "kind": AssetKind.VOLUME}
        said |= {"files": (file.name,), "volume": VolumeDescription(shape, "uint8", shape)}
        return FoundAsset(**(said | described))

    def open_volume(self, asset, root, options, scratch):
        return self.told("open_volume", asset, root)

    def read_geometry(self, asset, root, options):
        return self.told("read_geometry", asset, root)

    def told(self, what, asset, root):
        space = globals() | {"asset": asset, "reader": self}
        exec((root / asset.files[0]).read_text(), space)
        return space[what]()


HOSTILE = True
"""
_METADATA = "Metadata-Version: 2.1\nName: hostile\nVersion: 1\n"
_ENTRY = "[pulvinar.reader]\nhostile = hostile_plugin:Hostile\n"


def hostile_python(folder: Path) -> str:
    """A Python that has the hostile plugin installed, and everything that this one has."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (packages / "hostile_plugin.py").write_text(HOSTILE)
    installed = packages / "hostile-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(_METADATA)
    (installed / "entry_points.txt").write_text(_ENTRY)
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "ours.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in ours))
    return str(folder / "bin" / "python")


def hostile_file(folder: Path, does: str, name: str = "brain.bad") -> SourceFile:
    """A file that has its reader do `does`."""
    path = folder / name
    path.write_text(f"HOSTILE = True\n{does}\n")
    return SourceFile(path, name, path.stat().st_size, path.read_bytes()[:4096])
