"""A sealed object opens only whole, in order, under its own name and with its own key."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.kernel.sealing import (
    FRAME,
    HEADER,
    SEALED_FRAME,
    TAG,
    SealBroken,
    Sealer,
    layout,
    seal,
    sealed_size,
    unseal,
)

KEY = bytes(range(32))
SIZES = [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 2 * FRAME + 7, 5 * FRAME]


def plain(size: int) -> bytes:
    return (b"0123456789abcdef!" * (size // 17 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
def test_it_opens_again_and_its_size_is_arithmetic(size: int) -> None:
    sealed = seal(KEY, "raw/a", plain(size))
    assert unseal(KEY, "raw/a", sealed) == plain(size)
    assert len(sealed) == sealed_size(size)
    assert layout(len(sealed)) == (max(1, -(-size // FRAME)), size)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3 * FRAME), max_size=8))
def test_the_way_it_is_fed_does_not_matter(cuts: list[int]) -> None:
    data = plain(sum(cuts))
    sealer, out, at = Sealer(KEY, "raw/a"), b"", 0
    for cut in cuts:
        out += sealer.update(data[at : at + cut])
        at += cut
    out += sealer.finish()
    assert len(out) == sealed_size(len(data))
    assert unseal(KEY, "raw/a", out) == data


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SIZES), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_flipped_byte_is_noticed(size: int, place: float, flip: int) -> None:
    sealed = bytearray(seal(KEY, "raw/a", plain(size)))
    sealed[int(place * len(sealed))] ^= flip
    with pytest.raises(SealBroken):
        unseal(KEY, "raw/a", bytes(sealed))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SIZES), st.floats(0, 1, exclude_max=True))
def test_any_truncation_is_noticed(size: int, place: float) -> None:
    sealed = seal(KEY, "raw/a", plain(size))
    with pytest.raises(SealBroken):
        unseal(KEY, "raw/a", sealed[: int(place * len(sealed))])


def test_truncation_at_a_frame_boundary_is_noticed() -> None:
    sealed = seal(KEY, "raw/a", plain(3 * FRAME))
    for frames in range(3):
        with pytest.raises(SealBroken):
            unseal(KEY, "raw/a", sealed[: HEADER + frames * SEALED_FRAME])


def test_reordered_dropped_and_repeated_frames_are_noticed() -> None:
    sealed = seal(KEY, "raw/a", plain(4 * FRAME))
    head, frames = sealed[:HEADER], [sealed[HEADER + i * SEALED_FRAME :][:SEALED_FRAME] for i in range(4)]
    for order in ([1, 0, 2, 3], [0, 2, 3], [0, 0, 1, 2, 3], [0, 1, 2, 3, 3]):
        with pytest.raises(SealBroken):
            unseal(KEY, "raw/a", head + b"".join(frames[i] for i in order))


def test_appended_bytes_are_noticed() -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, "raw/a", seal(KEY, "raw/a", b"text") + bytes(TAG + 1))


def test_a_frame_of_another_object_does_not_fit() -> None:
    one, two = seal(KEY, "raw/a", plain(2 * FRAME)), seal(KEY, "raw/a", plain(2 * FRAME))
    with pytest.raises(SealBroken):
        unseal(KEY, "raw/a", one[: HEADER + SEALED_FRAME] + two[HEADER + SEALED_FRAME :])


def test_another_name_or_another_key_does_not_open_it() -> None:
    sealed = seal(KEY, "raw/a", b"text")
    with pytest.raises(SealBroken):
        unseal(KEY, "raw/b", sealed)
    with pytest.raises(SealBroken):
        unseal(bytes(32), "raw/a", sealed)


def test_equal_texts_look_different() -> None:
    assert seal(KEY, "raw/a", b"same")[HEADER:] != seal(KEY, "raw/a", b"same")[HEADER:]
