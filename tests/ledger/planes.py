"""A plane as its control channel shows it: a log with a key, which tests grow, rewrite and break."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from frostbyte.control_plane.ledger.pull import Followed
from frostbyte.kernel.audit import merkle
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.clock import iso

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class SteppingClock:
    """A clock that moves by a second whenever it is asked, and by more when it is told to."""

    def __init__(self) -> None:
        self._now = START
        self.step = 1.0

    def now(self) -> datetime:
        self._now += timedelta(seconds=self.step)
        return self._now

    def leap(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Shown:
    checkpoints: tuple[str, ...]
    latest: str | None


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def event(tenant_id: str, number: int, salt: str = "") -> dict[str, Any]:
    """Event `number` of a log in which every document has three events, one after the other."""
    document, step = divmod(number, 3)
    details: dict[str, Any] = {"component": "test", "output_hash": digest(f"{document}/{step}{salt}"), "status": "ok"}
    if step:
        details["input_hash"] = digest(f"{document}/{step - 1}{salt}")
    return {
        "event_id": str(UUID(int=(7 << 76) + number)),
        "tenant_id": tenant_id,
        "type": ("DOCUMENT_INGESTED", "DOCUMENT_SCANNED", "DOCUMENT_PARSED")[step],
        "timestamp": iso(START + timedelta(seconds=number)),
        "actor": "plane",
        "resource_type": "document",
        "resource_id": str(UUID(int=(8 << 76) + document)),
        "details": details,
        "previous_event_id": str(UUID(int=(7 << 76) + number - 1)) if step else None,
    }


@dataclass
class SimulatedPlane:
    """See control_plane.ledger.pull.Source. What goes over the wire can be changed by the hooks."""

    tenant_id: str = "acme"
    seed: int = 7
    events_: list[bytes] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    cosigned: list[tuple[int, str]] = field(default_factory=list)
    page: int = 10_000
    page_hook: Callable[[bytes, int], bytes] = lambda data, first: data
    notes_hook: Callable[[Shown], Shown] = lambda shown: shown
    calls: int = 0

    def __post_init__(self) -> None:
        self.signer = Signer(bytes([self.seed]) * 32, f"frostbyte/{self.tenant_id}/test")

    @property
    def followed(self) -> Followed:
        return Followed(tenant_id=self.tenant_id, log_key=self.signer.verifier_key, active=True)

    def grow(self, *counts: int, salt: str = "") -> SimulatedPlane:
        """Add events, with a checkpoint after each of the counts."""
        for count in counts:
            first = len(self.events_)
            self.events_ += [canonical(event(self.tenant_id, first + at, salt)) for at in range(count)]
            self.sign()
        return self

    def sign(self) -> None:
        self.notes.append((len(self.events_), self.signer.sign(len(self.events_), self.root(len(self.events_)))))

    def root(self, size: int) -> bytes:
        return merkle.extend(0, [], [merkle.leaf_hash(item) for item in self.events_[:size]])[1]

    def lines(self, first: int, end: int) -> bytes:
        return b"".join(
            b'{"event":%b,"sequence":%d}\n' % (self.events_[at], at) for at in range(first, min(end, len(self.events_)))
        )

    def events(self, after: int, limit: int) -> bytes:
        self.calls += 1
        end = min(after + 1 + min(limit, self.page), self.notes[-1][0] if self.notes else 0)
        return self.page_hook(self.lines(after + 1, end), after + 1)

    def checkpoints(self, after_size: int) -> Shown:
        found = tuple(note for size, note in self.notes if size > after_size)[:1000]
        return self.notes_hook(Shown(found, self.notes[-1][1] if self.notes else None))

    def cosign(self, size: int, line: str) -> None:
        if (size, line) not in self.cosigned:
            self.cosigned.append((size, line))
