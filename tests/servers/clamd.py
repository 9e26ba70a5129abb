"""clamd with one signature: it finds EICAR, plain and in archives."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

from servers.lanes import ROOT, program
from servers.process import ServerProcess

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class ClamdServer(ServerProcess):
    """With the repository's clamd.conf, `changes` replacing lines of it; a plane is told `address` and `conf`."""

    def __init__(self, folder: Path, **changes: str) -> None:
        (folder / "db").mkdir(parents=True, exist_ok=True)
        (folder / "db/frostbyte.ndb").write_text(f"Frostbyte.EICAR-Test-File:0:*:{EICAR.hex()}\n")
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
