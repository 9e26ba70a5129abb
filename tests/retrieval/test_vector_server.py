"""The adapter for a Qdrant server: what it asks, what it makes of trouble, and whose collections it sees."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from qdrant_client import models as qm

from frostbyte.adapters.collections import TwoCollections
from frostbyte.adapters.qdrant import answers, server
from frostbyte.adapters.qdrant.answers import connect
from frostbyte.adapters.qdrant.names import REACH, collection, own, within_reach
from frostbyte.adapters.qdrant.server import ServerVectors, made_for
from frostbyte.adapters.qdrant.tenant import QdrantServer
from frostbyte.api.vectors import bodies
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec, Point, Scope, SparseVector
from servers.process import free_port
from servers.vectors import VectorsServer

pytestmark = pytest.mark.slow

SPEC = CollectionSpec(model="m", version="1", dimensions=4)
NOTHING = SparseVector(indices=(), values=())


def point(number: int, doc: int = 1) -> Point:
    terms = SparseVector(indices=(number,), values=(1.0,))
    return Point(
        chunk_id=UUID(int=number), doc_id=UUID(int=doc), generation="g", dense=[1.0, number, 0.0, 0.0], sparse=terms
    )


# -- names ----------------------------------------------------------------------------------------------------------

NAME = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)


@given(mine=NAME, theirs=NAME, numbers=st.lists(st.integers(0, 99), max_size=5))
def test_no_tenant_takes_anothers_collection_for_its_own(mine: str, theirs: str, numbers: list[int]) -> None:
    names = [collection(theirs, str(number) if number else "") for number in numbers]
    found = own(mine, names)
    assert found == ([str(number) if number else "" for number in numbers] if mine == theirs else [])


def test_a_token_reaches_the_first_collection_and_those_of_rebuilds() -> None:
    assert within_reach("acme")[:3] == ["tenant_acme", "tenant_acme_1", "tenant_acme_2"]
    assert len(set(within_reach("acme"))) == REACH
    assert own("acme", [*within_reach("acme"), "tenant_acme_x", "tenant_acmes", "other"]) == [
        "" if not number else str(number) for number in range(REACH)
    ]


# -- what is asked --------------------------------------------------------------------------------------------------

SCOPES = st.builds(
    Scope,
    doc_ids=st.none() | st.lists(st.uuids(), min_size=1, max_size=3).map(tuple),
    labels=st.none() | st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3).map(tuple),
    received_from=st.none() | st.floats(0, 2e9),
    received_to=st.none() | st.floats(0, 2e9),
)


@given(scope=SCOPES)
def test_every_bound_of_a_scope_reaches_the_server(scope: Scope) -> None:
    sent = server.inside(scope)
    if sent is None:
        assert scope == Scope()
        return
    read = msgspec.json.decode(sent.model_dump_json(exclude_none=True).encode(), type=bodies.Filter)
    assert isinstance(read.must, list)
    by_key: dict[str, Any] = {condition.key: condition for condition in read.must}
    assert len(by_key) == len(read.must)
    if scope.doc_ids is not None:
        assert by_key["doc_id"].match.any == [str(one) for one in scope.doc_ids]
    if scope.labels is not None:
        assert by_key["labels"].match.any == list(scope.labels)
    bounds = by_key["received"].range if "received" in by_key else bodies.Range()
    assert (bounds.gte, bounds.lte) == (scope.received_from, scope.received_to)


def test_a_collection_is_made_for_erasure_and_for_memory() -> None:
    made = made_for(SPEC)
    assert made["vectors_config"]["dense"].on_disk
    assert made["optimizers_config"].deleted_threshold < 0.01
    assert made["metadata"] == {
        "frostbyte": {"model": "m", "version": "1", "dimensions": 4, "window": 256, "pieces": False}
    }


def test_pieces_are_kept_on_the_disk_without_copies_or_a_graph() -> None:
    kinds = made_for(replace(SPEC, pieces=True))["vectors_config"]
    assert kinds["dense"].quantization_config
    assert kinds["pieces"].on_disk
    assert kinds["pieces"].hnsw_config.m == 0
    assert kinds["pieces"].quantization_config is None
    assert "quantization_config" not in made_for(replace(SPEC, pieces=True))
    assert made_for(CollectionSpec(model="none", version="1", dimensions=0))["vectors_config"] == {}


def test_a_search_is_one_exchange(vectors_server: VectorsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(vectors_server.url, key=vectors_server.key)
    store = ServerVectors(client, f"test_{uuid4().hex}")
    store.ensure(SPEC)
    store.upsert([point(n) for n in range(1, 9)])
    sent: list[str] = []
    through = httpx.HTTPTransport.handle_request

    def seen(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        return through(transport, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", seen)
    hits = store.search([1.0, 0, 0, 0], SparseVector(indices=(7,), values=(1.0,)), limit=8)
    assert len(hits) == 8
    assert all(hit.similarity is not None for hit in hits)
    assert [path.rsplit("/", 1)[1] for path in sent] == ["batch"]
    client.close()


# -- trouble --------------------------------------------------------------------------------------------------------


def test_a_collection_of_others_is_not_written_into(vectors_server: VectorsServer) -> None:
    client = connect(vectors_server.url, key=vectors_server.key)
    name = f"test_{uuid4().hex}"
    client.create_collection(name, **(made_for(SPEC) | {"metadata": {"made": "by others"}}))
    client.upsert(name, [qm.PointStruct(id=1, vector={})], wait=True)
    with pytest.raises(Unavailable, match="which model"):
        ServerVectors(client, name).ensure(SPEC)
    client.close()


def test_a_server_without_metadata_keeps_the_pin_in_a_point_that_nobody_finds(
    vectors_server: VectorsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qdrant before 1.16, or a collection that was made empty for the plane."""
    old = made_for(SPEC)
    del old["metadata"]
    monkeypatch.setattr(server, "made_for", lambda spec: old)
    client = connect(vectors_server.url, key=vectors_server.key)
    name = f"test_{uuid4().hex}"
    store = ServerVectors(client, name)
    store.ensure(SPEC)
    assert store.count() == 0
    store.upsert([point(1), point(2)])
    again = ServerVectors(client, name)
    assert again.spec == SPEC
    again.ensure(SPEC)
    assert again.count() == 2
    everything = SparseVector(indices=tuple(range(9)), values=(1.0,) * 9)
    assert {hit.chunk_id.int for hit in again.search([1.0, 0, 0, 0], everything, limit=9)} == {1, 2}
    with pytest.raises(Conflict, match="made by"):
        again.ensure(CollectionSpec(model="other", version="1", dimensions=4))
    client.close()


