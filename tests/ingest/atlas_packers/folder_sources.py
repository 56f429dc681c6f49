"""The files of a folder, as a packer is given them, with a scratch of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pulvinar.ingest.atlas_sources import FolderSources
from pulvinar.ingest.sandbox import Limits


@contextmanager
def folder_sources(root: Path) -> Iterator[FolderSources]:
    """Closed at the end, and what was unpacked is gone."""
    with TemporaryDirectory() as scratch, FolderSources(root, scratch=Path(scratch), limits=Limits()) as sources:
        yield sources
