"""The first look: seconds from a click on a dataset to the complete first picture, for 1 GB, 1 TB and 100 TB.

Goals: equal within 15%, and at most 1.1 times what plain Neuroglancer takes for the same data from the same server, in
the same browser, on a canvas of the same size. The volumes are virtual but their chunks are real, as in view_cost. Each
look is that of a new browser, which has nothing; the best of the rounds counts for each, and plain Neuroglancer's
looks lie between ours.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

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
LOOK = ("dimensions", "position", "crossSectionScale", "projectionScale")
LAYER = ("type", "source", "name", "localDimensions", "localPosition")
COMPLETE = """() => { const viewer = VIEWER, layers = viewer?.layerManager.managedLayers ?? [];
  const shown = layers.length && layers.every(({ layer }) => layer);
  window.quiet = shown && viewer.isReady() ? (window.quiet ?? 0) + 1 : 0;
  return window.quiet > 3; }"""
"""Asked every 50 ms: what a frame calls for is asked for after it, so that being ready once is not to be complete."""


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
            best = _look(server.address, plain, datasets, chosen.rounds)
    for name in SHAPES:
        ours, theirs = best[name, "ours"], best[name, "plain"]
        print(f"{name}: {ours:.2f} s, plain Neuroglancer {theirs:.2f} s, {ours / theirs:.2f}x", flush=True)
    ours = [best[name, "ours"] for name in SHAPES]
    spread = max(ours) / min(ours) - 1
    ratio = max(best[name, "ours"] / best[name, "plain"] for name in SHAPES)
    figure = f"{spread:.1%} apart, {ratio:.2f}x plain Neuroglancer"
    return report("first_view", figure, f"<= {SPREAD:.0%}, <= {RATIO}x", passed=spread <= SPREAD and ratio <= RATIO)


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


def _look(address: str, plain: PlainViewer, datasets: dict[str, str], rounds: int) -> dict[tuple[str, str], float]:
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        sys.exit("this benchmark needs Chromium: on Debian, apt-get install chromium")
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        # nobody measures what the first of all looks costs the server
        size, state = _ours(browser, address, next(iter(datasets.values())))[1:]
        for _ in range(rounds):
            for name, dataset in datasets.items():
                seconds, size, state = _ours(browser, address, dataset)
                taken[name, "ours"].append(seconds)
                taken[name, "plain"].append(_plain(browser, plain, size, state))
        browser.close()
    return {key: min(values) for key, values in taken.items()}


def _ours(browser: Browser, address: str, dataset: str) -> tuple[float, dict[str, int], dict[str, Any]]:
    """Seconds from the click on the dataset's page; the size of the picture and its state, for plain Neuroglancer."""
    page = _new_page(browser, SCREEN)
    page.goto(f"{address}/datasets/{dataset}")
    start = time.monotonic()
    page.click(f"a[href^='/datasets/{dataset}/view']")
    seconds = _complete(page, OURS, start)
    size = page.evaluate(SIZE)
    state = page.evaluate(f"{OURS}.state.toJSON()")
    lit = page.evaluate("document.querySelector('pulvinar-viewer').explorer.litPanels()")
    if min(lit) < 0.2:
        sys.exit(f"a panel of dataset {dataset} shows nothing: {lit}")
    page.context.close()
    return seconds, size, state


def _plain(browser: Browser, plain: PlainViewer, size: dict[str, int], state: dict[str, Any]) -> float:
    """Seconds from asking for plain Neuroglancer's page, with the same layer at the same place."""
    shown = {key: state[key] for key in LOOK if key in state}
    layers = [{key: layer[key] for key in LAYER if key in layer} for layer in state["layers"]]
    page = _new_page(browser, size)
    start = time.monotonic()
    page.goto(plain.page({**shown, "layout": "4panel", "layers": layers}))
    seconds = _complete(page, PLAIN, start)
    page.context.close()
    return seconds


def _new_page(browser: Browser, size: dict[str, int]) -> Page:
    page = browser.new_context(viewport=size, bypass_csp=True).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(240_000)
    return page


def _complete(page: Page, viewer: str, start: float) -> float:
    page.wait_for_function(COMPLETE.replace("VIEWER", viewer), polling=50)
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
