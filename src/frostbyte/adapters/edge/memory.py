"""The edge's files in memory."""

from __future__ import annotations

from frostbyte.adapters.edge.files import checked


class MemoryEdgeFiles:
    """See `control_plane.edge.ports.EdgeFiles`. Not for several threads."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[int, str]] = {}
        self._writes = 0

    def write(self, name: str, text: str) -> None:
        """Keep the text."""
        checked(name)
        self._writes += 1
        self._texts[name] = (self._writes, text)

    def read(self, name: str) -> str | None:
        """The text; None where there is no such file."""
        return self._texts[name][1] if name in self._texts else None

    def remove(self, name: str) -> None:
        """Forget the text."""
        self._texts.pop(name, None)

    def stamp(self, name: str) -> str:
        """The number of the write; '' where there is no such file."""
        return str(self._texts[name][0]) if name in self._texts else ""

    def stamps(self) -> dict[str, str]:
        """By name, all files."""
        return {name: str(number) for name, (number, _) in self._texts.items()}
