"""Sessions of people who signed in with a browser.

A session is a row in the server's own database; its cookie is signed by the server and names it by a secret of which
only a hash is kept. So a cookie that was made up costs no question to the database, one that was stolen from a backup
opens nothing, and a session that was ended is over with the next request, in every process. A cookie is no access
token: its kind differs, so that neither passes for the other.

It is over when nobody used it for half an hour, and twelve hours after it began however much it is used.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from frostbyte.kernel.accounts.records import By, SessionRow
from frostbyte.kernel.accounts.roles import roles_of
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import FrostbyteError, NotFound, Unauthenticated
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.unit_of_work import AccessUnitOfWork, AccessUnitOfWorkFactory
from frostbyte.kernel.signing import KeySource, Unreadable, WrongSignature, opened
from frostbyte.kernel.tokens import Caller, Realm, Role, Scope

KIND: Final = "session+jwt"
"""The `typ` of a cookie's header."""
IDLE: Final = timedelta(minutes=30)
"""A session that is not used for so long is over."""
RENEWED_AFTER: Final = timedelta(minutes=5)
"""A cookie older than this is replaced when it is used."""
LONGEST: Final = timedelta(hours=12)
"""No session lives longer: a day's work."""
_KEPT: Final = timedelta(days=1)
"""Sessions that were over, and attempts, for so long are forgotten at the next sign-in."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A request of somebody who signed in."""

    caller: Caller
    role: str
    csrf: str
    """What forms and scripts of this session's pages send back, and nobody else knows."""
    ends_at: datetime
    session_id: UUID
    by: By

    def has(self, scope: Scope | Role) -> bool:
        """Whether the person may do what the scope allows."""
        return self.caller.has(scope)

    def require(self, scope: Scope | Role) -> None:
        """Raises Forbidden("scope_missing")."""
        self.caller.require(scope)


