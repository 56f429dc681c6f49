"""The first look: seconds from a click on a dataset to the complete first picture, for 1 GB, 1 TB and 100 TB.

Goals: equal within 15%, and at most 1.1 times what plain Neuroglancer takes for the same data from the same server, in
the same browser, on a canvas of the same size. The volumes are virtual but their chunks are real, as in view_cost. Each
look is that of a new browser, which has nothing; plain Neuroglancer's looks lie between ours, and the volumes take
turns, so that what else the machine does falls on all alike: the medians of the rounds count. The requests for the
volume and their bytes, which no other work changes, are held to the same goals.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Page, Request, sync_playwright

from benchmarks._plain_neuroglancer import PlainViewer, plain_viewer
from benchmarks._report import machine, report
from benchmarks._serving import free_port, running
from benchmarks._virtual import VirtualStore
from benchmarks.view_cost import BROWSERS, FLAGS, SCREEN, SHAPES, enter_volumes
from pulvinar.model.volume import volume_from_json

SPREAD, RATIO = 0.15, 1.1
OURS = "document.querySelector('pulvinar-viewer')?.explorer?.viewer"
PLAIN = "window.viewer"
SIZE = """(({ clientWidth, clientHeight }) => ({ width: clientWidth, height: clientHeight }))
  (document.querySelector('.pv-canvas'))"""
PICTURE = """(() => {
  const edges = [...window.viewer.display.panels].map(({ element }) => element.getBoundingClientRect());
  const [left, top] = ["left", "top"].map((side) => Math.min(...edges.map((edge) => edge[side])));
  const [right, bottom] = ["right", "bottom"].map((side) => Math.max(...edges.map((edge) => edge[side])));
  return [right - left, bottom - top];
})()"""
"""Width and height of what plain Neuroglancer's panels fill."""
LOOK = ("dimensions", "position", "crossSectionScale", "projectionScale")
LAYER = ("type", "source", "name", "localDimensions", "localPosition")
COMPLETE = """() => { const viewer = VIEWER, layers = viewer?.layerManager.managedLayers ?? [];
  const shown = layers.length && layers.every(({ layer }) => layer);
  window.quiet = shown && viewer.isReady() ? (window.quiet ?? 0) + 1 : 0;
  return window.quiet > 3; }"""
"""Asked every 50 ms: what a frame calls for is asked for after it, so that being ready once is not to be complete."""


@dataclass(frozen=True)
class Look:
    """What one look took until the picture was complete; `requests` and their bytes are those for the volume."""

    seconds: float
    requests: int
    size_bytes: int


def main() -> int:
    """Run, print, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, metavar=("HOME", "PORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        _serve(Path(chosen.serve[0]), int(chosen.serve[1]))
        return 0
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="pulvinar-first-view-") as folder:
        home = Path(folder) / "home"
        datasets = enter_volumes(home)
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.first_view", "--serve", str(home), str(port)]
        with running(command, port) as server, plain_viewer(home) as plain:
            looks = _look(server.address, plain, datasets, chosen.rounds)
    print(machine(), flush=True)
    for name in SHAPES:
        print(f"{name}: {_told(looks[name, 'ours'])}; plain Neuroglancer {_told(looks[name, 'plain'])}", flush=True)
    figures = {what: _compared(looks, what) for what in ("seconds", "requests", "size_bytes")}
    figure = "; ".join(f"{what} {far:.1%} apart, {ratio:.2f}x" for what, (far, ratio) in figures.items())
    passed = all(far <= SPREAD and ratio <= RATIO for far, ratio in figures.values())
    return report("first_view", figure, f"<= {SPREAD:.0%}, <= {RATIO}x plain Neuroglancer", passed=passed)


def _compared(looks: dict[tuple[str, str], list[Look]], what: str) -> tuple[float, float]:
    """How far the volumes are apart in our medians, and the largest ratio of ours to plain Neuroglancer's."""
    of = {key: median(getattr(look, what) for look in several) for key, several in looks.items()}
    ours = [of[name, "ours"] for name in SHAPES]
    return max(ours) / min(ours) - 1, max(of[name, "ours"] / of[name, "plain"] for name in SHAPES)


def _told(looks: list[Look]) -> str:
    times = [look.seconds for look in looks]
    size = median(look.size_bytes for look in looks) / 1e6
    requests = median(look.requests for look in looks)
    return f"{median(times):.2f} s ({min(times):.2f} to {max(times):.2f}), {requests:.0f} requests, {size:.1f} MB"


