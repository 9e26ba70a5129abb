"""Stores with certificates by the tenant's authority are taken; by another's, or for another host, they are not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from frostbyte.adapters.objects.s3 import S3Blobs
from frostbyte.adapters.objects.signing import S3Account
from frostbyte.adapters.objects.tenants import MinioTenants
from frostbyte.adapters.postgres.schema import OLDEST
from frostbyte.adapters.postgres.tenants import PostgresTenants
from frostbyte.adapters.qdrant.tenants import QdrantTenants
from frostbyte.adapters.redis.tenants import RedisTenants
from frostbyte.cli.app import run
from frostbyte.cli.exits import Exit
from frostbyte.deploy.authority import Authority
from frostbyte.deploy.storage import SecretFolder, provision, verify
from frostbyte.kernel.errors import Conflict, Invalid, Unavailable
from frostbyte.kernel.ports.tenant_stores import TenantStore
from servers import minio
from servers.lanes import debian_postgres, need
from servers.minio import MinioServer
from servers.postgres import PostgresServer
from servers.process import ServerProcess
from servers.redis import RedisServer
from servers.vectors import KEY, VectorsServer
from storage.conftest import SPEC, quiet

HOSTS = ["127.0.0.1", "stores.internal"]


class SecureVectors(VectorsServer):
    """With TLS alone."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2, verify=False).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def authority(servers_folder: Path) -> Authority:
    return Authority(servers_folder / "acme", "acme")


@pytest.fixture(scope="module")
def stranger(servers_folder: Path) -> Authority:
    return Authority(servers_folder / "globex", "globex")


def started(kind: str, place: Path, folder: Path) -> tuple[ServerProcess, str]:
    """A server with the certificate that lies in `place`; and its address for administrators."""
    certificate, key = place / "public.crt", place / "private.key"
    if kind == "objects":
        need("minio")
        objects = MinioServer(folder, certificates=place)
        return objects, objects.url
    if kind == "vectors":
        paths = {"FROSTBYTE_VECTORS_CERT": str(certificate), "FROSTBYTE_VECTORS_CERT_KEY": str(key)}
        vectors = SecureVectors(folder, environment=paths)
        return vectors, vectors.url
    if kind == "queue":
        need("redis")
        redis = RedisServer(folder)
        redis.command += ["--port", "0", "--tls-port", str(redis.port), "--tls-auth-clients", "no"]
        redis.command += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
        return redis, redis.url.replace("redis://", "rediss://")
    need("postgresql")
    folder.mkdir()
    copies = [Path(shutil.copy(path, folder / path.name)) for path in (certificate, key)]
    database = PostgresServer(folder, certificate=copies[0], key=copies[1], programs=debian_postgres())
    for path in copies:
        os.chown(path, database._uid if database._uid is not None else -1, -1)
    return database, database.dsn()


def tenants(kind: str, url: str, ca_file: Path) -> TenantStore:
    """The store as somebody sees it who trusts this authority."""
    if kind == "objects":
        return MinioTenants(url, minio.USER, minio.PASSWORD, ca_file=ca_file)
    if kind == "vectors":
        return QdrantTenants(url, KEY, SPEC, ca_file=ca_file)
    if kind == "queue":
        return RedisTenants(url, ca_file=ca_file)
    return PostgresTenants(url, ca_file=ca_file)


_SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("database", "objects", "vectors")]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*_SLOW, "queue"])
def test_a_store_is_taken_by_its_own_authority_alone(
    kind: str, authority: Authority, stranger: Authority, servers_folder: Path, tmp_path: Path
) -> None:
    authority.server(kind, HOSTS)
    server, url = started(kind, servers_folder / "acme" / kind, servers_folder / kind)
    with server:
        own = tenants(kind, url, authority.ca_file)
        assert own.remains("acme") == []
        with pytest.raises(Unavailable):
            tenants(kind, url, stranger.ca_file).remains("acme")
        if kind == "database" and int((debian_postgres() or Path("0/bin")).parent.name) < OLDEST:
            return  # the system's PostgreSQL knows TLS and is older than a plane takes
        folders = {name: SecretFolder(tmp_path / name, name) for name in ("acme", "globex")}
        for name, folder in folders.items():
            provision([own], name, folder, quiet)
        assert verify([own], "acme", folders["acme"], "globex").isolated
        if kind == "objects":
            account = S3Account("tenant-acme", folders["acme"].found("objects_secret_key"))
            with S3Blobs(url, "tenant-acme-bucket", account, ca_file=authority.ca_file).writer("raw/a") as writer:
                writer.write(b"x" * 9_000_000)
                writer.commit()
            for ask in (lambda b: b.check(), lambda b: b.get("raw/a")):
                with pytest.raises(Unavailable):
                    ask(S3Blobs(url, "tenant-acme-bucket", account, ca_file=stranger.ca_file))


