"""Detectors of other programs, run by an interpreter that has them: `python _cells_peers.py FOLDER REPEATS`.

The folder holds `jobs.json`, a list of objects with name, volume, voxel_um, diameter_um, who, setting, ball and framed.
The answer to each is written beside the volume's file, and what it took is printed as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    """Run every job, the first one once more before, so that nothing is compiled while time is taken."""
    folder, repeats = Path(sys.argv[1]), int(sys.argv[2])
    jobs = json.loads((folder / "jobs.json").read_text())
    told = []
    for at, job in enumerate(jobs):
        volume = np.load(folder / job["volume"])
        find = FINDERS[job["who"]]
        if at == 0 and repeats:
            find(volume, job)
        before = _cpu_s()
        for _ in range(max(1, repeats)):
            places = find(volume, job)
        told.append({"name": job["name"], "cpu_s": (_cpu_s() - before) / max(1, repeats), "count": len(places)})
        np.save(folder / f"{job['name']}.npy", places)
    print(json.dumps(told))


def _cpu_s() -> float:
    kinds = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in kinds)


def _cellfinder(volume: np.ndarray, job: dict) -> np.ndarray:
    """It takes the corner of a plane for what lies outside of the brain, so a drawn scene gets a dark frame."""
    import torch
    from cellfinder.core.detect.detect import main as detect

    torch.set_num_threads(1)
    frame = (
        np.array((6, *[int(4 * job["diameter_um"][1] / job["voxel_um"][1])] * 2)) if job["framed"] else np.zeros(3, int)
    )
    found = detect(
        _framed(volume, frame),
        voxel_sizes=tuple(job["voxel_um"]),
        soma_diameter=float(job["diameter_um"][1]),
        ball_xy_size=job["ball"][1] * job["diameter_um"][1],
        ball_z_size=job["ball"][0] * job["diameter_um"][0],
        n_sds_above_mean_thresh=job["setting"],
        n_free_cpus=1,
        batch_size=1,
        torch_device="cpu",
    )
    return np.array([(cell.z, cell.y, cell.x) for cell in found], np.float64).reshape(-1, 3) - frame


def _framed(volume: np.ndarray, frame: np.ndarray) -> np.ndarray:
    if not frame.any():
        return volume
    dark = 0.3 * np.percentile(volume, 1)
    shape = np.add(volume.shape, 2 * frame)
    out = np.random.default_rng(1).normal(dark, 0.2 * dark, shape).clip(0).astype(volume.dtype)
    out[tuple(slice(a, a + n) for a, n in zip(frame, volume.shape, strict=True))] = volume
    return out


def _difference_of_gaussians(volume: np.ndarray, job: dict) -> np.ndarray:
    from scipy import ndimage

    image = volume.astype(np.float32)
    sigma = 0.289 * np.divide(job["diameter_um"], job["voxel_um"])
    band = ndimage.gaussian_filter(image, sigma / 1.26) - ndimage.gaussian_filter(image, sigma * 1.26)
    top = (band == ndimage.maximum_filter(band, np.maximum(3, 2 * sigma).astype(int))) & (
        band > job["setting"] * band.std()
    )
    return np.argwhere(top).astype(np.float64)


FINDERS = {"cellfinder": _cellfinder, "difference": _difference_of_gaussians}

if __name__ == "__main__":
    main()
