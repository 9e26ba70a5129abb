"""clamd with one signature: it finds EICAR, plain and in archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import socket
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from servers.lanes import ROOT, program
from servers.process import ServerProcess

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
DAILY = "daily.cud"
"""A daily database that nobody has to sign: clamd tells its day all the same."""
KNOWN = f"Frostbyte.EICAR-Test-File:0:*:{EICAR.hex()}\n"


def daily(made_at: datetime, signatures: str = KNOWN, version: int = 1) -> bytes:
    """A database of a day with these signatures (ClamAV, libclamav/cvd.c): a head of 512 bytes and a packed archive."""
    seconds = int(made_at.timestamp())
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y %H-%M +0000")

    def head(digest: str) -> str:
        return f"ClamAV-VDB:{stamp}:{version}:1:90:{digest}:X:frostbyte:{seconds}"

    files = {"COPYING": b"made for tests\n", "daily.ndb": signatures.encode()}
    listed = [f"{name}:{len(data)}:{hashlib.sha256(data).hexdigest()}" for name, data in files.items()]
    info = "\n".join([head("X"), *listed, ""]).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in {"COPYING": files["COPYING"], "daily.info": info, "daily.ndb": files["daily.ndb"]}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), seconds
            archive.addfile(entry, io.BytesIO(data))
    body = gzip.compress(packed.getvalue(), mtime=0)
    return head(hashlib.md5(body, usedforsecurity=False).hexdigest()).encode().ljust(512) + body


class ClamdServer(ServerProcess):
    """With the repository's clamd.conf, `changes` replacing lines of it; a plane is told `address` and `conf`."""

    def __init__(self, folder: Path, **changes: str) -> None:
        (folder / "db").mkdir(parents=True, exist_ok=True)
        (folder / "db" / DAILY).write_bytes(daily(datetime.now(UTC)))
        self._short = Path(tempfile.mkdtemp(prefix="clamd-"))  # a socket's path is short
        self.socket = self._short / "s"
        self.conf = shipped_conf(
            folder, **{"LocalSocket": str(self.socket), "DatabaseDirectory": str(folder / "db")} | changes
        )
        binary = program("clamd")
        assert binary is not None
        super().__init__("clamd", [binary, f"--config-file={self.conf}"], folder=folder, ready=self._answers)

    @property
    def address(self) -> str:
        return f"unix:{self.socket}"

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._short, ignore_errors=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"zPING\0")
                return probe.recv(16).startswith(b"PONG")
            except OSError:
                return False


def shipped_conf(folder: Path, **changes: str) -> Path:
    """The clamd.conf of the repository, with `changes`, below `folder`."""
    lines = (ROOT / "config/clamd.conf").read_text().splitlines()
    kept = [line for line in lines if line.split(" ")[0] not in changes]
    path = folder / "clamd.conf"
    path.write_text("\n".join([*kept, *(f"{name} {value}" for name, value in changes.items())]) + "\n")
    return path
