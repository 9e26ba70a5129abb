"""Parts images in two, to be asked for at the same time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from frostbyte.kernel.ports.engine import Stored


def halves(images: Sequence[Stored]) -> list[list[Stored]]:
    """Two parts of which the larger is as small as can be, counting a layer once in each; one part of one image.

    All ways are tried, 2 to the power of the images less one: a bundle has less than a dozen.
    """
    if len(images) < 2:
        return [list(images)] if images else []
    best: tuple[int, int] | None = None
    parted: list[list[Stored]] = []
    for others in product((0, 1), repeat=len(images) - 1):
        parts: list[list[Stored]] = [[], []]
        for image, side in zip(images, (0, *others), strict=True):
            parts[side].append(image)
        sizes = [size(part) for part in parts]
        if parts[1] and (best is None or (max(sizes), sum(sizes)) < best):
            best, parted = (max(sizes), sum(sizes)), parts
    return parted


def size(images: Sequence[Stored]) -> int:
    """About how many bytes of layers some images have: what they share counts once."""
    layers = {layer: size for image in images for layer, size in zip(image.layers, image.sizes, strict=False)}
    return sum(layers.values())
