"""A plane without a host: a log, a standing and a lease of its own, behaving as a real one does.

The rules are the plane's own code (data_plane.obeying, kernel.audit) over the store in memory; only the wire and the
documents are missing. What can go wrong on the way is set from outside: `trouble`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.data_plane.gate import Gate
from frostbyte.data_plane.obeying import Obeying, Ticks, forward
from frostbyte.data_plane.upkeep import UpkeepDesk, told
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.audit.feed import Feed
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.channel import PlaneCheckpoints, PlaneHealth, PlaneStanding, PlaneUpkeep
from frostbyte.kernel.clock import Clock, SystemClock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import Upkeep
from frostbyte.kernel.settings import Mode
from frostbyte.kernel.verifying_keys import PinnedKeys


class MemoryPlane:
    """See control_plane.channel.PlaneChannel.

    Args:
        tenant_id: whose plane this is.
        pinned: the control plane's verifying keys.
        log_seed: the 32 bytes of the key that signs its log.
        clock: the plane's.
        ticks: what its lease is measured by.
        mode: online planes need a lease.

    Attributes:
        trouble: raised by every call instead of an answer; None for a plane that can be reached.
        store: its rows.
        gate: what its requests meet.
        version, parts: what it says that it is, and that it tried.
    """

    def __init__(
        self,
        tenant_id: str,
        pinned: PinnedKeys,
        *,
        log_seed: bytes = bytes(32),
        clock: Clock | None = None,
        ticks: Ticks = forward,
        mode: Mode = Mode.ONLINE,
    ) -> None:
        self.tenant_id = tenant_id
        self.trouble: FrostbyteError | None = None
        self.store = MemoryStore()
        self.gate = Gate()
        self._clock = clock or SystemClock()
        signer = Signer(log_seed, f"frostbyte/{tenant_id}/plane")
        self.log_key = signer.verifier_key
        self.sequencer = Sequencer(self.store.unit_of_work, signer, self._clock)
        self.obeying = Obeying(
            tenant_id=tenant_id,
            unit_of_work=self.store.unit_of_work,
            clock=self._clock,
            gate=self.gate,
            pinned=pinned,
            mode=mode,
            needs_lease=mode is Mode.ONLINE,
            log_key=self.log_key,
            ticks=ticks,
        )
        self.feed = Feed(self.store.unit_of_work)
        self.desk = UpkeepDesk(tenant_id, self.store.unit_of_work, self._clock)
        self.version, self.parts = "0", {"index": "ok"}
        self.obeying.begin()

    def happen(
        self, count: int = 1, type: EventType = EventType.RETRIEVAL_EXECUTED, details: Mapping[str, Any] | None = None
    ) -> None:
        """Have `count` events written, numbered and signed."""
        with self.store.unit_of_work() as uow:
            for number in range(count):
                said = {"results": number} if details is None else details
                uow.audit.append(make_event(self.tenant_id, type, self._clock, "tester", "query", str(number), said))
            uow.commit()
        while self.sequencer.run_once():
            pass

    def standing(self) -> PlaneStanding:
        self._reached()
        return self.obeying.standing()

    def put(self, directive: str) -> PlaneStanding:
        self._reached()
        answer = self.obeying.obey(directive)
        self.sequencer.run_once()
        return answer

    def events(self, after: int, limit: int) -> bytes:
        self._reached()
        return self.feed.events(after, limit)

    def checkpoints(self, after_size: int) -> PlaneCheckpoints:
        self._reached()
        return self.feed.checkpoints(after_size)

    def cosign(self, size: int, line: str) -> None:
        self._reached()
        self.obeying.cosigned(size, line)

    def health(self) -> PlaneHealth:
        self._reached()
        with self.store.unit_of_work() as uow:
            jobs, size = uow.jobs.counts(), uow.audit.log_size()
        return PlaneHealth(
            ready=True,
            jobs=jobs,
            oldest_job_seconds=None,
            stored_bytes=0,
            quota_bytes=0,
            signatures_age_seconds=None,
            model="none",
            certificate_not_after=None,
            log_size=size,
            version=self.version,
            stand_ins=(),
        )

    def upkeep(self, *, tried: bool = False) -> PlaneUpkeep:
        self._reached()
        return told(self.desk.state(), self.gate.writing, self.version, dict(self.parts) if tried else {})

    def keep(self, upkeep: Upkeep, *, updated_to: str = "") -> PlaneUpkeep:
        self._reached()
        state = self.desk.keep(upkeep, updated_to)
        self.obeying.turn()
        self.sequencer.run_once()
        return told(state, self.gate.writing, self.version, {})

    def close(self) -> None:
        """Nothing to let go of."""

    def _reached(self) -> None:
        if self.trouble is not None:
            raise self.trouble
