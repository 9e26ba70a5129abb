"""The model in memory: texts become token ids, token ids become vectors of unit length.

Token ids are made here, with BERT's own rules, and not by the runtime: so the length is known before anything is
computed, and a text that is too long is refused instead of being cut or failing in the middle of others.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from frostbyte.adapters.embeddings.gguf.header import Header, read_header
from frostbyte.kernel.errors import FrostbyteError, Invalid, Kind

Ids = Sequence[int]
Matrix = npt.NDArray[np.float32]
"""One row a text."""

BATCH_TOKENS: Final = 256
"""Tokens in one call of the runtime, unless one text alone has more: what somebody else waits for at most."""
CHARACTERS_A_TOKEN: Final = 64
"""A text of more characters than so many a token is refused unread: blanks and endless words cost time, no tokens."""
_SLOTS: Final = 1
"""Texts that pass through the model at the same time. With more, a text's vector depends on its neighbours (cosine
0.9999), and on a processor nothing is gained by it (ADR 66)."""
_PROBE: Final = "frost 1"
_CHUNK: Final = 1 << 20


class ModelFailed(FrostbyteError):
    """The runtime gave no usable vector: the caller may try again, nothing is ever answered in its place."""

    kind = Kind.UNAVAILABLE

    def __init__(self, why: str) -> None:
        super().__init__("model_failed", f"The model gave no usable vector: {why}.", "Try again; see its log.")


class Lane:
    """One copy of the runtime on one thread. Lanes share nothing but the file's pages in memory.

    Several threads on one text would meet at a barrier after every operation, which on a busy machine costs three
    times the processor time; several lanes never wait for each other.
    """

    def __init__(self, path: Path, header: Header, longest: int) -> None:
        import xllamacpp

        given = xllamacpp.CommonParams()
        given.model.path = str(path)
        given.embedding = True
        given.n_parallel = _SLOTS
        given.n_ubatch = given.n_batch = given.n_ctx = longest
        given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1
        given.n_threads_http = 1
        given.api_keys = [secrets.token_urlsafe(32)]  # it always opens a port on the loopback: nobody has its key
        given.ui = given.endpoint_slots = given.fit_params = given.warmup = False
        given.cache_ram_mib = 0
        given.verbosity = -1
        self._dimensions = header.dimensions
        try:
            self._server = xllamacpp.Server(given)
        except RuntimeError:
            raise Invalid(
                "model_unreadable",
                "The model file's header is right, but the runtime cannot load the rest.",
                "Compare its sha256 with the one it was published with, and see that there is memory for it.",
            ) from None

    def embed(self, texts: Sequence[Ids]) -> Matrix:
        """Vectors of unit length.

        Raises:
            ModelFailed: the runtime failed, or a vector is not finite, zero, or of another size.
        """
        try:
            said = self._server.handle_embeddings({"input": [list(ids) for ids in texts], "encoding_format": "base64"})
            rows = [_row(item["embedding"]) for item in sorted(said["data"], key=lambda item: item["index"])]
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise ModelFailed(type(error).__name__) from None
        if len(rows) != len(texts) or any(row.shape != (self._dimensions,) for row in rows):
            raise ModelFailed("another number of values than asked for")
        return unit(np.array(rows))


def _row(text: Any) -> Matrix:
    row: Matrix = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
    return row


def unit(rows: Matrix) -> Matrix:
    """Each row at length 1.

    Raises:
        ModelFailed: a row is zero or not finite.
    """
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(norms).all() or (norms < 1e-6).any():
        raise ModelFailed("it is zero or not finite")
    made: Matrix = (rows / norms).astype(np.float32)
    return made


class Model:
    """A loaded model.

    Attributes:
        header: what its file says.
        sha256: of its file, in hex.
        longest: most tokens in a text, both marks included.
        lanes: what computes; each may work at the same time as the others.
    """

    def __init__(self, header: Header, sha256: str, longest: int, lanes: Sequence[Lane]) -> None:
        from tokenizers import Tokenizer, normalizers, pre_tokenizers
        from tokenizers.models import WordPiece

        self.header = header
        self.sha256 = sha256
        self.longest = longest
        self.lanes = tuple(lanes)
        ids = {token: number for number, token in enumerate(header.vocabulary)}
        self._tokenizer = Tokenizer(WordPiece(ids, unk_token=header.vocabulary[header.unknown]))
        self._tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def tokens(self, text: str) -> list[int] | None:
        """The text's ids between the two marks; None if it is too long."""
        if len(text) > self.longest * CHARACTERS_A_TOKEN:
            return None
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [self.header.first, *ids, self.header.last] if len(ids) <= self.longest - 2 else None

    def known(self, ids: Ids) -> bool:
        """Whether all ids are of the vocabulary."""
        return min(ids) >= 0 and max(ids) < len(self.header.vocabulary)


def load(path: Path, *, sha256: str = "", longest: int = 2048, lanes: int = 1) -> Model:
    """Load a model, and see that it answers.

    Args:
        path: the GGUF file.
        sha256: what its bytes must hash to, in hex; '' for whatever they are.
        longest: most tokens in a text; the model's own limit holds as well.
        lanes: threads that compute at the same time.

    Raises:
        Invalid: `model_unreadable`, `model_unsupported` or `model_changed`.
        ModelFailed: it loads and does not work.
    """
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")  # else a debugger is called when the runtime ends in an assertion
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    header = read_header(path)
    found = _sha256(path)
    if sha256 and found != sha256.lower():
        raise Invalid(
            "model_changed",
            "The model file is not the one whose sha256 is set.",
            "Fetch the file again, or set FROSTBYTE_MODEL_SHA256 to the sha256 that its publisher names.",
        )
    longest = min(longest, header.context)
    model = Model(header, found, longest, [Lane(path, header, longest) for _ in range(lanes)])
    for lane in model.lanes:
        lane.embed([model.tokens(_PROBE) or []])
    return model


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            found.update(data)
    return found.hexdigest()
