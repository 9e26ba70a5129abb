"""What is kept of people who sign in: nothing here opens anything by itself.

What an account is, and what proves that somebody is its owner, are kept apart: the first travels with exports and
backups, the second never leaves the plane (ADR 137).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from frostbyte.kernel.records import Row


class By(StrEnum):
    """What a person proved who they are with."""

    PASSWORD = "password"  # noqa: S105 - the name of a way
    OIDC = "oidc"


class AccountRow(Row, frozen=True, kw_only=True):
    """A person whom a plane or the control plane knows by itself. Accounts are disabled, never removed: the audit
    names them, and a name must not become another person's."""

    name: str
    """Lower case; what the audit calls the person."""
    account_id: UUID
    """What addresses and the audit's resources name it by, so that no name stands in an address."""
    role: str
    """One of `roles.roles_of`."""
    created_at: datetime
    created_by: str
    changed_at: datetime
    disabled_at: datetime | None = None


class CredentialRow(Row, frozen=True, kw_only=True):
    """What proves that somebody is an account's owner."""

    name: str
    password: str = ""
    """As `passwords.stored` writes it; '' until the account was set up."""
    totp: bytes = b""
    """The authenticator's secret, sealed; b'' with the password."""
    totp_step: int = 0
    """The 30 seconds whose code was accepted last: one that is not later is refused."""
    set_at: datetime | None = None
    link: bytes | None = None
    """SHA-256 of the one set-up link that is good."""
    link_until: datetime | None = None
    link_totp: bytes = b""
    """The secret that was shown to whoever opened the link, sealed; b'' until it was opened."""


class SessionRow(Row, frozen=True, kw_only=True):
    """A session that was begun and not ended. A row is removed when its session ends; the audit keeps that it was."""

    session_id: UUID
    """By this it is named; it opens nothing."""
    digest: bytes
    """SHA-256 of what its cookie proves it with."""
    subject: str
    role: str
    by: By
    begun_at: datetime
    seen_at: datetime
    """Up to five minutes early (`sessions.RENEWED_AFTER`)."""
    ends_at: datetime
    """When it is over however much it is used."""
    device: str = ""
    """Kind of browser and system, for its owner to know it by; out of a list of ours."""


class AttemptsRow(Row, frozen=True, kw_only=True):
    """Attempts to sign in since the last that succeeded."""

    key: str
    """A hash: of the name that was tried, or of the known browser that tried it."""
    count: int = 0
    last_at: datetime | None = None
    until: datetime | None = None
    """Until when no other is looked at."""
