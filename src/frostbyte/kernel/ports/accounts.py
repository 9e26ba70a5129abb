"""People who sign in, as a store keeps them: their accounts, what proves who they are, and their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from frostbyte.kernel.accounts.records import AccountRow, AttemptsRow, By, CredentialRow, SessionRow


class Accounts(Protocol):
    """Accounts, credentials, sessions and attempts of a plane or of the control plane."""

    def lock(self) -> None:
        """Wait for and hold the right to change accounts until the transaction ends."""
        ...

    def get(self, name: str) -> AccountRow | None: ...
    def find(self, account_id: UUID) -> AccountRow | None: ...
    def page(self, *, after: str = "", limit: int = 100) -> list[AccountRow]:
        """Ordered by name, those after a name, disabled or not."""
        ...

    def add(self, row: AccountRow) -> None:
        """Raises Conflict("row_exists") if the name is taken."""
        ...

    def change(self, row: AccountRow) -> None:
        """Give the account of this name its role and say whether it is disabled; nothing else of it ever changes."""
        ...

    def enabled(self, role: str) -> int:
        """How many accounts of the role are set up and not disabled."""
        ...

    def credential(self, name: str, *, lock: bool = False) -> CredentialRow | None:
        """What proves who they are; `lock` holds it until the transaction ends."""
        ...

    def credentials(self, names: Sequence[str]) -> dict[str, CredentialRow]:
        """Those that exist."""
        ...

    def by_link(self, link: bytes) -> CredentialRow | None:
        """The one whose set-up link has this SHA-256."""
        ...

    def put_credential(self, row: CredentialRow) -> None:
        """Insert or replace. Its account has to be there."""
        ...

    def begin(self, row: SessionRow) -> None: ...
    def session(self, digest: bytes) -> SessionRow | None: ...
    def sessions(self, *, subject: str | None = None, seen_since: datetime, limit: int = 100) -> list[SessionRow]:
        """Sessions that were used since then, the one used last first."""
        ...

    def note_seen(self, session_id: UUID, at: datetime) -> None:
        """Remember that it was used; one that is gone stays so."""
        ...

    def end(self, session_id: UUID) -> SessionRow | None:
        """End a session: it as it was, or None where it is over already."""
        ...

    def end_all(self, subject: str, by: By, *, but: UUID | None = None) -> list[UUID]:
        """End all sessions that a person began so, but for one; those that were ended."""
        ...

    def forget(self, before: datetime) -> None:
        """Remove sessions that were over, and attempts of which the last was made, before a moment."""
        ...

    def attempts(self, key: str) -> AttemptsRow:
        """The attempts under this key, held until the transaction ends; none where there were none."""
        ...

    def put_attempts(self, row: AttemptsRow) -> None:
        """Insert or replace."""
        ...

    def clear_attempts(self, key: str) -> None:
        """Forget them."""
        ...
