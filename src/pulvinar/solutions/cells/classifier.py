"""Runs the trained networks: onnxruntime, on a GPU where its build has one, and on the processor."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, NotFound

_BATCH = 256
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class Model:
    """A network in an ONNX file with one input and one output; it can be sent to another process."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        if not path.is_file():
            raise NotFound(f"there is no model at {path}", hint="retrain_volume_model writes one, or leave it out")
        self.path, self.threads = path, threads

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.threads)

    def __call__(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The output for `batch`, whose first axis counts the samples.

        Raises `Invalid` for an input of the wrong shape.
        """
        session = _session(self.path, self.path.stat().st_mtime_ns, self.threads)
        given = session.get_inputs()[0]
        fixed = [(n, size) for n, size in zip(given.shape, batch.shape, strict=False) if isinstance(n, int)]
        if len(given.shape) != batch.ndim or any(n != size for n, size in fixed):
            raise Invalid(
                f"{self.path.name} takes {given.shape}, not {list(batch.shape)}", hint="this model is of another kind"
            )
        parts = [session.run(None, {given.name: batch[i : i + _BATCH]})[0] for i in range(0, len(batch), _BATCH)]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)


@lru_cache(maxsize=8)
def _session(path: Path, changed_ns: int, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    working = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
    return onnxruntime.InferenceSession(str(path), options, providers=working)


def model_at(path: Path | None, name: str, threads: int = 1) -> Model:
    """The model in the file `path`, or when it is None the one called `name` that comes with Pulvinar: `volume` or
    `section`. Raises `NotFound`."""
    if path is not None:
        return Model(path, threads)
    with as_file(files("pulvinar.solutions.cells") / "models" / f"{name}.onnx") as shipped:
        return Model(shipped, threads)