def test_a_token_that_may_not_is_told_which_setting(vectors_server: VectorsServer) -> None:
    name = f"test_{uuid4().hex}"
    token = vectors_server.token([{"collection": name, "access": "rw"}])
    tenant = ServerVectors(connect(vectors_server.url, key=token), name)
    assert tenant.spec is None
    with pytest.raises(Unavailable) as refused:
        tenant.ensure(SPEC)  # making collections is for whoever provisions
    assert refused.value.code == "vectors_refused"
    assert "FROSTBYTE_VECTORS_API_KEY" in refused.value.remedy
    ServerVectors(connect(vectors_server.url, key=vectors_server.key), name).ensure(SPEC)
    tenant.ensure(SPEC)
    tenant.upsert([point(1)])
    assert tenant.count() == 1

    def write(store: ServerVectors) -> None:
        store.ensure(SPEC)
        store.upsert([point(1)])

    for key in ("", "x" * 40, vectors_server.token("r")):
        other = ServerVectors(connect(vectors_server.url, key=key), name)
        with pytest.raises(Unavailable) as refused:
            write(other)
        assert refused.value.code == "vectors_refused"


def test_a_tenant_sees_and_sweeps_its_own_collections_alone(vectors_server: VectorsServer) -> None:
    tenant_id = uuid4().hex
    admin = connect(vectors_server.url, key=vectors_server.key)
    theirs = collection(tenant_id[:-1])
    for name in (*(collection(tenant_id, one) for one in ("", "1", "2")), theirs):
        ServerVectors(admin, name).ensure(SPEC)
        ServerVectors(admin, name).upsert([point(1)])
    mine = QdrantServer(connect(vectors_server.url, key=vectors_server.key), tenant_id)
    assert sorted(mine.names()) == ["", "1", "2"]
    stores = TwoCollections(mine.open, mine.remove, serving="2", listed=mine.names, release=mine.close)
    stores.sweep(("2", ""))
    assert mine.names() == ["2"]
    reach = [{"collection": name, "access": "rw"} for name in within_reach(tenant_id)]
    ServerVectors(admin, collection(tenant_id, "3")).ensure(SPEC)
    ServerVectors(admin, collection(tenant_id, "3")).upsert([point(1)])
    limited = QdrantServer(connect(vectors_server.url, key=vectors_server.token(reach)), tenant_id)
    assert sorted(limited.names()) == ["2", "3"]
    limited.remove("3")  # it may not remove the collection, so it empties it
    assert limited.open("3").count() == 0
    assert limited.open("2").count() == ServerVectors(admin, theirs).count() == 1
    stores.close()
    limited.close()
    admin.close()


