"""The Merkle tree of RFC 6962, section 2.1, built from stored nodes.

A node is (level, index): level 0 are the leaves, and node (l, i) covers leaves [i * 2^l, (i + 1) * 2^l). Only complete
subtrees are stored; they never change. Whatever the right edge of a tree of some size needs is folded from them, so a
root or a proof for any size costs O(log n) reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

Position = tuple[int, int]
"""(level, index) of a complete subtree."""

Lookup = Callable[[Sequence[Position]], Mapping[Position, bytes]]
"""Reads stored nodes, leaves (level 0) among them."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def pieces(start: int, end: int) -> list[Position]:
    """The complete subtrees that make up leaves [start, end), left to right, largest first.

    `start` must be a multiple of the largest power of two that fits in the range, as it is for every subtree that the
    RFC's recursion visits.
    """
    found: list[Position] = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over adjoining complete subtrees as `pieces` lists them; the empty root for none."""
    if not hashes:
        return EMPTY_ROOT
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def extend(size: int, edge: Sequence[bytes], leaves: Sequence[bytes]) -> tuple[list[tuple[int, int, bytes]], bytes]:
    """Append leaf hashes to a tree.

    Args:
        size: leaves it has.
        edge: hashes of `pieces(0, size)`.
        leaves: the new leaf hashes.

    Returns:
        The subtrees that became complete, as (level >= 1, index, hash), and the new root.
    """
    levels = dict(zip((level for level, _ in pieces(0, size)), edge, strict=True))
    made: list[tuple[int, int, bytes]] = []
    remaining: list[bytes] = []
    row, first, level = list(leaves), size, 0
    while row or level in levels or any(above > level for above in levels):
        if level in levels:
            row.insert(0, levels.pop(level))
            first -= 1
        if len(row) % 2:
            remaining.append(row[-1])
        above = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        made.extend((level + 1, first // 2 + offset, value) for offset, value in enumerate(above))
        # With an empty row the first free index one level up is first / 2, as every lower piece was on the edge.
        row, first, level = above, first // 2, level + 1
    return made, fold(list(reversed(remaining)))


def root(size: int, lookup: Lookup) -> bytes:
    """The root of the tree's first `size` leaves."""
    return _hashes([(0, size)], lookup)[0] if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, lookup: Lookup) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, from the leaf upwards.

    Raises:
        ValueError: the leaf is not in that tree.
    """
    return _hashes(inclusion_ranges(index, size), lookup)


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges whose hashes are the audit path.

    Raises:
        ValueError: the leaf is not in that tree.
    """
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_proof(old: int, new: int, lookup: Lookup) -> list[bytes]:
    """The proof that the tree of `new` leaves begins with that of `old` leaves; empty where old is 0 or new.

    Raises:
        ValueError: the old tree is larger than the new one.
    """
    if not 0 <= old <= new:
        raise ValueError("the old tree is larger than the new one")
    if old in (0, new):
        return []
    ranges: list[tuple[int, int]] = []
    start, end, whole = 0, new, True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append((start, end))
    return _hashes(ranges[::-1], lookup)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that `leaf` is number `index` under `root` (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            value = node_hash(sibling, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and value == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the new tree begins with the old one (RFC 9162, section 2.1.4.2)."""
    if old == 0 or old == new:
        return not proof and (old_root == new_root if old == new else old_root == EMPTY_ROOT)
    if not 0 < old < new or not proof:
        return False
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_value = new_value = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_value, new_value = node_hash(sibling, old_value), node_hash(sibling, new_value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_value = node_hash(new_value, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old_value == old_root and new_value == new_root


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _hashes(ranges: Sequence[tuple[int, int]], lookup: Lookup) -> list[bytes]:
    """The hashes of the ranges, all nodes read at once."""
    parts = [pieces(start, end) for start, end in ranges]
    nodes = lookup([position for part in parts for position in part])
    return [fold([nodes[position] for position in part]) for part in parts]