def shown_by(port: int, kind: str) -> bytes | None:
    """The certificate that a server shows to a new connection; PostgreSQL is asked for TLS first (SSLRequest)."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=5) as bare:
        if kind == "database":
            bare.sendall(struct.pack(">ii", 8, 80877103))
            assert bare.recv(1) == b"S"
        with context.wrap_socket(bare) as connection:
            return connection.getpeercert(binary_form=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vectors", "objects", "database"])
def test_a_renewed_certificate_is_shown_while_the_store_runs(kind: str, servers_folder: Path) -> None:
    place = servers_folder / f"renewed-{kind}"
    Authority(place, "acme").server(kind, HOSTS)
    server, url = started(kind, place / kind, servers_folder / f"renewing-{kind}")
    with server:
        port = server.port  # type: ignore[attr-defined]
        before = shown_by(port, kind)
        held = tenants(kind, url, place / "ca.pem")
        assert held.remains("acme") == []
        assert Authority(place, "acme").renew(datetime.now(UTC) + timedelta(seconds=60)) == [kind]
        if kind == "database":  # it has copies, which belong to its own account
            for name in ("public.crt", "private.key"):
                (servers_folder / f"renewing-{kind}" / name).write_bytes((place / kind / name).read_bytes())
        if kind != "vectors":
            os.kill(server.pid, signal.SIGHUP)
        for _ in range(100):
            if shown_by(port, kind) != before:
                break
            time.sleep(0.1)
        assert shown_by(port, kind) != before
        assert held.remains("acme") == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["database", "objects", "vectors", "queue"])
def test_a_store_of_another_name_is_not_taken(kind: str, servers_folder: Path, tmp_path: Path) -> None:
    authority = Authority(servers_folder / f"elsewhere-{kind}", "acme")
    authority.server(kind, ["other.internal", "127.0.0.2"])
    server, url = started(kind, servers_folder / f"elsewhere-{kind}" / kind, servers_folder / f"other-{kind}")
    with server, pytest.raises(Unavailable):
        tenants(kind, url, authority.ca_file).remains("acme")


# -- the authority itself -------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "authority"


def expiry(folder: Path) -> datetime:
    """When the database's certificate ends."""
    return x509.load_pem_x509_certificate((folder / "database/public.crt").read_bytes()).not_valid_after_utc


def test_twice_is_once_until_two_thirds_of_its_life(folder: Path) -> None:
    assert Authority(folder, "acme").server("database", HOSTS)
    before = expiry(folder)
    assert not Authority(folder, "acme").server("database", HOSTS)
    later = datetime.now(UTC) + timedelta(days=250)
    assert not Authority(folder, "acme", now=later).server("database", HOSTS)
    later += timedelta(days=20)
    assert Authority(folder, "acme", now=later).server("database", HOSTS)
    assert expiry(folder) > before + timedelta(days=200)


def test_other_hosts_a_lost_key_or_another_authority_make_it_anew(folder: Path) -> None:
    Authority(folder, "acme").server("database", HOSTS)
    assert Authority(folder, "acme").server("database", HOSTS[:1])
    (folder / "database/private.key").unlink()
    assert Authority(folder, "acme").server("database", HOSTS[:1])
    (folder / "ca.pem").unlink()
    (folder / "ca.key").unlink()
    assert Authority(folder, "acme").server("database", HOSTS[:1])


def test_a_folder_keeps_its_tenant_and_its_key(folder: Path, tmp_path: Path) -> None:
    Authority(folder, "acme")
    with pytest.raises(Conflict):
        Authority(folder, "globex")
    Authority(tmp_path / "two", "acme")
    shutil.copy(tmp_path / "two/ca.key", folder / "ca.key")
    with pytest.raises(Invalid) as caught:
        Authority(folder, "acme")
    assert caught.value.code == "authority_damaged"


def test_keys_are_files_of_their_owner_alone(folder: Path) -> None:
    Authority(folder, "acme").server("queue", HOSTS)
    assert {p.stat().st_mode & 0o777 for p in folder.rglob("*") if p.is_file()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_command_makes_all_and_refuses_paths(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["storage", "certificates", "acme", "--out", str(folder), "--host", "127.0.0.1", "--json"]
    assert run(command) == Exit.OK
    assert sorted(p.parent.name for p in folder.rglob("public.crt")) == [
        "database", "embedder", "objects", "queue", "vectors"
    ]  # fmt: skip
    assert run([*command, "--store", "../x"]) == Exit.USAGE
    assert "PRIVATE" not in "".join(capsys.readouterr())
