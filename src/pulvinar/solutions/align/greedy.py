"""The first engine: PICSL greedy, whose deformations are smooth and can be inverted.

Images are handed over with voxels of 1 mm and no turn, so that its millimetres are our indices. Its matrices map
indices as they stand; its fields have ITK's axes, of which the first two point the other way.

Source: Yushkevich, Pluta, Wang, Wisse, Das and Wolk (2016), "Fast automatic segmentation of hippocampal subfields and
medial temporal lobe subregions in 3 Tesla and 7 Tesla T2-weighted MRI", Alzheimer's & Dementia 12(7), P126-P127.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import JobFailed, Unavailable
from pulvinar.solutions.align.aligner import Metric, Pair
from pulvinar.solutions.align.brain_image import Gray, Mask, Matrix

_NAMES = {Metric.MUTUAL_INFORMATION: "NMI", Metric.LOCAL_CORRELATION: "NCC 2x2x2"}


@dataclass(frozen=True)
class GreedyAligner:
    """`affine_steps` and `field_steps` are iterations at halving voxel sizes, the coarsest first; the smoothings, of
    each step and of the whole field, are in voxels. Raises `Unavailable` where the package is not installed,
    `JobFailed` where it ends without a result."""

    affine_steps: tuple[int, ...] = (100, 50, 20)
    field_steps: tuple[int, ...] = (200, 100, 10)
    smoothing: tuple[float, float] = (4.0, 0.5)
    faint_smoothing: tuple[float, float] = (4.0, 1.5)
    threads: int = 2

    @property
    def version(self) -> str:
        """What is run, with its version."""
        from importlib.metadata import version

        return f"picsl-greedy {version('picsl-greedy')}"

    def affine(self, pair: Pair, start: Matrix, freedom: int = 12) -> Matrix:
        """As `Aligner.affine` says."""
        with tempfile.TemporaryDirectory(prefix="pulvinar-align-") as name:
            folder = Path(name)
            np.savetxt(folder / "start.mat", start)
            steps = "x".join(map(str, _fitting(self._affine_steps(pair.metric), pair)))
            self._run(folder, pair, f"-a -dof {freedom} -m {_NAMES[pair.metric]} -n {steps} -ia start.mat -o found.mat")
            return _checked(np.loadtxt(folder / "found.mat"))

    def _affine_steps(self, metric: Metric) -> tuple[int, ...]:
        """Local correlation takes long at the finest voxels, where a map of 12 numbers has nothing left to learn."""
        return (*self.affine_steps[:-1], 0) if metric is Metric.LOCAL_CORRELATION else self.affine_steps

    def field(self, pair: Pair, affine: Matrix) -> npt.NDArray[np.float32]:
        """As `Aligner.field` says."""
        with tempfile.TemporaryDirectory(prefix="pulvinar-align-") as name:
            folder = Path(name)
            np.savetxt(folder / "affine.mat", affine)
            steps = "x".join(map(str, _fitting(self.field_steps, pair)))
            step, whole = self.faint_smoothing if pair.faint else self.smoothing
            smooth = f"{step:g}vox {whole:g}vox"
            self._run(
                folder, pair, f"-m {_NAMES[pair.metric]} -n {steps} -s {smooth} -it affine.mat -o field.nii -wp 0"
            )
            return _checked(_vectors(folder / "field.nii"))

    def _run(self, folder: Path, pair: Pair, arguments: str) -> None:
        try:
            from picsl_greedy import Greedy3D
        except ImportError as error:
            raise Unavailable(
                "the engine of alignment is not installed", hint="pip install 'pulvinar[align]'"
            ) from error
        _save(folder / "fixed.nii", pair.fixed)
        _save(folder / "moving.nii", pair.moving)
        # a seed that is not 0: the same images give the same map, with one thread to the last bit
        command = f"-d 3 -threads {self.threads} -seed 1 -V 0 -i {folder}/fixed.nii {folder}/moving.nii {arguments}"
        for name in ("start.mat", "found.mat", "affine.mat", "field.nii"):
            command = command.replace(f" {name}", f" {folder}/{name}")
        if pair.fixed_mask is not None:
            _save(folder / "mask.nii", pair.fixed_mask)
            command += f" -gm {folder}/mask.nii"
        said = io.StringIO()
        try:
            with _printing_nothing():
                Greedy3D().execute(command, out=said, err=said)
        except RuntimeError as error:
            raise JobFailed(f"greedy ended without a result: {error}", hint=_last(said)) from error


@contextmanager
def _printing_nothing() -> Iterator[None]:
    """Its optimiser writes to the process's own output, past Python's."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _checked(found: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not np.isfinite(found).all():
        raise JobFailed(
            "greedy found no map: what it gave are no numbers",
            hint="look at the image: is it a brain of this species, and is the voxel size right?",
        )
    return found


def _fitting(steps: tuple[int, ...], pair: Pair) -> tuple[int, ...]:
    """As many halvings as leave eight voxels along the shortest side."""
    shortest = min(min(pair.fixed.shape), min(pair.moving.shape))
    halvings = max(1, int(np.log2(max(shortest / 8, 1))) + 1)
    return steps[-halvings:] if halvings < len(steps) else steps


def _save(path: Path, voxels: Gray | Mask) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(np.asarray(voxels, np.float32), np.eye(4)), os.fspath(path))


def _vectors(path: Path) -> npt.NDArray[np.float32]:
    import nibabel

    field = np.asarray(nibabel.load(path).dataobj, np.float32)[:, :, :, 0]
    return np.ascontiguousarray(np.moveaxis(field * np.array([-1, -1, 1], np.float32), 3, 0))


def _last(said: io.StringIO) -> str:
    lines = [line.strip() for line in said.getvalue().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
