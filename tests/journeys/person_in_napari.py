"""What a person does in napari: validates the plugin, browses, opens brains. Runs where napari is, without a screen.

python person_in_napari.py ADDRESS MACAQUE NEURONS: prints what became layers, as JSON.
"""

import json
import sys
import time
from importlib.resources import files
from urllib.parse import urlsplit

import numpy as np
from napari.components import ViewerModel
from napari_pulvinar.browser import Browser
from napari_pulvinar.reader import read_address
from npe2 import PluginManifest
from qtpy.QtWidgets import QApplication


def until(application, true, what):
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end, what
        application.processEvents()
        time.sleep(0.01)


def told(layer):
    first = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    low, high = layer.extent.world
    shown = {"type": type(layer).__name__, "name": layer.name, "shape": first.shape, "low": low, "high": high}
    if "region" in getattr(layer, "features", ()):
        shown["regions"] = dict(zip(layer.features["index"], layer.features["region"], strict=True))
    if hasattr(first, "compute"):
        shown["levels"] = len(layer.data)
        shown["middle"] = np.asarray(first[first.shape[0] // 2]).sum()
    return shown


def drawn_and_sent(application, viewer, browser):
    """Draw points in voxels of the brain and a line in the world, send them, move one and send them again."""
    brain = viewer.layers[0]
    points = viewer.add_points([[10, 20, 30], [11, 21, 31]], name="cells", affine=brain.affine)
    shapes = viewer.add_shapes([[[0, 0, 0], [100, 0, 0], [100, 50, 0]]], shape_type="path", name="a path")
    expected = [list(points.data_to_world(place)) for place in points.data]
    viewer.layers.selection = {points, shapes}
    sent = []
    for _ in range(2):
        browser.send_button.click()
        until(application, lambda: browser.about.text().startswith("Sent"), f"sent: {browser.about.text()}")
        sent.append(sorted(part.partition("#marks=")[2] for part in browser.about.text().split() if "#marks=" in part))
        browser._say("")
        points.data = [[12, 22, 32], [11, 21, 31]]
    viewer.layers.selection = {brain}
    browser.send_button.click()
    refused = browser.about.text()
    for layer in (points, shapes):
        viewer.layers.remove(layer)
    moved = list(points.data_to_world([12, 22, 32]))
    return {"documents": sent, "first": expected, "moved": moved, "refused": refused}


def main(address, macaque, neurons):
    manifest = PluginManifest.from_file(str(files("napari_pulvinar") / "napari.yaml"))
    manifest.validate_imports()
    application, viewer = QApplication([]), ViewerModel()
    browser = Browser(viewer)
    browser.address.setText(address)
    browser.search()
    until(application, lambda: browser.results.topLevelItemCount() >= 3, "datasets are listed")
    rows = [browser.results.topLevelItem(row) for row in range(browser.results.topLevelItemCount())]
    titles = [item.text(0) for item in rows]
    brain = next(item for item in rows if "INIA19" in item.text(0))
    brain.setExpanded(True)
    until(application, lambda: brain.childCount() == 2, "assets are listed")
    until(application, lambda: not brain.child(0).icon(0).isNull(), "there are pictures")
    for row in range(2):
        browser.results.setCurrentItem(brain.child(row))
        browser.open_button.click()
        until(application, lambda count=row + 1: len(viewer.layers) == count, "the asset is opened")
    marks = drawn_and_sent(application, viewer, browser)
    browser.question.setText("kind:skeleton")
    browser.search()
    until(application, lambda: browser.results.topLevelItemCount() >= 5, "neurons are found")
    browser.question.setText("region:")
    browser.search()
    until(
        application,
        lambda: "region" in browser.about.text() and len(browser.about.text()) > 20,
        "what is wrong is said",
    )
    where = f"pulvinar://{urlsplit(address).netloc}/{neurons}"
    for data, arguments, kind in read_address(where)(where):
        getattr(viewer, f"add_{kind}")(data, **arguments)
    layers = [told(layer) for layer in viewer.layers]
    said = {"titles": titles, "wrong": browser.about.text(), "layers": layers, "marks": marks}
    print(json.dumps(said, default=lambda value: value.tolist()))


main(*sys.argv[1:])
