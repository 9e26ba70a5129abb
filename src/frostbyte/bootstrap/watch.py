"""What operators are told of a plane: whether its servers answer, what waits and for how long.

Everything is asked in the background, each server by a thread of its own, so that neither a scrape nor another server
waits for one that hangs. All of it comes from the stores and not from processes: it holds for any number of workers.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from frostbyte.adapters.clamav.clamd import Clamd
from frostbyte.adapters.embeddings.openai import OpenAiEmbedder
from frostbyte.data_plane.freshness import Signatures
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.records import DocumentTally, JobTally, Stage

if TYPE_CHECKING:
    from frostbyte.bootstrap.data import Plane

INTERVAL_SECONDS: Final = 10.0
"""Between two questions to the same server."""
HANGS_SECONDS: Final = 10.0
"""A server that takes longer to answer one small question is down."""
_NOBODY: Final = UUID(int=0)
_PROBE_TEXT: Final = "frost"

Probe = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Tallies:
    """What the database and the queue said, and when."""

    at: float
    """`time.monotonic()`."""
    now: datetime
    jobs: list[JobTally]
    documents: list[DocumentTally]
    log_size: int
    """Numbered events."""
    signed: int
    """Of these: under a signed checkpoint."""
    checkpoint_at: datetime | None
    unnumbered_since: datetime | None
    """When the oldest event that has no number was made; None if all have one."""
    signatures: Signatures
    """Of the plane's scanners."""
    holds: int
    """Legal holds in force."""
    retained_at: datetime | None
    """When a run of retention last ended; None before the first."""
    clock_doubted: bool
    """Whether the plane does not believe its clock, so that nothing expires."""
    webhooks_dead: int
    """Messages to webhooks that were given up."""


@dataclass
class Answer:
    """How one server answers."""

    up: bool = False
    seconds: float = 0.0
    """That the last answer took."""
    asked_at: float | None = None
    """Since when a question is open."""
    known: bool = False
    """Whether it was ever asked to the end."""

    def holds(self, now: float) -> bool:
        """Whether it answers as far as one can tell."""
        return self.up and not self.hangs(now)

    def hangs(self, now: float) -> bool:
        """Whether a question is open for too long."""
        asked_at = self.asked_at
        return asked_at is not None and now - asked_at >= HANGS_SECONDS


@dataclass(kw_only=True)
class Watch:
    """Asks, and keeps what was answered.

    Args:
        probes: by server; each raises FrostbyteError, or hangs, when its server does not answer.
        tally: reads the tallies.
        hints: reads how many hints wait; None without a queue.
        data_dir: the folder whose disk is measured.
    """

    probes: Mapping[str, Probe]
    tally: Callable[[], Tallies]
    hints: Callable[[], Mapping[Stage, int]] | None
    data_dir: Path
    interval: float = INTERVAL_SECONDS
    answers: dict[str, Answer] = field(default_factory=dict)
    tallies: Tallies | None = None
    waiting_hints: Mapping[Stage, int] = field(default_factory=dict)

    def start(self, stop: threading.Event) -> None:
        """Ask until `stop` is set. Threads end by themselves; one that hangs ends with the process."""
        loops: dict[str, Callable[[], None]] = {"tally": self.count}
        for name, probe in self.probes.items():
            self.answers[name] = Answer()
            loops[name] = lambda name=name, probe=probe: self.ask(name, probe)  # type: ignore[misc]
        for name, turn in loops.items():
            threading.Thread(target=self._loop, args=(turn, stop), name=f"watch-{name}", daemon=True).start()

    def _loop(self, turn: Callable[[], None], stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                turn()
            except Exception as error:  # noqa: BLE001 - watching goes on whatever one look met
                structlog.get_logger("frostbyte.watch").error("watch_failed", error=type(error).__name__)
            stop.wait(self.interval)

    def ask(self, name: str, probe: Probe) -> None:
        """Ask one server once."""
        answer = self.answers.setdefault(name, Answer())
        began = answer.asked_at = time.monotonic()
        code = ""
        try:
            probe()
        except FrostbyteError as error:
            code = error.code
        except Exception as error:  # noqa: BLE001 - whatever it is, the server did not answer as it should
            code = type(error).__name__
        answer.seconds = time.monotonic() - began
        if not answer.known or answer.up is bool(code):
            log = structlog.get_logger("frostbyte.watch")
            log.warning("server_down", component=name, code=code) if code else log.info("server_up", component=name)
        answer.up, answer.known, answer.asked_at = not code, True, None

    def count(self) -> None:
        """Read the tallies once. What cannot be read stays as it was, and its age tells."""
        try:
            self.tallies = self.tally()
            if self.hints is not None:
                self.waiting_hints = self.hints()
        except FrostbyteError:
            return

    def disk(self) -> tuple[int, int]:
        """Size and free bytes of the data folder's disk."""
        usage = shutil.disk_usage(self.data_dir)
        return usage.total, usage.free


def watch(plane: Plane) -> Watch:
    """The watch over a plane's servers. What lies inside the plane's own process is not asked."""
    ports = plane.ports
    probes: dict[str, Probe] = {
        "database": plane.store.ping,
        "objects": lambda: ports.vault.blobs.exists(f"keys/{_NOBODY}"),
        "vectors": lambda: ports.vectors.count(_NOBODY),
    }
    if isinstance(ports.scanner, Clamd):
        probes["scanner"] = ports.scanner.version
    if isinstance(ports.embedder, OpenAiEmbedder) and not ports.embedder.remote:  # a remote one costs money
        embedder = ports.embedder
        probes["embedder"] = lambda: embedder.query(_PROBE_TEXT)
    if plane.queue is not None:
        probes["queue"] = plane.queue.waiting
    return Watch(
        probes=probes,
        tally=lambda: _tally(plane),
        hints=plane.queue.waiting if plane.queue is not None else None,
        data_dir=plane.settings.data_dir,
    )


def _tally(plane: Plane) -> Tallies:
    now, signatures = plane.clock.now(), plane.freshness.look()
    with plane.store.unit_of_work() as uow:
        latest, oldest = uow.audit.latest_checkpoint(), _oldest(uow)
        return Tallies(
            at=time.monotonic(),
            now=now,
            jobs=uow.jobs.tally(now),
            documents=uow.documents.tally(),
            log_size=uow.audit.log_size(),
            signed=latest.size if latest is not None else 0,
            checkpoint_at=latest.created_at if latest is not None else None,
            unnumbered_since=oldest,
            signatures=signatures,
            holds=uow.holds.count(),
            retained_at=_retained_at(uow),
            clock_doubted=bool((trusted := uow.retention.trusted()) and trusted.doubt),
            webhooks_dead=uow.webhooks.given_up(),
        )


def _retained_at(uow: UnitOfWork) -> datetime | None:
    ended = [row.finished_at for row in uow.retention.runs(limit=2) if row.finished_at is not None]
    return ended[0] if ended else None


def _oldest(uow: UnitOfWork) -> datetime | None:
    events = uow.audit.unsequenced(1)
    return events[0].timestamp if events else None
