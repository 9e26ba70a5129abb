"""After bad luck: is everything that has a receipt there, once, scanned, whole, and in an audit that holds?"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
from qdrant_client import QdrantClient

from badluck.load import Load, Sent
from badluck.stack import PROCESSES, Stack

TERMINAL = ("indexed", "quarantined", "failed", "erased")


def settle(stack: Stack, seconds: float) -> None:
    """Wait until no document is on its way."""
    deadline = time.monotonic() + seconds
    waiting: list[Any] = []
    while time.monotonic() < deadline:
        with psycopg.connect(stack.database) as connection:
            waiting = connection.execute(
                "SELECT doc_id, state, stage, code FROM documents WHERE state <> ALL(%s) LIMIT 5", [list(TERMINAL)]
            ).fetchall()
        if not waiting:
            return
        time.sleep(1)
    raise AssertionError(f"after {seconds:.0f} s documents still wait: {waiting}\n{logs(stack)}")


def logs(stack: Stack) -> str:
    """The last lines of those that do the work."""
    return "\n".join(f"--- {name}\n{server.log[-1500:]}" for name, server in stack.servers.items() if name in PROCESSES)


def reckon(stack: Stack, load: Load, *, allowed: Counter[str] | None = None) -> None:
    """Fail with everything that is wrong. `allowed` says which error codes may end how many documents."""
    wrong = list(load.unexpected) + load.halves
    sent = {one.doc_id: one for one in load.sent}
    if len(sent) != len(load.sent):
        wrong.append("two stories got the same document")
    with psycopg.connect(stack.database) as connection:
        rows = connection.execute(
            "SELECT doc_id::text, state, code, scan_verdict, active_generation, chunks FROM documents"
        ).fetchall()
        receipts = {row[0] for row in connection.execute("SELECT receipt_id::text FROM receipts").fetchall()}
        written = connection.execute(
            "SELECT resource_id, count(*) FROM audit_events WHERE type = 'INDEX_WRITTEN' GROUP BY 1"
        ).fetchall()
        ingested = connection.execute(
            "SELECT resource_id, count(*) FROM audit_events WHERE type = 'DOCUMENT_INGESTED' GROUP BY 1"
        ).fetchall()
    documents = {row[0]: row for row in rows}
    wrong += [f"the receipt of {one.story.name} is lost" for one in load.sent if one.receipt_id not in receipts]
    wrong += [f"{one.story.name} has a receipt and is lost" for key, one in sent.items() if key not in documents]
    wrong += _ended(documents, sent, allowed or Counter())
    wrong += [f"{key} was indexed {times} times" for key, times in written if times != 1]
    wrong += [f"{key} was taken {times} times" for key, times in ingested if times != 1]
    wrong += _vectors(stack, documents)
    wrong += _found(load, documents)
    assert not wrong, "\n".join(wrong[:20]) + f"\n({len(wrong)} in all)\n{logs(stack)}"


def _ended(documents: dict[str, Any], sent: dict[str, Sent], allowed: Counter[str]) -> list[str]:
    wrong, failures = [], Counter[str]()
    for key, (_, state, code, verdict, _, _) in documents.items():
        virus = key in sent and sent[key].story.virus
        if state == "failed":
            failures[code] += 1
        elif state != ("quarantined" if virus else "indexed"):
            wrong.append(f"{key} ended {state} ({code})")
        if state == "indexed" and verdict != "clean":
            wrong.append(f"{key} is indexed and its verdict is {verdict}")
    for code, times in (failures - allowed).items():
        wrong.append(f"{times} documents failed with {code}")
    return wrong


def _vectors(stack: Stack, documents: dict[str, Any]) -> list[str]:
    """Points and passages agree: nothing is there twice, of an older generation, or of nobody."""
    points = Counter(_points(stack))
    wanted = Counter({(row[0], row[4]): row[5] for row in documents.values() if row[1] == "indexed"})
    wrong = [
        f"{key} has {points[key]} points for {number} passages"
        for key, number in wanted.items()
        if points[key] != number
    ]
    return wrong + [f"{key} has {points[key]} points of no document" for key in points.keys() - wanted.keys()]


def _points(stack: Stack) -> Iterator[tuple[str, str]]:
    """Document and generation of every point, told by the server itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of plain text on the loopback as well
        client = QdrantClient(url=stack.vectors.url, api_key=stack.vectors.key, check_compatibility=False)
    for collection in client.get_collections().collections:
        following = None
        while True:
            page, following = client.scroll(collection.name, limit=1000, offset=following, with_payload=True)
            for point in page:
                payload = point.payload or {}
                if "doc_id" in payload:
                    yield str(payload["doc_id"]), str(payload["generation"])
            if following is None:
                break
    client.close()


def _found(load: Load, documents: dict[str, Any]) -> list[str]:
    wrong = []
    for one in load.sent[:: max(1, len(load.sent) // 40)]:
        state = documents.get(one.doc_id, ("", ""))[1]
        expected = {"first", "last"} if state == "indexed" else set()
        ends = None
        for _ in range(30):
            if (ends := load.ends_of(one)) is not None:
                break
            time.sleep(2)  # a minute's quota may be used up
        if ends != expected:
            wrong.append(f"{one.story.name} is {state} and a search shows {ends}")
    return wrong


def audit_holds(stack: Stack) -> None:
    """Every committed event has a number and the newest checkpoint covers them all."""
    deadline = time.monotonic() + 30
    while True:
        with psycopg.connect(stack.database) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM audit_events), (SELECT count(*) FROM audit_sequence), "
                "(SELECT coalesce(max(sequence), -1) + 1 FROM audit_sequence), "
                "(SELECT coalesce(max(size), 0) FROM audit_checkpoints)"
            ).fetchone()
        assert row is not None
        events, numbered, next_number, covered = row
        if events == numbered == next_number == covered:
            break
        assert time.monotonic() < deadline, f"{events} events, {numbered} numbered to {next_number}, {covered} covered"
        time.sleep(0.5)
    ready = httpx.get(f"{stack.url}/ready", headers={"Authorization": f"Bearer {stack.token}"}, timeout=10)
    assert ready.status_code == 200, ready.text
