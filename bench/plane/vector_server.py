"""What a question costs through the gateway and over a vector server, beside the bare query that it needs.

    python -m bench.plane.vector_server [--documents 100] [--queries 150]

10,000 passages (100 documents of 100) with vectors of the embedded model's length lie in `serve vectors`, a process of
its own; their rows in PostgreSQL, their texts in sealed objects. A gateway (`serve data`, another process) answers
questions over HTTP. The reference is what the question cannot do without: the embedding of its words by the same model,
in this process, and one hybrid query (two prefetches, fused by reciprocal rank) sent by qdrant-client straight to the
server. The two alternate within one run; each keeps its connection. The gateway besides finds out what is visible,
opens ten sealed texts and writes its audit event before it answers. The promise: at most 1.3 times at the median.

A second line measures the server itself: the adapter's whole search over HTTP beside the same search by the engine in
this process, on the same points.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import httpx
import numpy as np
from qdrant_client import QdrantClient
from qdrant_client import models as qm

from bench.finding.search import PIECES, Chunk
from bench.plane.intake import plane as served
from bench.table import Line, percentile, show
from frostbyte.adapters.embeddings.e5 import E5
from frostbyte.adapters.qdrant.answers import connect
from frostbyte.adapters.qdrant.edge import EdgeVectors
from frostbyte.adapters.qdrant.names import collection
from frostbyte.adapters.qdrant.server import ServerVectors
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.bootstrap.data import Plane, build
from frostbyte.data_plane.artefacts import CHUNKS, VIEW, Artefacts, View, lay_out
from frostbyte.data_plane.document import encode
from frostbyte.data_plane.fusion import candidates
from frostbyte.data_plane.terms import TermHasher
from frostbyte.kernel.ports.vectors import Point, SparseVector
from frostbyte.kernel.records import DocumentRow, State
from frostbyte.kernel.settings import load
from frostbyte.kernel.vault import TenantKeys

KEY: Final = "bench-vectors-key-aG7Kp2Lx9QvR4tYw"
FACTOR: Final = 1.3
TOP_K: Final = 5
CHUNKS_EACH: Final = 100
VOCABULARY: Final = 20_000
_WARM: Final = 15


@contextmanager
def vector_server(folder: Path) -> Iterator[str]:
    """A running `serve vectors` and its address."""
    command = [sys.executable, "-m", "frostbyte", "serve", "vectors", "--listen", "127.0.0.1:0", "--data", str(folder)]
    environment = os.environ | {"FROSTBYTE_VECTORS_API_KEY": KEY}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if " at http" in line:
                yield line.rpartition(" at ")[2].strip()
                break
        else:
            raise SystemExit("serve vectors did not start")
    finally:
        process.terminate()
        process.wait(60)


def sentence(noise: random.Random, count: int) -> str:
    """Words like a text's: a few are frequent."""
    return " ".join(f"word{int(VOCABULARY * noise.random() ** 3)}" for _ in range(count))


def fill(plane: Plane, beside: EdgeVectors, documents: int) -> None:
    """Documents as the index stage leaves them, in the plane's stores; their points also in an engine of our own."""
    noise, numbers = random.Random(1), np.random.default_rng(1)
    spec = plane.ports.embedder.spec
    for store in (plane.ports.vectors, beside):
        store.ensure(spec)
    for _ in range(documents):
        doc_id, generation = uuid4(), uuid4().hex
        chunks = [_chunk(doc_id, generation, number, sentence(noise, 110)) for number in range(CHUNKS_EACH)]
        _store(plane, doc_id, generation, chunks)
        dense = numbers.standard_normal((len(chunks), spec.dimensions), dtype=np.float32)
        pieces = numbers.standard_normal((len(chunks), PIECES, spec.dimensions), dtype=np.float32)
        points = [
            Point(
                chunk_id=chunk.chunk_id,
                doc_id=doc_id,
                generation=generation,
                dense=vector,
                pieces=parts if spec.pieces else (),
                sparse=plane.ports.terms.document(chunk.text),
            )
            for chunk, vector, parts in zip(chunks, dense.tolist(), pieces.tolist(), strict=True)
        ]
        plane.ports.vectors.upsert(points)
        beside.upsert(points)
    plane.ports.vectors.compact()
    beside.compact()


def _chunk(doc_id: UUID, generation: str, number: int, text: str) -> Chunk:
    start = number % 4 * 1100
    return Chunk(
        chunk_id=uuid4(),
        doc_id=doc_id,
        generation=generation,
        page=1 + number // 4,
        start=start,
        end=start + 1100,
        text=text,
    )


def _store(plane: Plane, doc_id: UUID, generation: str, chunks: list[Chunk]) -> None:
    artefacts, key = Artefacts(plane.vault), plane.vault.new_key()
    rows, data = lay_out(chunks, [])
    row = DocumentRow(
        doc_id=doc_id,
        incarnation=1,
        state=State.INDEXED,
        mime="text/plain",
        size=len(data),
        received_at=datetime.now(UTC),
        raw_object=f"raw/{doc_id}.1",
        key_object=f"keys/{doc_id}.1",
        sealed_name=key.seal_name("bench.txt"),
        config_version=1,
        generation=generation,
        active_generation=generation,
        chunks=len(chunks),
    )
    plane.vault.store_key(row.key_object, key)
    artefacts.put(row, generation, CHUNKS, key, data)
    view = View(title="Bench", metadata={}, page_names={}, redactions=(), withheld=())
    artefacts.put(row, generation, VIEW, key, encode(view))
    with plane.store.unit_of_work() as uow:
        uow.documents.put(row)
        uow.chunks.put_generation(doc_id, generation, rows)
        uow.commit()


