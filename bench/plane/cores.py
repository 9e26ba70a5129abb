"""What a second core can bring on this machine, and what a plane does while a core has nothing to do.

`ceiling` says how much faster two processes that share nothing are than one: the same reading of the same files, alone
on one core and then on each of two at once. Where two "cores" are one core's threads, or share what they wait for, that
is less than two, and no plane comes above it.

`Unused` compares, ten times a second, the processor time that a plane took with what its cores had, and looks at the
plane's log: which stages were under way while it left cores unused. On a busy machine what others took counts as well.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final

_EVERY_SECONDS: Final = 0.1
_NOTHING: Final = "none"
_READ: Final = """
import io, sys, time
from pathlib import Path
from frostbyte.data_plane.parse.limits import ParseLimits
from frostbyte.data_plane.parse.reader import parse
limits = ParseLimits(ocr=False)
files = [Path(name).read_bytes() for name in sys.argv[1:]]
def read():
    for data in files:
        parse(io.BytesIO(data), sha256="0" * 64, mime="application/pdf", size=len(data), limits=limits)
read()
print("ready", flush=True)
sys.stdin.readline()
began, used = time.perf_counter(), time.process_time()
read()
print(time.perf_counter() - began, time.process_time() - used)
"""


def ceiling(files: Sequence[Path], cores: Sequence[int], rounds: int) -> tuple[float, float]:
    """How many times what one process reads two read in the same time, by the clock and by processor time.

    The second figure is that of a machine that does nothing else: there, two take more processor time than one only
    for what they share (caches, memory, a core's threads).
    """
    clock, processor = [], []
    for _ in range(rounds):
        (alone,) = _reading(files, cores[:1])
        both = _reading(files, cores)
        clock.append(len(both) * alone[0] / max(seconds for seconds, _ in both))
        processor.append(sum(alone[1] / used for _, used in both))
    return statistics.median(clock), statistics.median(processor)


def _reading(files: Sequence[Path], cores: Sequence[int]) -> list[tuple[float, float]]:
    """(seconds, processor seconds) of a process on each core, begun together when all have loaded."""
    command = [sys.executable, "-c", _READ, *map(str, files)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in cores
    ]
    for process, core in zip(started, cores, strict=True):
        os.sched_setaffinity(process.pid, {core})
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
    found = []
    for process in started:
        seconds, used = process.communicate()[0].split()
        found.append((float(seconds), float(used)))
    return found


class Unused:
    """Between entering and leaving: time of the cores that a plane did not use, by the stages that were under way.

    Args:
        used: the plane's processor seconds until now.
        cores: how many it may use.
    """

    def __init__(self, used: Callable[[], float], cores: int) -> None:
        self._used, self._cores = used, cores
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._moments: list[tuple[float, float]] = []
        """The middle of each, in seconds since 1970, and core seconds in it that were not used."""
        self.seconds = 0.0
        """Core seconds that there were in all."""

    def __enter__(self) -> Unused:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        at, before = time.time(), self._used()
        while not self._end.wait(_EVERY_SECONDS):
            now, used = time.time(), self._used()
            there = (now - at) * self._cores
            self._moments.append(((at + now) / 2, there - (used - before)))
            self.seconds += there
            at, before = now, used

    @property
    def share(self) -> float:
        """The part of the cores' time that was not used."""
        return sum(unused for _, unused in self._moments) / self.seconds

    def by_stage(self, log: Path) -> dict[str, float]:
        """The same by the names of the stages under way, most first; `none` where no stage was.

        Args:
            log: the plane's, at the level `info`.
        """
        spans = list(_under_way(log))
        found: Counter[str] = Counter()
        for at, unused in self._moments:
            stages = sorted({stage for start, end, stage in spans if start <= at <= end})
            found["+".join(stages) or _NOTHING] += unused / self.seconds
        return dict(found.most_common())


def _under_way(log: Path) -> Iterator[tuple[float, float, str]]:
    """(start, end, stage) of each stage that the log tells of, in seconds since 1970."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if '"stage_ended"' in line:
            said = json.loads(line)
            end = datetime.fromisoformat(said["timestamp"]).timestamp()
            yield end - (said["duration_ms"] or 0) / 1000, end, said["stage"]
