"""The stores of a db host, started as its project says, and reached as other hosts are told to: TLS, names checked."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import psycopg
import pytest
import yaml

from frostbyte.adapters.postgres import schema
from frostbyte.adapters.qdrant.answers import connect
from frostbyte.bootstrap import storage, stores
from frostbyte.control_plane.provisioning.hosting import Credentials, Given
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.authority import Authority
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.settings import Settings, load
from hosts.facts import host
from hosts.test_projects import RENDERER, secret
from servers.lanes import built, debian_postgres, need, program
from servers.process import ServerProcess

NETWORK: Final = f"127.{20 + os.getpid() % 200}.{os.getpid() // 200 % 200}"
"""Addresses of the loopback that are this run's alone, so that ports can be those that hosts use."""
HOSTS: Final = {"gateway": f"{NETWORK}.10", "db": f"{NETWORK}.20", "worker-1": f"{NETWORK}.31"}
DB: Final = HOSTS["db"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Rendered:
    """What a host would be given, lying in a folder."""

    folder: Path
    services: dict[str, Any]

    def text(self, value: str) -> str:
        """A path or an address inside a container, as it is here."""
        for name, place in (("/run/secrets", "secrets"), ("/run/given", "given"), ("/certs", "certs")):
            value = value.replace(name, str(self.folder / place))
        for store in ("minio", "qdrant"):
            value = value.replace(f"//{store}:", f"//{DB}:")
        return value

    def environment(self, service: str) -> dict[str, str]:
        return {name: self.text(value) for name, value in self.services[service]["environment"].items()}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "acme")


