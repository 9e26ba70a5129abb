"""Taking a whole plane away: how fast its archive is written, and what that takes of memory.

    python -m bench.offline.export [--documents 800]

A plane on embedded stores whose documents are made of random bytes, seven objects each (0.5 MB), and whose sequencer
runs. Our export, sealed and on the disk, beside what would be typed instead: `tar` of the folder with the objects, on
the disk, and `sha256sum` of it. Ours also holds the database and the log, which `tar` of a folder does not. Median of
three, alternating.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyrage

from bench.table import Line, show
from frostbyte.bootstrap.data import build
from frostbyte.bootstrap.exporting import exporting, recipient
from frostbyte.cli.plane_export import _outlet
from frostbyte.data_plane import artefacts
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import DocumentRow, State
from frostbyte.kernel.settings import Settings, load

_RAW: Final = 256 << 10
_OTHER: Final = 48 << 10
_GENERATION: Final = "0123456789abcdef"
_ROUNDS: Final = 3


@contextmanager
def filled(folder: Path, documents: int) -> Iterator[Settings]:
    """A plane with so many documents, of which only the sequencer runs."""
    settings = load({"FROSTBYTE_DATA_DIR": str(folder / "plane"), "FROSTBYTE_EMBEDDING_ENDPOINT": "none"})
    plane = build(settings)
    try:
        blobs, clock = plane.vault.blobs, SystemClock()
        for _ in range(documents):
            doc_id, raw = new_id(), f"raw/{new_id()}"
            blobs.put(raw, os.urandom(_RAW))
            blobs.put(f"keys/{doc_id}.0", os.urandom(68))
            for kind in artefacts.ALL:
                if kind not in artefacts.SOMETIMES:
                    blobs.put(artefacts.Artefacts.name(doc_id, _GENERATION, kind), os.urandom(_OTHER))
            row = DocumentRow(
                doc_id=doc_id,
                incarnation=0,
                state=State.INDEXED,
                mime="text/plain",
                size=_RAW,
                received_at=clock.now(),
                raw_object=raw,
                key_object=f"keys/{doc_id}.0",
                sealed_name=b"",
                config_version=0,
                generation=_GENERATION,
                active_generation=_GENERATION,
            )
            with plane.store.unit_of_work() as uow:
                uow.documents.put(row)
                uow.commit()
        stop = threading.Event()
        sequencer = threading.Thread(target=plane.sequencer.run, args=(stop,))
        sequencer.start()
        try:
            yield settings
        finally:
            stop.set()
            sequencer.join()
    finally:
        plane.close()


def ours(settings: Settings, target: Path) -> tuple[float, int]:
    """Seconds and bytes of one export, sealed, synced and renamed."""
    sealed_for = recipient(str(pyrage.x25519.Identity.generate().to_public()))
    with exporting(settings) as plane:
        start = time.perf_counter()
        with _outlet(target) as outlet:
            plane.write(outlet, sealed_for, actor="bench")
        return time.perf_counter() - start, target.stat().st_size


def theirs(settings: Settings, target: Path) -> tuple[float, int]:
    """The same of `tar`, `sync` and `sha256sum`."""
    start = time.perf_counter()
    subprocess.run(["tar", "-C", settings.data_dir, "-cf", target, "objects"], check=True)
    subprocess.run(["sync", target], check=True)
    subprocess.run(["sha256sum", target], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, target.stat().st_size


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(documents: int) -> list[Line]:
    """Rate and memory."""
    with tempfile.TemporaryDirectory(prefix="frostbyte-bench-") as name, filled(Path(name), documents) as settings:
        rates: dict[str, list[float]] = {"ours": [], "theirs": []}
        before, size = peak(), 0
        for number in range(_ROUNDS):
            for who, run in (("ours", ours), ("theirs", theirs)):
                target = Path(name) / f"{who}-{number}.tar"
                seconds, size = run(settings, target)
                rates[who].append(size / seconds / 1e6)
                target.unlink()
        after = peak()
    note = f"{documents} documents, {size / 1e6:.0f} MB of objects; reference: tar, sync and sha256sum of the folder"
    return [
        Line(
            measure="export of a plane",
            ours=statistics.median(rates["ours"]),
            reference=statistics.median(rates["theirs"]),
            unit="MB/s",
            target="none promised",
            met=None,
            note=note,
        ),
        Line(
            measure="memory that exporting adds",
            ours=after - before,
            reference=None,
            unit="MB",
            target="at most 128",
            met=after - before <= 128,
            note="whatever the archive's size: objects are read by parts, 16 small ones ahead",
        ),
    ]


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=800)
    show(measured(parser.parse_args().documents))


if __name__ == "__main__":
    main()
