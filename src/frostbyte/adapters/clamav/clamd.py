"""clamd over a unix socket or TCP: INSTREAM and VERSION of its protocol (clamd(8)).

A stream is `zINSTREAM\\0`, then chunks (4-byte big-endian length, bytes), then a chunk of length zero; the reply is
`stream: OK`, `stream: NAME FOUND` or an error, ended by a NUL byte.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from frostbyte.adapters.clamav.archive import ZipWatch
from frostbyte.adapters.clamav.limits import check_limits, read_conf, sizes
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.scanner import ScanResult, Verdict

_CHUNK: Final = 1024 * 1024
_REPLY_MAX: Final = 4096  # bytes; a reply is one line
_LIMIT_ERRORS: Final = ("size limit exceeded", "Heuristics.Limits.Exceeded")
_ENCRYPTED: Final = "Heuristics.Encrypted."

Address = Path | tuple[str, int]


def parse_address(text: str) -> Address:
    """`/run/clamd.sock` or `unix:/run/clamd.sock`, or `host:port` or `tcp://host:port`.

    Raises:
        ValueError: it is neither.
    """
    if text.startswith(("/", "unix:")):
        return Path(text.removeprefix("unix:").removeprefix("//"))
    host, _, port = text.removeprefix("tcp://").rpartition(":")
    if not host or not port.isdigit():
        raise ValueError("a clamd address is a socket's path or host:port")
    return host.strip("[]"), int(port)


class Clamd:
    """A scanner.

    Args:
        address: a socket's path, or host and port.
        conf: the clamd.conf that the server runs with; its limits are compared at start.
        connect_seconds: how long to wait for a connection.
        reply_seconds: how long to wait for each step of the conversation; clamd scans after the last chunk, so this
            is also the longest scan.
    """

    stand_in = False

    def __init__(
        self, address: Address, *, conf: Path | None = None, connect_seconds: float = 5.0, reply_seconds: float = 300.0
    ) -> None:
        self._address = address
        self._conf = conf
        self._connect_seconds = connect_seconds
        self._reply_seconds = reply_seconds

    def scan(self, chunks: Iterable[bytes]) -> ScanResult:
        """Scan a file as it streams by.

        Raises:
            Unavailable: `scanner_unavailable`: no connection, no answer in time, or no answer that is known.
        """
        engine = self.version()
        limits = sizes(read_conf(self._conf)) if self._conf is not None else {}
        watch = ZipWatch()
        reply = self._stream(chunks, watch, limits.get("StreamMaxLength"))
        if reply == "stream: OK" and limits and watch.exceeds(limits["MaxFileSize"], limits["MaxScanSize"]):
            return ScanResult(verdict=Verdict.UNSCANNED, engine=engine, reason="size_limit")
        if reply == "stream: OK":
            return ScanResult(verdict=Verdict.CLEAN, engine=engine)
        if any(text in reply for text in _LIMIT_ERRORS):
            return ScanResult(verdict=Verdict.UNSCANNED, engine=engine, reason="size_limit")
        if reply.startswith("stream: ") and reply.endswith(" FOUND"):
            signature = reply.removeprefix("stream: ").removesuffix(" FOUND")
            if signature.startswith(_ENCRYPTED):
                return ScanResult(verdict=Verdict.UNSCANNED, engine=engine, reason="encrypted")
            return ScanResult(verdict=Verdict.INFECTED, engine=engine, signature=signature)
        raise _unavailable("it gave an answer that is not known")

    def check(self, max_file_size: int) -> None:
        """Is clamd there, and would it look at all of a file of `max_file_size` bytes?

        Raises:
            Unavailable: `scanner_unavailable`.
            Invalid: `scanner_limits`: its clamd.conf has limits below, or it is not known.
        """
        self.version()
        check_limits(read_conf(self._conf) if self._conf is not None else {}, max_file_size)

    def signatures_made_at(self) -> datetime | None:
        """Of the daily database, which clamd tells of; None where it has loaded none.

        Raises:
            Unavailable: `scanner_unavailable`.
        """
        return signatures_made_at(self.version())

    def version(self) -> str:
        """Engine and signatures, such as `ClamAV 1.4.3/27400/Tue Jan 6 09:12:01 2026`.

        Raises:
            Unavailable: `scanner_unavailable`.
        """
        with self._connected() as connection:
            connection.sendall(b"zVERSION\0")
            reply = _reply(connection)
        if not reply.startswith("ClamAV"):
            raise _unavailable("what answers there is no clamd")
        return reply

    def _stream(self, chunks: Iterable[bytes], watch: ZipWatch, longest: int | None) -> str:
        """Send the file and return the reply. Errors of `chunks` themselves pass through."""
        with self._connected() as connection:
            connection.sendall(b"zINSTREAM\0")
            for part in _gathered(chunks):
                watch.feed(part)
                if not _sent(connection, len(part).to_bytes(4, "big") + part):
                    break
            else:
                _sent(connection, bytes(4))
            # clamd stops reading once a limit is reached. Why, is in the reply that it left; over TCP that reply can
            # be lost with the connection, and then the length tells.
            try:
                return _reply(connection)
            except ConnectionError:
                if longest is not None and watch.size > longest:
                    return _LIMIT_ERRORS[0]
                raise

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        family = socket.AF_UNIX if isinstance(self._address, Path) else None
        try:
            if family is not None:
                connection = socket.socket(family, socket.SOCK_STREAM)
                connection.settimeout(self._connect_seconds)
                with _closing_on_error(connection):
                    connection.connect(str(self._address))
            else:
                connection = socket.create_connection(self._address, self._connect_seconds)  # type: ignore[arg-type]
        except OSError as error:
            raise _unavailable("no connection") from error
        with connection:
            connection.settimeout(self._reply_seconds)
            try:
                yield connection
            except TimeoutError as error:
                raise _unavailable("no answer in time") from error
            except ConnectionError as error:
                raise _unavailable("the connection broke") from error


def signatures_made_at(version: str) -> datetime | None:
    """When the signatures were made that `Clamd.version` tells of; None where it does not say.

    clamd writes the time of its own zone, without it: a container's is UTC. An hour does not matter for signatures.
    """
    parts = version.split("/")
    try:
        return datetime.strptime(parts[2].strip(), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except (IndexError, ValueError):
        return None


def _sent(connection: socket.socket, data: bytes) -> bool:
    """Send; False if the other side has stopped reading."""
    try:
        connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


@contextmanager
def _closing_on_error(connection: socket.socket) -> Iterator[None]:
    try:
        yield
    except OSError:
        connection.close()
        raise


def _gathered(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces, none of them empty: an empty one would end the stream."""
    waiting: list[bytes] = []
    size = 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= _CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if size:
        yield b"".join(waiting)


def _reply(connection: socket.socket) -> str:
    data = b""
    while b"\0" not in data:
        part = connection.recv(_REPLY_MAX)
        if not part:
            break
        data += part
        if len(data) > _REPLY_MAX:
            raise _unavailable("its answer does not end")
    text, end, _ = data.partition(b"\0")
    if not end:
        raise ConnectionResetError
    return text.decode("utf-8", "replace").strip()


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        "scanner_unavailable",
        f"The malware scanner cannot be asked: {why}.",
        "Check that clamd runs and has loaded its signatures; the documents wait and go on by themselves.",
    )