def _serve(home: Path, port: int) -> None:
    from pulvinar import load_settings, open_platform
    from pulvinar.catalogue.datasets import list_datasets
    from pulvinar.web.server import serve

    platform = open_platform(load_settings(environment={"PULVINAR_CORS_ORIGINS": "*"}, home=home))
    found = list_datasets(platform.database, platform.actor).items
    assets = [asset for dataset in found if dataset.latest for asset in dataset.latest.assets]
    volumes = {asset.prefix: volume_from_json(asset.details["volume"]) for asset in assets}
    shown = replace(platform, store=VirtualStore(volumes))  # type: ignore[arg-type]
    serve(shown, host="127.0.0.1", port=port, ready=lambda address: None)


def _look(address: str, plain: PlainViewer, datasets: dict[str, str], rounds: int) -> dict[tuple[str, str], list[Look]]:
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        sys.exit("this benchmark needs Chromium: on Debian, apt-get install chromium")
    taken: dict[tuple[str, str], list[Look]] = defaultdict(list)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        # nobody measures what the first of all looks costs the servers; it tells what stands around plain's picture
        size, state = _ours(browser, address, next(iter(datasets.values())))[1:]
        _, frame = _plain(browser, plain, size, state)
        for number in range(rounds):
            for name, dataset in datasets.items():
                ours, size, state = _ours(browser, address, dataset)
                window = {side: size[side] + frame[side] for side in size}
                theirs, _ = _plain(browser, plain, window, state)
                taken[name, "ours"].append(ours)
                taken[name, "plain"].append(theirs)
                print(f"round {number + 1}, {name}: {ours.seconds:.2f} s, {theirs.seconds:.2f} s", flush=True)
        browser.close()
    return taken


def _ours(browser: Browser, address: str, dataset: str) -> tuple[Look, dict[str, int], dict[str, Any]]:
    """From the click on the dataset's page; the size of the picture and its state, for plain Neuroglancer."""
    page, done = _new_page(browser, SCREEN)
    page.goto(f"{address}/datasets/{dataset}")
    start = time.monotonic()
    page.click(f"a[href^='/datasets/{dataset}/view']")
    look = _complete(page, OURS, start, done)
    size = page.evaluate(SIZE)
    # as text and back: what is undefined is left out of it, and plain Neuroglancer takes no null in its place
    state = json.loads(page.evaluate(f"JSON.stringify({OURS}.state)"))
    lit = page.evaluate("document.querySelector('pulvinar-viewer').explorer.litPanels()")
    if min(lit) < 0.2:
        sys.exit(f"a panel of dataset {dataset} shows nothing: {lit}")
    page.context.close()
    return look, size, state


def _plain(
    browser: Browser, plain: PlainViewer, size: dict[str, int], state: dict[str, Any]
) -> tuple[Look, dict[str, int]]:
    """From asking for plain Neuroglancer's page, with the same layer at the same place; and how much larger its window
    is than its picture."""
    shown = {key: state[key] for key in LOOK if key in state}
    volumes = [layer for layer in state["layers"] if layer["type"] == "image"]
    layers = [{key: layer[key] for key in LAYER if key in layer} for layer in volumes]
    page, done = _new_page(browser, size)
    start = time.monotonic()
    page.goto(plain.page({**shown, "layout": "4panel", "layers": layers}))
    look = _complete(page, PLAIN, start, done)
    width, height = page.evaluate(PICTURE)
    page.context.close()
    return look, {"width": round(size["width"] - width), "height": round(size["height"] - height)}


def _new_page(browser: Browser, size: dict[str, int]) -> tuple[Page, list[Request]]:
    """A page of a new browser, and what it has fetched of volumes."""
    page = browser.new_context(viewport=size, bypass_csp=True).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(240_000)
    done: list[Request] = []
    page.on("requestfinished", lambda request: done.append(request) if "/data/" in request.url else None)
    return page, done


def _complete(page: Page, viewer: str, start: float, done: list[Request]) -> Look:
    page.wait_for_function(COMPLETE.replace("VIEWER", viewer), polling=50)
    seconds = time.monotonic() - start
    sizes = [request.sizes()["responseBodySize"] for request in done]
    return Look(seconds, len(sizes), sum(sizes))


if __name__ == "__main__":
    sys.exit(main())
