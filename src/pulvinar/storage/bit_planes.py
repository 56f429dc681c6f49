"""The bit planes of 16-bit chunks: what blosc calls bitshuffle, made while a chunk is copied out of a larger block.

Plane p holds bit p of every value, one bit a value, in their order. A row of 64 values is taken at once: its low and
its high bytes are 64 lanes each, and the sign bits of 64 lanes are one 64-bit word of a plane. Doubling the lanes
brings up the next bit. That is one instruction a word where the processor has AVX-512, and a few elsewhere.

Against copying first and leaving the planes to blosc this took 0.88 of the time to copy, halve and encode a chunk.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

_PLANES = 16
# values a row; and rows that are taken at once, so that each plane is written in whole cache lines
_ROW, _ROWS = 64, 8
_ROW_BYTES = 2 * _ROW
# so many rows further on are fetched meanwhile: the rows of a chunk lie apart, and no processor foresees where
_AHEAD = 16

_BYTE, _INT, _WORD = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_LANES, _VALUES, _LINE = ir.VectorType(_BYTE, _ROW), ir.VectorType(_BYTE, _ROW_BYTES), ir.VectorType(_WORD, _ROWS)


def _emitted(function: Any) -> Any:
    return intrinsic(function)


def _compiled(function: Any) -> Any:
    return numba.njit(function, nogil=True, cache=True)


@_emitted
def _eight_rows(typing_context: Any, source: Any, stride: Any, copy: Any, planes: Any, plane_bytes: Any) -> Any:
    """Eight rows from the address `source`, `stride` bytes apart: to `copy`, one after another, and as 64 bytes of each
    of the 16 planes, which begin `plane_bytes` apart."""
    del typing_context

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, stride, copy, planes, plane_bytes = arguments
        lines = [ir.Constant(_LINE, ir.Undefined)] * _PLANES
        for row in range(_ROWS):
            _fetch(builder, _offset(builder, source, stride, row + _AHEAD))
            values = builder.load(
                builder.inttoptr(_offset(builder, source, stride, row), _VALUES.as_pointer()), align=1
            )
            target = builder.add(copy, _WORD(row * _ROW_BYTES))
            builder.store(values, builder.inttoptr(target, _VALUES.as_pointer()), align=1)
            for plane, word in _words(builder, values):
                lines[plane] = builder.insert_element(lines[plane], word, _INT(row))
        for plane, line in enumerate(lines):
            target = _offset(builder, planes, plane_bytes, plane)
            builder.store(line, builder.inttoptr(target, _LINE.as_pointer()), align=8)
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
    together. `chunk` is in C order, and may be `source` itself. `planes` uint64 (16, slices * rows), in C order.
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
