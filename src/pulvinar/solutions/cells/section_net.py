"""The network that finds cells in sections, and how it is trained. Needs torch: the extra `train`.

A U-Net (Ronneberger et al. 2015) draws one heat map a channel, with a hill at the middle of each cell; it is taught by
the focal loss of CenterNet (Zhou et al. 2019), for which a place near a cell's middle is nearly right.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from pulvinar.solutions.cells.onnx_files import write_network

_RARE = -4.0
"""Where the logits begin: nearly no pixel is a cell's middle."""


@dataclass(frozen=True)
class SectionTraining:
    """How a section network is trained. `hill_px` is the standard deviation of the hill at a cell's middle; `most_s`
    ends the schedule earlier on a slow machine (then it is not to be repeated to the bit)."""

    widths: tuple[int, ...] = (16, 32, 64, 96)
    steps: int = 4000
    batch: int = 16
    crop_px: int = 192
    rate: float = 3e-3
    decay: float = 1e-3
    hill_px: float = 2.0
    seed: int = 0
    most_s: float = float("inf")


class SectionNet(nn.Module):  # type: ignore[misc]
    """From sections (n, channels, y, x), values about 0 to 1, sides in multiples of `step_px`, to logits alike."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.step_px = 2 ** (len(widths) - 1)
        into = [channels, *widths[:-1]]
        self.down = nn.ModuleList(_two_convolutions(a, b) for a, b in zip(into, widths, strict=True))
        self.up = nn.ModuleList(
            _two_convolutions(deep + wide, wide)
            for wide, deep in zip(reversed(widths[:-1]), reversed(widths[1:]), strict=True)
        )
        self.head = nn.Conv2d(widths[0], channels, 1)
        nn.init.constant_(self.head.bias, _RARE)

    def forward(self, image: Tensor) -> Tensor:
        """The logits of the heat maps."""
        kept = []
        for stage in self.down[:-1]:
            image = stage(image)
            kept.append(image)
            image = functional.max_pool2d(image, 2)
        image = self.down[-1](image)
        for stage in self.up:
            image = functional.interpolate(image, scale_factor=2.0, mode="nearest")
            image = stage(torch.cat([image, kept.pop()], 1))
        logits: Tensor = self.head(image)
        return logits


def _two_convolutions(into: int, out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (into, out):
        layers += [nn.Conv2d(width, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def train_section_net(
    images: npt.NDArray[np.float32], marks: npt.NDArray[np.float32], how: SectionTraining, device: str = "cpu"
) -> SectionNet:
    """A network taught by `images` (n, channels, y, x) and `marks` (m, 4): image, channel, y, x in pixels."""
    torch.manual_seed(how.seed)
    torch.set_num_threads(min(2, torch.get_num_threads()))
    net = SectionNet(images.shape[1], how.widths)
    net.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), how.rate, weight_decay=how.decay)
    given, targets = torch.from_numpy(images).to(device), _hills(images.shape, marks, how.hill_px).to(device)
    draw, generator = np.random.default_rng(how.seed), torch.Generator(device).manual_seed(how.seed)
    start = time.monotonic()
    net.train()
    for step in range(how.steps):
        done = max(step / how.steps, (time.monotonic() - start) / how.most_s)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = how.rate * min(1.0, (step + 1) / 100, (1 + np.cos(np.pi * done)) / 2)
        image, target = _varied(given, targets, how, draw, generator)
        with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=device != "cpu"):
            logits = net(image.contiguous(memory_format=torch.channels_last))
        loss = _focal(logits.float(), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    net.eval()
    return net


def _hills(shape: tuple[int, ...], marks: npt.NDArray[np.float32], hill_px: float) -> Tensor:
    """Maps (n, channels, y, x): 1 at each mark's pixel, falling off as a Gaussian."""
    maps = np.zeros(shape, np.float32)
    reach = int(np.ceil(3 * hill_px))
    for at, channel, y, x in marks:
        middle = [min(max(round(float(at_px)), 0), size - 1) for at_px, size in zip((y, x), shape[2:], strict=True)]
        rows, columns = (
            np.arange(max(0, m - reach), min(size, m + reach + 1)) for m, size in zip(middle, shape[2:], strict=True)
        )
        far = (rows[:, None] - middle[0]) ** 2 + (columns[None, :] - middle[1]) ** 2
        window = maps[int(at), int(channel), rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        np.maximum(window, np.exp(-far / (2 * hill_px**2)), out=window)
    return torch.from_numpy(maps)


def _varied(
    images: Tensor, targets: Tensor, how: SectionTraining, draw: np.random.Generator, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A batch of crops, turned, mirrored, lit and blurred at random."""
    device, side = images.device, min(how.crop_px, *images.shape[2:])

    def drawn(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator, device=device)

    chosen = torch.randint(len(images), (how.batch,), generator=generator, device=device)
    top, left = (int(draw.integers(n - side + 1)) for n in images.shape[2:])
    image = images[chosen, :, top : top + side, left : left + side]
    target = targets[chosen, :, top : top + side, left : left + side]
    if draw.random() < 0.5:
        image, target = image.flip(3), target.flip(3)
    turns = int(draw.integers(4))
    image, target = torch.rot90(image, turns, (2, 3)), torch.rot90(target, turns, (2, 3))
    gain = drawn(how.batch, image.shape[1], 1, 1, low=0.75, high=1.3)
    image = image.clamp_min(0) ** drawn(how.batch, 1, 1, 1, low=0.8, high=1.25) * gain
    image = image + drawn(how.batch, image.shape[1], 1, 1, low=-0.05, high=0.05)
    grain = torch.randn(image.shape, generator=generator, device=device)
    return image + 0.02 * drawn(how.batch, 1, 1, 1) * grain, target


def _focal(logits: Tensor, target: Tensor) -> Tensor:
    sure = functional.logsigmoid(logits)
    likely = sure.exp()
    middle = target >= 1
    found = -((1 - likely) ** 2) * sure * middle
    empty = -((1 - target) ** 4) * likely**2 * functional.logsigmoid(-logits) * ~middle
    return (found.sum() + empty.sum()) / middle.sum().clamp_min(1)


def write_section_net(net: SectionNet, path: Path) -> None:
    """Write `net` for onnxruntime: input `image` (n, channels, y, x), output `cells` of the same shape, 0 to 1; weights
    are held as float16."""
    net.to("cpu", memory_format=torch.contiguous_format).eval()
    side = 8 * net.step_px
    write_network(net, torch.zeros(1, net.head.out_channels, side, side), ("image", "cells"), (0, 2, 3), path)
