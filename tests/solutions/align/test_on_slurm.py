"""The same brain aligned by the nodes of a real Slurm and in one process: the same to the last byte."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from deploy.slurm.simulated import Nodes, simulated_slurm
from tests.compute.engines.test_engines import require_slurm
from tests.solutions.align.small_mouse import as_microscope, small_atlas, small_mouse
from tests.solutions.stored import catalogued, stored_volume

from pulvinar.catalogue import get_version
from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.jobs import get_job, read_log
from pulvinar.compute.slots import Slot
from pulvinar.ingest.atlas_install import install_atlas
from pulvinar.ingest.request import Means as IngestMeans
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.job import JobState
from pulvinar.solutions.align.known_warps import known_brain
from pulvinar.solutions.submission import Means, Request, submit

VOXEL_UM = 400.0


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_two_nodes_make_what_one_process_makes(
    means: Means, work: Callable, folder_store, tmp_path, samples, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("picsl_greedy")
    if not (samples / "mouse").is_dir():
        pytest.skip("sample mouse is not there")
    require_slurm()
    mouse = small_mouse(samples)
    install_atlas(
        IngestMeans(means.database, folder_store, tmp_path / "ingest", Limits()), small_atlas(mouse), surfaces=False
    )
    voxels = as_microscope(known_brain(mouse.template, mouse.labels, VOXEL_UM, 7))
    # two channels are two blocks
    both = np.concatenate([voxels, voxels // 2], axis=1)
    stored = stored_volume(folder_store, tmp_path / "scratch", both, size_um=(VOXEL_UM,) * 3)
    brain = catalogued(means.database, stored)
    request = Request(
        "align", {"image": f"{brain}:brain", "template": "small_mouse"}, {"work_voxel_um": VOXEL_UM}, title="here"
    )

    def digests(means: Means) -> dict[str, str]:
        job = submit(means, request)
        work(means)
        done = get_job(means.database, means.actor, job.id)
        assert done.state is JobState.DONE, (done.reason, read_log(means.database, means.actor, job.id))
        assets = {one.id: one for one in get_version(means.database, means.actor, done.dataset_id).assets}
        engines = {one.details["derivation"]["engine"] for one in assets.values()}
        assert engines == {means.engine.name}
        return {name: assets[asset_id].digest for name, asset_id in done.outputs.items()}

    here = digests(means)
    # of the scratch folder everything is seen by the nodes, as of a cluster's shared one
    with simulated_slurm(tmp_path / "cluster", Nodes(2, 1, 4000)) as configuration:
        monkeypatch.setenv("SLURM_CONF", str(configuration))
        slots = (Slot("standard", 1, 2_500_000_000),)
        engine = EngineOptions("slurm", slots, tmp_path / "engine", address="127.0.0.1", nodes=2)
        on_slurm = digests(replace(means, engine=engine))
    assert on_slurm == here
