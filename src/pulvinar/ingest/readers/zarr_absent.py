"""Chunks that are not stored: left out because they are empty, or lost?

A writer may leave out a chunk that holds nothing but fill (Zarr specifications 2 and 3), and a copy that broke off
looks the same. A coarser level of the same image tells the two apart: where it has an image, the chunk was lost. What
no level shows, only a person knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, floor, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Finding, Options
from pulvinar.ingest.readers.absence import missing_pieces
from pulvinar.ingest.readers.blosc_sizes import check_blosc
from pulvinar.ingest.readers.chunked_volume import first_line, open_store, spec_of
from pulvinar.ingest.readers.zarr_nodes import ArrayNode, ZarrNodes

_MOST_CHUNKS = 200_000
"""So many chunks are looked for one by one."""
_NAMED = 3
"""So many of them are named."""
_LARGEST_WITNESS_BYTES = 128 << 20


@dataclass(frozen=True, eq=False)
class _Witness:
    """A coarser level, whole: its voxels, its fill, and whether each of its chunks is stored."""

    array: ArrayNode
    voxels: npt.NDArray[Any]
    fill: Any
    stored: npt.NDArray[np.bool_]

    def shows(self, fine: ArrayNode, place: Sequence[int]) -> bool | None:
        """Whether there is an image where `fine` has its chunk `place`; None when that isn't stored here either."""
        inside, chunks = [], []
        for number, chunk, size, mine, grid in zip(
            place, fine.grid, fine.shape, self.array.shape, self.array.grid, strict=True
        ):
            start, stop = number * chunk * mine / size, min((number + 1) * chunk, size) * mine / size
            chunks.append(slice(floor(start / grid), ceil(stop / grid)))
            # voxels at the rim may have something of the neighbours in them
            rim = 1 if stop - start > 2 and mine < size else 0
            inside.append(slice(ceil(start) + rim, max(floor(stop) - rim, ceil(start) + rim)))
        voxels = self.voxels[tuple(inside)]
        if voxels.size and (voxels != self.fill).any():
            return True
        return False if voxels.size and self.stored[tuple(chunks)].all() else None


def absent_chunk_findings(
    array: ArrayNode, coarser: Sequence[ArrayNode], nodes: ZarrNodes, options: Options
) -> list[Finding]:
    """What is to be said of chunks of `array` that are not stored.

    Raises `UnreadableFile` for one that a coarser level shows to be lost, or that is there as a link.
    """
    expected = prod(array.counts)
    if expected > _MOST_CHUNKS:
        absent = unknown = max(expected - nodes.chunk_files(array.folder), 0)
        shown = ""
    else:
        places = [place for place in product(*map(range, array.counts)) if not nodes.has_chunk(array, place)]
        _refuse_links(array, places, nodes)
        shown = _named(array, places)
        absent, unknown = len(places), _unknown(array, places, list(_witnesses(coarser, nodes)) if places else [])
    if not absent:
        return []
    known = options if unknown else replace(options, sparse=True)
    return [missing_pieces(f"{absent} of its {expected} chunks are not stored", "fill", known, shown)]


def _named(array: ArrayNode, places: Sequence[Sequence[int]]) -> str:
    names = ", ".join(array.chunk_name(place) for place in places[:_NAMED])
    return f" ({names}{', ...' if len(places) > _NAMED else ''})" if names else ""


def _refuse_links(array: ArrayNode, places: Sequence[Sequence[int]], nodes: ZarrNodes) -> None:
    linked = next((place for place in places if nodes.lies(array, place)), None)
    if linked is not None:
        raise UnreadableFile(
            f"{array.file}: its chunk {array.chunk_name(linked)} is a link or was left out: no link is followed, and "
            "an image is read whole",
            hint="put the chunk itself there",
        )


def _unknown(array: ArrayNode, places: Sequence[Sequence[int]], witnesses: Sequence[_Witness]) -> int:
    """How many of the chunks nothing is known of."""
    unknown = 0
    for place in places:
        shown = None
        for witness in witnesses:
            shown = witness.shows(array, place)
            if shown:
                raise UnreadableFile(
                    f"{array.file}: its chunk {array.chunk_name(place)} is missing: {witness.array.folder} shows an "
                    "image there",
                    hint="copy the whole folder again",
                )
            if shown is False:
                break
        unknown += shown is None
    return unknown


def _witnesses(coarser: Sequence[ArrayNode], nodes: ZarrNodes) -> Iterator[_Witness]:
    """The coarser levels that are small enough to be read, the finest first."""
    for array in coarser:
        if prod(array.shape) * np.dtype(array.dtype).itemsize <= _LARGEST_WITNESS_BYTES:
            chunks = [range(-(-n // m)) for n, m in zip(array.shape, array.chunks, strict=True)]
            check_blosc(array, nodes.path_of(array), chunks)
            store = open_store(spec_of(array, nodes.path_of(array)), array.file)
            if array.driver == "n5":
                store = store.T
            try:
                voxels = np.asarray(store.read().result())
            except Exception as error:
                reason = first_line(error)[:200]
                raise UnreadableFile(
                    f"{array.file}: its level can't be read: {reason}", hint="copy it again"
                ) from error
            stored = np.zeros(array.counts, bool)
            for place in product(*map(range, array.counts)):
                stored[place] = nodes.has_chunk(array, place)
            yield _Witness(array, voxels, 0 if store.fill_value is None else store.fill_value, stored)
