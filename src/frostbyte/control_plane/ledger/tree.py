"""The right edge of a Merkle tree (RFC 6962), grown by many leaves at once.

The ledger stores the leaves and, with each step, the edge: no inner nodes. An export or a root for any size is folded
from the nearest edge below it and the leaves between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from frostbyte.kernel.audit import merkle


def grown(size: int, edge: Sequence[bytes], leaves: Sequence[bytes]) -> list[bytes]:
    """The edge of a tree after appending leaves.

    Args:
        size: leaves it has.
        edge: hashes of `merkle.pieces(0, size)`.
        leaves: the new leaf hashes.
    """
    sha256 = hashlib.sha256
    waiting = list(edge)  # the smallest last
    found: list[bytes] = []  # the smallest first
    row, remaining = list(leaves), size
    while row:
        if remaining & 1:
            row.insert(0, waiting.pop())
        if len(row) & 1:
            found.append(row.pop())
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]
        remaining >>= 1
    return waiting + found[::-1]


def root(edge: Sequence[bytes]) -> bytes:
    """The root over an edge."""
    return merkle.fold(edge)