def bare(client: QdrantClient, name: str, dense: list[float], sparse: SparseVector) -> int:
    """What one would send to the server alone; how many were found."""
    each = candidates(TOP_K * 2)  # what our own request asks of each ranking
    found = client.query_points(
        name,
        prefetch=[
            qm.Prefetch(query=dense, using="dense", limit=each),
            qm.Prefetch(
                query=qm.SparseVector(indices=list(sparse.indices), values=list(sparse.values)),
                using="terms",
                limit=each,
            ),
        ],
        query=qm.FusionQuery(fusion=qm.Fusion.RRF),
        limit=TOP_K,
        with_payload=True,
    )
    return len(found.points)


def whole(reached: tuple[int, str, str], client: QdrantClient, name: str, keys: TenantKeys, queries: int) -> list[Line]:
    """The gateway's answers beside what they cannot do without."""
    noise, embedder, terms = random.Random(2), E5(), TermHasher(keys.term_key)
    ours: list[float] = []
    alone: list[float] = []
    pid, url, token = reached
    spent, before = 0.0, 0.0
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as gateway:
        for number in range(queries + _WARM):
            question = sentence(noise, 8)

            def ask(question: str = question) -> float:
                began = time.perf_counter()
                answer = gateway.post("/api/v1/query", json={"query": question, "top_k": TOP_K})
                took = time.perf_counter() - began
                assert len(answer.json()["results"]) == TOP_K, answer.text
                return took

            def reference(question: str = question) -> float:
                began = time.perf_counter()
                found = bare(client, name, embedder.query(question), terms.query(question))
                took = time.perf_counter() - began
                assert found == TOP_K
                return took

            if number == _WARM:
                before = processor(pid)
            mine = ask() if number % 2 else 0.0
            cpu = time.process_time()
            other = reference()
            spent += time.process_time() - cpu if number >= _WARM else 0.0
            mine = mine or ask()
            if number >= _WARM:
                ours.append(mine * 1000)
                alone.append(other * 1000)
    mine, other = percentile(ours, 0.5), percentile(alone, 0.5)
    return [
        Line(
            measure="question through the gateway p50, vector server",
            ours=mine,
            reference=other,
            unit="ms",
            target=f"<= {FACTOR} x (embedding call + bare query)",
            met=mine <= FACTOR * other,
            note="ours also looks up what is visible, opens the sealed texts and commits its audit event",
        ),
        Line(
            measure="question through the gateway, its own processor time",
            ours=(processor(pid) - before) / queries * 1000,
            reference=spent / queries * 1000,
            unit="ms",
            target="",
            met=None,
            note="the same where other programs disturb the clock on the wall; without the stores' processes",
        ),
    ]


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def beside(server: ServerVectors, engine: EdgeVectors, keys: TenantKeys, queries: int) -> list[Line]:
    """One search over HTTP beside the same in this process."""
    noise, numbers, terms = random.Random(3), np.random.default_rng(3), TermHasher(keys.term_key)
    assert engine.spec is not None
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(queries + _WARM):
        dense = numbers.standard_normal(engine.spec.dimensions).tolist()
        sparse = terms.query(sentence(noise, 8))
        answers = []
        for place in (0, 1) if number % 2 else (1, 0):
            began = time.perf_counter()
            answers.append((server, engine)[place].search(dense, sparse, limit=TOP_K * 2))
            if number >= _WARM:
                times[place].append((time.perf_counter() - began) * 1000)
        assert [round(hit.score, 2) for hit in answers[0]] == [round(hit.score, 2) for hit in answers[1]]
    return [
        Line(
            measure="vector search p50: server beside engine in process",
            ours=percentile(times[0], 0.5),
            reference=percentile(times[1], 0.5),
            unit="ms",
            target="",
            met=None,
            note="what HTTP, JSON and the client's checks cost; both find the same",
        )
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--queries", type=int, default=150)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, vector_server(Path(place) / "vectors") as address:
        folder = Path(place) / "plane"
        settings = {"FROSTBYTE_VECTORS_URL": address, "FROSTBYTE_VECTORS_API_KEY": KEY}
        plane = build(load(settings | {"FROSTBYTE_DATA_DIR": str(folder)}))
        engine = EdgeVectors(Path(place) / "engine")
        try:
            fill(plane, engine, options.documents)
            keys = FileSecrets(plane.settings.keys_folder).tenant_keys()
        finally:
            plane.close()
        client = connect(address, key=KEY)
        name = collection("demo")
        show(beside(ServerVectors(client, name), engine, keys, options.queries))
        engine.close()
        with served(folder, settings) as reached:
            show(whole(reached, client, name, keys, options.queries))
        client.close()


if __name__ == "__main__":
    main()
