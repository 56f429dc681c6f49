"""Real brains on a live server, and a real browser that looks at them."""

import gzip
import hashlib
import importlib.util
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ctypes.util import find_library
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.versions import get_version
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.label_names import label_name_files, read_label_names
from pulvinar.ingest.pictures import volume_pictures
from pulvinar.ingest.quality import QualityObserver, quality_to_json
from pulvinar.ingest.reader import GeometryData, SkeletonData
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, Version, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Acquisition, Contributor, Record, Species
from pulvinar.model.volume import Channel, Volume, VolumeKind, volume_to_json
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.volumes import open_volume, volume_documents
from pulvinar.web.server import configuration

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MESA = ["--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"]
SWIFTSHADER = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

Stored = tuple[Asset, tuple[StoredObject, ...]]


def until(page: Page, true: str) -> None:
    """Wait for what pages whose policy forbids scripts from text can't wait for themselves, over a change of page."""
    for _ in range(200):
        with suppress(Error):
            if page.evaluate(true):
                return
        time.sleep(0.1)
    raise AssertionError(f"it never came: {true}")


class _Forgetful:
    def finished(self) -> Mapping[str, StoredObject]:
        return {}

    def record(self, objects: Sequence[StoredObject]) -> None: ...


@dataclass(frozen=True)
class Site:
    """A live server and what it shows."""

    address: str
    macaque: Version
    zebrafish: Version
    neurons: Version

    def page(self, version: Version) -> str:
        return f"{self.address}/datasets/{version.dataset_id}"

    def viewer(self, version: Version) -> str:
        return f"{self.page(version)}/view?version={version.number}"


class Maker:
    """Puts samples into a platform by the verbs that an ingest uses, without its reader processes."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.scratch = platform.settings.resolved_scratch()
        self.scratch.mkdir(parents=True, exist_ok=True)

    def volume(self, name: str, voxels: np.ndarray, volume: Volume, names: Path | None = None) -> Stored:
        asset_id = new_id()
        prefix, observer = f"assets/{asset_id}", QualityObserver(volume.shape, volume.dtype)
        source = ArraySource(voxels)
        plan = plan_pyramid(volume, source.block_shape)
        store = self.platform.store
        written = write_pyramid(
            source, plan, store, prefix, ledger=_Forgetful(), scratch=self.scratch, observe=observer
        )
        stored = open_volume(store, prefix, volume)
        figures = [observer.figures(index, volume, stored) for index in range(len(volume.channels))]
        if volume.kind is VolumeKind.IMAGE:
            pairs = zip(volume.channels, figures, strict=True)
            volume = replace(volume, channels=tuple(replace(channel, window=found.window) for channel, found in pairs))
        files = {**volume_documents(volume), **volume_pictures(stored, volume, [item.window for item in figures])}
        details = {"volume": volume_to_json(volume), "quality": quality_to_json(figures, volume.kind), "findings": []}
        if names:
            named = read_label_names(names)
            files |= label_name_files(named)
            details["segments"] = {"path": "segments", "count": len(named)}
        return self._asset(asset_id, name, AssetKind.VOLUME, files, details, {item.path: item for item in written})

    def neuron(self, name: str, data: SkeletonData) -> Stored:
        return self.geometry(name, AssetKind.SKELETON, data)

    def geometry(self, name: str, kind: AssetKind, data: GeometryData) -> Stored:
        made = geometry_files(data, name)
        return self._asset(new_id(), name, kind, made.files, dict(made.details), {})

    def _asset(self, asset_id, name, kind, files, details, objects) -> Stored:
        prefix = f"assets/{asset_id}"
        for path, data in files.items():
            self.platform.store.put_bytes(f"{prefix}/{path}", data)
            objects[path] = StoredObject(path, len(data), hashlib.sha256(data).hexdigest())
        listed = tuple(objects[path] for path in sorted(objects))
        size = sum(item.size_bytes for item in listed)
        return Asset(asset_id, name, kind, prefix, size, len(listed), asset_digest(listed), details), listed

    def dataset(self, record: Record, assets: Sequence[Stored]) -> Version:
        with UnitOfWork(self.platform.database, self.platform.actor) as work:
            dataset = create_dataset(work, record, node="local")
            draft = open_draft(work, dataset.id)
            for asset, objects in assets:
                add_asset(work, draft.id, asset, objects)
            publish(work, draft.id)
        return get_version(self.platform.database, self.platform.actor, dataset.id)


def _nifti(path: Path, dtype: str, kind: VolumeKind) -> tuple[np.ndarray, Volume]:
    """A NIfTI file's voxels (t, c, z, y, x) and the volume that they make; its affine is (z, y, x), micrometres."""
    image = nibabel.load(path)
    voxels = np.ascontiguousarray(np.squeeze(np.asarray(image.dataobj)).T.astype(dtype))[None, None]
    turn = np.eye(4)[[2, 1, 0, 3]]
    affine = turn @ image.affine @ turn
    affine[:3] *= 1000
    size = tuple(float(value) for value in np.linalg.norm(affine[:3, :3], axis=0))
    levels = plan_levels(voxels.shape, size, dtype, kind)
    return voxels, Volume(kind, dtype, levels, (Channel("T1"),), tuple(map(tuple, affine.tolist())))


