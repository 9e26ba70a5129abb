"""No embedder at all, said aloud: search then knows words and nothing of their meaning."""

from __future__ import annotations

from collections.abc import Sequence

from frostbyte.kernel.ports.vectors import CollectionSpec


class LexicalOnly:
    """An Embedder whose vectors have no dimensions: the collection holds terms alone, never a zero vector.

    Search answers `hybrid` by terms and refuses `dense`.
    """

    remote = False
    label = "lexical only (no embedding model)"

    def __init__(self) -> None:
        self.spec = CollectionSpec(model="lexical-only", version="1", dimensions=0)

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        """An empty vector a text."""
        return [[] for _ in texts]

    def query(self, text: str) -> list[float]:
        """An empty vector."""
        return []
