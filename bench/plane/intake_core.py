"""How fast a file goes through the door, beside what a person would do by hand: `sha256sum` and `cp`, then sync.

Run: python bench/plane/intake_core.py [--megabytes 256] [--rounds 5] [--folder DIR] [--json]

Everything happens in one run on one disk, the rounds interleaved, and the median counts. "Door" is a whole upload of
one PDF: hash, type, AES-256-GCM, fsync, wrapped key, rows, event and job; the rows lie in memory, because what is
measured is the work per byte. "Small files" are uploads of 4 KiB each, where two fsynced objects per file count.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.objects.local import LocalBlobs
from frostbyte.data_plane.intake import Intake
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.records import Stage
from frostbyte.kernel.vault import TenantKeys, Vault

_PART = 65_536  # bytes a time, as they come from a socket
_SMALL = 200  # files of 4 KiB


def new_intake(folder: Path) -> Intake:
    """A door over a folder, rows in memory."""
    vault = Vault(LocalBlobs(folder), TenantKeys(os.urandom(32), os.urandom(32), {1: os.urandom(32)}))
    return Intake(
        tenant_id="bench",
        unit_of_work=MemoryStore().unit_of_work,
        vault=vault,
        clock=SystemClock(),
        first_stage=Stage.SCAN,
    )


def through_the_door(intake: Intake, path: Path) -> None:
    """Upload one file."""
    session = intake.open_batch("bench")
    with path.open("rb") as file, session.file(path.name) as sink:
        while part := file.read(_PART):
            sink.write(part)
        outcome = sink.finish()
    if outcome.code or not session.close().accepted:
        raise SystemExit(f"not accepted: {outcome.code}")


def by_hand(path: Path, target: Path) -> None:
    """What a careful person types."""
    subprocess.run(["sha256sum", path], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cp", path, target], check=True)
    subprocess.run(["sync", target], check=True)


def small_files(folder: Path) -> None:
    """One upload of many small files."""
    session = new_intake(folder).open_batch("bench")
    for number in range(_SMALL):
        with session.file(f"{number}.txt") as sink:
            sink.write(b"%d " % number * 600)
            sink.finish()
    session.close()


def small_by_hand(files: list[Path], target: Path) -> None:
    """The same with one call of each tool for all files."""
    target.mkdir()
    subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cp", *files, target], check=True)
    subprocess.run(["sync", *target.iterdir()], check=True)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of this process and its children's processors."""
    before, started = _cpu(), time.perf_counter()
    work()
    return time.perf_counter() - started, _cpu() - before


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(root: Path, megabytes: int, rounds: int) -> dict[str, object]:
    """All lanes, interleaved."""
    source = root / "source.pdf"
    noise = random.Random(1).randbytes(1024 * 1024)
    with source.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        for number in range(megabytes):
            file.write(number.to_bytes(4, "big") + noise[4:])
    files = []
    (root / "small").mkdir()
    for number in range(_SMALL):
        files.append(root / "small" / f"{number}.txt")
        files[-1].write_bytes(b"%d " % number * 600)
    lanes: dict[str, list[tuple[float, float]]] = {}
    peak = 0
    for turn in range(rounds + 1):
        for name, work in {
            "door": lambda: through_the_door(new_intake(root / "objects"), source),
            "sha256sum + cp + sync": lambda: by_hand(source, root / "copy"),
            "door, small files": lambda: small_files(root / "small-objects"),
            "sha256sum + cp + sync, small files": lambda: small_by_hand(files, root / "small-copy"),
        }.items():
            result = timed(work)
            if turn:  # the first round warms caches up
                lanes.setdefault(name, []).append(result)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for leftover in ("objects", "small-objects", "small-copy"):
                shutil.rmtree(root / leftover, ignore_errors=True)
            (root / "copy").unlink(missing_ok=True)
    rates: dict[str, object] = {}
    for name, results in lanes.items():
        amount, unit = (_SMALL, "files/s") if "small" in name else (megabytes, "MiB/s")
        rates[name] = {
            unit: round(amount / statistics.median(seconds for seconds, _ in results), 1),
            f"{unit.replace('/s', '')}/cpu-s": round(amount / statistics.median(cpu for _, cpu in results), 1),
        }
    return {"megabytes": megabytes, "rounds": rounds, "peak_rss_mib": peak // 1024, "lanes": rates}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; the disk that is measured")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measure(Path(folder), options.megabytes, options.rounds)
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['megabytes']} MiB, median of {result['rounds']}, peak RSS {result['peak_rss_mib']} MiB")
    for name, rates in result["lanes"].items():  # type: ignore[attr-defined]
        print(f"  {name:36s} " + "  ".join(f"{value:9.1f} {unit}" for unit, value in rates.items()))


if __name__ == "__main__":
    main()
