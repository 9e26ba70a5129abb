"""The tree against the recursive definition of RFC 6962."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.kernel.audit import merkle

Nodes = dict[tuple[int, int], bytes]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return merkle.node_hash(naive_root(leaves[:middle]), naive_root(leaves[middle:]))


def naive_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    if index < middle:
        return [*naive_path(index, leaves[:middle]), naive_root(leaves[middle:])]
    return [*naive_path(index - middle, leaves[middle:]), naive_root(leaves[:middle])]


def leaf(number: int) -> bytes:
    return merkle.leaf_hash(str(number).encode())


def grown(steps: Sequence[int]) -> tuple[list[bytes], Nodes, bytes]:
    """A tree that grew by these steps: leaves, stored nodes, the last root."""
    leaves: list[bytes] = []
    nodes: Nodes = {}
    root = merkle.EMPTY_ROOT
    for step in steps:
        new = [leaf(len(leaves) + offset) for offset in range(step)]
        edge = [nodes[position] for position in merkle.pieces(0, len(leaves))]
        made, root = merkle.extend(len(leaves), edge, new)
        nodes.update({(0, len(leaves) + offset): value for offset, value in enumerate(new)})
        for level, index, value in made:
            assert (level, index) not in nodes, "a complete subtree is stored once"
            nodes[(level, index)] = value
        leaves += new
    return leaves, nodes, root


def reader(nodes: Nodes) -> merkle.Lookup:
    def read(wanted: Sequence[tuple[int, int]]) -> Mapping[tuple[int, int], bytes]:
        return {position: nodes[position] for position in wanted}

    return read


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=8))
def test_growing_in_any_steps_gives_the_recursive_root_at_every_size(steps: list[int]) -> None:
    leaves, nodes, root = grown(steps)
    assert root == naive_root(leaves)
    for size in {0, len(leaves) // 3, len(leaves) // 2, len(leaves)}:
        assert merkle.root(size, reader(nodes)) == naive_root(leaves[:size])
    complete = {(level, i) for level in range(1, 9) for i in range(len(leaves) >> level)}
    assert {position for position in nodes if position[0]} == complete


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 70))
def test_inclusion_proofs_are_the_recursive_paths_and_verify_for_that_leaf_only(data: st.DataObject, size: int) -> None:
    leaves, nodes, root = grown([size])
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, reader(nodes))
    assert proof == naive_path(index, leaves)
    assert merkle.verify_inclusion(leaves[index], index, size, proof, root)
    other = data.draw(st.integers(0, size - 1))
    assert merkle.verify_inclusion(leaves[index], other, size, proof, root) is (other == index)
    assert not merkle.verify_inclusion(leaf(10_000), index, size, proof, root)
    assert not merkle.verify_inclusion(leaves[index], index, size, [*proof, leaf(1)], root)
    if proof:
        assert not merkle.verify_inclusion(leaves[index], index, size, proof[:-1], root)


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(0, 70))
def test_consistency_proofs_verify_for_those_two_trees_only(data: st.DataObject, new: int) -> None:
    leaves, nodes, root = grown([new])
    old = data.draw(st.integers(0, new))
    proof = merkle.consistency_proof(old, new, reader(nodes))
    old_root = naive_root(leaves[:old])
    assert merkle.verify_consistency(old, new, old_root, root, proof)
    assert not merkle.verify_consistency(old, new, leaf(10_000), root, proof)
    if old:
        assert not merkle.verify_consistency(old, new, old_root, leaf(10_000), proof)
    assert not merkle.verify_consistency(old, new, old_root, root, [*proof, leaf(1)])
    if old < new:
        assert not merkle.verify_consistency(new, old, root, old_root, proof)


def test_positions_outside_the_tree_are_refused() -> None:
    _, nodes, root = grown([5])
    with pytest.raises(ValueError, match="not in the tree"):
        merkle.inclusion_proof(5, 5, reader(nodes))
    with pytest.raises(ValueError, match="larger"):
        merkle.consistency_proof(6, 5, reader(nodes))
    assert not merkle.verify_inclusion(leaf(0), 5, 5, [], root)
    assert not merkle.verify_inclusion(leaf(0), -1, 5, [], root)
