"""Who has an account: made, given a role, given a new set-up link, disabled, recovered.

Nobody is ever given a password: whoever administers makes a link that is good once and for two days, and the person who
opens it chooses a password and adds the account to an authenticator. A link is made of 256 random bits, of which only
a hash is kept; it stands behind the `#` of an address, so that no server and no proxy writes it down.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from frostbyte.kernel.accounts.attempts import key_of_name
from frostbyte.kernel.accounts.records import AccountRow, By, CredentialRow
from frostbyte.kernel.accounts.roles import roles_of
from frostbyte.kernel.accounts.sessions import Sessions
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import AccessUnitOfWork, AccessUnitOfWorkFactory
from frostbyte.kernel.tokens import Realm

LINK_LIFETIME: Final = timedelta(days=2)
"""Of a set-up link: it reaches somebody over a weekend's day, and does not lie about."""
SET_UP: Final = "/console/set-up"
"""The page that takes a link."""
ADMIN: Final = "admin"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,99}")
_TAKEN: Final = frozenset(
    "control edge host import installation local-operator nobody plane restore retention root system unknown".split()
)
"""What the audit calls others than people, and what could be taken for it."""


class Register:
    """The accounts of a plane or of the control plane.

    Args:
        realm: which roles there are.
        unit_of_work: a transaction with accounts and the audit log.
        sessions: of the people; those of a changed account end with the change.
        clock: the server's clock.
        owner: the tenant whose plane this is, or what the control plane calls itself in its log.
    """

    def __init__(
        self, realm: Realm, unit_of_work: AccessUnitOfWorkFactory, sessions: Sessions, clock: Clock, owner: str
    ) -> None:
        self._realm = realm
        self._unit_of_work = unit_of_work
        self._sessions = sessions
        self._clock = clock
        self._owner = owner

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that there are, the one with the least first."""
        return tuple(roles_of(self._realm))

    def create(self, name: str, role: str, *, actor: str) -> dict[str, Any]:
        """An account that waits to be set up, with its `link`, which is shown here and never again. Audited.

        Raises:
            Invalid: `account_name`, `account_role`.
            Conflict: `account_exists`: there is one of this name, disabled or not.
        """
        name = _named(name)
        self._see_role(role)
        now, link = self._clock.now(), secrets.token_urlsafe(32)
        row = AccountRow(name=name, account_id=new_id(), role=role, created_at=now, created_by=actor, changed_at=now)
        credential = _linked(CredentialRow(name=name), link, now)
        with self._unit_of_work() as uow:
            uow.accounts.lock()
            if uow.accounts.get(name) is not None:
                raise Conflict(
                    "account_exists",
                    "There is an account of this name already.",
                    "Give it a new link, or recover it if it is disabled: `frostbyte account list`.",
                )
            uow.accounts.add(row)
            uow.accounts.put_credential(credential)
            self._audit(uow, EventType.ACCOUNT_CREATED, row, actor, {"role": role})
            uow.commit()
        return self._shown(row, credential) | _handed(link)

    def list(self, *, after: str = "", limit: int = 100) -> dict[str, Any]:
        """Accounts by name, disabled or not; `cursor` leads to the page after this one."""
        with self._unit_of_work(reading=True) as uow:
            rows = uow.accounts.page(after=after, limit=limit + 1)
            more, rows = len(rows) > limit, rows[:limit]
            credentials = uow.accounts.credentials([row.name for row in rows])
        shown = [self._shown(row, credentials.get(row.name)) for row in rows]
        return {"accounts": shown, "cursor": rows[-1].name if more else None}

    def show(self, account_id: UUID) -> dict[str, Any]:
        """One account. Raises NotFound("account_not_found")."""
        with self._unit_of_work(reading=True) as uow:
            row = uow.accounts.find(account_id)
            if row is None:
                raise _absent()
            return self._shown(row, uow.accounts.credential(row.name))

    def link(self, account_id: UUID, *, actor: str) -> dict[str, Any]:
        """A new set-up link; the one before it is no good any more. What was set up stays until it is used. Audited.

        Raises:
            NotFound: `account_not_found`.
            Conflict: `account_is_disabled`.
        """
        with self._unit_of_work() as uow:
            row = self._found(uow, account_id)
            if row.disabled_at is not None:
                raise Conflict(
                    "account_is_disabled",
                    "This account is disabled.",
                    "Recover it, if its owner is to come back: `frostbyte account recover NAME`.",
                )
            link = secrets.token_urlsafe(32)
            held = uow.accounts.credential(row.name, lock=True) or CredentialRow(name=row.name)
            credential = _linked(held, link, self._clock.now())
            uow.accounts.put_credential(credential)
            self._audit(uow, EventType.ACCOUNT_LINKED, row, actor, {})
            uow.commit()
        return self._shown(row, credential) | _handed(link)

    def recover(self, account_id: UUID, *, actor: str) -> dict[str, Any]:
        """Begin anew with an account: enabled, with nothing that opened it before, no session, no attempts that were
        counted, and a new link. Audited.

        Raises:
            NotFound: `account_not_found`.
        """
        with self._unit_of_work() as uow:
            row = replace(self._found(uow, account_id), disabled_at=None, changed_at=self._clock.now())
            link = secrets.token_urlsafe(32)
            credential = _linked(CredentialRow(name=row.name), link, self._clock.now())
            uow.accounts.change(row)
            uow.accounts.put_credential(credential)
            uow.accounts.clear_attempts(key_of_name(row.name))
            self._sessions.end_all_within(uow, row.name, By.PASSWORD, actor=actor)
            self._audit(uow, EventType.ACCOUNT_RECOVERED, row, actor, {"role": row.role})
            uow.commit()
        return self._shown(row, credential) | _handed(link)

    def set_role(self, account_id: UUID, role: str, *, actor: str) -> dict[str, Any]:
        """Give an account another role; its sessions end. Audited.

        Raises:
            NotFound: `account_not_found`.
            Invalid: `account_role`.
            Conflict: `last_administrator`.
        """
        self._see_role(role)
        with self._unit_of_work() as uow:
            old = self._found(uow, account_id)
            row = replace(old, role=role, changed_at=self._clock.now())
            credential = uow.accounts.credential(row.name, lock=True)  # nobody signs in meanwhile as what they were
            if row.role != old.role:
                uow.accounts.change(row)
                self._see_administrator(uow, old)
                self._sessions.end_all_within(uow, row.name, By.PASSWORD, actor=actor)
                self._audit(uow, EventType.ACCOUNT_CHANGED, row, actor, {"role": role, "previous": old.role})
                uow.commit()
        return self._shown(row, credential)

    def disable(self, account_id: UUID, *, actor: str) -> dict[str, Any]:
        """Let nobody in with an account; its sessions end, its link is no good any more. Twice is once. Audited.

        Raises:
            NotFound: `account_not_found`.
            Conflict: `last_administrator`.
        """
        now = self._clock.now()
        with self._unit_of_work() as uow:
            old = self._found(uow, account_id)
            held = uow.accounts.credential(old.name, lock=True) or CredentialRow(name=old.name)
            if old.disabled_at is not None:
                return self._shown(old, held)
            row = replace(old, disabled_at=now, changed_at=now)
            credential = replace(held, link=None, link_until=None, link_totp=b"")
            uow.accounts.change(row)
            uow.accounts.put_credential(credential)
            self._see_administrator(uow, old)
            self._sessions.end_all_within(uow, row.name, By.PASSWORD, actor=actor)
            self._audit(uow, EventType.ACCOUNT_CHANGED, row, actor, {"state": "disabled"})
            uow.commit()
        return self._shown(row, credential)

    def _found(self, uow: AccessUnitOfWork, account_id: UUID) -> AccountRow:
        uow.accounts.lock()
        row = uow.accounts.find(account_id)
        if row is None:
            raise _absent()
        return row

    def _see_role(self, role: str) -> None:
        if role not in self.roles:
            raise Invalid("account_role", "There is no such role.", f"There are: {', '.join(self.roles)}.")

    def _see_administrator(self, uow: AccessUnitOfWork, before: AccountRow) -> None:
        if before.role == ADMIN and before.disabled_at is None and not uow.accounts.enabled(ADMIN):
            raise Conflict(
                "last_administrator",
                "This is the last administrator's account: nobody could give anybody access any more.",
                "Make another administrator first, and have their account set up.",
            )

    def _audit(
        self, uow: AccessUnitOfWork, type: EventType, row: AccountRow, actor: str, details: dict[str, Any]
    ) -> None:
        said = {"subject": row.name} | details
        uow.audit.append(make_event(self._owner, type, self._clock, actor, "account", str(row.account_id), said))

    def _shown(self, row: AccountRow, credential: CredentialRow | None) -> dict[str, Any]:
        now, until = self._clock.now(), credential.link_until if credential else None
        set_up = credential is not None and credential.password != ""
        return {
            "account_id": str(row.account_id),
            "name": row.name,
            "role": row.role,
            "state": "disabled" if row.disabled_at else "active" if set_up else "invited",
            "link_until": iso(until) if until is not None and until > now else None,
            "created_at": iso(row.created_at),
            "created_by": row.created_by,
            "changed_at": iso(row.changed_at),
        }


def hashed(link: str) -> bytes:
    """What is kept of a set-up link."""
    return hashlib.sha256(link.strip().encode()).digest()


def _linked(row: CredentialRow, link: str, now: datetime) -> CredentialRow:
    return replace(row, link=hashed(link), link_until=now + LINK_LIFETIME, link_totp=b"")


def _handed(link: str) -> dict[str, Any]:
    """The link in the only moment in which it is known; the caller puts the server's address before it."""
    return {"link": f"{SET_UP}#{link}"}


def _absent() -> NotFound:
    return NotFound("account_not_found", "There is no such account.", "List them: `frostbyte account list`.")


def _named(name: str) -> str:
    """Raises Invalid("account_name")."""
    plain = name.strip().lower()
    if _NAME.fullmatch(plain) is None or plain in _TAKEN:
        raise Invalid(
            "account_name",
            "No account can be called that.",
            "A name has up to 100 small letters, digits and the characters . _ @ -, and is none that the audit uses.",
        )
    return plain
