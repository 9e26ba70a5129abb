"""Embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from frostbyte.kernel.ports.vectors import CollectionSpec


class Embedder(Protocol):
    """Turns text into vectors of unit length. What is longer than the model's window is read in several: nothing of a
    text is left out.

    Raises `Unavailable("embedder_unavailable")` when it cannot answer or its answer is not usable (wrong count,
    wrong dimension, zero or not finite): never a zero vector (promise 2).
    """

    spec: CollectionSpec
    remote: bool
    """Whether text leaves the plane."""
    label: str
    """What config, report and proof call it."""

    def documents(self, texts: Sequence[str]) -> list[list[float]]: ...
    def query(self, text: str) -> list[float]: ...
