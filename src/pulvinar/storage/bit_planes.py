"""The bit planes of 16-bit chunks: what blosc calls bitshuffle, made while a chunk is copied out of a larger block.

Plane p holds bit p of every value, one bit a value, in their order. A row of 64 values is taken at once: its low and
its high bytes are 64 lanes each, and the sign bits of 64 lanes are one 64-bit word of a plane. Doubling the lanes
brings up the next bit. That is one instruction a word where the processor has AVX-512, and a few elsewhere.

Planes are kept in the first words of the lines of an array, uint64 (16, more than there are), which `room_for_planes`
makes.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.extending import intrinsic

_PLANES = 16
# values a row, and rows that are taken at once
_ROW, _ROWS = 64, 8
_ROW_BYTES = 2 * _ROW
# so many rows further on are fetched meanwhile: the rows of a chunk lie apart, and no processor foresees where
_AHEAD = 16
# lines of a power of two would all want the same few places of the core's first cache: splitting took 1.7 times as long
_GAP_WORDS = 24

_BYTE, _INT, _WORD = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_LANES, _VALUES = ir.VectorType(_BYTE, _ROW), ir.VectorType(_BYTE, _ROW_BYTES)


def room_for_planes(values: int) -> npt.NDArray[np.uint64]:
    """Room for the bit planes of a chunk of so many values, of which each fills the first `values / 64` words."""
    return np.empty((_PLANES, values // _ROW + _GAP_WORDS), np.uint64)


def _emitted(function: Any) -> Any:
    return intrinsic(function)


def _compiled(function: Any) -> Any:
    return numba.njit(function, nogil=True, cache=True)


@_emitted
def _eight_rows(typing_context: Any, source: Any, stride: Any, copy: Any, planes: Any, plane_bytes: Any) -> Any:
    """Eight rows from the address `source`, `stride` bytes apart: to `copy`, one after another, and as eight words of
    each of the 16 planes, which begin `plane_bytes` apart."""
    del typing_context

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, stride, copy, planes, plane_bytes = arguments
        for row in range(_ROWS):
            _fetch(builder, _offset(builder, source, stride, row + _AHEAD))
            values = builder.load(
                builder.inttoptr(_offset(builder, source, stride, row), _VALUES.as_pointer()), align=1
            )
            target = builder.add(copy, _WORD(row * _ROW_BYTES))
            builder.store(values, builder.inttoptr(target, _VALUES.as_pointer()), align=1)
            for plane, word in _words(builder, values):
                target = builder.add(_offset(builder, planes, plane_bytes, plane), _WORD(8 * row))
                builder.store(word, builder.inttoptr(target, _WORD.as_pointer()), align=8)
        return context.get_dummy_value()

    return numba.types.void(source, stride, copy, planes, plane_bytes), generate


def _offset(builder: Any, address: Any, stride: Any, times: int) -> Any:
    return builder.add(address, builder.mul(stride, _WORD(times)))


def _fetch(builder: Any, address: Any) -> None:
    pointer = _BYTE.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, _INT, _INT, _INT])
    prefetch = builder.module.declare_intrinsic("llvm.prefetch", (pointer,), kind)
    for line in range(0, _ROW_BYTES, 64):
        # to read, into every cache, as data
        place = builder.inttoptr(builder.add(address, _WORD(line)), pointer)
        builder.call(prefetch, [place, _INT(0), _INT(3), _INT(1)])


def _words(builder: Any, values: Any) -> Any:
    """A row's word of each plane: (number of the plane, word)."""
    for byte in range(2):
        places = ir.Constant(ir.VectorType(_INT, _ROW), [2 * lane + byte for lane in range(_ROW)])
        lanes = builder.shuffle_vector(values, ir.Constant(_VALUES, ir.Undefined), places)
        for bit in reversed(range(8)):
            negative = builder.icmp_signed("<", lanes, ir.Constant(_LANES, [0] * _ROW))
            yield 8 * byte + bit, builder.bitcast(negative, _WORD)
            lanes = builder.add(lanes, lanes)


@_compiled
def copy_and_split(source: Any, chunk: Any, planes: Any) -> None:
    """Copy `source` (slices, rows, 64) to `chunk`, and its bits to `planes`.

    Both first are of one 16-bit type and of one shape, with a multiple of 8 rows; values of a row of `source` lie
    together. `chunk` is in C order, and may be `source` itself.
    """
    slices, rows, _ = source.shape
    slice_bytes, row_bytes = np.uintp(source.strides[0]), np.uintp(source.strides[1])
    copy, line = np.uintp(chunk.ctypes.data), np.uintp(planes.ctypes.data)
    first, plane_bytes = np.uintp(source.ctypes.data), np.uintp(planes.strides[0])
    for number in range(slices):
        start = first + np.uintp(number) * slice_bytes
        for row in range(0, rows, _ROWS):
            _eight_rows(start + np.uintp(row) * row_bytes, row_bytes, copy, line, plane_bytes)
            copy += np.uintp(_ROWS * _ROW_BYTES)
            line += np.uintp(8 * _ROWS)


EMPTY, NOISE, UNEVEN, REPETITIVE = 0, 1, 2, 3
"""What `look_at` finds of a plane: no bit is set; nothing repeats and every byte is as frequent; little repeats, but
some bytes are more frequent than others; much repeats."""

# a plane is looked at in so many places, so many words each
_PLACES, _PLACE_WORDS = 16, 8
_WORDS_SEEN = _PLACES * _PLACE_WORDS
_BYTES_SEEN = 8 * _WORDS_SEEN
# chi-square of the counts of 256 bytes: 255 for noise, give or take 23; at 400 an entropy coder would save 1%
_MOST_UNEVEN = 400


@_compiled
def look_at(planes: Any, words: Any, slice_words: Any, kinds: Any) -> None:
    """Say of each of `planes`, of `words` words, what it is, in `kinds`, int64 (16).

    `slice_words`: how many words one slice of the chunk takes, of which a plane has several. A word repeats that is the
    same as in the row, slice or plane before. All of a plane that is called empty was looked at, of others a part.
    """
    counts = np.empty(256, np.int64)
    for plane in range(planes.shape[0]):
        line = planes[plane, :words]
        kinds[plane] = EMPTY
        for word in line:
            if word:
                kinds[plane] = UNEVEN
                break
        if kinds[plane] == EMPTY:
            continue
        counts[:] = 0
        repeats = 0
        for place in range(_PLACES):
            # not in whole slices apart, or each would have the same place among slices that repeat
            start = place * (words - _PLACE_WORDS) // (_PLACES - 1)
            for at in range(start, start + _PLACE_WORDS):
                word = line[at]
                repeats += word == line[at - 1] or word == line[at - slice_words] or word == planes[plane - 1, at]
                for _ in range(8):
                    counts[word & np.uint64(255)] += 1
                    word >>= np.uint64(8)
        uneven = np.int64(0)
        for count in counts:
            uneven += count * count
        if 2 * repeats > _WORDS_SEEN:
            kinds[plane] = REPETITIVE
        elif not repeats and uneven * 256 < (_BYTES_SEEN + _MOST_UNEVEN) * _BYTES_SEEN:
            kinds[plane] = NOISE
