"""Signing in with a name, a password and an authenticator's code; setting an account up; changing a password.

All three are asked for at once and refused in one sentence: what of it was wrong, nobody is told.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from frostbyte.kernel.accounts import attempts, codes, passwords
from frostbyte.kernel.accounts.passwords import Bench, Cost
from frostbyte.kernel.accounts.records import AccountRow, By, CredentialRow
from frostbyte.kernel.accounts.register import hashed
from frostbyte.kernel.accounts.sessions import Sessions, Visit
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, Forbidden, FrostbyteError, Invalid, NotFound, Unauthenticated
from frostbyte.kernel.limits import Limiter
from frostbyte.kernel.ports.unit_of_work import AccessUnitOfWork, AccessUnitOfWorkFactory

STRANGERS: Final = {"strangers": 60}
"""Attempts a minute by browsers that nobody signed in with before: what a flood of them costs has an end."""
_NOBODY: Final = "unknown"
"""What the audit calls whoever tried a name that does not exist: what was typed may be a password."""


class SignedIn(msgspec.Struct, frozen=True):
    """What a browser is given."""

    cookie: str
    """The session's."""
    device: str
    """What the browser is known by from now on."""


class Opened(msgspec.Struct, frozen=True):
    """A set-up link that is good."""

    name: str
    role: str
    secret: str
    """For an authenticator, typed."""
    address: str
    """The same, as its picture says it."""


