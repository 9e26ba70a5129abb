"""Accounts, credentials, sessions and attempts in both stores, and what the database refuses whoever asks."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace
from psycopg import sql

from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, tables
from frostbyte.kernel.accounts.records import AccountRow, AttemptsRow, By, CredentialRow, SessionRow
from frostbyte.kernel.errors import Conflict, FrostbyteError, Invalid

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def account(name: str, role: str = "user") -> AccountRow:
    """An account that nobody disabled."""
    number = UUID(bytes=name.ljust(16).encode()[:16])
    return AccountRow(name=name, account_id=number, role=role, created_at=NOW, created_by="ann", changed_at=NOW)


def session(number: int, subject: str = "ann", by: By = By.PASSWORD, seen: datetime = NOW) -> SessionRow:
    """A session of twelve hours."""
    return SessionRow(
        session_id=UUID(int=number),
        digest=bytes([number]) * 32,
        subject=subject,
        role="user",
        by=by,
        begun_at=NOW,
        seen_at=seen,
        ends_at=NOW + 12 * HOUR,
        device="Firefox on Linux",
    )


def write(store: Any, act: Any) -> Any:
    """Do it in a transaction of its own."""
    with store.unit_of_work() as uow:
        result = act(uow.accounts)
        uow.commit()
    return result


def read(store: Any, ask: Any) -> Any:
    """Ask without a transaction."""
    with store.unit_of_work(reading=True) as uow:
        return ask(uow.accounts)


def test_accounts_are_kept_listed_and_changed(store: Any) -> None:
    rows = [account(name) for name in ("a-b", "a.b", "a_b", "ab", "b@c.org")]
    for row in reversed(rows):
        write(store, lambda accounts, row=row: accounts.add(row))
    with pytest.raises(Conflict):
        write(store, lambda accounts: accounts.add(replace(rows[0], account_id=UUID(int=9))))
    assert read(store, lambda accounts: accounts.page()) == rows, "by their bytes, whatever the database's language"
    assert read(store, lambda accounts: accounts.page(after="a_b", limit=1)) == [rows[3]]
    assert read(store, lambda accounts: accounts.find(rows[4].account_id)) == rows[4]
    assert read(store, lambda accounts: (accounts.get("absent"), accounts.find(UUID(int=1)))) == (None, None)
    changed = replace(rows[0], role="admin", changed_at=NOW + HOUR, disabled_at=NOW + HOUR)
    write(store, lambda accounts: accounts.change(replace(changed, created_by="eve")))
    assert read(store, lambda accounts: accounts.get("a-b")) == changed, "who made it stays"


def test_administrators_count_once_they_are_set_up_and_while_they_are_not_disabled(store: Any) -> None:
    for name in ("ann", "bob", "eve"):
        write(store, lambda accounts, name=name: accounts.add(account(name, "admin")))
        row = CredentialRow(name=name, password="" if name == "eve" else "p", totp=b"" if name == "eve" else b"t")
        write(store, lambda accounts, row=row: accounts.put_credential(row))
    assert read(store, lambda accounts: accounts.enabled("admin")) == 2
    write(store, lambda accounts: accounts.change(replace(account("bob", "admin"), disabled_at=NOW)))
    assert read(store, lambda accounts: (accounts.enabled("admin"), accounts.enabled("user"))) == (1, 0)


def test_credentials_belong_to_an_account_and_are_found_by_their_link(store: Any) -> None:
    first = CredentialRow(name="ann", link=b"l" * 32, link_until=NOW)
    with pytest.raises(Invalid):
        write(store, lambda accounts: accounts.put_credential(first))
    write(store, lambda accounts: accounts.add(account("ann")))
    write(store, lambda accounts: accounts.put_credential(first))
    assert read(store, lambda accounts: accounts.by_link(b"l" * 32)) == first
    second = CredentialRow(name="ann", password="p", totp=b"t", totp_step=7, set_at=NOW, link_totp=b"s")
    write(store, lambda accounts: accounts.put_credential(second))
    assert read(store, lambda accounts: accounts.by_link(b"l" * 32)) is None
    assert read(store, lambda accounts: accounts.credential("ann")) == second
    assert read(store, lambda accounts: accounts.credentials(["ann", "bob"])) == {"ann": second}
    assert write(store, lambda accounts: accounts.credential("ann", lock=True)) == second


def test_sessions_are_found_listed_seen_and_ended(store: Any) -> None:
    rows = [session(1), session(2, seen=NOW + HOUR), session(3, "bob"), session(4, by=By.OIDC)]
    for row in rows:
        write(store, lambda accounts, row=row: accounts.begin(row))
    assert read(store, lambda accounts: accounts.session(rows[2].digest)) == rows[2]
    assert read(store, lambda accounts: accounts.session(b"x" * 32)) is None
    found = read(store, lambda accounts: accounts.sessions(subject="ann", seen_since=NOW))
    assert [row.session_id.int for row in found] == [2, 4, 1], "the one used last first"
    assert len(read(store, lambda accounts: accounts.sessions(seen_since=NOW, limit=3))) == 3
    assert read(store, lambda accounts: accounts.sessions(seen_since=NOW + HOUR)) == [rows[1]]
    write(store, lambda accounts: accounts.note_seen(UUID(int=2), NOW))
    assert read(store, lambda accounts: accounts.session(rows[1].digest)).seen_at == NOW + HOUR, "never back"
    write(store, lambda accounts: accounts.note_seen(UUID(int=77), NOW))
    assert write(store, lambda accounts: accounts.end(UUID(int=3))) == rows[2]
    assert write(store, lambda accounts: accounts.end(UUID(int=3))) is None
    assert write(store, lambda accounts: accounts.end_all("ann", By.PASSWORD, but=UUID(int=1))) == [UUID(int=2)]
    assert write(store, lambda accounts: accounts.end_all("ann", By.PASSWORD)) == [UUID(int=1)]
    left = read(store, lambda accounts: accounts.sessions(seen_since=NOW))
    assert left == [rows[3]], "who came another way is another"


def test_what_is_over_is_forgotten(store: Any) -> None:
    write(store, lambda accounts: accounts.begin(session(1)))
    write(store, lambda accounts: accounts.put_attempts(AttemptsRow(key="a", count=3, last_at=NOW, until=NOW)))
    write(store, lambda accounts: accounts.forget(NOW))
    assert read(store, lambda accounts: accounts.session(session(1).digest)) is not None
    write(store, lambda accounts: accounts.forget(NOW + 13 * HOUR))
    assert read(store, lambda accounts: accounts.session(session(1).digest)) is None
    assert write(store, lambda accounts: accounts.attempts("a")) == AttemptsRow(key="a")


def test_attempts_are_held_also_where_there_were_none(store: Any) -> None:
    counted: list[int] = []

    def count() -> None:
        with store.unit_of_work() as uow:
            row = uow.accounts.attempts("key")
            uow.accounts.put_attempts(replace(row, count=row.count + 1, last_at=NOW))
            counted.append(row.count + 1)
            uow.commit()

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(counted) == [1, 2, 3, 4, 5, 6]
    write(store, lambda accounts: accounts.clear_attempts("key"))
    assert write(store, lambda accounts: accounts.attempts("key")).count == 0


@pytest.mark.parametrize(
    ("who", "statement"),
    [
        ("frostbyte_writer", "DELETE FROM accounts"),
        ("frostbyte_writer", "UPDATE accounts SET name = 'bob'"),
        ("frostbyte_writer", "UPDATE accounts SET created_by = 'bob'"),
        ("frostbyte_writer", "DELETE FROM account_credentials"),
        ("frostbyte_owner", "DELETE FROM accounts"),
        ("frostbyte_owner", "TRUNCATE accounts CASCADE"),
    ],
)
def test_the_database_never_lets_a_name_become_free(
    server: EmbeddedServer, database: str, postgres: PostgresStore, who: str, statement: str
) -> None:
    write(postgres, lambda accounts: accounts.add(account("ann")))
    with psycopg.connect(server.dsn(who, database)) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(sql.SQL(statement))  # type: ignore[arg-type]  # constants of this test
    assert caught.value.sqlstate in ("42501", "FB001")


def test_what_lets_people_in_leaves_its_server_in_no_export(
    server: EmbeddedServer, database: str, postgres: PostgresStore
) -> None:
    with psycopg.connect(server.dsn("frostbyte_owner", database)) as connection:
        names = {head.name for head in tables.heads(connection)}
    assert "accounts" in names
    assert names.isdisjoint({"account_credentials", "sessions", "sign_in_attempts"})


def test_a_credential_is_whole_or_none(postgres: PostgresStore) -> None:
    write(postgres, lambda accounts: accounts.add(account("ann")))
    for row in (CredentialRow(name="ann", password="p"), CredentialRow(name="ann", link=b"l" * 32)):
        with pytest.raises(FrostbyteError):
            write(postgres, lambda accounts, row=row: accounts.put_credential(row))
