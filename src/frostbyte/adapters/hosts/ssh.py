"""Real hosts, over asyncssh: one event loop in a thread of its own, behind calls that block.

Commands are run by root's rights where the user is another (`Layout.as_root`). No command line carries anything but
paths, names of services and numbers; what is given to a host goes through SFTP or standard input.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shlex
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import asyncssh

from frostbyte.adapters.hosts import troubles
from frostbyte.adapters.hosts.connections import Connections, Dial, straight
from frostbyte.adapters.hosts.files import put_file, read_files, remove_files, sftp, sync_folders
from frostbyte.adapters.hosts.own_key import Layout, own_key_script
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.kernel.errors import FrostbyteError

T = TypeVar("T")
OUTPUT_BYTES: Final = 1 << 20
"""A command that writes more has failed: a host must not be able to fill our memory."""
CHUNK_BYTES: Final = 1 << 18
QUICK_SECONDS: Final = 60.0
"""For what should take a second: files, lists."""
GRACE_SECONDS: Final = 15.0
"""How much longer than a command's own limit its answer is awaited."""
PAUSE_SECONDS: Final = 0.5
"""Between two attempts to reach a host that boots."""
RELOAD_SECONDS: Final = 20.0
"""How long sshd may take to show its new key."""
FILES_AT_ONCE: Final = 8
STOP_GRACE_SECONDS: Final = 20.0
"""For compose itself, after what it stops had its time."""
COMPOSE: Final = 'cd -- "$0" && exec docker compose --progress quiet "$@"'
COMPOSE_IF_THERE: Final = (
    'cd -- "$0" 2>/dev/null || exit 0; [ -e docker-compose.yml ] || [ -e compose.yaml ] || exit 0; '
    'exec docker compose --progress quiet "$@"'
)


LOOKING: Final = Path(__file__).with_name("looking.sh").read_text(encoding="utf-8")
LOG: Final = Path(__file__).with_name("log.sh").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    output: str
    said: str


