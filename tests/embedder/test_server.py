"""`frostbyte serve embedder` as a process: what it answers, what it refuses, and that it comes back."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from frostbyte.bootstrap.embedder import processors, settings_from
from frostbyte.kernel.errors import Invalid
from servers.embedder import MODEL, EmbedderServer
from servers.process import free_port
from servers.tiny_model import TinyModel

pytestmark = pytest.mark.slow

SECRET = "do-not-tell-this-word"


@pytest.fixture(scope="module")
def server(servers_folder: Path) -> Iterator[EmbedderServer]:
    settings = {"FROSTBYTE_EMBEDDER_MAX_TOKENS": "512", "FROSTBYTE_EMBEDDER_MAX_WAITING_TOKENS": "20000"}
    with EmbedderServer(servers_folder / "embedder", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: EmbedderServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=20) as made:
        yield made


def ask(client: httpx.Client, given: Any, **more: Any) -> httpx.Response:
    return client.post("/v1/embeddings", json={"model": MODEL, "input": given} | more)


def vectors(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert [item["index"] for item in data] == list(range(len(data)))
    return [np.array(item["embedding"]) for item in data]


def test_it_answers_in_openais_shape(server: EmbedderServer, client: httpx.Client) -> None:
    tiny = TinyModel()
    answer = ask(client, "the cold store", user="somebody")
    body = answer.json()
    assert body["object"] == "list"
    assert body["model"] == MODEL
    assert body["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert body["data"][0]["object"] == "embedding"
    assert float(vectors(answer)[0] @ tiny.vector(tiny.ids("the cold store"))) > 0.999
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert health["model"] == MODEL
    assert health["dimensions"] == tiny.dimensions
    assert health["sha256"] == body["model_sha256"]
    assert health["max_tokens"] == 512


def test_texts_token_ids_and_both_routes_say_the_same(client: httpx.Client) -> None:
    ids = TinyModel().ids("frost byte")
    [one] = vectors(ask(client, "frost byte"))
    [other] = vectors(client.post("/embeddings", json={"model": MODEL, "input": ["frost byte"]}))
    many = vectors(ask(client, [ids, ids]))
    mixed = vectors(ask(client, ["frost byte", ids]))
    for vector in (other, *vectors(ask(client, ids)), *many, *mixed):
        assert vector == pytest.approx(one, abs=1e-6)


def test_base64_holds_the_same_numbers(client: httpx.Client) -> None:
    [plain] = vectors(ask(client, "frost", dimensions=32))
    packed = ask(client, "frost", encoding_format="base64").json()["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(packed), "<f4").tolist() == pytest.approx(plain.tolist(), abs=1e-7)


def test_openais_own_limits_and_lists(client: httpx.Client) -> None:
    assert len(vectors(ask(client, ["x"] * 2048))) == 2048
    assert ask(client, ["x"] * 2049).json()["error"]["code"] == "too_many_texts"


REFUSED: dict[str, tuple[Any, int, str]] = {
    "no body": (b"", 422, "request_invalid"),
    "not json": (b"<x>", 422, "request_invalid"),
    "not utf-8": (b'{"model": "\xff"}', 422, "request_invalid"),
    "too deep": (b"[" * 50_000, 422, "request_invalid"),
    "a list": (b"[]", 422, "request_invalid"),
    "no model": ({"input": SECRET}, 422, "request_invalid"),
    "no input": ({"model": MODEL}, 422, "request_invalid"),
    "another model": ({"model": "text-embedding-3-small", "input": SECRET}, 404, "model_not_found"),
    "an empty list": ({"model": MODEL, "input": []}, 422, "request_invalid"),
    "an empty list of ids": ({"model": MODEL, "input": [[]]}, 422, "request_invalid"),
    "null": ({"model": MODEL, "input": None}, 422, "request_invalid"),
    "a number": ({"model": MODEL, "input": 7}, 422, "request_invalid"),
    "fractions": ({"model": MODEL, "input": [1.5]}, 422, "request_invalid"),
    "an object": ({"model": MODEL, "input": {SECRET: SECRET}}, 422, "request_invalid"),
    "ids and texts mixed": ({"model": MODEL, "input": [SECRET, 3]}, 422, "request_invalid"),
    "an id too far": ({"model": MODEL, "input": [[2, 30_000, 3]]}, 422, "request_invalid"),
    "a negative id": ({"model": MODEL, "input": [-1]}, 422, "request_invalid"),
    "an endless id": (f'{{"model": "{MODEL}", "input": [1{"0" * 400}]}}'.encode(), 422, "request_invalid"),
    "another format": ({"model": MODEL, "input": SECRET, "encoding_format": SECRET}, 422, "request_invalid"),
    "fewer dimensions": ({"model": MODEL, "input": SECRET, "dimensions": 16}, 422, "dimensions_unsupported"),
    "a text too long": ({"model": MODEL, "input": ["x", "frost " * 600]}, 413, "input_too_long"),
    "ids too long": ({"model": MODEL, "input": [[5] * 600]}, 413, "input_too_long"),
    "endless blanks": ({"model": MODEL, "input": " " * 100_000}, 413, "input_too_long"),
    "too many tokens": ({"model": MODEL, "input": ["frost " * 400] * 60}, 413, "too_many_tokens"),
    "a body too long": ({"model": MODEL, "input": "x" * 5_000_000}, 413, "body_too_large"),
    "a lone surrogate": (b'{"model": "m", "input": "\\ud800"}', 422, "request_invalid"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_answered_is_refused_with_its_reason(
    name: str, server: EmbedderServer, client: httpx.Client
) -> None:
    body, status, code = REFUSED[name]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post("/v1/embeddings", content=data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]
    assert SECRET not in answer.text + server.log
    assert len(vectors(ask(client, "frost"))) == 1


def test_other_routes_and_methods(client: httpx.Client) -> None:
    assert client.get("/nowhere").json()["error"]["code"] == "route_not_found"
    assert client.get("/v1/embeddings").json()["error"]["code"] == "method_not_allowed"


def test_many_at_once_get_their_own_answers(client: httpx.Client) -> None:
    words = ("frost", "byte", "cold", "store", "lease", "notice", "period", "vaccine")
    alone = {word: vectors(ask(client, word))[0] for word in words}

    def one(number: int) -> float:
        chosen = [words[(number + step) % 8] for step in range(1 + number % 5)]
        made = vectors(ask(client, chosen))
        return min(float(vector @ alone[word]) for vector, word in zip(made, chosen, strict=True))

    with ThreadPoolExecutor(16) as threads:
        assert min(threads.map(one, range(200))) > 0.9999
    metrics = client.get("/metrics").text
    batches = float(metrics.split("frostbyte_embedder_batch_texts_count ")[1].split()[0])
    texts = float(metrics.split("frostbyte_embedder_batch_texts_sum ")[1].split()[0])
    assert texts / batches > 1.1  # they did meet


def test_a_client_that_goes_away_is_not_computed_for(server: EmbedderServer, client: httpx.Client) -> None:
    body = json.dumps({"model": MODEL, "input": ["frost " * 250] * 70}).encode()
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    before = client.get("/metrics").text.split('answers_total{status="499"}')[0]
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", server.port)) as one:
            one.sendall(head + body)
    assert len(vectors(ask(client, "frost"))) == 1
    assert client.get("/health").json()["waiting_tokens"] < 70 * 250 * 4
    assert before is not None
    assert server.running


def test_half_requests_do_no_harm(server: EmbedderServer, client: httpx.Client) -> None:
    for data in (
        b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{",
        b"\x16\x03\x01\x00\xff" * 9,
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as one:
            one.sendall(data)
    assert len(vectors(ask(client, "frost"))) == 1
    assert "internal_error" not in server.log


def test_killed_and_started_again_it_answers_the_same(server: EmbedderServer, client: httpx.Client) -> None:
    before = vectors(ask(client, "cold store"))[0]
    with ThreadPoolExecutor(4) as threads:
        under_way = [threads.submit(ask, client, ["frost " * 200] * 40) for _ in range(4)]
        server.kill()
        ends = [future.exception() or future.result().status_code for future in under_way]
    assert all(end in (200, 429) or isinstance(end, httpx.HTTPError) for end in ends), ends
    server.start()
    assert vectors(ask(client, "cold store"))[0].tolist() == before.tolist()


def test_asked_to_stop_it_finishes_its_answers_and_leaves_nothing(server: EmbedderServer, client: httpx.Client) -> None:
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(ask, client, ["frost " * 250] * 60)
        while client.get("/metrics").text.count("frostbyte_embedder_waiting_tokens 0.0") and not under_way.done():
            pass
        os.kill(server.pid, signal.SIGTERM)
        assert under_way.result().status_code == 200
    server.stop()
    assert "Stopped." in server.log
    server.start()


def test_a_key_is_asked_for_where_one_is_set(servers_folder: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k" * 40 + "\n")
    settings = {"FROSTBYTE_EMBEDDER_API_KEY_FILE": str(key)}
    with EmbedderServer(servers_folder / "keyed", **settings) as server, httpx.Client(base_url=server.url) as client:
        for header in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "k" * 40},
            {"authorization": "Bearer ü"},
        ):
            answer = client.post(
                "/v1/embeddings",
                json={"model": MODEL, "input": "x"},
                headers=[(b"authorization", v.encode()) for v in header.values()],
            )
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
        answer = client.post(
            "/embeddings", json={"model": MODEL, "input": "x"}, headers={"authorization": f"Bearer {'k' * 40}"}
        )
        assert answer.status_code == 200
        assert "k" * 40 not in server.log
        assert client.get("/health").status_code == 200


def test_it_says_what_keeps_it_from_starting(tiny_file: Path) -> None:
    environment = {
        "FROSTBYTE_MODEL_FILE": str(tiny_file),
        "FROSTBYTE_MODEL_SHA256": "0" * 64,
        "FROSTBYTE_EMBEDDER_LISTEN": f"127.0.0.1:{free_port()}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "frostbyte", "serve", "embedder"],
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"} | environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert "not the one whose sha256 is set" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "FROSTBYTE_MODEL_FILE"),
        ({"FROSTBYTE_MODEL_SHA256": "abc"}, "FROSTBYTE_MODEL_SHA256"),
        ({"FROSTBYTE_EMBEDDER_CERT": "/x"}, "FROSTBYTE_EMBEDDER_CERT_KEY"),
        ({"FROSTBYTE_EMBEDDER_LANES": "0"}, "FROSTBYTE_EMBEDDER_LANES"),
        ({"FROSTBYTE_EMBEDDER_API_KEY_FILE": "/nowhere"}, "FROSTBYTE_EMBEDDER_API_KEY_FILE"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(settings: dict[str, str], named: str) -> None:
    with pytest.raises(Invalid) as refused:
        settings_from((settings and {"FROSTBYTE_MODEL_FILE": "/m.gguf"}) | settings)
    assert named in refused.value.message


def test_a_containers_quota_bounds_the_lanes(tmp_path: Path) -> None:
    here = processors(tmp_path / "none")
    for text, lanes in (("100000 100000", 1), ("50000 100000", 1), ("max 100000", here), ("6400000 100000", here)):
        (tmp_path / "cpu.max").write_text(text)
        assert processors(tmp_path) == lanes


def test_the_quota_of_an_older_kernel_bounds_them_too(tmp_path: Path) -> None:
    """A lane takes 330 MB: one for each of a large host's processors would be more than the container may have."""
    here = processors(tmp_path / "none")
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    for quota, lanes in (("100000", 1), ("50000", 1), ("-1", here), ("6400000", here)):
        (tmp_path / "cpu/cpu.cfs_quota_us").write_text(f"{quota}\n")
        assert processors(tmp_path) == lanes


def test_it_loads_nothing_of_a_plane() -> None:
    """The image of the embedder holds only what it needs: no database, no parsers, no vector engine."""
    code = (
        "import sys\nfrom frostbyte.cli import app\nfrom frostbyte.api.embedder import app\n"
        "bad = {'psycopg', 'fastapi', 'pydantic', 'onnxruntime', 'qdrant_edge', 'pypdfium2', 'lxml', 'celery',\n"
        "       'obstore', 'tesserocr', 'cryptography', 'httpx'} & set(sys.modules)\nassert not bad, bad\n"
        "ours = [name for name in sys.modules if name.startswith('frostbyte.data_plane')]\nassert not ours, ours"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
