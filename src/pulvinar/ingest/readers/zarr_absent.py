"""Chunks that are not stored: left out because they are empty, or lost?

A writer may leave out a chunk that holds nothing but fill (Zarr specifications 2 and 3), and a copy that broke off
looks the same. A coarser level of the same image tells the two apart: where it has an image, the chunk was lost. What
no level shows, only a person knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import ceil, floor, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Finding, Options, Severity
from pulvinar.ingest.readers.absence import missing_pieces
from pulvinar.ingest.readers.blosc_sizes import check_blosc
from pulvinar.ingest.readers.chunked_volume import first_line, open_store, spec_of
from pulvinar.ingest.readers.shard_index import stored_chunks
from pulvinar.ingest.readers.zarr_nodes import ArrayNode, ShardIndex, ZarrNodes

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

    def shows(self, fine: ArrayNode, grid: Sequence[int], place: Sequence[int]) -> bool | None:
        """Whether there is an image where `fine` has its chunk `place` of a `grid`; None when that isn't stored here
        either."""
        inside, chunks = [], []
        for number, chunk, size, mine, step in zip(
            place, grid, fine.shape, self.array.shape, self.array.grid, strict=True
        ):
            start, stop = number * chunk * mine / size, min((number + 1) * chunk, size) * mine / size
            chunks.append(slice(floor(start / step), ceil(stop / step)))
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
    return [*_absent_files(array, coarser, nodes, options), *_absent_in_shards(array, coarser, nodes, options)]


def _absent_files(
    array: ArrayNode, coarser: Sequence[ArrayNode], nodes: ZarrNodes, options: Options
) -> Iterator[Finding]:
    expected = prod(array.counts)
    if expected > _MOST_CHUNKS:
        absent = unknown = max(expected - nodes.chunk_files(array.folder), 0)
        shown = ""
    else:
        places = [place for place in product(*map(range, array.counts)) if not nodes.has_chunk(array, place)]
        _refuse_links(array, places, nodes)
        shown = _named(array, places)
        witnesses = list(_witnesses(coarser, nodes)) if places else []
        absent, unknown = len(places), _unknown(array, places, witnesses, array.grid, array.chunk_name)
    if absent:
        known = options if unknown else replace(options, sparse=True)
        yield missing_pieces(f"{absent} of its {expected} chunks are not stored", "fill", known, shown)


def _absent_in_shards(
    array: ArrayNode, coarser: Sequence[ArrayNode], nodes: ZarrNodes, options: Options
) -> Iterator[Finding]:
    """What is to be said of chunks that the shards which are stored don't hold."""
    if array.shard_index is None:
        return
    if not array.shard_index.is_plain or prod(array.counts) > _MOST_CHUNKS:
        text = "whether its shards hold all of their chunks was not looked at: a missing one reads as fill"
        yield Finding(Severity.DOUBT, text)
        return
    places: list[tuple[int, ...]] = []
    absent = 0
    for shard in product(*map(range, array.counts)):
        if nodes.has_chunk(array, shard):
            lacking = _lacking(array, array.shard_index, shard, nodes)
            absent += len(lacking)
            places += map(tuple, lacking[: _MOST_CHUNKS - len(places)].tolist())
    if not absent:
        return
    witnesses = list(_witnesses(coarser, nodes))
    unknown = absent - len(places) + _unknown(array, places, witnesses, array.chunks, partial(_in_its_shard, array))
    known = options if unknown else replace(options, sparse=True)
    expected = prod(-(-n // m) for n, m in zip(array.shape, array.chunks, strict=True))
    yield missing_pieces(f"{absent} of its {expected} chunks are not stored in their shards", "fill", known)


def _lacking(array: ArrayNode, index: ShardIndex, shard: Sequence[int], nodes: ZarrNodes) -> npt.NDArray[np.int64]:
    """The places, in the grid of all chunks, of those within the image that a shard doesn't hold: (chunks, axes)."""
    stored = stored_chunks(array, index, nodes.path_of(array) / array.key(shard))
    if stored is None:
        # it is cut off, which is said when it is read
        return np.empty((0, len(shard)), np.int64)
    places = np.argwhere(~stored) + np.multiply(shard, stored.shape)
    return places[(places * array.chunks < array.shape).all(axis=1)]


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


def _unknown(
    array: ArrayNode,
    places: Sequence[tuple[int, ...]],
    witnesses: Sequence[_Witness],
    grid: Sequence[int],
    named: Callable[[tuple[int, ...]], str],
) -> int:
    """How many of the chunks at `places` of a `grid` nothing is known of."""
    unknown = 0
    for place in places:
        shown = None
        for witness in witnesses:
            shown = witness.shows(array, grid, place)
            if shown:
                raise UnreadableFile(
                    f"{array.file}: its chunk {named(place)} is missing: {witness.array.folder} shows an image there",
                    hint="copy the whole folder again",
                )
            if shown is False:
                break
        unknown += shown is None
    return unknown


def _in_its_shard(array: ArrayNode, place: tuple[int, ...]) -> str:
    """What a chunk that lies in a shard is called."""
    shard = [number * inner // outer for number, inner, outer in zip(place, array.chunks, array.grid, strict=True)]
    return f"{place} of the shard {array.chunk_name(shard)}"


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
