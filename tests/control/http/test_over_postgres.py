"""The Admin API over the real registry: requests that meet, answers that were lost, a database that goes away."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from control.memory_plane import Admin, memory_plane
from frostbyte.adapters.registry.postgres import PostgresRegistry

pytestmark = pytest.mark.slow


@pytest.fixture
def admin(postgres: PostgresRegistry, tmp_path: Path) -> Admin:
    """The Admin API over PostgreSQL."""
    return Admin(memory_plane(tmp_path, postgres))


def all_at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """The answers to requests that are sent together."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def events_of(admin: Admin, tenant: str) -> list[str]:
    """What happened to the tenant, by the audit."""
    while admin.control.sequencer.run_once():
        pass
    with admin.control.store.unit_of_work() as uow:
        return [row.event.type for row in uow.audit.events(resource_id=tenant, limit=10_000)]


def test_a_life_as_over_the_memory(admin: Admin) -> None:
    tenant = admin.tenant("SUSPENDED")
    admin.made(f"/tenants/{tenant}/deprovision", {"confirm": tenant})
    assert admin.state(tenant) == "DEPROVISIONED"
    assert events_of(admin, tenant)[0] == "TENANT_CREATED"


def test_one_request_sent_many_times_at_once_is_done_once(admin: Admin) -> None:
    tenant, key = admin.tenant("ACTIVE"), {"Idempotency-Key": "burst"}

    def send() -> Any:
        return admin.call("POST", f"/tenants/{tenant}/suspend", json={"reason": "payment"}, headers=key)

    answers = all_at_once([send] * 8)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["operation_id"] for answer in answers}) == 1
    assert events_of(admin, tenant).count("TENANT_SUSPENDED") == 1


def test_operators_who_contradict_each_other_leave_a_legal_state(admin: Admin) -> None:
    tenant = admin.tenant("ACTIVE")

    def send(command: str) -> Callable[[], Any]:
        return lambda: admin.call("POST", f"/tenants/{tenant}/{command}", json={"reason": "incident"})

    codes = [answer.status_code for _ in range(5) for answer in all_at_once([send("suspend"), send("resume")] * 3)]
    assert set(codes) <= {202, 409}
    commands = [name for name in events_of(admin, tenant) if name in ("TENANT_SUSPENDED", "TENANT_RESUMED")]
    assert len(commands) == codes.count(202)
    assert all(one != other for one, other in itertools.pairwise(commands))
    assert (admin.state(tenant) == "SUSPENDED") is (commands[-1] == "TENANT_SUSPENDED")


def test_of_two_changes_of_one_version_one_is_made(admin: Admin) -> None:
    tenant = admin.tenant()

    def change(top_k: int) -> Callable[[], Any]:
        return lambda: admin.call(
            "PUT", f"/tenants/{tenant}/config", json={"top_k": top_k}, headers={"If-Match": '"1"'}
        )

    answers = all_at_once([change(number) for number in range(6, 12)])  # 5 is what it was
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 5]
    made = next(answer.json()["values"]["top_k"] for answer in answers if answer.status_code == 200)
    assert {answer.json()["changes"]["top_k"]["now"] for answer in answers if answer.status_code == 412} == {made}


def test_tenants_made_at_once_get_networks_of_their_own(admin: Admin) -> None:
    admin.tenant()

    def make(number: int) -> Callable[[], Any]:
        return lambda: admin.call("POST", "/tenants", json={"tenant_id": f"at{number}", "project_id": "eu-1"})

    answers = all_at_once([make(number) for number in range(8)])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["octet"] for answer in answers}) == 8


def test_a_registry_that_is_away_is_503_and_nothing_is_half_done(
    admin: Admin, server: Any, database: str, refused: Callable[[Any, int, str], dict[str, Any]]
) -> None:
    tenant = admin.tenant("ACTIVE")
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")  # type: ignore[arg-type]
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
    key = {"Idempotency-Key": "outage"}
    answer = admin.call("POST", f"/tenants/{tenant}/suspend", json={"reason": "payment"}, headers=key)
    refused(answer, 503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")  # type: ignore[arg-type]
    again = admin.call("POST", f"/tenants/{tenant}/suspend", json={"reason": "payment"}, headers=key)
    assert again.status_code == 202
    assert events_of(admin, tenant).count("TENANT_SUSPENDED") == 1