class SshHosts:
    """See control_plane.provisioning.ports.Hosts. Safe for many threads; `close()` ends loop and connections.

    Args:
        key: our private key, in OpenSSH's form, without a passphrase.
        dial: where the first host on a way is really reached; for machines behind a port of the loopback.
        connect_seconds: for each host on the way.
    """

    def __init__(
        self, key: str, *, dial: Dial = straight, layout: Layout | None = None, connect_seconds: float = 10.0
    ) -> None:
        self._layout = layout or Layout()
        self._connections = Connections(key, dial=dial, connect_seconds=connect_seconds)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hosts", daemon=True)
        self._thread.start()
        self._sweeping = asyncio.run_coroutine_threadsafe(self._connections.sweep(), self._loop)

    def close(self) -> None:
        """Again is no error."""
        if self._loop.is_closed():
            return
        self._sweeping.cancel()
        asyncio.run_coroutine_threadsafe(self._connections.close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    # -- the port ----------------------------------------------------------------------------------------------------

    def settle(self, host: HostAddress, *, seconds: float) -> str:
        return self._wait(self._settle(host, seconds), host, "to boot and to be configured", seconds + RELOAD_SECONDS)

    def put(self, host: HostAddress, files: Sequence[HostFile]) -> None:
        size = sum(len(file.content) for file in files)
        self._wait(self._put(host, files), host, "to take files", QUICK_SECONDS + size / CHUNK_BYTES)

    def remove(self, host: HostAddress, paths: Sequence[str]) -> None:
        async def take() -> None:
            async with self._sftp(host) as session:
                await remove_files(session, paths)

        self._wait(take(), host, "to remove files", QUICK_SECONDS)

    def read(self, host: HostAddress, folder: str) -> list[HostFile]:
        async def take() -> list[HostFile]:
            async with self._sftp(host) as session:
                return await read_files(session, folder)

        return self._wait(take(), host, "to read files", QUICK_SECONDS)

    def images(self, host: HostAddress) -> frozenset[str]:
        words = ("docker", "image", "ls", "--all", "--quiet", "--no-trunc")
        return frozenset(self._command(host, words, "docker image ls", QUICK_SECONDS).split())

    def load(self, host: HostAddress, archive: Path, sha256: str, *, seconds: float) -> dict[str, str]:
        """The archive is hashed before a byte of it leaves. What arrived is known by the ids that the engine gives,
        which are hashes of what is in the image."""
        with archive.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise troubles.archive_wrong(host.name)
            file.seek(0)
            loaded = self._command(host, ("docker", "load", "--quiet"), "docker load", seconds, given=_pieces(file))
        names = [line.split(": ", 1)[1] for line in loaded.splitlines() if line.startswith("Loaded image")]
        if not names:
            raise troubles.image_missing(host.name)
        words = ("docker", "image", "inspect", "--format", "{{.Id}}", *names)
        ids = self._command(host, words, "docker image inspect", QUICK_SECONDS).split()
        return dict(zip(names, ids, strict=True))

    def run(self, host: HostAddress, script: str, *, seconds: float) -> str:
        return self._command(host, ("sh", "-s"), "a script", seconds, given=[script.encode()])

    def ask(self, host: HostAddress, command: Sequence[str], *, given: str = "", seconds: float) -> str:
        return self._command(host, command, command[0], seconds, given=[given.encode()])

    def up(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        words = ["up", "--detach", "--wait", "--wait-timeout", f"{seconds:.0f}", "--pull", "never", "--no-build"]
        words += ["--remove-orphans", *services]
        self._command(host, ("sh", "-c", COMPOSE, folder, *words), "docker compose up", seconds)

    def task(self, host: HostAddress, folder: str, service: str, words: Sequence[str] = (), *, seconds: float) -> str:
        """Its container has one name: one that an earlier attempt left is taken away first."""
        name = f"frostbyte-task-{service}"
        self._command(host, ("sh", "-c", 'docker rm --force "$0" 2>&1 || true', name), "docker rm", QUICK_SECONDS)
        run = ("run", "--rm", "--no-TTY", "--name", name, service, *words)
        return self._command(host, ("sh", "-c", COMPOSE, folder, *run), "docker compose run", seconds)

    def stop(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        words = ("stop", "--timeout", f"{max(1.0, seconds - STOP_GRACE_SECONDS):.0f}", *services)
        self._command(host, ("sh", "-c", COMPOSE_IF_THERE, folder, *words), "docker compose stop", seconds)

    def down(self, host: HostAddress, folder: str, *, volumes: bool, seconds: float) -> None:
        words = ("down", "--remove-orphans", "--timeout", "30", *(("--volumes",) if volumes else ()))
        self._command(host, ("sh", "-c", COMPOSE_IF_THERE, folder, *words), "docker compose down", seconds)

    def look(self, host: HostAddress, folder: str, *, seconds: float) -> str:
        script = f"folder={shlex.quote(folder)}\n{LOOKING}"
        return self._command(host, ("sh", "-s"), "to tell how it is", seconds, given=[script.encode()])

    def log(self, host: HostAddress, service: str, image: str, *, lines: int, seconds: float) -> str:
        given = {"service": service, "image": image, "lines": str(lines)}
        script = "".join(f"{name}={shlex.quote(value)}\n" for name, value in given.items()) + LOG
        return self._command(host, ("sh", "-s"), "to tell of a log", seconds, given=[script.encode()])

    # -- settling ----------------------------------------------------------------------------------------------------

    async def _settle(self, host: HostAddress, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        while True:
            try:
                async with self._connections.fresh(host, vouched=True) as connection:
                    await self._configured(connection, host, deadline)
                    words = self._words(host, ("sh", "-s"), QUICK_SECONDS)
                    script = own_key_script(self._layout).encode()
                    ended = await self._execute(connection, host, words, [script])
                    self._well(host, "making its own host key", ended)
                    own = troubles.bare(ended.output)
                    break
            except FrostbyteError as error:
                # Until it has booted it does not answer, and lets nobody in; that it is another host never passes.
                if error.code not in ("host_unreachable", "host_refused"):
                    raise
                if time.monotonic() + PAUSE_SECONDS > deadline:
                    if error.code == "host_refused":
                        raise
                    raise troubles.slow(host.name, "to boot", seconds) from error
                await asyncio.sleep(PAUSE_SECONDS)
        await self._shown(replace(host, host_key=own))
        return own

    async def _configured(self, connection: asyncssh.SSHClientConnection, host: HostAddress, deadline: float) -> None:
        """Wait for the end of cloud-init. That it ended well is what its own status says, not its exit code: a warning
        about an old keyword has one as well."""
        left = max(1.0, deadline - time.monotonic())
        words = self._words(host, ("cloud-init", "status", "--wait", "--format", "json"), left)
        ended = await self._execute(connection, host, words)
        if ended.status == 124:
            raise troubles.slow(host.name, "cloud-init", left)
        try:
            status = json.loads(ended.output[ended.output.index("{") :])
            well = status["status"] == "done" and not status.get("errors")
            words_of_it = "; ".join(str(error) for error in status.get("errors") or []) or str(status["status"])
        except (ValueError, KeyError, TypeError):
            well, words_of_it = False, ended.said
        if not well:
            raise troubles.failed(host.name, "cloud-init", troubles.last_words(words_of_it))

    async def _shown(self, host: HostAddress) -> None:
        """See the new key shown, and no other. sshd reads its configuration a moment after it was told to."""
        deadline = time.monotonic() + RELOAD_SECONDS
        while True:
            try:
                async with self._connections.fresh(host, vouched=False):
                    return
            except FrostbyteError as error:
                if time.monotonic() > deadline or error.code == "host_refused":
                    raise
            await asyncio.sleep(PAUSE_SECONDS / 5)

    # -- files -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _sftp(self, host: HostAddress) -> AsyncIterator[asyncssh.SFTPClient]:
        async with self._connections.to(host) as connection:
            try:
                async with sftp(connection, self._rooted(host, (self._layout.sftp_server,))) as session:
                    yield session
            except asyncssh.SFTPError as error:
                if isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection):
                    raise troubles.unreachable(host.name) from error
                raise troubles.failed(host.name, "SFTP", type(error).__name__) from error
            except (OSError, asyncssh.Error) as error:
                raise troubles.unreachable(host.name) from error

    async def _put(self, host: HostAddress, files: Sequence[HostFile]) -> None:
        slots = asyncio.Semaphore(FILES_AT_ONCE)
        async with self._sftp(host) as session:

            async def one(file: HostFile) -> None:
                async with slots:
                    await put_file(session, file)

            async with asyncio.TaskGroup() as group:
                for file in files:
                    group.create_task(one(file))
            await sync_folders(session, [file.path for file in files])

    # -- commands ----------------------------------------------------------------------------------------------------

    def _rooted(self, host: HostAddress, words: Sequence[str]) -> str:
        return shlex.join((*(() if host.user == "root" else self._layout.as_root), *words))

    def _words(self, host: HostAddress, words: Sequence[str], seconds: float) -> str:
        """A command line that ends by itself when its time is over, also when nobody listens any more."""
        return self._rooted(host, ("timeout", "--kill-after=10", f"{max(1.0, seconds):.0f}", *words))

    def _command(
        self, host: HostAddress, words: Sequence[str], what: str, seconds: float, *, given: Iterable[bytes] = ()
    ) -> str:
        async def go() -> str:
            async with self._connections.to(host) as connection:
                ended = await self._execute(connection, host, self._words(host, words, seconds), given)
            if ended.status == 124:
                raise troubles.slow(host.name, what, seconds)
            self._well(host, what, ended)
            return ended.output

        return self._wait(go(), host, what, seconds)

    @staticmethod
    def _well(host: HostAddress, what: str, ended: Ended) -> None:
        if ended.status != 0:
            raise troubles.failed(host.name, what, troubles.last_words(ended.said))

    async def _execute(
        self, connection: asyncssh.SSHClientConnection, host: HostAddress, line: str, given: Iterable[bytes] = ()
    ) -> Ended:
        try:
            async with connection.create_process(line, encoding=None) as process:
                output, said, _ = await asyncio.gather(
                    _bounded(process.stdout), _bounded(process.stderr), _feed(process, given)
                )
                await process.wait_closed()
        except _TooMuchError as error:
            raise troubles.failed(host.name, "a command", f"more than {OUTPUT_BYTES} bytes") from error
        except (OSError, asyncssh.Error) as error:
            raise troubles.unreachable(host.name) from error
        if process.exit_status is None or process.exit_status < 0:
            raise troubles.unreachable(host.name)  # cut off: how it ended is not known
        return Ended(process.exit_status, output.decode("utf-8", "replace"), said.decode("utf-8", "replace"))

    def _wait(self, doing: Coroutine[Any, Any, T], host: HostAddress, what: str, seconds: float) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                return await doing

        try:
            return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result()
        except TimeoutError as error:
            raise troubles.slow(host.name, what, seconds) from error


class _TooMuchError(Exception):
    """A command wrote more than OUTPUT_BYTES."""


async def _bounded(reader: asyncssh.SSHReader[bytes]) -> bytes:
    got = bytearray()
    while piece := await reader.read(CHUNK_BYTES):
        got += piece
        if len(got) > OUTPUT_BYTES:
            raise _TooMuchError
    return bytes(got)


async def _feed(process: asyncssh.SSHClientProcess[bytes], given: Iterable[bytes]) -> None:
    """Hand it over as fast as it is taken; only so much is held as the window of the channel allows."""
    try:
        for piece in given:
            process.stdin.write(piece)
            await process.stdin.drain()
        process.stdin.write_eof()
    except (BrokenPipeError, ConnectionResetError):
        return  # it ended without reading all; its status says how


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(CHUNK_BYTES):
        yield piece
