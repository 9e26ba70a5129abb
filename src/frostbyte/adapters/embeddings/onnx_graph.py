"""Writing an ONNX model: as much of the format as a small encoder needs.

onnxruntime reads models as protocol buffers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; the field numbers
below are that file's). Writing needs a tag and a length before each piece, for which we want no further dependency.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

CONTRIBUTED: Final = "com.microsoft"
"""The domain of onnxruntime's own operators."""
_IR_VERSION, _OPSET = 9, 17
_TYPES: Final = {"float32": 1, "int8": 3, "int64": 7}


class Graph:
    """A graph in the making; nodes run in the order they were added."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Add a tensor under a name, which is given back."""
        kind = _TYPES[value.dtype.name]
        shape = b"".join(_number(1, size) for size in value.shape)
        self._constants.append(shape + _number(2, kind) + _bytes(8, name.encode()) + _bytes(9, value.tobytes()))
        return name

    def node(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **values: float
    ) -> str:
        """Add an operator; the name of its first output is given back. Attributes are whole numbers or floats."""
        parts = [_bytes(1, name.encode()) for name in inputs]
        parts += [_bytes(2, name.encode()) for name in outputs]
        parts += [_bytes(4, operator.encode())]
        parts += [_bytes(5, _attribute(name, value)) for name, value in values.items()]
        parts += [_bytes(7, domain.encode())]
        self._nodes.append(b"".join(parts))
        return outputs[0]

    def model(self, source: str, result: str, width: int) -> bytes:
        """The whole model; what goes in and comes out is texts x tokens x width, without padding."""
        ends = [_value(name, ("texts", "tokens", width)) for name in (source, result)]
        graph = b"".join(
            [
                *(_bytes(1, node) for node in self._nodes),
                _bytes(2, b"encoder"),
                *(_bytes(5, constant) for constant in self._constants),
                _bytes(11, ends[0]),
                _bytes(12, ends[1]),
            ]
        )
        own = _bytes(8, _bytes(1, CONTRIBUTED.encode()) + _number(2, 1))
        return _number(1, _IR_VERSION) + _bytes(7, graph) + _bytes(8, _number(2, _OPSET)) + own


def _attribute(name: str, value: float) -> bytes:
    if isinstance(value, int):
        return _bytes(1, name.encode()) + _number(3, value) + _number(20, 2)
    return _bytes(1, name.encode()) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, 1)


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    sizes = (_bytes(2, size.encode()) if isinstance(size, str) else _number(1, size) for size in shape)
    tensor = _number(1, _TYPES[np.dtype(np.float32).name]) + _bytes(2, b"".join(_bytes(1, size) for size in sizes))
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # a negative number is written as its complement
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data
