"""The network that tells cells from what looks like cells in volumes, and how it is trained. Needs torch: the extra
`train`.

It sees a patch's planes as channels of one picture: a cell's picture differs along z with the optics, and sideways
convolutions cost a ninth of those in three dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from pulvinar.solutions.cells.onnx_files import write_network
from pulvinar.solutions.cells.patches import SHAPE

_LARGE = 64


@dataclass(frozen=True)
class VolumeTraining:
    """How a classifier is trained. `alone` is the share of patches that are shown without their background channel, so
    that it is not needed. `threads` of the processor are used, 0: as many as torch likes."""

    widths: tuple[int, int, int] = (24, 48, 64)
    epochs: int = 12
    batch: int = 256
    rate: float = 3e-3
    decay: float = 1e-3
    alone: float = 0.5
    seed: int = 0
    threads: int = 0


class VolumeNet(nn.Module):  # type: ignore[misc]
    """From patches (n, 2, z, y, x) to logits (n,)."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = widths
        self.layers = nn.Sequential(
            *_convolution(2 * SHAPE[0], first, 1),
            nn.MaxPool2d(2),
            *_convolution(first, second, 1),
            nn.MaxPool2d(2),
            *_convolution(second, third, 0),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(third, 1),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.layers(patches.flatten(1, 2))[:, 0]
        return logits


def _convolution(into: int, out: int, padding: int) -> list[nn.Module]:
    return [nn.Conv2d(into, out, 3, padding=padding, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]


def train_volume_net(
    patches: npt.NDArray[np.float16 | np.float32],
    cell: npt.NDArray[np.floating],
    weight: npt.NDArray[np.floating],
    how: VolumeTraining,
    start: VolumeNet | None = None,
    device: str = "cpu",
) -> VolumeNet:
    """A classifier taught by `patches` (n, 2, z, y, x), of which `cell` (n,) are cells to 0 .. 1, each counting
    `weight`. Goes on from `start` when it is given."""
    torch.manual_seed(how.seed)
    if how.threads:
        torch.set_num_threads(how.threads)
    net = start or VolumeNet(how.widths)
    net.train().to(device)
    optimizer = torch.optim.AdamW(net.parameters(), how.rate, weight_decay=how.decay)
    rng = np.random.default_rng(how.seed)
    given, target, counts = (torch.from_numpy(array).to(device) for array in (patches, cell, weight))
    batches = -(-len(patches) // how.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, how.rate, total_steps=how.epochs * batches)
    for _ in range(how.epochs):
        for rows in torch.from_numpy(rng.permutation(len(patches))).to(device).chunk(batches):
            logits = net(_varied(given[rows].float(), how.alone, rng))
            loss = functional.binary_cross_entropy_with_logits(logits, target[rows].float(), counts[rows].float())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval().to("cpu")
    return net


def _varied(patches: Tensor, alone: float, rng: np.random.Generator) -> Tensor:
    """Turned and mirrored, a little brighter or darker, at times without the second channel."""
    for axis in (2, 3, 4):
        if rng.random() < 0.5:
            patches = patches.flip(axis)
    if rng.random() < 0.5:
        patches = patches.transpose(3, 4)
    light, hidden = rng.uniform(0.9, 1.1, len(patches)).astype(np.float32), rng.random(len(patches)) < alone
    patches = patches * torch.from_numpy(light).to(patches.device)[:, None, None, None, None]
    patches[torch.from_numpy(hidden).to(patches.device), 1] = 0
    return patches


def write_volume_net(net: VolumeNet, path: Path) -> None:
    """Write `net` for onnxruntime: input `patches` (n, 2, z, y, x), output `score` (n,), 0 to 1; and beside it, with
    the end .npz, the weights from which training can go on. Both hold weights as float16."""
    write_network(net.eval(), torch.zeros(2, 2, *SHAPE), ("patches", "score"), (0,), path)
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    small = {name: value.astype(np.float16) if value.size >= _LARGE else value for name, value in weights.items()}
    np.savez_compressed(path.with_suffix(".npz"), **small)


def read_volume_net(path: Path) -> VolumeNet:
    """The network whose weights `write_volume_net` wrote beside the model in `path`."""
    with np.load(path.with_suffix(".npz")) as stored:
        state = {name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files}
    convolutions = [value for value in state.values() if value.ndim == 4]
    first, second, third = (int(value.shape[0]) for value in convolutions)
    net = VolumeNet((first, second, third))
    net.load_state_dict(state)
    net.eval()
    return net