class SigningIn:
    """Lets people in who have an account.

    Args:
        unit_of_work: a transaction with accounts and the audit log.
        sessions: are begun.
        secrets: seal authenticators' secrets, and know browsers.
        clock: the server's clock.
        owner: the tenant whose plane this is, or what the control plane calls itself in its log.
        place: what the tenant or the environment is called.
        cost: of a guess.
    """

    def __init__(
        self,
        unit_of_work: AccessUnitOfWorkFactory,
        sessions: Sessions,
        secrets: codes.Secrets,
        clock: Clock,
        owner: str,
        place: str,
        cost: Cost = passwords.USUAL,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._sessions = sessions
        self._secrets = secrets
        self._clock = clock
        self._owner = owner
        self._place = place
        self._cost = cost
        self._bench = Bench()
        self._strangers = Limiter(STRANGERS)

    def sign_in(self, name: str, password: str, code: str, *, known_by: str = "", device: str = "") -> SignedIn:
        """Begin a session. Audited, refusals too.

        Args:
            name, password, code: as typed.
            known_by: what the browser was given when somebody signed in with it.
            device: kind of browser and system, in words of ours.

        Raises:
            Unauthenticated: `sign_in_wrong`.
            Forbidden: `account_disabled`: all was right, but the account is disabled.
            FrostbyteError: `sign_in_slowed`, `rate_limited`, `authenticator_unreadable`.
            Unavailable: `sign_in_busy`.
        """
        name = name.strip().lower()
        key = self._counted(name, known_by)
        account, proven = self._proven(name, password, code, key)
        if account.disabled_at is not None:
            self._refuse(account, "account_disabled")
            raise Forbidden("account_disabled", "This account is disabled.", "Ask your administrator.")
        with self._unit_of_work() as uow:
            self._use(uow, proven)
            # The role as it is now: it may have been changed since the password was looked at.
            account = uow.accounts.get(name) or account
            if account.disabled_at is not None:
                raise _wrong()
            uow.accounts.clear_attempts(key)
            cookie = self._sessions.begin_within(uow, name, account.role, by=By.PASSWORD, device=device)
            uow.commit()
        return SignedIn(cookie, self._secrets.known(name))

    def open(self, link: str) -> Opened:
        """What a set-up link is for; the authenticator's secret is the same however often it is opened.

        Raises:
            NotFound: `link_not_good`: there is none, it was used, another took its place, or its time is over.
        """
        with self._unit_of_work() as uow:
            uow.accounts.lock()
            row, account = self._linked(uow, link)
            if not row.link_totp:
                row = replace(row, link_totp=self._secrets.fresh(row.name))
                uow.accounts.put_credential(row)
                uow.commit()
        secret = self._secrets.shown(row.name, row.link_totp)
        return Opened(row.name, account.role, secret, codes.address(secret, row.name, self._place))

    def set_up(self, link: str, password: str, code: str, *, device: str = "") -> SignedIn:
        """Give an account its password and authenticator, use the link up, and begin a session. Audited.

        Sessions that were begun with what was good before end.

        Raises:
            NotFound: `link_not_good`.
            Invalid: `code_wrong`, `link_not_opened`, or what `passwords.check` raises.
        """
        with self._unit_of_work(reading=True) as uow:
            row, _ = self._linked(uow, link)
        passwords.check(password, row.name)
        if not row.link_totp:
            raise Invalid("link_not_opened", "This link was not opened yet.", "Open it and begin from its first page.")
        step = self._secrets.step(row.name, row.link_totp, code, self._clock.now(), 0)
        if step is None:
            raise _code_wrong()
        with self._bench.place(known=True):
            kept = passwords.stored(password, self._cost)
        with self._unit_of_work() as uow:
            uow.accounts.lock()
            held, account = self._linked(uow, link)
            if held.link_totp != row.link_totp:
                raise _not_good()
            fresh = CredentialRow(
                name=row.name, password=kept, totp=row.link_totp, totp_step=step, set_at=self._clock.now()
            )
            uow.accounts.put_credential(fresh)
            uow.accounts.clear_attempts(attempts.key_of_name(row.name))
            self._sessions.end_all_within(uow, row.name, By.PASSWORD, actor=row.name)
            self._audit(uow, EventType.ACCOUNT_SET_UP, account, {"changed": ("password", "authenticator")})
            cookie = self._sessions.begin_within(uow, row.name, account.role, by=By.PASSWORD, device=device)
            uow.commit()
        return SignedIn(cookie, self._secrets.known(row.name))

    def change_password(self, visit: Visit, password: str, code: str, fresh: str, *, known_by: str = "") -> None:
        """Give the own account another password; its other sessions end. Audited.

        Raises:
            Conflict: `no_account`: the visitor signed in with something else than a password.
            Invalid: what `passwords.check` raises; `proof_wrong`: password or code are not right.
            FrostbyteError: as `sign_in`.
        """
        name = visit.caller.subject
        if visit.by is not By.PASSWORD:
            raise Conflict(
                "no_account",
                "You signed in through another system: there is no password here.",
                "Change it where you signed in.",
            )
        passwords.check(fresh, name)
        key = self._counted(name, known_by)
        try:
            _, proven = self._proven(name, password, code, key)
        except Unauthenticated:
            raise Invalid("proof_wrong", "The present password or the code is not right.", "Type both again.") from None
        with self._bench.place(known=True):
            kept = passwords.stored(fresh, self._cost)
        with self._unit_of_work() as uow:
            account = self._use(uow, replace(proven, password=kept), was=proven.password)
            uow.accounts.clear_attempts(key)
            self._sessions.end_all_within(uow, name, By.PASSWORD, actor=name, but=visit.session_id)
            self._audit(uow, EventType.ACCOUNT_CHANGED, account, {"changed": ("password",)})
            uow.commit()

    def _counted(self, name: str, known_by: str) -> str:
        """Count the attempt; the key that it was counted under."""
        if known_by and self._secrets.knows(name, known_by):
            key = attempts.key_of_device(known_by)
        else:
            self._strangers.take("strangers")
            key = attempts.key_of_name(name)
        attempts.count(self._unit_of_work, self._clock, key)
        return key

    def _proven(self, name: str, password: str, code: str, key: str) -> tuple[AccountRow, CredentialRow]:
        """The account, and its credential with this code used up, not stored yet.

        Raises Unauthenticated("sign_in_wrong"), audited; takes as long for names that do not exist.
        """
        with self._unit_of_work(reading=True) as uow:
            account, row = uow.accounts.get(name), uow.accounts.credential(name)
        with self._bench.place(known=attempts.of_device(key)):
            right = passwords.fits(password, row.password if row else "", self._cost)
        if account is None or row is None or not right:
            self._refuse(account, "sign_in_wrong")
            raise _wrong()
        step = self._secrets.step(name, row.totp, code, self._clock.now(), row.totp_step)
        if step is None:
            self._refuse(account, "code_wrong")
            raise _wrong()
        return account, replace(row, totp_step=step)

    def _use(self, uow: AccessUnitOfWork, proven: CredentialRow, was: str | None = None) -> AccountRow:
        """Store a credential whose code was used up, unless another used it meanwhile, or it was changed."""
        held, account = uow.accounts.credential(proven.name, lock=True), uow.accounts.get(proven.name)
        before = proven.password if was is None else was
        if held is None or account is None or held.password != before or held.totp_step >= proven.totp_step:
            raise _wrong()
        uow.accounts.put_credential(replace(held, password=proven.password, totp_step=proven.totp_step))
        return account

    def _linked(self, uow: AccessUnitOfWork, link: str) -> tuple[CredentialRow, AccountRow]:
        """The credential that the link is good for, and its account."""
        row = uow.accounts.by_link(hashed(link))
        account = uow.accounts.get(row.name) if row else None
        if row is None or account is None or account.disabled_at is not None:
            raise _not_good()
        if row.link_until is None or row.link_until <= self._clock.now():
            raise _not_good()
        return row, account

    def _refuse(self, account: AccountRow | None, code: str) -> None:
        with self._unit_of_work() as uow:
            if account is None:
                uow.audit.append(
                    make_event(
                        self._owner, EventType.SIGN_IN_REFUSED, self._clock, _NOBODY, "account", _NOBODY, {"code": code}
                    )
                )
            else:
                self._audit(uow, EventType.SIGN_IN_REFUSED, account, {"code": code})
            uow.commit()

    def _audit(self, uow: AccessUnitOfWork, type: EventType, account: AccountRow, details: dict[str, Any]) -> None:
        said = {"subject": account.name} | details
        kind, id = "account", str(account.account_id)
        uow.audit.append(make_event(self._owner, type, self._clock, account.name, kind, id, said))


def _wrong() -> Unauthenticated:
    return Unauthenticated(
        "sign_in_wrong",
        "Name, password or code is not right.",
        "Type all three again, with the code that is shown now.",
    )


def _code_wrong() -> FrostbyteError:
    return Invalid(
        "code_wrong",
        "This is not the code that the authenticator shows.",
        "Type the code that is shown now. If it is refused again, set the clock of the phone.",
    )


def _not_good() -> NotFound:
    return NotFound(
        "link_not_good",
        "This link is not good: it was used, another one took its place, or its two days are over.",
        "Ask your administrator for a new one.",
    )
