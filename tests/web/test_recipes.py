"""Every recipe that a page gives runs, in Python and as a command, against the server that gave it; and notebooks."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from tests.atlases.pair import HIPPOCAMPUS, install_pair
from tests.web.conftest import stored_volume

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.collections import add_dataset, make_collection
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.versions import get_version
from pulvinar.model.record import Record, Species
from pulvinar.model.volume import VolumeKind
from pulvinar.platform import open_platform, solution_means
from pulvinar.settings import load_settings
from pulvinar.solutions.submission import Request, submit

ROOT = Path(__file__).parents[2]
HOSTILE = """It's "quoted" $(touch oops) `touch oops` \\ <b>&amp; 脑
--next"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A platform with two atlases, a neuron that ends, and a volume whose name would be code if it weren't quoted."""
    with open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("recipes"))) as platform:
        pair = install_pair(platform)
        asset, objects = stored_volume(platform, HOSTILE, np.ones((1, 1, 20, 30, 40), np.uint8), VolumeKind.IMAGE)
        with UnitOfWork(platform.database, platform.actor) as work:
            made = create_dataset(work, Record(HOSTILE, Species.MOUSE, "CC0-1.0"), node="local")
            draft = open_draft(work, made.id)
            add_asset(work, draft.id, asset, objects)
            publish(work, draft.id)
            collection = make_collection(work, HOSTILE)
            add_dataset(work, collection, made.id)
        version = get_version(platform.database, platform.actor, made.id)
        job = submit(solution_means(platform, platform.actor), Request("measure", {"image": asset.id}))
        yield platform, pair, version, collection, job.id


@pytest.fixture(scope="module")
def live(own, serving):
    with serving(own[0]) as address:
        yield address


def pages(own) -> dict[str, str]:
    """Where each kind of recipe stands."""
    _, pair, version, collection, job = own
    neuron = f"/datasets/{pair.neuron_id}"
    return {
        "dataset": f"/datasets/{version.dataset_id}",
        "asset": f"/datasets/{version.dataset_id}",
        "search": "/?q=kind%3Avolume+%22quoted%22",
        "atlas": "/atlases/toy_mouse",
        "region": f"/atlases/toy_mouse/regions/{HIPPOCAMPUS}",
        "place": "/atlases/toy_mouse/at?place=1000,500,300",
        "neuron": neuron,
        "upload": "/submissions",
        "solution": f"/solutions/measure?dataset={version.dataset_id}",
        "job": f"/jobs/{job}",
        "collection": f"/collections/{collection}",
    }


def recipes_at(live: str, path: str, name: str) -> list[tuple[str, str]]:
    """The recipes of a name on a page: Python, and a command."""
    page = httpx2.get(live + path, headers={"accept": "text/html"}).text
    found = re.findall(rf'data-recipe="{name}">(.*?)</details>', page, re.DOTALL)
    code = r'<code data-language="{}">(.*?)</code>'
    return [
        tuple(html.unescape(re.search(code.format(one), part, re.DOTALL)[1]) for one in ("python", "bash"))
        for part in found
    ]


def run(own, folder: Path, *words: str) -> str:
    (folder / "FOLDER").mkdir(exist_ok=True)
    (folder / "FOLDER" / "notes.csv").write_text("a,b\n1,2\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PULVINAR_")}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment |= {"PULVINAR_HOME": str(own[0].settings.home), "PATH": programs, "PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, f"{words[-1]}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


@pytest.mark.parametrize(
    "name",
    ["dataset", "asset", "search", "atlas", "region", "place", "neuron", "upload", "solution", "job", "collection"],
)
def test_every_recipe_runs_as_it_stands(own, live, tmp_path, name):
    path = pages(own)[name]
    if name == "neuron":
        item = httpx2.get(f"{live}/api/v1/atlases/toy_mouse/neurons").json()["items"][0]
        path = f"/datasets/{item['dataset_id']}/assets/{item['asset_id']}/neuron"
    found = recipes_at(live, path, name)
    assert found, path
    for python, command in found:
        said = run(own, tmp_path, sys.executable, "-c", python)
        done = run(own, tmp_path, "bash", "-c", command)
        assert said.strip()
        assert done.strip() or [one for one in tmp_path.iterdir() if one.is_file()], command
    assert not (tmp_path / "oops").exists()


def test_what_a_recipe_fetches_is_what_the_page_shows(own, live, tmp_path):
    version = own[2]
    (_, command), *_ = recipes_at(live, f"/datasets/{version.dataset_id}", "asset")
    run(own, tmp_path, "bash", "-c", command)
    (fetched,) = [one for one in tmp_path.iterdir() if one.is_file()]
    assert fetched.name.endswith(".nii.gz")
    assert fetched.read_bytes()[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_notebook_of_each_dataset_runs_from_its_first_cell_to_its_last(own, live, tmp_path, monkeypatch, language):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    datasets = httpx2.get(f"{live}/api/v1/datasets").json()["items"]
    # the toy atlases have no files of their own that a notebook could read
    for dataset in (one for one in datasets if "toy" not in one["record"]["title"]):
        address = f"{live}/datasets/{dataset['id']}/notebook.ipynb?lang={language}"
        answer = httpx2.get(address)
        assert answer.headers["content-type"] == "application/x-ipynb+json"
        assert answer.content == httpx2.get(address).content
        notebook = nbformat.reads(answer.text, as_version=4)
        nbformat.validate(notebook)
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
        shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        assert [one for one in shown if "text/html" in one.get("data", {}) and "<table>" in one["data"]["text/html"]]
        assert [one for one in shown if "iframe" in one.get("data", {}).get("text/html", "")]
        kinds = {asset["kind"] for asset in _assets(live, dataset)} & {"volume", "skeleton", "points"}
        pictures = [one for one in shown if "image/png" in one.get("data", {})]
        assert len(pictures) == len(kinds), json.dumps([list(one.get("data", {})) for one in shown])
        if language == "zh":
            assert "笔记本" in answer.text or "数据集的内容" in answer.text


def _assets(live: str, dataset: dict) -> list[dict]:
    number = dataset["latest"]["number"]
    return httpx2.get(f"{live}/api/v1/datasets/{dataset['id']}/versions/{number}").json()["assets"]
