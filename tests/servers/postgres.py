"""PostgreSQL as a server of its own: TCP with passwords, TLS where a certificate is given, crash recovery after a kill.

The programs are those of the wheel that the embedded database uses; what answers is an ordinary PostgreSQL. The wheel's
are built without TLS: with a certificate they must be another package's (lane `postgresql`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.adapters.postgres.account import account_for
from frostbyte.adapters.postgres.embedded import _programs
from frostbyte.adapters.postgres.schema import OWNER, WRITER
from servers.process import ServerProcess, free_port

BACKEND_SECONDS = 20.0
PASSWORD = "test-postgres-T4vNw92LpQ"


class PostgresServer(ServerProcess):
    """A cluster with one administrator; `database` makes a plane's database in it."""

    stop_signal = signal.SIGINT
    """A fast shutdown: SIGTERM would wait until everybody has gone."""

    def __init__(
        self, folder: Path, *, certificate: Path | None = None, key: Path | None = None, programs: Path | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.cluster = folder / "cluster"
        programs = programs or _programs()
        account = account_for(folder, programs)
        self._prefix, self._uid = list(account.prefix), account.user
        if os.geteuid() == 0:
            os.chown(folder, account.uid, account.gid)
        self._initialise(programs, folder)
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "80",
            "shared_buffers": "64MB",
            "fsync": "off",  # what a killed process has written is not lost; only a power cut would lose it
        }
        if certificate is not None and key is not None:
            options |= {"ssl": "on", "ssl_cert_file": str(certificate), "ssl_key_file": str(key)}
            hba = self.cluster / "pg_hba.conf"
            hba.write_text(hba.read_text().replace("host  ", "hostssl"))
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        super().__init__(
            "postgres",
            [*self._prefix, str(programs / "postgres"), "-D", str(self.cluster), *settings],
            folder=folder,
            ready=self._answers,
            user=self._uid,
        )

    def _initialise(self, programs: Path, folder: Path) -> None:
        word = folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        options = "--auth=scram-sha-256 --encoding=UTF8 --locale=C -U postgres --no-sync"
        done = subprocess.run(
            [*self._prefix, str(programs / "initdb"), *options.split(), f"--pwfile={word}", "-D", str(self.cluster)],
            capture_output=True,
            text=True,
            check=False,
            user=self._uid,
            group=self._uid,
            extra_groups=None if self._uid is None else [],
            cwd="/",
        )
        word.unlink()
        assert done.returncode == 0, done.stderr

    def dsn(self, user: str = "postgres", database: str = "postgres", password: str = PASSWORD) -> str:
        """A connection string over TCP."""
        return make_conninfo(
            "",
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=password,
            dbname=database,
            connect_timeout=5,
        )

    def database(self, name: str) -> str:
        """A fresh database for a plane; the address of its owner, who steps down to the writer."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            for role in (OWNER, WRITER):
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(PASSWORD))
                    )
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(WRITER), sql.Identifier(OWNER)))
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER))
            )
        return self.dsn(OWNER, name)

    def kill(self) -> None:
        """SIGKILL. Its backends are sessions of their own that notice by themselves, and as long as one of them holds
        the cluster's shared memory no new server may start: a power cut would have ended them too, so they are waited
        for."""
        held = self._shared_memory()
        super().kill()
        deadline = time.monotonic() + BACKEND_SECONDS
        while held is not None and _attached(held) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _shared_memory(self) -> str | None:
        """The identifier of its segment, from the seventh line of its lock file."""
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()[6].split()[1]
        except (FileNotFoundError, IndexError):
            return None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn(), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return "certificate" in str(error).lower()  # it answers, and wants to be asked with TLS
        return True


def _attached(segment: str) -> int:
    """How many processes hold a segment of shared memory (proc_sysvipc(5): column `nattch`)."""
    head, *rows = Path("/proc/sysvipc/shm").read_text().splitlines()
    at = head.split().index
    return sum(int(row.split()[at("nattch")]) for row in rows if row.split()[at("shmid")] == segment)


def unsynced(server: EmbeddedServer) -> None:
    """Have a server write without waiting for the disk: a test makes and drops a database, and no power is cut."""
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")
