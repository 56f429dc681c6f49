"""The files of a folder as `AtlasSources`, read by the platform's readers in their own process."""

from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pulvinar.errors import NotFound
from pulvinar.ingest.reader import Options
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.submission import open_submission


class FolderSources:
    def __init__(self, submission, scratch, stack):
        self._submission, self._scratch, self._stack = submission, scratch, stack

    def names(self):
        return tuple(sorted(file.name for file in self._submission.files))

    def bytes(self, name):
        if name not in self.names():
            raise NotFound(f"there is no {name}", hint=", ".join(self.names()))
        return (self._submission.root / name).read_bytes()

    def volume(self, name, options=None):
        host, asset = self._found(name, options)
        return host.open_volume(asset), asset.volume.voxel_size_um, asset.volume.affine_um

    def mesh(self, name, options=None):
        host, asset = self._found(name, options)
        return host.read_geometry(asset)

    def _found(self, name, options):
        files = [file for file in self._submission.files if file.name == name or file.name.startswith(f"{name}/")]
        if not files:
            raise NotFound(f"there is no {name}", hint=", ".join(self.names()))
        own = self._scratch / str(len(list(self._scratch.iterdir())))
        own.mkdir()
        host = ReaderHost(
            self._submission.root,
            scratch=own,
            limits=Limits(),
            options=options or Options(),
            readable=self._submission.readable,
        )
        self._stack.enter_context(host)
        (asset,) = host.find(files)
        return host, asset


@contextmanager
def folder_sources(root):
    with TemporaryDirectory() as scratch, ExitStack() as stack:
        submission = stack.enter_context(open_submission(Path(root), Path(scratch), Limits()))
        yield FolderSources(submission, Path(scratch), stack)