@pytest.fixture(scope="module")
def rendered(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rendered]:
    made = {}
    for name, names in RENDERER.certificates(HOSTS, "127.0.0.1").items():
        authority.server(name, names)
        folder = authority.ca_file.parent / name
        made[name] = Credentials(
            certificate=(folder / "public.crt").read_text(), key=(folder / "private.key").read_text()
        )
    given = Given(
        tenant="acme",
        images={name: "sha256:0" for role in ("gateway", "worker", "db") for name in RENDERER.images(HostRole(role))},
        secrets={name: secret(number) for number, name in enumerate(RENDERER.secrets())},
        authority=authority.ca_file.read_text(),
        certificates=made,
        control_keys="ed25519:abc\n",
        dimensions=4,
        stand_in_vectors=True,
    )
    found = {}
    for role, part in (("db", "db"), ("worker", "worker-1")):
        folder = tmp_path_factory.mktemp(role)
        folder.chmod(0o755)
        told = host(role, hosts=HOSTS, address=HOSTS[part], subnet=f"{NETWORK}.0/24")
        for file in RENDERER.files(told, given):
            path = folder / file.path.removeprefix("/opt/frostbyte/").removeprefix("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            # Where nobody resolves names of containers, the store on the same host is called by its address.
            path.write_bytes(file.content.replace(b"@postgres:", f"@{DB}:".encode()))
        services = yaml.safe_load((folder / "docker-compose.yml").read_text())["services"]
        for service in services.values():
            for one in service.get("secrets", []):
                if isinstance(one, dict):
                    place = folder / one["target"].removeprefix("/run/").removeprefix("/")
                    place.parent.mkdir(exist_ok=True)
                    shutil.copy(folder / "secrets" / one["source"], place)
        found[role] = Rendered(folder, services)
    return found


@pytest.fixture(scope="module")
def running(rendered: dict[str, Rendered]) -> Iterator[None]:
    """The four stores, with the very arguments and files of their containers."""
    for lane in ("postgresql", "redis", "minio"):
        need(lane)
    db = rendered["db"]
    servers = [_redis(db), _minio(db), _vectors(db), _postgres(db)]
    started = []
    try:
        for server in servers:
            started.append(server.start())
        yield
    finally:
        for server in started:
            server.stop()


def _redis(db: Rendered) -> ServerProcess:
    conf = db.folder / "secrets" / "redis.conf"
    here = db.text(conf.read_text()).replace("bind 0.0.0.0", f"bind {DB}").replace("dir /data", f"dir {db.folder}")
    conf.write_text(here)
    command = [str(program("redis-server")), str(conf)]
    return ServerProcess("redis", command, folder=db.folder, ready=lambda: listens_at(6379))


def _minio(db: Rendered) -> ServerProcess:
    words = [db.text(word) for word in db.services["minio"]["command"]]
    words[-1] = str(db.folder / "objects")
    command = [str(built("minio")), words[0], "--address", f"{DB}:9000", *words[1:]]
    told = db.environment("minio") | {"HOME": str(db.folder)}
    return ServerProcess("minio", command, folder=db.folder, ready=lambda: listens_at(9000), environment=told)


def _vectors(db: Rendered) -> ServerProcess:
    told = db.environment("qdrant") | {
        "FROSTBYTE_VECTORS_LISTEN": f"{DB}:6333",
        "FROSTBYTE_VECTORS_DATA": str(db.folder / "vectors"),
    }
    command = [str(Path(sys.executable).parent / "frostbyte"), *db.services["qdrant"]["command"]]
    return ServerProcess("vectors", command, folder=db.folder, ready=lambda: listens_at(6333), environment=told)


def _postgres(db: Rendered) -> ServerProcess:
    programs, cluster, uid = debian_postgres(), db.folder / "postgres" / "cluster", None
    assert programs is not None
    cluster.parent.mkdir()
    if os.geteuid() == 0:
        uid = pwd.getpwnam("postgres").pw_uid
    own = db.folder / "postgres" / "secrets"
    shutil.copytree(db.folder / "secrets", own)
    for path in (cluster.parent, own, *own.iterdir()):
        if uid is not None:
            os.chown(path, uid, -1)
        path.chmod(0o700 if path.is_dir() else 0o600)
    prefix = [] if uid is None else ["setpriv", f"--reuid={uid}", "--clear-groups", "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search"]  # fmt: skip
    make = [*prefix, str(programs / "initdb"), "-U", "frostbyte_admin", f"--pwfile={own}/postgres-password"]
    make += ["--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--no-sync", "-D", str(cluster)]
    subprocess.run(make, check=True, capture_output=True, cwd="/")
    words = [word.replace("/run/secrets", str(own)) for word in db.services["postgres"]["command"][1:]]
    command = [*prefix, str(programs / "postgres"), "-D", str(cluster), *words]
    command += ["-c", f"listen_addresses={DB}", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    return ServerProcess("postgres", command, folder=db.folder, ready=lambda: listens_at(5432))


def listens_at(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((DB, port)) == 0


def settings(rendered: Rendered, folder: Path, **more: str) -> Settings:
    return load(rendered.environment("celery-worker") | {"FROSTBYTE_DATA_DIR": str(folder)} | more)


def everything(told: Settings) -> dict[str, str]:
    """Each store as a worker reaches it: `ok`, or the code of what went wrong."""

    def database() -> None:
        with psycopg.connect(stores.trusting(told.database_url, told.ca_file), connect_timeout=5) as connection:
            assert connection.execute("SELECT count(*) FROM documents").fetchone() == (0,)

    def objects() -> None:
        stores.blobs(told).exists("raw/none")

    def queue() -> None:
        found = stores.queue(told)
        assert found is not None
        found.waiting()

    def vectors() -> None:
        client = connect(told.vectors_url, key=told.vectors_api_key, ca_file=told.ca_file)
        assert client.count(f"tenant_{told.tenant_id}").count == 0

    found = {}
    for name, reach in (("database", database), ("objects", objects), ("queue", queue), ("vectors", vectors)):
        try:
            reach()
            found[name] = "ok"
        except FrostbyteError as error:
            found[name] = error.code
        except Exception as error:
            found[name] = type(error).__name__
    return found


def test_storage_takes_the_given_passwords_and_a_worker_reaches_every_store(
    running: None, rendered: dict[str, Rendered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "OLDEST", 15)  # Debian 12's: what is tried here is the way to it
    db, worker = rendered["db"], rendered["worker"]
    for again in (False, True):
        found = storage.stores(db.environment("storage"))
        storage.provision(found, "acme", db.folder / "tenant", lambda store, what: None, db.folder / "given")
        told = settings(worker, tmp_path)
        assert everything(told) == dict.fromkeys(("database", "objects", "queue", "vectors"), "ok"), again
    noted = (db.folder / "tenant" / "vectors_api_key").read_text().strip()
    assert jwt.decode(noted, options={"verify_signature": False}) == jwt.decode(
        told.vectors_api_key, options={"verify_signature": False}
    )

    # The owner may change the schema, the worker's role may not.
    connection = psycopg.connect(stores.trusting(told.database_url, told.ca_file))
    with connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("ALTER TABLE audit_events DISABLE TRIGGER ALL")

    # A server with a certificate of another tenant's authority is none of ours, under whatever address.
    stranger = Authority(tmp_path / "stranger", "other")
    others = everything(settings(worker, tmp_path, FROSTBYTE_CA_FILE=str(stranger.ca_file)))
    assert "ok" not in others.values()

    # By another name it is not the server that was asked for.
    misnamed = told.database_url.replace(DB, HOSTS["gateway"])
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(stores.trusting(misnamed, told.ca_file) + f" hostaddr={DB}", connect_timeout=5)


def test_nothing_is_said_in_plain_text(running: None, rendered: dict[str, Rendered], tmp_path: Path) -> None:
    told = settings(rendered["worker"], tmp_path)
    with pytest.raises(psycopg.OperationalError, match=r"no encryption|pg_hba|SSL off"):
        psycopg.connect(told.database_url.replace("verify-full", "disable"), connect_timeout=5)
    plain = told.queue_url.replace("rediss://", "redis://")
    with pytest.raises(FrostbyteError):
        stores.queue(Settings(tenant_id="acme", queue_url=plain)).waiting()  # type: ignore[union-attr]
    for port in (9000, 6333):
        try:
            status = httpx.get(f"http://{DB}:{port}/", trust_env=False).status_code
        except httpx.HTTPError:
            continue
        assert status == 400  # TLS servers that say so