def _macaque(maker: Maker, sample: Callable[[str], Path]) -> Version:
    t1 = _nifti(sample("macaque/inia19/inia19-t1-brain.nii.gz"), "uint16", VolumeKind.IMAGE)
    labels = _nifti(sample("macaque/inia19/inia19-NeuroMaps.nii.gz"), "uint16", VolumeKind.LABELS)
    record = Record(
        "INIA19 猕猴脑模板与 NeuroMaps 分区",
        Species.MACAQUE,
        "CC-BY-4.0",
        description="A template of 19 rhesus monkeys and its regions.",
        acquisition=Acquisition(modality="T1 MRI", voxel_size_um=t1[1].voxel_size_um),
        contributors=(Contributor("Rohlfing T", orcid="0000-0000-0000-0000"),),
    )
    names = sample("macaque/inia19/inia19-NeuroMaps.txt")
    return maker.dataset(record, [maker.volume("T1", *t1), maker.volume("NeuroMaps", *labels, names=names)])


def _zebrafish(maker: Maker, sample: Callable[[str], Path]) -> Version:
    folder = sample("zebrafish/zbrain_lightsheet/ZBrains")
    stems = {"H2B-RFP": "zbrain-H2B-RFP_6dpf_mean10fish_8bit_xyz5um", "tERK": "zbrain-tERK-8bit_xyz5um"}
    voxels = np.stack([nrrd.read(str(folder / f"{stem}.nrrd"))[0].T for stem in stems.values()])[None]
    levels = plan_levels(voxels.shape, (5.0, 5.0, 5.0), "uint8", VolumeKind.IMAGE)
    channels = tuple(Channel(name, color) for name, color in zip(stems, ("FF64FF", "64FF64"), strict=True))
    volume = Volume(VolumeKind.IMAGE, "uint8", levels, channels)
    record = Record("Larval zebrafish, two stains", Species.ZEBRAFISH, "CC-BY-NC-4.0")
    return maker.dataset(record, [maker.volume("Z-Brain", np.ascontiguousarray(voxels), volume)])


def _neurons(maker: Maker, sample: Callable[[str], Path]) -> Version:
    folder = sample("mouse/fmost_neurons/20_mouse_neurons/CCFv3_25um")
    assets = [maker.neuron(path.name.split(".")[0], _swc(path)) for path in sorted(folder.glob("*.swc.gz"))[:5]]
    record = Record("Mouse neurons", Species.MOUSE, "CC-BY-4.0", acquisition=Acquisition(orientation="PIR"))
    return maker.dataset(record, assets)


def _swc(path: Path) -> SkeletonData:
    text = gzip.decompress(path.read_bytes()).decode()
    lines = (line.split() for line in text.splitlines() if re.match(r"\s*\d", line))
    rows = np.array([[float(value) for value in line[:7]] for line in lines])
    row_of = {int(node): row for row, node in enumerate(rows[:, 0])}
    return SkeletonData(
        # the columns run to posterior, inferior and right: superior, anterior and right of the world
        zyx_um=rows[:, [3, 2, 4]] * (-25.0, -25.0, 25.0),
        radius_um=rows[:, 5],
        parent=np.array([row_of.get(int(node), -1) for node in rows[:, 6]]),
        type_code=rows[:, 1].astype(np.int32),
        node_id=rows[:, 0].astype(np.int64),
    )


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    opened = open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("journeys")))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def site(platform: Platform, sample: Callable[[str], Path]) -> Iterator[Site]:
    shown = make_site(Maker(platform), sample)
    with serving(platform) as address:
        yield Site(address, *shown)


def make_site(maker: Maker, sample: Callable[[str], Path]) -> tuple[Version, Version, Version]:
    """What a site shows: a macaque's brain with its regions, a zebrafish's, and neurons of a mouse."""
    return _macaque(maker, sample), _zebrafish(maker, sample), _neurons(maker, sample)


@contextmanager
def serving(platform: Platform) -> Iterator[str]:
    """A live server of `platform`, by its address."""
    server = uvicorn.Server(configuration(platform))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # not for the session: while Playwright runs, no other test of this process can have an event loop
    spec = importlib.util.spec_from_file_location("finding_browsers", ROOT / "tests" / "browser.py")
    finding = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(finding)
    path = finding.find()
    if path is None:
        pytest.fail(finding.ADVICE)
    with sync_playwright() as playwright:
        graphics = MESA if find_library("EGL") else SWIFTSHADER
        started = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *graphics])
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe(request) -> Callable[[Page], list[str]]:
    """What axe finds wrong with a page, all of which is unfolded first."""
    path = request.config.rootpath / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.fail("axe-core is not installed: run `make viewer`")
    rules = path.read_text()

    def judge(page: Page) -> list[str]:
        page.evaluate("for (const closed of document.querySelectorAll('details')) closed.open = true")
        page.evaluate(rules)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [f"{item['id']}: {node['html'][:200]}" for item in found["violations"] for node in item["nodes"]]

    return judge


@dataclass
class Visitor:
    """Somebody with a browser: a page, and what it complained about to its console."""

    context: BrowserContext
    page: Page
    complaints: list[str]

    def see(self, address: str) -> Page:
        """Open `address`; for the viewer, wait until everything in view is drawn."""
        self.page.goto(address)
        if "/view" in address:
            self.page.wait_for_selector("pulvinar-viewer[ready]", timeout=60_000)
        return self.page


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Make a visitor with a fresh profile; arguments are Playwright's for a context."""
    opened = []

    def make(**wishes) -> Visitor:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-US", **wishes})
        opened.append(context)
        page, complaints = context.new_page(), []
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return Visitor(context, page, complaints)

    yield make
    for context in opened:
        context.close()
