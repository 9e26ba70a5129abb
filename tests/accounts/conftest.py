"""People who sign in, on stores in memory: a plane's, and the control plane's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pyotp
import pytest

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.signing_keys import MemoryTokenKeys
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.kernel.accounts.codes import Secrets
from frostbyte.kernel.accounts.passwords import Cost
from frostbyte.kernel.accounts.register import Register
from frostbyte.kernel.accounts.sessions import Sessions
from frostbyte.kernel.accounts.signing_in import SignedIn, SigningIn
from frostbyte.kernel.records import EventRow
from frostbyte.kernel.tokens import Realm, Scope, control_realm, plane_realm

PASSWORD = "four words and a horse"
CHEAP = Cost(log_n=4, r=1, p=1)


class House:
    """What people sign in to."""

    def __init__(self, realm: Realm) -> None:
        self.realm = realm
        self.clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC))
        self.store: Any = MemoryStore() if realm.rights is Scope else MemoryRegistry()
        self.keys = MemoryTokenKeys(self.clock)
        self.sessions = Sessions(self.keys.keys, realm, self.store.unit_of_work, self.clock, "acme")
        self.register = Register(realm, self.store.unit_of_work, self.sessions, self.clock, "acme")
        self.door = self.another_process()
        self.secrets: dict[str, str] = {}

    def another_process(self, key: bytes = b"k" * 32) -> SigningIn:
        """What signs in over the same database."""
        uow, clock = self.store.unit_of_work, self.clock
        return SigningIn(uow, self.sessions, Secrets(lambda: key), clock, "acme", "acme", CHEAP)

    def person(self, name: str = "ann", role: str = "admin") -> tuple[UUID, SignedIn]:
        """An account that was set up, and the session that began with it."""
        made = self.register.create(name, role, actor="installation")
        signed = self.set_up(name, made["link"])
        self.clock.advance(30)
        return UUID(made["account_id"]), signed

    def set_up(self, name: str, link: str, password: str = PASSWORD) -> SignedIn:
        """Open a link and do as its page says."""
        secret = link.partition("#")[2]
        self.secrets[name] = self.door.open(secret).secret
        return self.door.set_up(secret, password, self.code(name))

    def code(self, name: str = "ann", steps: int = 0) -> str:
        """What the authenticator shows now, or so many times later."""
        return pyotp.TOTP(self.secrets[name]).at(self.clock.now(), counter_offset=steps)

    def sign_in(self, name: str = "ann", password: str = PASSWORD, **given: Any) -> SignedIn:
        """With the code of this moment."""
        return self.door.sign_in(name, password, given.pop("code", None) or self.code(name), **given)

    def events(self) -> list[EventRow]:
        """What was audited, oldest first."""
        with self.store.unit_of_work() as uow:
            found: list[EventRow] = uow.audit.unsequenced(10_000)
        return found

    def said(self) -> list[tuple[str, str]]:
        """(type, actor) of each."""
        return [(event.type, event.actor) for event in self.events()]


@pytest.fixture(params=["plane", "control plane"])
def house(request: pytest.FixtureRequest) -> House:
    """A plane's, and the control plane's."""
    return House(plane_realm("acme") if request.param == "plane" else control_realm("production"))
