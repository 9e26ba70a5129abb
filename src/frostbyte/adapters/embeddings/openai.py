"""Any server that speaks OpenAI's `/embeddings`: the tenant's own nomic-embed, or a remote one by opt-in."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx
import msgspec

from frostbyte.data_plane.embed import check, unusable
from frostbyte.data_plane.tokens import Tokens, count
from frostbyte.kernel.ports.vectors import CollectionSpec

_PREFIXES: Final = {"nomic": ("search_document: ", "search_query: ")}
"""Model families that were trained with task prefixes (nomic-embed-text's model card)."""
_WINDOW: Final = 512
"""Tokens that every usual model reads; longer passages would not be found better (see chunking.Cutting)."""
_BATCH: Final = 64
"""Texts in one request; a longer document takes several."""
_BATCH_TOKENS: Final = 4096
"""Estimated tokens in one request: a server on one processor answers so many well within the timeout."""
_TOO_LONG: Final = frozenset({400, 413, 422})
"""What servers answer to a text that is longer than the model reads (ours 413, OpenAI and others 400)."""
_SHORTEST: Final = 64
"""Characters that every model reads whole: a refusal of so few has another reason."""
_NUMBER_BYTES: Final = 40
"""More than any float in JSON needs: what is longer than so many a dimension is not an answer."""
_SLACK_BYTES: Final = 64 * 1024


class _Item(msgspec.Struct):
    index: int
    embedding: list[float]


class _Reply(msgspec.Struct):
    data: list[_Item]
    model_sha256: str = ""


class _Refused(Exception):
    """The server does not take this request; it may take parts of it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class OpenAiEmbedder:
    """An Embedder over HTTP. It asks once: trying again is the flow's business.

    Args:
        endpoint: the full address of the route, such as `http://nomic-embed:8080/embeddings`.
        model: what to ask for; also pinned in the collection.
        dimensions: what a vector must have.
        sha256: of the model's file, as `frostbyte serve embedder` says it with every answer; then it is pinned in the
            collection, and an answer of another file is refused. '' where the server does not say it.
        ca_file: certificates that the server's must come from; '' for those of the system.
        api_key: sent as a bearer token; '' for none.
        remote: whether text leaves the tenant's plane; it then also asks for `dimensions`.
        proxy: what leads to it, as `http://host:port`; '' reaches it directly.
        timeout: seconds until the whole answer to one request must be there.
        transport: for tests.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        model: str,
        dimensions: int,
        sha256: str = "",
        ca_file: str = "",
        api_key: str = "",
        remote: bool = False,
        proxy: str = "",
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        version = sha256[:12] or "server"
        self.spec = CollectionSpec(model=model, version=version, dimensions=dimensions, window=_WINDOW)
        self._sha256 = sha256
        self.remote = remote
        self.label = f"{model} ({'remote' if remote else 'own server'})"
        self._endpoint = endpoint
        self._timeout = timeout
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        trusted = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._client = httpx.Client(
            timeout=timeout,
            headers=headers,
            transport=transport,
            trust_env=False,
            verify=trusted,
            proxy=proxy or None,
        )
        family = next((prefixes for name, prefixes in _PREFIXES.items() if name in model.lower()), ("", ""))
        self._document_prefix, self._query_prefix = family

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text. Raises Unavailable("embedder_unavailable")."""
        windows = [_windows(text) for text in texts]
        flat = [window for group in windows for window in group]
        made: list[list[float]] = []
        for part in _batches(flat):
            made += self._vectors(part, self._document_prefix)
        vectors, at = list[list[float]](), 0
        for group in windows:
            vectors.append(_mean(made[at : at + len(group)], [len(window) for window in group]))
            at += len(group)
        return vectors

    def query(self, text: str) -> list[float]:
        """The vector of a question. Raises Unavailable("embedder_unavailable")."""
        windows = _windows(text)
        made = self._vectors(windows, self._query_prefix)
        return _mean(made, [len(window) for window in windows])

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _vectors(self, texts: list[str], prefix: str) -> list[list[float]]:
        """A vector a text. What the server refuses as too long is asked again in halves, down to halves of a text."""
        try:
            return self._ask([prefix + text for text in texts])
        except _Refused as refused:
            if len(texts) > 1:
                half = len(texts) // 2
                return self._vectors(texts[:half], prefix) + self._vectors(texts[half:], prefix)
            [text] = texts
            if len(text) <= _SHORTEST:
                raise unusable(f"it answered with status {refused.status}") from None
        half = len(text) // 2
        parts = self._vectors([text[:half]], prefix) + self._vectors([text[half:]], prefix)
        return [_mean(parts, [half, len(text) - half])]

    def _ask(self, texts: list[str]) -> list[list[float]]:
        sendable = [text.encode("utf-8", "replace").decode() for text in texts]  # lone surrogates are not JSON
        body: dict[str, Any] = {"model": self.spec.model, "input": sendable}
        if self.remote:
            body["dimensions"] = self.spec.dimensions
        try:
            content = self._post(body, most=len(texts) * self.spec.dimensions * _NUMBER_BYTES + _SLACK_BYTES)
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # its text may name the request: only its kind goes on
            raise unusable(f"it could not be reached ({type(error).__name__})") from None
        try:
            reply = msgspec.json.decode(content, type=_Reply)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise unusable("its answer is not what an embeddings route answers") from None
        if self._sha256 and reply.model_sha256 != self._sha256:
            raise unusable("its model's file is not the one whose sha256 is set")
        vectors = {item.index: item.embedding for item in reply.data}
        if len(reply.data) != len(texts) or set(vectors) != set(range(len(texts))):
            raise unusable("it answered with other vectors than it was asked for")
        return [_unit(check(vectors[number], self.spec.dimensions)) for number in range(len(texts))]

    def _post(self, body: dict[str, Any], most: int) -> bytes:
        """The answer's bytes; never more than `most`, and never waiting longer than the timeout in sum."""
        until = time.monotonic() + self._timeout
        content = bytearray()
        with self._client.stream("POST", self._endpoint, content=msgspec.json.encode(body), headers=_JSON) as answer:
            if answer.status_code in _TOO_LONG:
                raise _Refused(answer.status_code)
            if answer.status_code != httpx.codes.OK:
                raise unusable(f"it answered with status {answer.status_code}")
            for part in answer.iter_bytes():
                content += part
                if len(content) > most:
                    raise unusable("its answer is longer than the vectors it was asked for")
                if time.monotonic() > until:
                    raise unusable("its answer took too long")
        return bytes(content)


_JSON: Final = {"content-type": "application/json"}


def _windows(text: str) -> list[str]:
    """The text in parts that the model reads whole; a server answers a longer one with an error, or cuts it."""
    tokens, parts, at = Tokens(text), list[str](), 0
    while tokens.between(at, len(text)) > _WINDOW:
        end = max(tokens.reach(at, _WINDOW * 7 // 8), at + 1)
        parts.append(text[at:end])
        at = end
    return [*parts, text[at:]]


def _batches(texts: list[str]) -> Iterator[list[str]]:
    """The texts in requests of bounded length."""
    batch, size = list[str](), 0
    for text in texts:
        tokens = count(text)
        if batch and (len(batch) == _BATCH or size + tokens > _BATCH_TOKENS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += tokens
    if batch:
        yield batch


def _mean(vectors: list[list[float]], weights: list[int]) -> list[float]:
    """Of unit length again."""
    if len(vectors) == 1:
        return vectors[0]
    columns = zip(*vectors, strict=True)
    total = [sum(weight * value for weight, value in zip(weights, column, strict=True)) for column in columns]
    return _unit(check(total, len(total)))


def _unit(vector: list[float]) -> list[float]:
    norm = sum(value * value for value in vector) ** 0.5
    return [value / norm for value in vector]
