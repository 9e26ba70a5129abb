"""`frostbyte storage` as an operator types it, on real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from frostbyte.adapters.objects.tenants import MinioTenants
from frostbyte.cli.app import run
from frostbyte.cli.exits import Exit
from frostbyte.cli.output import forget_consoles
from servers import minio
from servers.minio import MinioServer
from servers.postgres import PostgresServer
from servers.redis import RedisServer


@pytest.fixture(autouse=True)
def _streams(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    forget_consoles()
    yield
    forget_consoles()


@pytest.fixture
def administrator(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    minio_server: MinioServer,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
) -> None:
    """The settings of somebody who may do everything, secrets in files."""
    files = {
        "DATABASE_URL": postgres_server.dsn(),
        "OBJECTS_SECRET_KEY": minio.PASSWORD,
        "QUEUE_URL": redis_server.url,
    }
    for name, value in files.items():
        path = tmp_path / name
        path.write_text(value)
        monkeypatch.setenv(f"FROSTBYTE_STORAGE_{name}_FILE", str(path))
    monkeypatch.setenv("FROSTBYTE_STORAGE_OBJECTS_URL", minio_server.url)
    monkeypatch.setenv("FROSTBYTE_STORAGE_OBJECTS_ACCESS_KEY", minio.USER)


@pytest.mark.slow
@pytest.mark.usefixtures("administrator")
def test_from_nothing_to_a_report_and_to_nothing_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], postgres_server: PostgresServer, minio_server: MinioServer
) -> None:
    secrets = tmp_path / "acme"
    command = ["--secrets", str(secrets)]
    assert run(["storage", "provision", "acme", *command]) == Exit.OK
    report, receipt = tmp_path / "report.json", tmp_path / "receipt.json"
    assert run(["storage", "verify", "acme", *command, "--out", str(report)]) == Exit.OK
    found = json.loads(report.read_text())
    assert found["isolated"]
    assert {a["outcome"] for a in found["attempts"] if a["wanted"] == "DENIED"} == {"DENIED"}

    with psycopg.connect(postgres_server.dsn(), autocommit=True) as connection:
        connection.execute("ALTER ROLE tenant_acme SUPERUSER")
        assert run(["storage", "verify", "acme", *command, "--json"]) == Exit.VERIFICATION_FAILED
        connection.execute("ALTER ROLE tenant_acme NOSUPERUSER")

    words = [p.read_text().strip() for p in secrets.iterdir() if p.name not in ("tenant.env", "tenant")]
    assert run(["storage", "destroy", "acme", *command]) == Exit.USAGE
    assert run(["storage", "destroy", "acme", *command, "--yes", "--out", str(receipt)]) == Exit.OK
    removed = json.loads(receipt.read_text())
    assert removed["checked_empty"] == ["database", "objects", "queue"]
    assert "objects: removed bucket tenant-acme-bucket" in removed["removed"]
    assert not any(secrets.iterdir())
    assert MinioTenants(minio_server.url, minio.USER, minio.PASSWORD).remains("acme") == []
    shown = "".join(capsys.readouterr()) + report.read_text() + receipt.read_text()
    assert "isolation_broken" in shown
    assert not [word for word in words if word in shown]


def test_without_servers_it_says_what_to_set(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["storage", "provision", "acme", "--secrets", str(tmp_path / "s")]) == Exit.USAGE
    assert "FROSTBYTE_STORAGE_DATABASE_URL" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("tenant", ["Acme", "a_b", "admin", "x" * 33, "a-b", "a;drop", ""])
def test_no_other_id_reaches_a_server(tenant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTBYTE_STORAGE_QUEUE_URL", "redis://nobody@127.0.0.1:1/0")
    for name in ("provision", "verify"):
        assert run(["storage", name, tenant, "--secrets", str(tmp_path / "s")]) == Exit.USAGE
    assert not (tmp_path / "s").exists()


def test_a_redis_alone(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FROSTBYTE_STORAGE_QUEUE_URL", redis_server.url)
    command = ["--secrets", str(tmp_path / "s"), "--json"]
    assert run(["storage", "provision", "acme", *command]) == Exit.OK
    capsys.readouterr()
    assert run(["storage", "verify", "acme", *command]) == Exit.OK
    told = capsys.readouterr()
    assert json.loads(told.out)["counts"] == {
        "crossings": 62, "denied": 62, "allowed": 0, "unanswered": 0, "own_work_refused": 0
    }  # fmt: skip
    assert "FROSTBYTE_STORAGE_DATABASE_URL" in told.err
    redis_server.kill()
    try:
        assert run(["storage", "verify", "acme", *command]) == Exit.UNAVAILABLE
    finally:
        redis_server.start()
    assert "queue_unavailable" in capsys.readouterr().err
    assert run(["storage", "destroy", "acme", *command, "--yes"]) == Exit.OK
