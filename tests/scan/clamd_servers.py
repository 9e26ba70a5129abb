"""A scripted server on the loopback that speaks clamd's protocol."""

import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

from servers.clamd import EICAR

VERSION = datetime.now(UTC).strftime("ClamAV 1.4.3/27400/%a %b %d %H:%M:%S %Y").encode()


class FakeClamd:
    """Finds EICAR; refuses streams longer than `limit`. `script` replaces its answer to a stream."""

    def __init__(self, *, limit: int = 1 << 30, script: bytes | None = None, version: bytes = VERSION) -> None:
        self.limit = limit
        self.script = script
        self.version = version
        self.silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            command = b""
            while not command.endswith(b"\0"):
                command += stream.read(1)
            if self.silent:
                time.sleep(2)
            elif command == b"zVERSION\0":
                connection.sendall(self.version + b"\0")
            elif command == b"zINSTREAM\0":
                connection.sendall(self._scan(stream))
            else:
                connection.sendall(b"UNKNOWN COMMAND\0")

    def _scan(self, stream: object) -> bytes:
        data = b""
        while length := int.from_bytes(stream.read(4), "big"):  # type: ignore[attr-defined]
            data += stream.read(length)  # type: ignore[attr-defined]
            if len(data) > self.limit:
                return b"INSTREAM size limit exceeded. ERROR\0"
        if self.script is not None:
            return self.script
        return b"stream: Frostbyte.EICAR-Test-File.UNOFFICIAL FOUND\0" if EICAR in data else b"stream: OK\0"
