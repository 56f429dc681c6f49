"""Classifiers that people have taught, as assets: found again by the solutions that look for cells."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from pulvinar.model.dataset import AssetKind
from pulvinar.model.solution import Input, Words
from pulvinar.solutions.solution import Desk

NETWORK, WEIGHTS, CARD = "model.onnx", "model.npz", "card.json"
"""The objects of such an asset: what judges, what training goes on from, and what was measured."""

MODEL = Input(
    "model",
    Words("Classifier", "分类器"),
    (AssetKind.MODEL,),
    optional=True,
    help=Words(
        "One that Teach the cell classifier has made; left out, the one that comes with Pulvinar.",
        "“训练细胞分类器”得到的模型；留空则用 Pulvinar 自带的模型。",
    ),
)


def model_file(desk: Desk, name: str) -> Path | None:
    """The network of the input `name` as a file of this process, with its weights beside it; None where it was left
    out."""
    if name not in desk.asked.inputs:
        return None
    asset = desk.asset(name)
    path = _folder() / asset.digest / NETWORK
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        # the network last: where it is, all is
        for one in (WEIGHTS, NETWORK):
            whole = path.with_name(f"{one}.unfinished")
            whole.write_bytes(desk.store.read(f"{asset.prefix}/{one}"))
            whole.replace(path.with_name(one))
    return path


@cache
def _folder() -> Path:
    return Path(_kept().name)


@cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    """Gone when this process ends."""
    return tempfile.TemporaryDirectory(prefix="pulvinar-models-")
