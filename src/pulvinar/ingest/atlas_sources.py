"""The files of an atlas's source, read by the platform's own readers in their own process."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from pulvinar.errors import NotFound, TooLarge, UnreadableFile
from pulvinar.ingest.reader import FoundAsset, Options
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.submission import open_submission
from pulvinar.model.space import Affine
from pulvinar.model.text import short
from pulvinar.model.volume import Triple
from pulvinar.storage.sources import VoxelSource

_SMALL_BYTES = 64 << 20


class FolderSources:
    """`AtlasSources` over a folder; a context manager, which closes what it has opened.

    A packed file is unpacked below `scratch`. Files are opened one by one, each in a reader process of its own, so that
    each may have its own options.
    """

    def __init__(self, root: Path, *, scratch: Path, limits: Limits) -> None:
        if not root.is_dir():
            raise NotFound(f"there is no folder {short(root)}", hint="name the folder that holds the source's files")
        self._root = root.resolve()
        self._limits = limits
        self._opened = ExitStack()
        scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = Path(self._opened.enter_context(TemporaryDirectory(prefix="atlas-", dir=scratch)))
        self._numbers = count()

    def names(self) -> tuple[str, ...]:
        """Every file, relative, sorted; links are not followed."""
        files = (path for path in self._root.rglob("*") if path.is_file() and not path.is_symlink())
        return tuple(sorted(path.relative_to(self._root).as_posix() for path in files))

    def bytes(self, name: str) -> bytes:
        """A small file, up to 64 MB. Raises `NotFound`, `TooLarge`."""
        path = self._path(name)
        if path.stat().st_size > _SMALL_BYTES:
            raise TooLarge(f"{name} has {path.stat().st_size:,} bytes, more than a table of regions can have")
        return path.read_bytes()

    def volume(self, name: str, options: Options | None = None) -> tuple[VoxelSource, Triple, Affine | None]:
        """A volume's voxels, its voxel size and its affine into the world, open until the sources are closed. A volume
        of many files (Zarr) is named by its folder.

        Raises `NotFound`, and `UnreadableFile` for a file that holds no volume or several, or no voxel size where
        `options` give none.
        """
        host, found = self._found(name, options)
        volumes = [item for item in found if item.volume is not None]
        if len(volumes) != 1:
            raise UnreadableFile(f"{name} holds {len(volumes)} volumes, and not one", hint="is it the source's file?")
        (volume,) = volumes
        about = volume.volume
        if about is None or about.voxel_size_um is None:
            raise UnreadableFile(f"{name} does not say its voxel size", hint="the packer must say it")
        return self._opened.enter_context(host.open_volume(volume)), about.voxel_size_um, about.affine_um

    def _found(self, name: str, options: Options | None) -> tuple[ReaderHost, list[FoundAsset]]:
        own = self._scratch / f"source-{next(self._numbers)}"
        reading = own / "reading"
        reading.mkdir(parents=True)
        submission = self._opened.enter_context(open_submission(self._path(name), own, self._limits))
        host = ReaderHost(
            submission.root,
            scratch=reading,
            limits=self._limits,
            options=options or Options(),
            readable=submission.readable,
        )
        return self._opened.enter_context(host), host.find(submission.files)

    def _path(self, name: str) -> Path:
        path = self._root / name
        # a packer names files itself; a folder with links in it is somebody else's
        if not path.resolve().is_relative_to(self._root) or not (path.is_file() or path.is_dir()):
            here = ", ".join(self.names()[:8])
            raise NotFound(f"there is no file {name} in {short(self._root)}", hint=f"it has {here or 'no file'}")
        return path

    def close(self) -> None:
        """Let go of what is open."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
