"""What a screen costs: requests and bytes that a browser needs to show a volume of 1 GB, of 1 TB and of 100 TB.

Goal: equal within 10%, for the whole brain on the screen and for a place in it at full resolution. The volumes are
virtual but their chunks are real, encoded tissue, sent by the real server through the real gateway; a real Chromium
runs the built viewer, and what it fetches of the volume is counted in the browser.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, Request, sync_playwright

from benchmarks._report import report
from benchmarks._serving import free_port, running
from benchmarks._virtual import VirtualStore, virtual_objects
from benchmarks._volumes import new_platform, publish_volume
from pulvinar.model.identity import new_id
from pulvinar.model.volume import Channel, Shape5, Volume, VolumeKind, volume_from_json
from pulvinar.storage.pyramid import plan_levels

# Sides that differ by powers of two, so that every volume has a level of the same shape for the same screen; time
# points make up the rest of the size, and the screen shows one of them.
SHAPES: dict[str, Shape5] = {
    "1 GB": (1, 1, 800, 800, 800),
    "1 TB": (2, 1, 6400, 6400, 6400),
    "100 TB": (3, 1, 25600, 25600, 25600),
}
SCREEN = {"width": 1400, "height": 860}
SPREAD = 0.10
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@dataclass(frozen=True)
class Cost:
    """What one screen took."""

    requests: int
    size_bytes: int


def main() -> int:
    """Run, print, and say by the exit code whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=2, metavar=("HOME", "PORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        _serve(Path(chosen.serve[0]), int(chosen.serve[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="pulvinar-view-") as folder:
        home = Path(folder) / "home"
        datasets = enter_volumes(home)
        port = free_port()
        with running([sys.executable, "-m", "benchmarks.view_cost", "--serve", str(home), str(port)], port) as server:
            costs = _look(server.address, datasets)
    spread = max(_spread(costs, view) for view in ("whole", "close"))
    return report("view_cost", f"{spread:.1%} apart", f"<= {SPREAD:.0%}", passed=spread <= SPREAD)


def enter_volumes(home: Path) -> dict[str, str]:
    """The virtual volumes in a catalogue; gives the dataset of each size."""
    platform = new_platform(home)
    datasets = {}
    for name, shape in SHAPES.items():
        levels = plan_levels(shape, (1.0, 1.0, 1.0), "uint16", VolumeKind.IMAGE)  # type: ignore[arg-type]
        volume = Volume(VolumeKind.IMAGE, "uint16", levels, (Channel("tissue", window=(300.0, 1500.0)),))
        objects = virtual_objects(volume)
        version, _ = publish_volume(platform, f"A brain of {name}", volume, f"assets/{new_id()}", objects)
        datasets[name] = version.dataset_id
        print(f"{name}: {shape}, {len(levels)} levels, {len(objects)} shards", flush=True)
    platform.close()
    return datasets


def _serve(home: Path, port: int) -> None:
    from pulvinar.catalogue.datasets import list_datasets
    from pulvinar.web.server import serve

    platform = new_platform(home)
    found = list_datasets(platform.database, platform.actor).items
    assets = [asset for dataset in found if dataset.latest for asset in dataset.latest.assets]
    volumes = {asset.prefix: volume_from_json(asset.details["volume"]) for asset in assets}
    shown = replace(platform, store=VirtualStore(volumes))  # type: ignore[arg-type]
    serve(shown, host="127.0.0.1", port=port, ready=lambda address: None)


def _look(address: str, datasets: dict[str, str]) -> dict[tuple[str, str], Cost]:
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        sys.exit("this benchmark needs Chromium: on Debian, apt-get install chromium")
    costs = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        for name, dataset in datasets.items():
            place = SHAPES[name][2] // 2 + 20
            views = {"whole": "", "close": f"#p={place}_{place}_{place}&s=1&s3=800"}
            for view, link in views.items():
                cost = costs[view, name] = _open(browser, f"{address}/datasets/{dataset}/view{link}")
                print(f"{view}, {name}: {cost.requests} requests, {cost.size_bytes / 1e6:.1f} MB", flush=True)
        browser.close()
    return costs


def _open(browser: Browser, address: str) -> Cost:
    """What a new browser fetches of the volume until the page has nothing more to load."""
    context = browser.new_context(viewport=SCREEN)  # type: ignore[arg-type]
    page = context.new_page()
    done: list[Request] = []
    page.on("requestfinished", lambda request: done.append(request) if "/data/" in request.url else None)
    page.goto(address)
    page.wait_for_selector("pulvinar-viewer[ready]", timeout=240_000)
    _wait_until_quiet(page.wait_for_timeout, done)
    sizes = [request.sizes()["responseBodySize"] for request in done]
    lit = page.evaluate("document.querySelector('pulvinar-viewer').explorer.litPanels()")
    if min(lit) < 0.2:
        sys.exit(f"a panel of {address} shows nothing: {lit}")
    context.close()
    return Cost(len(sizes), sum(sizes))


def _wait_until_quiet(wait: object, done: list[Request]) -> None:
    """Until nothing has come for three seconds."""
    seen, since = len(done), time.monotonic()
    while time.monotonic() - since < 3:
        wait(200)  # type: ignore[operator]
        if len(done) != seen:
            seen, since = len(done), time.monotonic()


def _spread(costs: dict[tuple[str, str], Cost], view: str) -> float:
    """How far the dearest screen is above the cheapest, as a part of it: requests or bytes, whichever differs more."""
    shown = [cost for (of, _), cost in costs.items() if of == view]
    requests, sizes = [cost.requests for cost in shown], [cost.size_bytes for cost in shown]
    spread = max(max(requests) / min(requests), max(sizes) / min(sizes)) - 1
    print(f"{view}: {spread:.1%} apart")
    return spread


if __name__ == "__main__":
    sys.exit(main())
