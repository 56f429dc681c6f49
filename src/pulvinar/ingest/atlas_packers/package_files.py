"""Files that an installed Python package brings."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pulvinar.errors import NotFound


@dataclass(frozen=True)
class PackageFile:
    """A file below the folder of an importable package; `distribution` is what pip calls it."""

    package: str
    path: str
    distribution: str = ""

    @property
    def name(self) -> str:
        """Its own name, without folders."""
        return Path(self.path).name


def copy_package_files(wanted: Sequence[PackageFile], folder: Path) -> None:
    """Copy files out of installed packages, which are not imported, side by side into `folder`.

    Raises `NotFound` for a package that isn't installed or hasn't the file.
    """
    for file in wanted:
        distribution = file.distribution or file.package
        spec = find_spec(file.package)
        if spec is None or not spec.submodule_search_locations:
            raise NotFound(
                f"the package {distribution} is not installed",
                hint=f"pip install {distribution}, or say --from with a folder that has {file.name}",
            )
        path = Path(next(iter(spec.submodule_search_locations)), file.path)
        if not path.is_file():
            raise NotFound(f"the package {distribution} has no {file.path}", hint=f"pip install -U {distribution}")
        shutil.copyfile(path, folder / file.name)