class Flaky(BaseHTTPRequestHandler):
    """Answers as the list says, one a request."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, bytes] | None]] = []
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        answer = self.answers.pop(0)
        if answer is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(answer[1])))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer[1])

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ServerVectors, type[Flaky]]]:
    monkeypatch.setattr(answers, "WAITS", (0.01, 0.02))
    Flaky.asked, Flaky.answers = 0, []
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    client = connect(f"http://127.0.0.1:{httpd.server_address[1]}")
    yield ServerVectors(client, "x"), Flaky
    client.close()
    httpd.shutdown()
    httpd.server_close()
    thread.join()


ABSENT = json.dumps({"status": {"error": "Not found: Collection `x` doesn't exist!"}}).encode()


def test_a_lost_connection_is_tried_again_a_few_times(flaky: tuple[ServerVectors, type[Flaky]]) -> None:
    store, said = flaky
    said.answers = [None, None, (404, ABSENT)]
    assert store.spec is None
    assert said.asked == 3
    said.answers = [None, None, None]
    with pytest.raises(Unavailable) as refused:
        store.spec  # noqa: B018
    assert refused.value.code == "vectors_unavailable"


@pytest.mark.parametrize(
    "answer",
    [(500, b"{}"), (503, b""), (429, b"{}"), (507, b"{}"), (200, b"<html>"), (200, b'{"result": {}, "status": "ok"}')],
)
def test_what_is_no_usable_answer_is_an_outage_and_not_asked_again(
    flaky: tuple[ServerVectors, type[Flaky]], answer: tuple[int, bytes]
) -> None:
    store, said = flaky
    said.answers = [answer] * 3
    with pytest.raises(Unavailable) as refused:
        store.spec  # noqa: B018
    assert refused.value.code == "vectors_unavailable"
    assert said.asked == 1


def test_nobody_there_is_said_soon_and_without_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "WAITS", (0.01, 0.02))
    port = free_port()
    store = ServerVectors(connect(f"http://127.0.0.1:{port}", key="a-secret-that-nobody-sees"), "x")
    for ask in (lambda: store.ensure(SPEC), lambda: store.count(), lambda: store.delete_document(UUID(int=1))):
        began = time.monotonic()
        with pytest.raises(Unavailable) as refused:
            ask()
        assert time.monotonic() - began < 5
        assert refused.value.code == "vectors_unavailable"
        assert str(port) not in refused.value.message
        assert "secret" not in refused.value.message + refused.value.remedy


def test_grpc_that_nobody_answers_is_an_outage_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "WAITS", (0.01, 0.02))
    client = connect("http://127.0.0.1:1", key="k", grpc_port=free_port())
    with pytest.raises(Unavailable) as refused:
        ServerVectors(client, "x").count()
    assert refused.value.code == "vectors_unavailable"
    client.close()
