"""Servers that speak clamd's protocol: a scripted one on loopback, and the real one."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
VERSION = b"ClamAV 1.4.3/27400/Tue Jan  6 09:12:01 2026"


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


def clamd_binary() -> str | None:
    """Where clamd is installed; Debian puts it outside a user's PATH."""
    return shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin:/usr/local/sbin")


def shipped_conf(folder: Path, **changes: str) -> Path:
    """The clamd.conf of the repository with paths below `folder`, and `changes`."""
    shipped = (Path(__file__).parents[2] / "config/clamd.conf").read_text()
    changes = {"LocalSocket": str(folder / "clamd.sock"), "DatabaseDirectory": str(folder / "db")} | changes
    lines = [line for line in shipped.splitlines() if line.split(" ")[0] not in changes]
    path = folder / "clamd.conf"
    path.write_text("\n".join(lines + [f"{name} {value}" for name, value in changes.items()]) + "\n")
    return path


@contextmanager
def real_clamd(folder: Path, **changes: str) -> Iterator[Path]:
    """A clamd with one signature; gives the path of its configuration."""
    binary = clamd_binary()
    assert binary is not None
    (folder / "db").mkdir()
    (folder / "db/frostbyte.ndb").write_text(f"Frostbyte.EICAR-Test-File:0:0:{EICAR.hex()}\n")
    conf = shipped_conf(folder, **changes)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([binary, f"--config-file={conf}"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "clamd.sock").exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield conf
    finally:
        server.terminate()
        server.wait(30)
