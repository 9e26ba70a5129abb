"""Promises 2, 3 and 4 with every server real: whatever is killed, frozen or filled up while documents come and
somebody searches, everything that has a receipt ends once, whole and scanned.

Faults are drawn from a seed that is printed; FROSTBYTE_SEED repeats one. `make soak` runs every fault and every pair.
"""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from badluck.load import Load
from badluck.reckoning import audit_holds, reckon, settle
from badluck.stack import PROCESSES, STORES, SmallDisk, Stack
from draws import SEED, SOAK
from servers.lanes import need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAUSE_SECONDS = 30.0 if SOAK else 12.0
DISK_MEGABYTES = {"postgres": 220, "minio": 64, "vectors": 220}


@dataclass(frozen=True)
class Fault:
    """What happens to whom."""

    kind: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {' and '.join(self.names)}"


EVERYONE = (*STORES, *PROCESSES)
SINGLE = [Fault("kill", (name,)) for name in EVERYONE]
FROZEN = [Fault("freeze", (name,)) for name in EVERYONE]
PAIRS = [Fault("kill", pair) for pair in itertools.combinations(EVERYONE, 2)]


def drawn() -> list[Fault]:
    """All of them, or one kill of a store, one of a process, a pair and a freeze."""
    if SOAK:
        return [*SINGLE, *FROZEN, *PAIRS]
    rng = random.Random(SEED)
    stores = [fault for fault in SINGLE if fault.names[0] in STORES]
    processes = [fault for fault in SINGLE if fault.names[0] in PROCESSES]
    return [rng.choice(kind) for kind in (stores, processes, PAIRS, FROZEN)]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    for lane in ("redis", "minio", "clamd"):
        need(lane)
    folder = Path(tempfile.mkdtemp(prefix="fb-luck-"))
    folder.chmod(0o755)
    with Stack(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def strike(stack: Stack, fault: Fault) -> None:
    """The fault, and its end."""
    if fault.kind == "kill":
        stack.kill(*fault.names)
        time.sleep(3)
        stack.restart(*fault.names)
        return
    for name in fault.names:
        stack.servers[name].pause()
    try:
        time.sleep(PAUSE_SECONDS)
    finally:
        for name in fault.names:
            stack.servers[name].resume()


def test_whatever_happens_nothing_is_lost_doubled_unscanned_or_shown_by_half(stack: Stack) -> None:
    print(f"seed {SEED}")
    load = Load(stack, SEED).start()
    try:
        for fault in drawn():
            print(f"{time.strftime('%H:%M:%S')} {fault}, {len(load.sent)} receipts", flush=True)
            time.sleep(3)
            strike(stack, fault)
            time.sleep(3)
    finally:
        load.stop()
    assert len(load.sent) > 10, f"too little was sent (seed {SEED}): {load.refusals} refusals"
    settle(stack, 300)
    reckon(stack, load)
    audit_holds(stack)
    print(f"{len(load.sent)} documents, {load.searches} searches, {load.refusals} refusals, {stack.deaths} deaths")


@pytest.mark.parametrize(
    "name", sorted(DISK_MEGABYTES) if SOAK else [random.Random(SEED).choice(sorted(DISK_MEGABYTES))]
)
def test_a_full_disk_makes_documents_wait_and_loses_none(name: str) -> None:
    for lane in ("redis", "minio", "clamd", "root"):
        need(lane)
    folder = Path(tempfile.mkdtemp(prefix="fb-disk-"))
    folder.chmod(0o755)
    disk = SmallDisk(folder / name, DISK_MEGABYTES[name])
    try:
        with Stack(folder) as stack:
            load = Load(stack, SEED).start()
            try:
                time.sleep(5)
                before = len(load.sent)
                disk.fill()
                time.sleep(10)
                disk.empty()
                if not stack.servers[name].running:  # PostgreSQL ends when it cannot write its log, and recovers
                    stack.restart(name)
                time.sleep(3)
            finally:
                disk.empty()
                load.stop()
            assert before, "nothing was sent before the disk was full"
            settle(stack, 300)
            reckon(stack, load)
            audit_holds(stack)
    finally:
        disk.unmount()
        shutil.rmtree(folder, ignore_errors=True)
