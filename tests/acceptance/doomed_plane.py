"""A plane that dies at a chosen moment. Run as a program by test_kill_and_resume.py.

    doomed_plane.py DATA_DIR MOMENT [FILE... | rebuild]

With `rebuild` the configuration is changed and the index made anew; the program ends when that has. MOMENT is `never`,
or `PORT.METHOD:WHEN` with WHEN `before` or `after`: this process and its children are killed (SIGKILL) around the first
call of that method. If it lives, it prints a line of JSON: what became of every document.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from frostbyte.adapters.leasing import Leases
from frostbyte.adapters.runner import Runner
from frostbyte.bootstrap.data import Plane, build
from frostbyte.data_plane.flow import ORDER
from frostbyte.kernel import logging
from frostbyte.kernel.records import State
from frostbyte.kernel.settings import load

LEASE_SECONDS = 1.0
PATIENCE_SECONDS = 60.0


def die() -> None:
    """Kill this process and what it started, but for PostgreSQL, which runs in a session of its own."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and b"frostbyte" in (path.parent / "cmdline").read_bytes():
            os.kill(int(path.parent.name), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def arm(plane: Plane, moment: str) -> None:
    """Put the bomb around the method."""
    place, _, when = moment.partition(":")
    port, _, method = place.partition(".")
    targets: dict[str, Any] = {
        "scanner": plane.ports.scanner,
        "reader": plane.ports.reader,
        "judge": plane.ports.judge,
        "embedder": plane.ports.embedder,
        "vectors": plane.ports.vectors,
        "vault": plane.vault,
    }
    if port == "commit":
        arm_commit(plane, int(method), when)
        return
    target = targets[port]
    real = getattr(target, method)

    def doomed(*given: Any, **named: Any) -> Any:
        if when == "before":
            die()
        real(*given, **named)
        die()

    setattr(target, method, doomed)


def arm_commit(plane: Plane, number: int, when: str) -> None:
    """Die around the flow's commit of stage `number`."""
    flow: Any = plane.flow
    real = flow._commit

    def doomed(job: Any, outcome: Any, started: float) -> None:
        if job.stage is not ORDER[number]:
            real(job, outcome, started)
            return
        if when == "before":
            die()
        real(job, outcome, started)
        die()

    flow._commit = doomed


def told(plane: Plane) -> dict[str, Any]:
    """Every document: its end, its chunks and the digest of their decrypted text."""
    result: dict[str, Any] = {}
    with plane.store.unit_of_work() as uow:
        for row in uow.documents.page(limit=100):
            chunks = uow.chunks.of_document(row.doc_id, row.active_generation)
            digest = hashlib.sha256()
            for chunk in chunks:
                digest.update(plane.documents.artefacts.chunk(row, chunk).text.encode())
            written = [e.event.type for e in uow.audit.events(resource_id=str(row.doc_id), limit=1000)]
            result[str(row.doc_id)] = {
                "state": row.state.value,
                "code": row.code,
                "chunks": [str(chunk.chunk_id) for chunk in chunks],
                "text": digest.hexdigest(),
                "indexed_events": written.count("INDEX_WRITTEN"),
                "points": plane.ports.vectors.count(row.doc_id),
            }
    return result


def main() -> None:
    logging.configure()  # what this prints is for the test that runs it
    folder, moment, *files = sys.argv[1:]
    plane = build(load({"FROSTBYTE_DATA_DIR": folder, "FROSTBYTE_WORKERS": "1"}))
    leases = Leases(
        unit_of_work=plane.store.unit_of_work, run=plane.flow.run, clock=plane.clock, lease_seconds=LEASE_SECONDS
    )
    plane.runner = Runner(leases, ORDER, threads=1)
    rebuilding = files == ["rebuild"]
    if rebuilding:
        version = plane.configuration.show()["version"]
        plane.configuration.change({"injection_flag": 0.2}, expected=version, actor="tester")
        plane.rebuild.start(actor="tester")
        print("rebuilding", flush=True)
    elif files:
        session = plane.intake.open_batch("tester")
        for name in files:
            sink = session.file(Path(name).name)
            sink.write(Path(name).read_bytes())
            sink.finish()
        session.close()
        print("receipted", flush=True)
    if moment != "never":
        arm(plane, moment)
    plane.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with plane.store.unit_of_work() as uow:
            states = [row.state for row in uow.documents.page(limit=100)]
        under_way = (plane.rebuild.status()["rebuild"] or {}).get("state") == "running"
        if states and all(state.terminal for state in states) and State.WAITING not in states and not under_way:
            break
        time.sleep(0.05)
    time.sleep(1.2)  # a last turn of the sequencer
    print(json.dumps(told(plane)), flush=True)
    plane.close()


if __name__ == "__main__":
    main()
