"""A line of the table of results, as the benches print it: one JSON object a line."""

from __future__ import annotations

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One measure beside its reference."""

    measure: str
    ours: float
    unit: str
    target: str
    """The promise in words."""
    met: bool | None
    """None where nothing was promised."""
    reference: float | None = None
    """What one would use instead, measured in the same run and unit; None where the promise is absolute."""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours by the reference."""
        return self.ours / self.reference if self.reference else None


def show(lines: list[Line]) -> None:
    """Print them as JSON lines."""
    for line in lines:
        print(msgspec.json.encode(line).decode(), flush=True)


def percentile(values: list[float], part: float) -> float:
    """The value below which `part` (0 to 1) of the values lie: the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
