"""Both embedders answer alike; a server's bad answers become one error that says nothing of the text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from frostbyte.adapters.embeddings import minilm
from frostbyte.adapters.embeddings.minilm import MiniLm
from frostbyte.adapters.embeddings.openai import OpenAiEmbedder
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.embedder import Embedder

SECRET = "Zanzibar-4711"
KEY = "key-of-the-bench"
Handler = Callable[[httpx.Request], httpx.Response]


def numbers(text: str) -> list[float]:
    """A vector that depends on the text."""
    return [1.0 + len(text), float(sum(map(ord, text)) % 97), 3.0, 0.5]


def honest(request: httpx.Request) -> httpx.Response:
    texts = json.loads(request.content)["input"]
    items = [{"index": at, "embedding": numbers(text)} for at, text in enumerate(texts)]
    return httpx.Response(200, json={"object": "list", "data": items[::-1], "usage": {"total_tokens": 3}})


def server(handler: Handler = honest, *, model: str = "small", remote: bool = False) -> OpenAiEmbedder:
    return OpenAiEmbedder(
        endpoint="http://embedder.example/embeddings",
        model=model,
        dimensions=4,
        api_key=KEY,
        remote=remote,
        transport=httpx.MockTransport(handler),
    )


@pytest.fixture(params=["minilm", "openai"], scope="module")
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return MiniLm() if request.param == "minilm" else server()


def test_one_unit_vector_a_text_in_the_order_of_the_texts(embedder: Embedder) -> None:
    texts = ["a long passage about the terms of payment " * 4, "short", "another passage about cats"]
    together = embedder.documents(texts)
    assert [len(vector) for vector in together] == [embedder.spec.dimensions] * 3
    for text, vector in zip(texts, together, strict=True):
        assert math.isclose(sum(value * value for value in vector), 1.0, rel_tol=1e-4)
        [alone] = embedder.documents([text])
        likeness = sum(a * b for a, b in zip(vector, alone, strict=True))
        assert likeness > 0.98, "a text's vector must not depend on its neighbours"


def test_nothing_to_embed_gives_nothing(embedder: Embedder) -> None:
    assert embedder.documents([]) == []


def test_a_question_has_a_vector_of_the_same_kind(embedder: Embedder) -> None:
    vector = embedder.query("what are the terms of payment")
    assert len(vector) == embedder.spec.dimensions
    assert embedder.query("what are the terms of payment") == vector


def test_what_is_pinned_names_the_model(embedder: Embedder) -> None:
    assert embedder.spec.model
    assert embedder.spec.version
    assert embedder.label
    assert embedder.remote is False


def test_the_local_model_knows_what_a_question_is_about() -> None:
    embedder = MiniLm()
    money, animals = embedder.documents(["Invoices are payable within thirty days.", "The cat sleeps on the sofa."])
    question = embedder.query("When do I have to pay the bill?")
    assert sum(a * b for a, b in zip(question, money, strict=True)) > sum(
        a * b for a, b in zip(question, animals, strict=True)
    )


def test_a_longer_text_than_the_model_reads_is_cut_and_not_refused() -> None:
    [vector] = MiniLm().documents(["word " * 5000])
    assert all(math.isfinite(value) for value in vector)


@pytest.mark.parametrize("what", ["model", "tokenizer"])
def test_other_weights_than_ours_are_refused(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package, file, _ = minilm._FILES[what]
    monkeypatch.setitem(minilm._FILES, what, (package, file, "0" * 64))
    with pytest.raises(Unavailable) as refused:
        MiniLm().query("x")
    assert refused.value.code == "embedder_unavailable"


def test_missing_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(minilm._FILES, "model", ("no_such_package_here", "model.onnx", "0" * 64))
    with pytest.raises(Unavailable, match="missing"):
        MiniLm().documents(["x"])


# -- what is sent ----------------------------------------------------------------------------------------------------


def sent(*, model: str = "small", remote: bool = False) -> tuple[dict[str, Any], dict[str, Any], httpx.Request]:
    """The bodies of a document's and a question's request, and the last request."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return honest(request)

    embedder = server(handler, model=model, remote=remote)
    embedder.documents(["passage"])
    embedder.query("question")
    return json.loads(seen[0].content), json.loads(seen[1].content), seen[1]


def test_nomic_models_get_their_task_prefixes() -> None:
    document, question, _ = sent(model="nomic-embed-text-v1.5")
    assert document["input"] == ["search_document: passage"]
    assert question["input"] == ["search_query: question"]


def test_other_models_get_the_text_as_it_is() -> None:
    document, question, request = sent(model="text-embedding-3-small")
    assert document == {"model": "text-embedding-3-small", "input": ["passage"]}
    assert question["input"] == ["question"]
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_remote_model_is_asked_for_the_dimensions_that_are_pinned() -> None:
    document, _, _ = sent(remote=True)
    assert document["dimensions"] == 4
    assert server(remote=True).label == "small (remote)"


# -- what comes back -------------------------------------------------------------------------------------------------


def data(*items: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": list(items)})


def item(index: Any = 0, embedding: Any = (1.0, 0.0, 0.0, 0.0)) -> dict[str, Any]:
    return {"index": index, "embedding": embedding if not isinstance(embedding, tuple) else list(embedding)}


HOSTILE: dict[str, httpx.Response] = {
    "no json": httpx.Response(200, text=f"<html>{SECRET}</html>"),
    "another json": httpx.Response(200, json={"error": SECRET}),
    "data is text": httpx.Response(200, json={"data": SECRET}),
    "empty": httpx.Response(200),
    "none": data(),
    "two for one": data(item(), item(1)),
    "the same twice": data(item(), item()),
    "another index": data(item(5)),
    "a negative index": data(item(-1)),
    "index as text": data(item("0")),
    "too short": data(item(embedding=[1.0])),
    "too long": data(item(embedding=[1.0] * 5)),
    "zero": data(item(embedding=[0.0] * 4)),
    "nulls": data(item(embedding=[None] * 4)),
    "words": data(item(embedding=[SECRET] * 4)),
    "not a number": httpx.Response(200, content=b'{"data":[{"index":0,"embedding":[NaN,0,0,0]}]}'),
    "infinite": httpx.Response(200, content=b'{"data":[{"index":0,"embedding":[1e400,0,0,0]}]}'),
    "overflowing": data(item(embedding=[1e200] * 4)),
    "refused": httpx.Response(401, json={"error": {"message": f"bad key {KEY} for {SECRET}"}}),
    "too many": httpx.Response(429, text=SECRET),
    "broken": httpx.Response(500, text=SECRET),
    "elsewhere": httpx.Response(302, headers={"location": "http://other.example/"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_unusable_answer_is_one_error_that_says_nothing_of_the_text(name: str) -> None:
    embedder = server(lambda request: HOSTILE[name])
    for ask in (lambda: embedder.documents([SECRET]), lambda: embedder.query(SECRET)):
        with pytest.raises(Unavailable) as refused:
            ask()
        says_nothing(refused.value)


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.DecodingError]
)
def test_an_unreachable_server_is_the_same_error(error: type[httpx.RequestError]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error(f"while sending {SECRET} with {KEY}", request=request)

    with pytest.raises(Unavailable) as refused:
        server(handler).documents([SECRET])
    says_nothing(refused.value)
    assert error.__name__ in refused.value.message


def says_nothing(error: Unavailable) -> None:
    """Neither the error nor what it hangs on carries text or key."""
    assert error.code == "embedder_unavailable"
    assert error.remedy
    said = f"{error!r} {error} {error.message} {error.remedy}"
    assert SECRET not in said
    assert KEY not in said
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
