"""A server as a real process on the loopback that a test starts, kills, pauses and starts again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ServerProcess:
    """One server with its folder. `start()` waits until it answers; it may be started again after any end.

    Args:
        command: what to run; it must stay in the foreground.
        ready: whether it answers; asked every 20 ms.
        folder: for its log; a server's data belongs there too.
    """

    stop_signal = signal.SIGTERM
    """What an operator's stop sends it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        user: int | None = None,
        seconds: float = 60.0,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.folder = folder
        self.environment = dict(environment or {})
        self._ready = ready
        self._user = user
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    def start(self) -> ServerProcess:
        """Start it and wait for its answer; returns itself."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"} | self.environment,
                start_new_session=True,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
            )
        deadline = time.monotonic() + self._seconds
        while not self._ready():
            if not self.running or time.monotonic() > deadline:
                said = self.log[-2000:]
                self.kill()
                raise RuntimeError(f"{self.name} did not start: {said}")
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """SIGKILL to it and its children, as a power cut would."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(30)

    def stop(self) -> None:
        """End it as an operator would."""
        self.resume()
        self._signal(self.stop_signal)
        if self._process is None:
            return
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self._signal(signal.SIGKILL)  # children that outlived it

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers. Back only when all of its threads stand still: the
        signal is sent sooner than it is obeyed, and a thread that runs on a while still answers."""
        self._signal(signal.SIGSTOP)
        until = time.monotonic() + 10
        while not self._stands_still():
            assert time.monotonic() < until, f"{self.name} does not stop"
            time.sleep(0.002)

    def resume(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    def _stands_still(self) -> bool:
        """Whether no thread of it runs; proc_pid_stat(5) tells the state behind the name."""
        if self._process is None:
            return True
        try:
            stats = [stat.read_text() for stat in Path(f"/proc/{self._process.pid}/task").glob("*/stat")]
        except OSError:  # a thread ended meanwhile
            return False
        return all(stat.rpartition(")")[2].split()[0] in "TtZX" for stat in stats)

    def _signal(self, number: int) -> None:
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return
