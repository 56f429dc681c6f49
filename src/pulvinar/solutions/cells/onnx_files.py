"""Writing trained networks for onnxruntime. Needs torch and onnx: the extra `train`."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

_SMALL = 64


def write_network(net: nn.Module, example: Tensor, names: tuple[str, str], free: tuple[int, ...], path: Path) -> None:
    """Write `net` followed by a sigmoid, with its weights as float16. `names` are those of its input and output, `free`
    the axes of the input that may have any length; the output has the same ones as far as it has axes."""
    judged = nn.Sequential(net, nn.Sigmoid()).eval()
    with torch.no_grad():
        ranks = example.ndim, judged(example).ndim
    axes = {name: [axis for axis in free if axis < rank] for name, rank in zip(names, ranks, strict=True)}
    with warnings.catch_warnings():
        # the newer way to export needs one more package, and gives these networks nothing
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            judged,
            (example,),
            str(path),
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_axes={name: {axis: f"n{axis}" for axis in kept} for name, kept in axes.items()},
            opset_version=17,
            dynamo=False,
        )
    halve_weights(path)


def halve_weights(path: Path) -> None:
    """Store the large float32 weights of the network in `path` as float16; they are made float32 again when it is
    opened, so that it computes as before with weights that were rounded."""
    model = onnx.load(path)
    kept, casts = [], []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _SMALL:
            kept.append(weight)
            continue
        name = f"{weight.name}.half"
        kept.append(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.save(model, path)