class Sessions:
    """Begins sessions, knows them again, and ends them.

    Args:
        keys: sign and check cookies.
        realm: where they are good, and which roles there are.
        unit_of_work: a transaction with sessions and the audit log.
        clock: the server's clock.
        owner: the tenant whose plane this is, or what the control plane calls itself in its log.
    """

    def __init__(
        self, keys: KeySource, realm: Realm, unit_of_work: AccessUnitOfWorkFactory, clock: Clock, owner: str
    ) -> None:
        self._keys = keys
        self._realm = realm
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._owner = owner

    def begin(self, subject: str, role: str, *, by: By = By.OIDC, device: str = "") -> str:
        """A new session's cookie. Audited.

        Args:
            subject: who it is, as the audit calls them.
            role: one of `roles_of` the realm.
            by: what they proved it with.
            device: kind of browser and system, in words of ours.
        """
        with self._unit_of_work() as uow:
            cookie = self.begin_within(uow, subject, role, by=by, device=device)
            uow.commit()
        return cookie

    def begin_within(self, uow: AccessUnitOfWork, subject: str, role: str, *, by: By, device: str = "") -> str:
        """As `begin`, in a transaction that the caller commits: a session and what let it begin are one."""
        now, secret = self._clock.now(), secrets.token_urlsafe(32)
        row = SessionRow(
            session_id=new_id(),
            digest=_digest(secret),
            subject=subject,
            role=role,
            by=by,
            begun_at=now,
            seen_at=now,
            ends_at=now + LONGEST,
            device=device,
        )
        uow.accounts.forget(now - _KEPT)
        uow.accounts.begin(row)
        self.note(uow, EventType.SIGNED_IN, row, actor=subject, details={"mode": by, "role": role})
        return self._signed(secret)

    def visit(self, cookie: str) -> Visit:
        """Who comes with this cookie.

        Raises:
            Unauthenticated: `session_wrong`, `session_over`.
        """
        claims = self._read(cookie)
        digest = _digest(claims["sid"])
        with self._unit_of_work(reading=True) as uow:
            row = uow.accounts.session(digest)
        if row is None or row.ends_at <= self._clock.now():
            raise _over()
        rights = roles_of(self._realm).get(row.role)
        if rights is None:
            raise _wrong()
        return Visit(
            caller=Caller(subject=row.subject, scopes=frozenset(rights), token_id=str(row.session_id)),
            role=row.role,
            csrf=_csrf(claims["sid"]),
            ends_at=min(row.ends_at, datetime.fromtimestamp(claims["exp"], tz=UTC)),
            session_id=row.session_id,
            by=row.by,
        )

    def renewed(self, cookie: str) -> str | None:
        """The cookie to replace a good one with; None while it is young. That it is used is remembered then."""
        claims, now = self._read(cookie), self._clock.now()
        if now - datetime.fromtimestamp(claims["iat"], tz=UTC) < RENEWED_AFTER:
            return None
        with self._unit_of_work() as uow:
            row = uow.accounts.session(_digest(claims["sid"]))
            if row is None:
                return None
            uow.accounts.note_seen(row.session_id, now)
            uow.commit()
        return self._signed(claims["sid"])

    def end(self, cookie: str) -> None:
        """Let the session be over, everywhere and at once. One that is over already changes nothing. Audited."""
        try:
            visit = self.visit(cookie)
        except FrostbyteError as error:
            if error.code in ("session_wrong", "session_over"):
                return
            raise
        self.end_one(visit.session_id, actor=visit.caller.subject)

    def open_ones(self, subject: str | None = None) -> list[SessionRow]:
        """Sessions that are not over, of one person or of all, the one used last first; 100 at most."""
        now = self._clock.now()
        with self._unit_of_work(reading=True) as uow:
            rows = uow.accounts.sessions(subject=subject, seen_since=now - IDLE - RENEWED_AFTER)
        return [row for row in rows if row.ends_at > now]

    def end_one(self, session_id: UUID, *, actor: str, of: str | None = None) -> None:
        """End a session by its name. Audited.

        Args:
            session_id: see `open_ones`.
            actor: who asks.
            of: whose it has to be; None: anybody's.

        Raises:
            NotFound: `session_not_found`: there is none, or it is another's.
        """
        with self._unit_of_work() as uow:
            row = uow.accounts.end(session_id)
            if row is None or of not in (None, row.subject):  # what is not committed did not happen
                raise NotFound("session_not_found", "There is no such session any more.", "Nothing to do.")
            self.note(uow, EventType.SIGNED_OUT, row, actor=actor)
            uow.commit()

    def end_others(self, visit: Visit) -> int:
        """End all sessions of the same person but the one that asks; how many. Audited."""
        with self._unit_of_work() as uow:
            ended = self.end_all_within(
                uow, visit.caller.subject, visit.by, actor=visit.caller.subject, but=visit.session_id
            )
            uow.commit()
        return ended

    def end_all_within(
        self, uow: AccessUnitOfWork, subject: str, by: By, *, actor: str, but: UUID | None = None
    ) -> int:
        """End a person's sessions in a transaction that the caller commits; how many. One audit event for all."""
        ended = uow.accounts.end_all(subject, by, but=but)
        if ended:
            details = {"subject": subject, "mode": by, "count": len(ended)}
            uow.audit.append(
                make_event(self._owner, EventType.SIGNED_OUT, self._clock, actor, "session", str(ended[0]), details)
            )
        return len(ended)

    def note(
        self,
        uow: AccessUnitOfWork,
        type: EventType,
        row: SessionRow,
        *,
        actor: str,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Write down what happened to a session."""
        said = {"subject": row.subject} | (details or {})
        uow.audit.append(make_event(self._owner, type, self._clock, actor, "session", str(row.session_id), said))

    def _signed(self, sid: str) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "aud": self._realm.audience,
            self._realm.claim: self._realm.name,
            "sid": sid,
            "iat": now,
            "exp": now + int(IDLE.total_seconds()),
        }
        return self._keys().current.sign(claims, KIND)

    def _read(self, cookie: str) -> dict[str, Any]:
        try:
            claims, _ = opened(cookie, self._keys().accepted, KIND)
        except (WrongSignature, Unreadable):
            raise _wrong() from None
        if claims.get("aud") != self._realm.audience or claims.get(self._realm.claim) != self._realm.name:
            raise _wrong()
        if claims["exp"] <= self._clock.now().timestamp():
            raise _over()
        return claims


def shown(row: SessionRow, current: UUID | None = None) -> dict[str, Any]:
    """A session as it is shown to its owner and to an administrator."""
    return {
        "session_id": str(row.session_id),
        "subject": row.subject,
        "role": row.role,
        "by": row.by.value,
        "begun_at": iso(row.begun_at),
        "seen_at": iso(row.seen_at),
        "ends_at": iso(row.ends_at),
        "device": row.device,
        "current": row.session_id == current,
    }


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _csrf(secret: str) -> str:
    return urlsafe_b64encode(_digest(f"frostbyte csrf {secret}")).decode().rstrip("=")


def _wrong() -> Unauthenticated:
    return Unauthenticated("session_wrong", "This is no session of this server.", "Sign in again.")


def _over() -> Unauthenticated:
    return Unauthenticated("session_over", "Your session is over.", "Sign in again.")
