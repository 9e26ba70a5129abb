"""The file that holds multilingual-e5-small's weights and vocabulary, as the model's package lays it out.

A head of ten numbers, the vocabulary (offsets, scores, then the pieces' bytes), a table of characters that we leave to
the tokenizer, and a directory of tensors. Matrices are kept in blocks of 32 weights of one row: a scale (float16), then
16 bytes, each with weight `j` in its lower and weight `j + 16` in its upper half, both moved up by 8. The rest is
float32.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

BLOCK: Final = 32
_BYTES: Final = 18
"""Of a block: its scale and half a byte a weight."""
_HEAD: Final = struct.Struct("<4sI7ifi")
_MARKS: Final = struct.Struct("<5iQ")
_ENTRY: Final = struct.Struct("<IQQ")


class Weights:
    """What the file holds, read where it is needed.

    Args:
        data: the whole file, checked to be the one we know.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        _, _, self.width, self.layers, self.heads, self.inner, self.vocabulary, self.positions, _, epsilon, _ = (
            _HEAD.unpack_from(data)
        )
        self.epsilon = float(epsilon)
        at = _HEAD.size
        count, self.first, self.last, _, self.unknown, size = _MARKS.unpack_from(data, at)
        at += _MARKS.size
        offsets = np.frombuffer(data, "<u4", count + 1, at)
        scores = np.frombuffer(data, "<f4", count, at + offsets.nbytes)
        at += offsets.nbytes + scores.nbytes
        ends = (at + offsets.astype(np.int64)).tolist()
        self.pieces = [
            (data[ends[number] : ends[number + 1]].decode(), score) for number, score in enumerate(scores.tolist())
        ]
        """Pieces of words with the logarithm of their probability; the place is the token's number."""
        at += size
        _, skipped = struct.unpack_from("<iI", data, at)
        self._tensors = self._directory(at + 8 + skipped)

    def _directory(self, at: int) -> dict[str, tuple[int, int]]:
        """Where each tensor begins, and how many numbers it has."""
        found = {}
        (count,) = struct.unpack_from("<i", self._data, at)
        at += 4
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._data, at)
            name = self._data[at + 2 : at + 2 + length].decode()
            numbers, offset, _ = _ENTRY.unpack_from(self._data, at + 3 + length)
            found[name] = (offset, numbers)
            at += 3 + length + _ENTRY.size
        return found

    def floats(self, name: str) -> Floats:
        """A tensor that is kept as it is."""
        offset, count = self._tensors[name]
        return np.frombuffer(self._data, "<f4", count, offset)

    def blocks(self, name: str, rows: int) -> npt.NDArray[np.uint8]:
        """A matrix of so many rows as its blocks: rows x blocks of a row x bytes of a block."""
        offset, count = self._tensors[name]
        return np.frombuffer(self._data, np.uint8, count // BLOCK * _BYTES, offset).reshape(rows, -1, _BYTES)


def unpacked(blocks: npt.NDArray[np.uint8]) -> Floats:
    """The weights of these rows."""
    scales = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    packed = blocks[..., 2:]
    whole = np.concatenate([packed & 15, packed >> 4], axis=-1).astype(np.float32) - 8
    return (whole * scales).reshape(len(blocks), -1)
