"""Sample formats of WFDB signal files, vectorised: signal(5) of the WFDB Applications Guide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.integer[Any]]

BITS_PER_SAMPLE: Mapping[int, int] = {
    80: 8, 310: 10, 311: 10, 212: 12, 16: 16, 61: 16, 160: 16, 24: 24, 32: 32
}  # fmt: skip
"""Bits of a sample's value in each signal format that is read here."""

_GROUPS = {212: (2, 3), 310: (3, 4), 311: (3, 4)}  # samples packed into so many bytes
_BLOCK = 1 << 16  # pairs at a time: temporaries stay in the processor's cache


def decode(raw: NDArray[np.uint8], code: int, count: int) -> Signal:
    """Decode the bytes of a signal file.

    Args:
        raw: the bytes of ``count`` samples; the last group of packed ones may be whole or not.
        code: signal format, a key of :data:`BITS_PER_SAMPLE`.
        count: samples of all leads together.

    Returns:
        (count,) int16, or int32 for formats 24 and 32.
    """
    if code == 212:
        return _decode_212(raw, count)
    if code in (310, 311):
        return _decode_10_bits(raw, code, count)
    if code == 24:
        quads = np.zeros((count, 4), np.uint8)
        quads[:, 1:] = raw.reshape(count, 3)
        return (quads.view("<i4")[:, 0] >> 8).astype(np.int32)
    if code == 80:
        return raw.astype(np.int16) - np.int16(128)
    if code == 160:
        return (raw.view("<u2") ^ np.uint16(0x8000)).astype(np.uint16).view(np.int16)
    stored, native = {16: ("<i2", np.int16), 61: (">i2", np.int16), 32: ("<i4", np.int32)}[code]
    return raw.view(stored).astype(native)


def stored_bytes(count: int, code: int) -> tuple[int, int]:
    """Bytes that ``count`` samples take at least, and with the last group of packed ones whole."""
    samples, size = _GROUPS.get(code, (1, BITS_PER_SAMPLE[code] // 8))
    return -(-count * size // samples), -(-count // samples) * size


def _decode_10_bits(raw: NDArray[np.uint8], code: int, count: int) -> NDArray[np.int16]:
    """Three samples in four bytes: in 310 the third one is in the high bits of both pairs."""
    whole = np.pad(raw, (0, -len(raw) % 4)).view("<u4")
    low, high = whole & 0xFFFF, whole >> 16
    if code == 310:
        parts = low >> 1, high >> 1, low >> 11 | high >> 11 << 5
    else:
        parts = whole, whole >> 10, whole >> 20
    shifted = (np.stack(parts, axis=1) << 6).astype(np.uint16).view(np.int16)
    samples: NDArray[np.int16] = (shifted >> 6).reshape(-1)[:count]  # extends the sign
    return samples


def _decode_212(raw: NDArray[np.uint8], count: int) -> NDArray[np.int16]:
    """Two 12-bit samples in three bytes: low byte, both high nibbles, low byte."""
    pairs = -(-count // 2)
    if len(raw) < 3 * pairs:  # an odd count may end within its last triplet
        raw = np.append(raw, np.zeros(3 * pairs - len(raw), np.uint8))
    first = np.ndarray((pairs,), "<u2", raw.data, offset=0, strides=(3,))
    second = np.ndarray((pairs,), "<u2", raw.data, offset=1, strides=(3,))
    samples = np.empty((pairs, 2), np.uint16)
    for start in range(0, pairs, _BLOCK):
        low, high = first[start : start + _BLOCK], second[start : start + _BLOCK]
        block = samples[start : start + _BLOCK]
        np.left_shift(low, 4, out=block[:, 0])
        np.bitwise_or(high << 8 & 0xF000, high >> 4 & 0x0FF0, out=block[:, 1])
        signed = block.view(np.int16)
        np.right_shift(signed, 4, out=signed)  # extends the sign
    return samples.view(np.int16).reshape(-1)[:count]


def encode_212(samples: NDArray[np.int16]) -> bytes:
    """Pack (n,) samples of -2048 to 2047 into three bytes a pair, an odd last one with zero."""
    pairs = np.append(samples, np.zeros(len(samples) % 2, np.int16)).reshape(-1, 2)
    first, second = pairs.view(np.uint16).T
    triplets = np.empty((len(pairs), 3), np.uint8)
    triplets[:, 0] = first & 0xFF
    triplets[:, 1] = (first >> 8 & 0x0F) | (second >> 4 & 0xF0)
    triplets[:, 2] = second & 0xFF
    return triplets.tobytes()
