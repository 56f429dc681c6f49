"""Names of assets that tell something: what a reader could only call "image" or "s" is called as its folder is."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pulvinar.ingest.reader import FoundAsset
from pulvinar.model.dataset import AssetKind

_GENERIC = re.compile(
    "array|channel|data|default|frame|ima?ges?|img|layer|mmstack|planes?|pos|position|raw|scan|sections?|series|slices?"
    "|snap|stacks?|tiff?|tile|ultraii|untitled|volume|zarr|切片|图像|图片|层|第|张|数据"
)
_ENDINGS = re.compile(r"(\.(tar|tgz|txz|tbz2?|zip|gz|bz2|xz|zst|lzma|tiff?|ome|zarr))+$", re.IGNORECASE)
_FEWEST_LETTERS = 3


def with_telling_names(found: Sequence[FoundAsset], submission: str) -> list[FoundAsset]:
    """`found`, where volumes of many files that are called by no telling name get their folder's, or `submission`'s.

    `submission` is the name of the folder or archive that was handed in. Where several would get the same name, their
    own stays behind it.
    """
    better = [_better(asset, submission) for asset in found]
    count = Counter(better)
    return [
        asset if not name else replace(asset, name=name if count[name] == 1 else f"{name} {asset.name}")
        for asset, name in zip(found, better, strict=True)
    ]


def _better(asset: FoundAsset, submission: str) -> str:
    """A name for `asset` that tells more than its own; "" when there is none."""
    own = {name.rpartition("/")[2].partition(".")[0] for name in asset.files}
    if asset.kind is not AssetKind.VOLUME or len(asset.files) < 2 or own == {asset.name} or _tells(asset.name):
        return ""
    return next((name for name in _folders(asset.files, submission) if _tells(name)), "")


def _folders(files: Sequence[str], submission: str) -> Iterator[str]:
    """The folder that holds all files, those around it, and what was handed in."""
    common = os.path.commonpath([PurePosixPath(name).parent for name in files])
    for part in (*reversed(PurePosixPath(common).parts), submission):
        yield _ENDINGS.sub("", part)


def _tells(name: str) -> bool:
    """Whether more than numbers, signs and words that any image has."""
    letters = re.sub(r"\[[^\]]*\]|[\W\d_]+", " ", name).lower().split()
    words = "".join(letters)
    few = words.isascii() and len(words) < _FEWEST_LETTERS
    return not few and not all(_GENERIC.fullmatch(word) for word in letters)
