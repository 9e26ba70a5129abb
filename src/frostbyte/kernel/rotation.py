"""Change the keys that sign tokens, so that no kill leaves two processes or the log with different opinions.

A change is first kept as an intention beside the keys, under the id of the audit event that will say it; then the event
is committed; then the keys change. Whoever finds an intention later looks for its event: with it the change is carried
out, without it the change is forgotten (ADR 75).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import structlog

from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ports.signing_keys import Change, SigningKeyStore
from frostbyte.kernel.ports.unit_of_work import AuditUnitOfWorkFactory
from frostbyte.kernel.records import EventRow
from frostbyte.kernel.signing import SigningKey
from frostbyte.kernel.tokens import LONGEST

_SEED_BYTES: Final = 32
BY_ITSELF: Final = "plane"
"""Actor of what nobody asked for."""
_log = structlog.get_logger("frostbyte.keys")


class Rotation:
    """Rotates and retires the keys that sign tokens. One process does it; every process sees it.

    Args:
        store: where the keys are.
        unit_of_work: a transaction with the audit log.
        clock: the server's clock.
        owner: the tenant whose plane this is, or what the control plane calls itself in its log.
        before_retiring: raises if somebody still needs the older keys; gets the moment in which the key that stays was
            made, or None where it is not made yet.
    """

    def __init__(
        self,
        store: SigningKeyStore,
        unit_of_work: AuditUnitOfWorkFactory,
        clock: Clock,
        owner: str,
        before_retiring: Callable[[datetime | None], None] = lambda since: None,
    ) -> None:
        self._store = store
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._owner = owner
        self._before_retiring = before_retiring
        self._lock = threading.Lock()

    def show(self) -> dict[str, Any]:
        """Which key signs since when, and until when the previous one is accepted; never a private key."""
        keys = self._store.keys()
        shown: list[dict[str, Any]] = [
            {"kid": keys.current.kid, "key": str(keys.current.public), "state": "current", "since": iso(keys.made_at)}
        ]
        if keys.previous is not None:
            until = iso(keys.made_at + LONGEST)
            public = str(keys.previous.public)
            shown.append({"kid": keys.previous.kid, "key": public, "state": "previous", "accepted_until": until})
        return {"keys": shown}

    def rotate(self, *, actor: str, retire_old: bool = False, force: bool = False) -> dict[str, Any]:
        """Let a new key sign from now on; tokens of the old one are good as long as they live.

        Args:
            actor: who asks.
            retire_old: accept no token of any older key from now on, because somebody else may have it.
            force: also where somebody still needs it.

        Raises:
            Conflict: `key_previous_accepted`: a third key would end tokens of the first; `key_rotated_meanwhile`.
            FrostbyteError: as the store, the database, and `before_retiring`.
        """
        with self._lock:
            self._finish()
            keys = self._store.keys()
            if keys.previous is not None and not retire_old:
                raise Conflict(
                    "key_previous_accepted",
                    "The key before this one is still accepted, and only two can be.",
                    "Retire it first: `frostbyte key retire token`. Tokens that it signed end with that.",
                )
            if retire_old and not force:
                self._before_retiring(None)
            old = tuple(key.kid for key in keys.accepted) if retire_old else ()
            self._change(SigningKey(os.urandom(_SEED_BYTES)), (*old, *self._store.outdated()), actor)
        return self.show()

    def retire(self, *, actor: str, force: bool = False) -> dict[str, Any]:
        """Accept no token of the previous key from now on. Without one nothing happens.

        Args:
            actor: who asks.
            force: also where somebody still needs it.

        Raises:
            FrostbyteError: as the store, the database, and `before_retiring`.
        """
        with self._lock:
            self._finish()
            keys = self._store.keys()
            if keys.previous is not None:
                if not force:
                    self._before_retiring(keys.made_at)
                self._change(None, (keys.previous.kid, *self._store.outdated()), actor)
        return self.show()

    def resume(self) -> None:
        """Finish or forget what a kill left behind, and put away keys whose time is over."""
        with self._lock:
            self._finish()
            if outdated := tuple(self._store.outdated()):
                self._change(None, outdated, BY_ITSELF)

    def _finish(self) -> None:
        for change in self._store.intended():
            with self._unit_of_work() as uow:
                said = uow.audit.event(change.event_id) is not None
            if said:
                self._store.carry_out(change)
            else:
                self._store.forget(change)
            _log.info("key_change_found", carried_out=said)

    def _change(self, added: SigningKey | None, retired: tuple[str, ...], actor: str) -> None:
        events = [self._event(EventType.KEY_ROTATED, added.kid, actor)] if added else []
        events += [self._event(EventType.KEY_RETIRED, kid, actor) for kid in retired]
        change = Change(event_id=events[0].event_id, added=added, retired=retired)
        self._store.intend(change)
        with self._unit_of_work() as uow:
            uow.audit.append_many(events)
            uow.commit()
        self._store.carry_out(change)

    def _event(self, type: EventType, kid: str, actor: str) -> EventRow:
        return make_event(self._owner, type, self._clock, actor, "signing_key", kid, {"kind": "token", "key_id": kid})
