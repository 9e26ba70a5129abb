"""Who is let in, and by what: tokens and keys of machines, given out, checked and revoked.

A plane and the control plane do this alike, each with keys, a database and an audit log of its own. What is revoked is
looked up for every request, so it counts in all processes from the moment in which it was committed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from frostbyte.kernel import api_keys
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Invalid, NotFound, Unauthenticated
from frostbyte.kernel.ports.unit_of_work import AccessUnitOfWork, AccessUnitOfWorkFactory
from frostbyte.kernel.records import ApiKeyRow, RevocationRow
from frostbyte.kernel.signing import KeySource
from frostbyte.kernel.tokens import LONGEST, Caller, Realm, Role, Scope, TokenSigner, TokenVerifier

_NOTED_EVERY: Final = timedelta(minutes=1)
"""A key's last use is remembered as coarsely as this, so that reading does not mean writing."""
_MACHINE: Final = "key:"
"""Before a key's name this makes its subject; no token's subject has a colon."""


class Admission:
    """Lets callers in.

    Args:
        keys: sign and check tokens.
        realm: where tokens are good, and which rights there are.
        unit_of_work: a transaction with revocations, keys of machines and the audit log.
        clock: the server's clock.
        owner: the tenant whose plane this is, or what the control plane calls itself in its log.
    """

    def __init__(
        self, keys: KeySource, realm: Realm, unit_of_work: AccessUnitOfWorkFactory, clock: Clock, owner: str
    ) -> None:
        self.realm = realm
        self._keys = keys
        self.tokens = TokenSigner(keys, realm, clock)
        self._verifier = TokenVerifier(keys, realm, clock)
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._owner = owner

    def signs(self) -> str:
        """The id of the key that signs tokens now."""
        return self._keys().current.kid

    def caller(self, credential: str) -> Caller:
        """Who asks with this token or key.

        Raises:
            Unauthenticated: `token_revoked`, what `TokenVerifier.verify` raises, `api_key_wrong`, `api_key_revoked`,
                `api_key_expired`.
        """
        if credential.startswith(api_keys.PREFIX):
            return self._machine(credential)
        caller = self._verifier.verify(credential)
        with self._unit_of_work(reading=True) as uow:
            revoked = uow.access.revoked(caller.token_id)
        if revoked:
            raise Unauthenticated("token_revoked", "This token was revoked.", "Get a new token.")
        return caller

    def _machine(self, key: str) -> Caller:
        key_id, now = api_keys.id_of(key), self._clock.now()
        if key_id is None:
            raise _wrong()
        with self._unit_of_work(reading=True) as uow:
            row = uow.access.key(key_id)
        if row is None or not api_keys.fits(key, row.sha256):
            raise _wrong()
        if row.revoked_at is not None:
            raise Unauthenticated("api_key_revoked", "This API key was revoked.", "Ask for a new one.")
        if row.expires_at is not None and row.expires_at <= now:
            raise Unauthenticated("api_key_expired", "This API key has expired.", "Ask for a new one.")
        if row.last_used_at is None or row.last_used_at < now - _NOTED_EVERY:
            with self._unit_of_work() as uow:
                uow.access.note_use(key_id, now, before=now - _NOTED_EVERY)
                uow.commit()
        known = {right.value: right for right in self.realm.rights}
        scopes = frozenset(known[scope] for scope in row.scopes if scope in known)
        return Caller(subject=_MACHINE + row.name, scopes=scopes, token_id=key_id)

    def mint(self, subject: str, scopes: frozenset[Scope | Role], lifetime: timedelta, *, actor: str) -> dict[str, Any]:
        """A token for somebody, and what it says. Audited.

        Raises:
            Invalid: `token_request`.
        """
        token, claims = self.tokens.mint(subject, scopes, lifetime)
        with self._unit_of_work() as uow:
            details = {"token_id": claims["jti"], "scopes": claims["scopes"], "subject": subject}
            self._audit(uow, EventType.TOKEN_MINTED, actor, "token", claims["jti"], details)
            uow.commit()
        ends = iso(datetime.fromtimestamp(claims["exp"], tz=UTC))
        return {
            "token": token,
            "jti": claims["jti"],
            "subject": subject,
            "scopes": claims["scopes"],
            "expires_at": ends,
        }

    def revoke(self, token_id: str, *, actor: str) -> None:
        """Refuse a token from now on; again changes nothing. Audited."""
        now = self._clock.now()
        row = RevocationRow(token_id=token_id, revoked_at=now, expires_at=now + LONGEST, actor=actor)
        with self._unit_of_work() as uow:
            if uow.access.revoke(row):
                self._audit(uow, EventType.TOKEN_REVOKED, actor, "token", token_id, {"token_id": token_id})
                uow.commit()

    def create_key(
        self, name: str, scopes: frozenset[Scope | Role], lifetime: timedelta | None, *, actor: str
    ) -> dict[str, Any]:
        """A key for a machine: `key` is shown here and never again. Audited.

        Args:
            name: what it is for; keys of one name are one subject.
            scopes: what it allows.
            lifetime: None: until it is revoked.
            actor: who asks.

        Raises:
            Invalid: `api_key_request`: no scopes, scopes of something else, or no time to live.
        """
        now = self._clock.now()
        ours = all(isinstance(scope, self.realm.rights) for scope in scopes)
        if not scopes or not ours or (lifetime is not None and lifetime <= timedelta(0)):
            raise Invalid(
                "api_key_request",
                "An API key needs at least one scope, and a lifetime above zero if it has one.",
                "Name scopes, and a longer lifetime.",
            )
        made = api_keys.new_key()
        row = ApiKeyRow(
            key_id=made.key_id,
            name=name,
            sha256=made.sha256,
            scopes=tuple(sorted(scope.value for scope in scopes)),
            created_at=now,
            created_by=actor,
            expires_at=None if lifetime is None else now + lifetime,
        )
        with self._unit_of_work() as uow:
            uow.access.add_key(row)
            details = {"key_id": made.key_id, "scopes": row.scopes, "subject": _MACHINE + name}
            self._audit(uow, EventType.API_KEY_CREATED, actor, "api_key", made.key_id, details)
            uow.commit()
        return {"key": made.text} | _shown(row)

    def keys(self, *, after: str = "", limit: int = 100) -> dict[str, Any]:
        """Keys of machines, good or not, by id; `cursor` leads to the page after this one."""
        with self._unit_of_work(reading=True) as uow:
            rows = uow.access.keys(after=after, limit=limit + 1)
        more = len(rows) > limit
        return {"api_keys": [_shown(row) for row in rows[:limit]], "cursor": rows[limit - 1].key_id if more else None}

    def revoke_key(self, key_id: str, *, actor: str) -> None:
        """Refuse a machine's key from now on; again changes nothing. Audited.

        Raises:
            NotFound: `api_key_not_found`.
        """
        with self._unit_of_work() as uow:
            if uow.access.revoke_key(key_id, self._clock.now(), actor):
                self._audit(uow, EventType.API_KEY_REVOKED, actor, "api_key", key_id, {"key_id": key_id})
                uow.commit()
            elif uow.access.key(key_id) is None:
                raise NotFound(
                    "api_key_not_found", "There is no API key of this id.", "List them: `frostbyte api-key list`."
                )

    def _audit(
        self, uow: AccessUnitOfWork, type: EventType, actor: str, kind: str, id: str, details: dict[str, Any]
    ) -> None:
        uow.audit.append(make_event(self._owner, type, self._clock, actor, kind, id, details))


def _shown(row: ApiKeyRow) -> dict[str, Any]:
    times = {
        name: None if moment is None else iso(moment)
        for name, moment in (
            ("created_at", row.created_at),
            ("expires_at", row.expires_at),
            ("last_used_at", row.last_used_at),
            ("revoked_at", row.revoked_at),
        )
    }
    return {"key_id": row.key_id, "name": row.name, "scopes": list(row.scopes), "created_by": row.created_by} | times


def _wrong() -> Unauthenticated:
    return Unauthenticated(
        "api_key_wrong", "This is no API key of this server.", "Check where it is from, or ask for a new one."
    )
