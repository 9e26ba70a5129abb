"""A plane's webhooks over stores in memory, with a courier that goes nowhere; and a real receiver."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.memory.webhooks import MemoryCourier
from frostbyte.data_plane.webhooks.delivery import Delivery
from frostbyte.data_plane.webhooks.desk import WebhookDesk
from frostbyte.data_plane.webhooks.dispatch import Dispatch
from frostbyte.kernel.batches import complete_batches_of
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import EventRow, State
from frostbyte.kernel.tenancy import TenantConfig
from frostbyte.kernel.webhooks.keys import WebhookKeys
from servers.receiver import Receiver
from stores.store_rows import NOW, batch, document, receipt

URL = "https://hooks.example/frostbyte"


@dataclass
class Bench:
    """Everything a test looks at."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    courier: Any = field(default_factory=MemoryCourier)
    config: TenantConfig = field(default_factory=lambda: TenantConfig(webhook_hosts=("hooks.example", "b.example")))
    waits: Unavailable | None = None

    def __post_init__(self) -> None:
        keys = WebhookKeys(b"k" * 32)
        self.delivery = Delivery(
            tenant_id="acme",
            unit_of_work=self.store.unit_of_work,
            clock=self.clock,
            keys=keys,
            courier=self.courier,
            config=lambda: self.config,
        )
        self.desk = WebhookDesk(
            tenant_id="acme",
            unit_of_work=self.store.unit_of_work,
            clock=self.clock,
            webhook_keys=keys,
            delivery=self.delivery,
            config=lambda: self.config,
            waits=lambda: self.waits,
        )
        self.dispatch = Dispatch(
            self.store.unit_of_work, self.clock, self.delivery, waits=lambda: self.waits is not None
        )

    def add(self, url: str = URL) -> tuple[UUID, str]:
        """Id and secret of a new webhook."""
        made = self.desk.add(url, actor="ann")
        return UUID(made["webhook_id"]), made["secret"]

    def begun(self, *states: State, **values: Any) -> tuple[UUID, list[UUID]]:
        """A batch whose last file is in; its documents are in these states."""
        with self.store.unit_of_work() as uow:
            row = batch(closed_at=NOW)
            uow.batches.put(row)
            ids = []
            for position, state in enumerate(states):
                found = document(state=state, **values)
                uow.documents.put(found)
                uow.batches.add_receipt(receipt(row.batch_id, position, doc_id=found.doc_id))
                ids.append(found.doc_id)
            uow.commit()
        return row.batch_id, ids

    def ended(self, *states: State, commit: bool = True, **values: Any) -> UUID:
        """A batch that has just ended."""
        batch_id, ids = self.begun(*(states or (State.INDEXED,)), **values)
        with self.store.unit_of_work() as uow:
            assert complete_batches_of(uow, self.clock, "acme", ids[0]) == 1
            if commit:
                uow.commit()
        return batch_id

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def events(self) -> list[EventRow]:
        """All that were written, oldest first."""
        with self.store.unit_of_work() as uow:
            return uow.audit.unsequenced(1000)

    def told(self, webhook_id: UUID) -> list[dict[str, Any]]:
        """Its deliveries, newest first."""
        found: list[dict[str, Any]] = self.desk.deliveries(webhook_id)["deliveries"]
        return found

    def shorten(self, doc_id: UUID, **values: Any) -> None:
        """Change a document's row."""
        with self.store.unit_of_work() as uow:
            row = uow.documents.get(doc_id)
            assert row is not None
            uow.documents.put(replace(row, **values))
            uow.commit()


def raw(secret: str) -> bytes:
    """The bytes of a secret that is shown."""
    return base64.b64decode(secret.removeprefix("whsec_"))


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with Receiver(tmp_path_factory.mktemp("receiver")) as made:
        yield made


@pytest.fixture
def receiver(receivers: Receiver) -> Receiver:
    receivers.messages.clear()
    receivers.answers.clear()
    receivers.hold = 0.0
    return receivers
