"""A crowd on the screen: 5,000 neurons, and a million cells, beside plain Neuroglancer.

Goals: a frame takes no longer than in plain Neuroglancer with its own precomputed annotations (as its own writer stores
them) and skeletons (each neuron as it was traced, from the same server). Both draw the same brain in a window of one
size in the same headless Chromium; a frame is drawn whole and read back, while the camera turns. Neither draws while
neurons come, which without a graphics card takes longer than all else. What each fetches for the view is counted, too.
The neurons have about 2,000 nodes each: of such as have 30,000 plain Neuroglancer could not hold five thousand.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, Request, sync_playwright

from benchmarks._crowd import make_crowd
from benchmarks._plain_neuroglancer import PlainViewer, plain_viewer, write_annotations
from benchmarks._report import machine, report
from benchmarks._serving import free_port, running
from benchmarks.anchor import ATLAS
from benchmarks.view_cost import BROWSERS, FLAGS

CANVAS = {"width": 700, "height": 700}
FRAMES = 7
RATIO = 1.0
SCALE_UM = 16_000
SHOWN = "precomputed://{server}/data/neurons/" + ATLAS + "/all"
OURS = "document.querySelector('pulvinar-viewer')?.explorer?.viewer"
PLAIN = "window.viewer"
READY = """(() => { const viewer = VIEWER; return Boolean(viewer) && viewer.layerManager.managedLayers.length > 0
  && viewer.layerManager.managedLayers.every(({ layer }) => layer) && viewer.isReady(); })()"""
FRAME = """(() => {
  const viewer = VIEWER, { display, projectionOrientation } = viewer, { gl } = display, times = [];
  const pixel = new Uint8Array(4);
  for (let at = 0; at <= COUNT; at += 1) {
    const angle = 0.05 * at;
    projectionOrientation.orientation.set([Math.sin(angle), 0, 0, Math.cos(angle)]);
    projectionOrientation.changed.dispatch();
    const start = performance.now();
    display.draw();
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    // the first one compiles what it needs
    if (at) times.push(performance.now() - start);
  }
  const { canvas } = display;
  const pixels = new Uint8Array(canvas.width * canvas.height * 4);
  display.draw();
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  let lit = 0;
  for (let at = 0; at < pixels.length; at += 4) if (pixels[at] + pixels[at + 1] + pixels[at + 2] > 96) lit += 1;
  return { times, lit: lit / (canvas.width * canvas.height), width: canvas.width, height: canvas.height };
})()"""


@dataclass(frozen=True)
class Seen:
    """What one view took: a frame (the median, milliseconds), seconds until it was complete, requests, bytes; and the
    share of its pixels that are lit."""

    frame_ms: float
    ready_s: float
    requests: int
    size_bytes: int
    lit: float


def main() -> int:
    """Run, print, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=5_000)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="keep the data in this folder, or find them there")
    parser.add_argument("--serve", nargs=2, metavar=("HOME", "PORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        _serve(Path(chosen.serve[0]), int(chosen.serve[1]))
        return 0
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="pulvinar-points-") as folder:
        home = chosen.home or Path(folder) / "home"
        dataset = _made(home, chosen.neurons, chosen.cells)
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.points", "--serve", str(home), str(port)]
        with running(command, port) as server, plain_viewer(home) as plain:
            seen = _look(server.address, plain, dataset)
    ratios = {what: seen[what, "ours"].frame_ms / seen[what, "plain"].frame_ms for what in ("cells", "neurons")}
    figure = ", ".join(f"{what} {ratio:.2f}x a frame of plain Neuroglancer" for what, ratio in ratios.items())
    return report("points", figure, f"<= {RATIO:g}x", passed=max(ratios.values()) <= RATIO)


def _made(home: Path, neurons: int, cells: int) -> str:
    """The data, made where they aren't yet; the dataset of the cells."""
    if not (home / "cells.txt").exists():
        start = time.perf_counter()
        dataset, places = make_crowd(home, neurons, cells)
        np.save(home / "places.npy", places)
        (home / "cells.txt").write_text(dataset)
        print(f"{neurons} neurons and {cells} cells made in {time.perf_counter() - start:.0f} s", flush=True)
    if not (home / "plain_cells").exists():
        write_annotations(home / "places.npy", home / "plain_cells")
    return (home / "cells.txt").read_text()


def _serve(home: Path, port: int) -> None:
    from pulvinar import load_settings, open_platform
    from pulvinar.web.server import serve

    platform = open_platform(load_settings(environment={"PULVINAR_CORS_ORIGINS": "*"}, home=home))
    serve(platform, host="127.0.0.1", port=port, ready=lambda address: None)


def _look(server: str, plain: PlainViewer, dataset: str) -> dict[tuple[str, str], Seen]:
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        sys.exit("this benchmark needs Chromium: on Debian, apt-get install chromium")
    neurons = f"{server}/atlases/{ATLAS}/view?neurons=all#l=3d&v=0&c3=0&a=0&b=0&s3={SCALE_UM}"
    cells = f"{server}/datasets/{dataset}/view#l=3d&v=0&c3=0&a=0&b=0&s3={SCALE_UM}"
    skeletons = {"type": "segmentation", "source": SHOWN.format(server=server), "name": "neurons"}
    points = {"type": "annotation", "source": f"precomputed://{plain.data}/plain_cells", "name": "cells"}
    views: dict[tuple[str, str], tuple[str, str, Callable[[Page], None]]] = {
        ("cells", "ours"): (cells, OURS, _alone),
        ("cells", "plain"): (plain.page(_state(points)), PLAIN, _nothing),
        ("neurons", "ours"): (neurons, OURS, _alone),
        ("neurons", "plain"): (plain.page(_state(skeletons)), PLAIN, _all_segments),
    }
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        for key, (address, viewer, prepare) in views.items():
            seen = found[key] = _open(browser, address, viewer, prepare, neurons=key[0] == "neurons")
            told = f"{seen.frame_ms:.0f} ms a frame, complete after {seen.ready_s:.0f} s, {seen.requests} requests"
            print(f"{': '.join(key)}: {told}, {seen.size_bytes / 1e6:.1f} MB, {seen.lit:.0%} lit", flush=True)
        browser.close()
    return found


def _state(layer: dict[str, Any]) -> dict[str, Any]:
    """The same view in plain Neuroglancer: one layer, 3D alone, nothing beside it."""
    return {
        "dimensions": {axis: [1e-6, "m"] for axis in "xyz"},
        "position": [5700, -6600, -4000],
        "projectionScale": SCALE_UM,
        "layout": {"type": "3d", "orthographicProjection": True},
        "layers": [layer],
        "showAxisLines": False,
        "showScaleBar": False,
        "showSlices": False,
    }


def _alone(page: Page) -> None:
    """Our picture on a canvas of its own, as large as plain Neuroglancer's; of an atlas only the neurons."""
    page.evaluate(
        """(() => { const element = document.querySelector('pulvinar-viewer'), { viewer } = element.explorer;
        Object.assign(element.querySelector('.pv-stage').style, { position: 'fixed', inset: '0', zIndex: '10' });
        viewer.layerManager.managedLayers.forEach((one, at) => {
          if (!['neurons', 'points'].includes(element.explorer.scene.layers[at]?.kind)) one.setVisible(false); });
        element.querySelector('[data-action=neuronsEveryone]')?.click();
        window.dispatchEvent(new Event('resize')); })()"""
    )


def _all_segments(page: Page) -> None:
    """Plain Neuroglancer shows what is asked for: all that the source's properties name."""
    page.wait_for_function(f"{PLAIN}?.layerManager.managedLayers[0]?.layer?.displayState?.segmentPropertyMap?.value")
    page.evaluate(
        f"""(() => {{ const state = {PLAIN}.layerManager.managedLayers[0].layer.displayState;
        const {{ ids }} = state.segmentPropertyMap.value.segmentPropertyMap.inlineProperties;
        state.segmentationGroupState.value.visibleSegments.add(BigUint64Array.from(ids)); }})()"""
    )


def _nothing(page: Page) -> None:
    pass


def _open(browser: Browser, address: str, viewer: str, prepare: Callable[[Page], None], *, neurons: bool) -> Seen:
    context = browser.new_context(viewport=CANVAS, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(900_000)
    done: list[Request] = []
    page.on(
        "requestfinished",
        lambda request: done.append(request) if "/data/" in request.url or "/plain_cells/" in request.url else None,
    )
    start = time.monotonic()
    page.goto(address)
    page.wait_for_function(READY.replace("VIEWER", viewer), polling=500)
    prepare(page)
    quiet = 0
    if neurons:
        page.evaluate(f"{viewer.replace('?', '')}.display.draw = () => undefined")
    while quiet < 3:
        page.wait_for_timeout(1000)
        quiet = quiet + 1 if page.evaluate(READY.replace("VIEWER", viewer)) else 0
    ready = time.monotonic() - start - 3
    page.evaluate(f"delete {viewer.replace('?', '')}.display.draw")
    told = page.evaluate(FRAME.replace("VIEWER", viewer).replace("COUNT", str(FRAMES)))
    if told["lit"] < 0.02:
        sys.exit(f"{address} shows nothing: {told}")
    size = sum(int(request.response().headers.get("content-length", 0)) for request in done if request.response())  # type: ignore[union-attr]
    context.close()
    return Seen(float(np.median(told["times"])), ready, len(done), size, told["lit"])


if __name__ == "__main__":
    sys.exit(main())
