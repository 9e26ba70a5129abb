"""`frostbyte serve vectors`, driven as a process by the real client and by requests that no client sends."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from qdrant_client import QdrantClient
from qdrant_client import models as qm
from qdrant_client.http.exceptions import UnexpectedResponse

from frostbyte.api.vectors.options import load
from frostbyte.kernel.errors import Invalid
from servers.vectors import VectorsServer

pytestmark = pytest.mark.slow

FILTER = qm.Filter(must=[qm.FieldCondition(key="kind", match=qm.MatchValue(value="a"))])


def client_of(server: VectorsServer, key: str | None = None) -> QdrantClient:
    return QdrantClient(
        url=server.url, headers={"api-key": server.key if key is None else key}, check_compatibility=False, timeout=20
    )


def make(client: QdrantClient, name: str, size: int = 4) -> str:
    client.create_collection(
        name,
        vectors_config={"dense": qm.VectorParams(size=size, distance=qm.Distance.COSINE)},
        sparse_vectors_config={"terms": qm.SparseVectorParams(modifier=qm.Modifier.IDF)},
        metadata={"made": "by a test"},
    )
    return name


def point(number: int, kind: str = "a") -> qm.PointStruct:
    return qm.PointStruct(
        id=str(UUID(int=number)),
        vector={
            "dense": [1.0, number, 0.0, 0.0],
            "terms": qm.SparseVector(indices=[1, 10 + number], values=[1.0, 2.0]),
        },
        payload={"kind": kind, "number": number},
    )


@pytest.fixture(scope="module")
def client(vectors_server: VectorsServer) -> Iterator[QdrantClient]:
    made = client_of(vectors_server)
    yield made
    made.close()


@pytest.fixture
def name(client: QdrantClient) -> str:
    return make(client, f"t_{uuid4().hex}")


@pytest.fixture(scope="module")
def empty(client: QdrantClient) -> str:
    """A collection that nothing is written into."""
    return make(client, "t_empty")


@pytest.fixture
def raw(vectors_server: VectorsServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=vectors_server.url, headers={"api-key": vectors_server.key}) as made:
        yield made


def test_it_says_what_it_is(vectors_server: VectorsServer) -> None:
    said = httpx.get(vectors_server.url).json()
    assert "frostbyte vectors" in said["title"]
    assert "stand-in" in said["title"]
    for path in ("/healthz", "/readyz", "/livez"):
        assert httpx.get(vectors_server.url + path).status_code == 200


def test_the_client_understands_every_answer(client: QdrantClient, name: str) -> None:
    assert name in {one.name for one in client.get_collections().collections}
    assert client.collection_exists(name)
    assert not client.collection_exists("t_none")
    assert client.upsert(name, [point(n, "a" if n < 3 else "b") for n in range(1, 6)], wait=True).status == "completed"
    assert client.create_payload_index(name, "kind", qm.PayloadSchemaType.KEYWORD, wait=True).status == "completed"
    info = client.get_collection(name)
    assert info.points_count == 5
    assert info.config.metadata == {"made": "by a test"}
    assert info.payload_schema["kind"].data_type == "keyword"
    assert client.count(name, count_filter=FILTER, exact=True).count == 2
    page, following = client.scroll(name, limit=2, with_vectors=True)
    rest, end = client.scroll(name, limit=9, offset=following)
    assert [record.payload and record.payload["number"] for record in page + rest] == [1, 2, 3, 4, 5]
    assert end is None
    (found,) = client.retrieve(name, [str(UUID(int=3))], with_vectors=["terms"], with_payload=["number"])
    assert found.payload == {"number": 3}
    assert found.vector == {"terms": qm.SparseVector(indices=[1, 13], values=[1.0, 2.0])}
    client.set_payload(name, {"kind": "c"}, points=FILTER, wait=True)
    client.set_payload(name, {"kind": "d"}, points=[str(UUID(int=5))], wait=True)
    kinds = [record.payload["kind"] for record in client.scroll(name, limit=9)[0] if record.payload]
    assert kinds == ["c", "c", "b", "b", "d"]
    client.delete(name, qm.PointIdsList(points=[str(UUID(int=1))]), wait=True)
    chosen = qm.Filter(
        must_not=[qm.HasIdCondition(has_id=[str(UUID(int=5))])],
        must=[qm.FieldCondition(key="number", range=qm.Range(gt=2))],
    )
    client.delete(name, qm.FilterSelector(filter=chosen), wait=True)
    assert client.count(name).count == 2
    assert client.delete_collection(name)
    assert not client.collection_exists(name)


def test_rankings_fusions_and_a_ranking_of_what_another_found(client: QdrantClient, name: str) -> None:
    client.upsert(name, [point(n) for n in range(1, 6)], wait=True)
    dense, terms = [1.0, 0.0, 0.0, 0.0], qm.SparseVector(indices=[14], values=[1.0])
    near = client.query_points(name, query=dense, using="dense", limit=2).points
    assert [hit.id for hit in near] == [str(UUID(int=n)) for n in (1, 2)]
    both = [
        qm.Prefetch(query=dense, using="dense", limit=5),
        qm.Prefetch(query=terms, using="terms", limit=5, filter=FILTER),
    ]
    fused = client.query_points(name, query=qm.FusionQuery(fusion=qm.Fusion.RRF), prefetch=both, limit=1).points
    assert fused[0].id == str(UUID(int=4))  # the only one that both found
    batch = client.query_batch_points(
        name,
        [
            qm.QueryRequest(query=terms, using="terms", limit=3, with_payload=True),
            qm.QueryRequest(query=dense, using="dense", limit=3, prefetch=both[1:]),
        ],
    )
    assert [[hit.id for hit in answer.points] for answer in batch] == [[str(UUID(int=4))]] * 2
    assert batch[0].points[0].payload == {"kind": "a", "number": 4}
    assert batch[1].points[0].score == pytest.approx(1 / 17**0.5, abs=1e-5)


def test_the_older_search_route(raw: httpx.Client, client: QdrantClient, name: str) -> None:
    client.upsert(name, [point(n) for n in range(1, 4)], wait=True)
    body = {"vector": {"name": "dense", "vector": [1, 0, 0, 0]}, "limit": 1, "with_payload": True}
    (hit,) = raw.post(f"/collections/{name}/points/search", json=body).json()["result"]
    assert hit["payload"]["number"] == 1


HOSTILE: list[tuple[str, str, Any, int]] = [
    ("PUT", "points", {"points": [{"id": 1, "vector": {"dense": [1.0]}}]}, 400),
    ("PUT", "points", {"points": [{"id": 1, "vector": {"other": [1.0] * 4}}]}, 400),
    ("PUT", "points", {"points": [{"id": 1, "vector": [1.0] * 4}]}, 400),
    ("PUT", "points", {"points": [{"id": 1, "vector": {"dense": [1e39, 0, 0, 0]}}]}, 400),
    ("PUT", "points", {"points": [{"id": -1, "vector": {}}]}, 400),
    ("PUT", "points", {"points": [{"id": 2**64, "vector": {}}]}, 400),
    ("PUT", "points", {"points": [{"id": "../x", "vector": {}}]}, 400),
    ("PUT", "points", {"points": [{"id": 1, "vector": {"terms": {"indices": [1, 2], "values": [1.0]}}}]}, 400),
    ("PUT", "points", {"points": [{"id": 1, "vector": {"terms": {"indices": [1, 1], "values": [1, 1]}}}]}, 400),
    ("PUT", "points", {"points": [{"id": 1, "vector": {"terms": {"indices": [2**32], "values": [1]}}}]}, 400),
    ("PUT", "points", {"points": [{"id": 1, "vector": {"dense": {"indices": [1], "values": [1]}}}]}, 400),
    ("PUT", "points", {"points": [{"id": 1, "vector": {"terms": [1.0] * 4}}]}, 400),
    ("PUT", "points", {"points": [{"id": 1, "vector": {}, "payload": {"a": 2**64}}]}, 400),
    ("PUT", "points", {"points": [], "surprise": 1}, 400),
    ("PUT", "points", b'{"points": [{"id": 1, "vector": {"dense": [NaN, 0, 0, 0]}}]}', 400),
    ("PUT", "points", b"[" * 100_000, 400),
    ("PUT", "points", b'{"points": "\xff"}', 400),
    ("POST", "points/query", {"query": [1.0], "using": "dense"}, 400),
    ("POST", "points/query", {"query": [1.0] * 4, "using": "nothing"}, 400),
    ("POST", "points/query", {"query": {"fusion": "rrf"}}, 400),
    ("POST", "points/query", {"query": {"fusion": "magic"}, "prefetch": {"query": [1.0] * 4, "using": "dense"}}, 400),
    ("POST", "points/query", {"query": [1.0] * 4, "using": "dense", "limit": 10**12}, 400),
    ("POST", "points/query", {"query": [1.0] * 4, "using": "dense", "limit": -1}, 400),
    ("POST", "points/query", {"filter": {"must": {"key": "a[", "match": {"value": 1}}}}, 400),
    ("POST", "points/query", {"filter": {"must": {"key": "a", "match": {"text": "w"}}}}, 400),
    ("POST", "points/query", {"filter": {"must": {"key": "a", "match": {"value": 2**70}}}}, 400),
    ("POST", "points/query", {"filter": {"must": {"key": "a", "match": {"any": ["x", 1]}}}}, 400),
    ("POST", "points/query", {"filter": {"must": {"key": "a"}}}, 400),
    ("POST", "points/count", {"filter": {"must": [{"has_id": ["no"]}]}}, 400),
    ("POST", "points/delete", {}, 400),
    ("POST", "points/delete", {"points": [1], "filter": {}}, 400),
    ("POST", "points/payload", {"payload": {"a": 1}}, 400),
    ("POST", "points/scroll", {"limit": 0}, 400),
    ("POST", "points", {"ids": ["x"]}, 400),
    ("PUT", "index", {"field_name": "a", "field_schema": "text"}, 400),
    ("PATCH", "", {}, 405),
    ("GET", "points/../../../etc", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), HOSTILE)
def test_what_cannot_be_done_is_refused_in_words(
    raw: httpx.Client, client: QdrantClient, empty: str, method: str, path: str, body: Any, status: int
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = raw.request(method, f"/collections/{empty}/{path}".rstrip("/"), content=content)
    assert answer.status_code == status, answer.text
    error = answer.json()["status"]["error"]
    assert error
    assert "Traceback" not in answer.text
    assert "internal" not in answer.text
    assert client.count(empty).count == 0


@pytest.mark.parametrize("bad", ["%2e%2e", "%2e", "a b", "a%2Fb", "a%00b", "x" * 129, "%2e%2e%2fx", "äö", ".making-x"])
def test_names_that_could_be_paths_are_refused(raw: httpx.Client, vectors_server: VectorsServer, bad: str) -> None:
    before = sorted(path.name for path in vectors_server.folder.rglob("*"))
    body = {"vectors": {"size": 4, "distance": "Cosine"}}
    for method in ("PUT", "GET", "DELETE"):
        answer = raw.request(method, f"/collections/{bad}", json=body if method == "PUT" else None)
        assert answer.status_code in (404, 422), bad
    assert sorted(path.name for path in vectors_server.folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({}, 400),
        ({"vectors": {"size": 0, "distance": "Cosine"}}, 422),
        ({"vectors": {"size": 10**6, "distance": "Cosine"}}, 422),
        ({"vectors": {"size": 4, "distance": "Far"}}, 400),
        ({"vectors": {"d": {"size": 4, "distance": "Cosine", "multivector_config": {}}}}, 422),
        ({"vectors": {"d": {"size": 4, "distance": "Dot"}}, "quantization_config": {"binary": {}}}, 400),
        ({"vectors": {"size": 4, "distance": "Dot"}, "sharding_method": "custom"}, 400),
    ],
)
def test_collections_that_it_cannot_keep_are_refused(raw: httpx.Client, config: Any, status: int) -> None:
    answer = raw.put("/collections/t_refused", json=config)
    assert answer.status_code == status, answer.text
    assert raw.get("/collections/t_refused").status_code == 404


def test_a_body_past_the_limit_is_refused_and_the_server_lives(raw: httpx.Client, empty: str) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * (1 << 20)

    answer = raw.put(f"/collections/{empty}/points", content=endless())
    assert answer.status_code == 413
    assert raw.get(f"/collections/{empty}").status_code == 200


# -- who may do what ------------------------------------------------------------------------------------------------


def test_nobody_without_a_key(vectors_server: VectorsServer) -> None:
    for headers in ({}, {b"api-key": b"x" * 33}, {b"authorization": b"Bearer no"}, {b"api-key": b"\xc3\xa9"}):
        answer = httpx.get(f"{vectors_server.url}/collections", headers=headers)
        assert answer.status_code == 401
    bearer = {"authorization": f"Bearer {vectors_server.key}"}
    assert httpx.get(f"{vectors_server.url}/collections", headers=bearer).status_code == 200


def test_tokens_open_what_they_name_and_nothing_else(vectors_server: VectorsServer, client: QdrantClient) -> None:
    mine, theirs = make(client, f"tenant_{uuid4().hex}"), make(client, f"tenant_{uuid4().hex}")
    token = vectors_server.token([{"collection": mine, "access": "rw"}, {"collection": f"{mine}_1", "access": "r"}])
    tenant = client_of(vectors_server, token)
    tenant.upsert(mine, [point(1)], wait=True)
    assert tenant.count(mine).count == 1
    assert tenant.create_payload_index(mine, "kind", qm.PayloadSchemaType.KEYWORD, wait=True)
    assert [one.name for one in tenant.get_collections().collections] == [mine]
    make(client, f"{mine}_1")
    for refused in (
        lambda: tenant.count(theirs),
        lambda: tenant.upsert(theirs, [point(1)]),
        lambda: tenant.get_collection(theirs),
        lambda: tenant.collection_exists(theirs),
        lambda: tenant.count(f"{theirs}_none"),
        lambda: tenant.upsert(f"{mine}_1", [point(1)]),
        lambda: tenant.delete_collection(mine),
        lambda: make(tenant, f"{mine}_2"),
    ):
        with pytest.raises(UnexpectedResponse) as error:
            refused()
        assert error.value.status_code == 403
    reader, manager = (client_of(vectors_server, vectors_server.token(access)) for access in ("r", "m"))
    assert reader.count(theirs).count == 0
    with pytest.raises(UnexpectedResponse):
        reader.upsert(theirs, [point(1)])
    assert manager.delete_collection(theirs)


@pytest.mark.parametrize(
    "claims",
    [
        {"access": "m", "exp": 1},
        {"access": "m", "exp": "never"},
        {"access": "w"},
        {"access": []} | {"value_exists": {"collection": "x", "matches": []}},
        {"access": [{"collection": "x", "access": "m"}]},
        {"access": [{"collection": "x", "access": "rw", "payload": {"a": 1}}]},
        {"access": [{"collection": "x", "access": "r"}, {"collection": "x", "access": "rw"}]},
    ],
)
def test_tokens_that_say_what_is_not_known_open_nothing(vectors_server: VectorsServer, claims: dict[str, Any]) -> None:
    token = jwt.encode(claims, vectors_server.key, algorithm="HS256")
    assert httpx.get(f"{vectors_server.url}/collections", headers={"api-key": token}).status_code == 401


def test_tokens_of_another_key_or_algorithm_open_nothing(vectors_server: VectorsServer) -> None:
    for token in (
        vectors_server.token("m", key="another-key-" * 4),
        jwt.encode({"access": "m"}, None, algorithm="none"),
        jwt.encode({"access": "m"}, vectors_server.key * 2, algorithm="HS512"),
    ):
        assert httpx.get(f"{vectors_server.url}/collections", headers={"api-key": token}).status_code == 401


# -- the process ----------------------------------------------------------------------------------------------------


def test_a_second_process_on_the_folder_is_told(vectors_server: VectorsServer) -> None:
    second = VectorsServer(vectors_server.folder)
    environment = second.environment | {"PATH": os.environ["PATH"]}
    done = subprocess.run(second.command, env=environment, capture_output=True, timeout=60)
    assert done.returncode != 0
    assert b"vectors_locked" in done.stderr


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"FROSTBYTE_VECTORS_LISTEN": "0.0.0.0:0"}, "key_missing"),
        ({"FROSTBYTE_VECTORS_API_KEY": "short"}, "settings_invalid"),
        ({"FROSTBYTE_VECTORS_CERT": "/nowhere.pem"}, "settings_invalid"),
        ({"FROSTBYTE_VECTORS_LISTEN": "nowhere"}, "settings_invalid"),
    ],
)
def test_it_does_not_start_open_or_half_told(environment: dict[str, str], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        load(environment)
    assert refused.value.code == code


def test_no_acknowledged_point_is_lost_by_kills(tmp_path: Path) -> None:
    """Four writers at once; the server is killed in the middle of it, four times."""
    server = VectorsServer(tmp_path / "s")
    server.start()
    make(client_of(server), "kept")
    promised: set[int] = set()
    stop = threading.Event()

    def write(first: int) -> None:
        client, number = client_of(server), first
        while not stop.is_set():
            try:
                client.upsert("kept", [point(number + at) for at in range(8)], wait=True)
            except Exception:  # killed: the same points again
                time.sleep(0.05)
                continue
            promised.update(range(number, number + 8))
            number += 8

    writers = [threading.Thread(target=write, args=(1 + at * 1_000_000,)) for at in range(4)]
    for writer in writers:
        writer.start()
    for _ in range(4):
        time.sleep(0.7)
        server.kill()
        server.start()
    time.sleep(0.5)
    stop.set()
    for writer in writers:
        writer.join()
    server.kill()
    server.start()
    try:
        client = client_of(server)
        ids = [str(UUID(int=number)) for number in sorted(promised)]
        found = {UUID(str(record.id)).int for record in client.retrieve("kept", ids)}
        assert len(promised) > 100
        assert found == promised
    finally:
        server.stop()


def test_what_was_deleted_leaves_the_segments_when_nobody_asks(client: QdrantClient, name: str) -> None:
    client.upsert(name, [point(n) for n in range(1, 6)], wait=True)
    client.delete(name, qm.PointIdsList(points=[str(UUID(int=1))]), wait=True)
    assert client.get_collection(name).status == "yellow"
    deadline = time.monotonic() + 20
    while client.get_collection(name).status != "green":
        assert time.monotonic() < deadline
        time.sleep(0.7)
    assert client.count(name).count == 4
