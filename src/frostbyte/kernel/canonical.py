"""Canonical JSON: the bytes that are hashed and signed.

The subset of RFC 8785 (JCS) for values made of objects, arrays, strings, integers, booleans and null, with ASCII
keys: sorted keys, no white space, UTF-8. Numbers with fractions are refused, because their text form is where
canonical JSONs disagree.
"""

from __future__ import annotations

import json
from typing import Any, Final

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
"""Made once: `json.dumps` makes one for each value."""


def canonical(value: Any) -> bytes:
    """Encode `value` canonically.

    Raises:
        TypeError: for a float or any type JSON does not know.
    """
    _refuse_floats(value)
    return _ENCODER.encode(value).encode()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("canonical JSON holds no floats; use an integer of a smaller unit")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)
