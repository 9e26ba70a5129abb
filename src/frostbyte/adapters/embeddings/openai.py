"""Any server that speaks OpenAI's `/embeddings`: the tenant's own nomic-embed, or a remote one by opt-in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import httpx
import msgspec

from frostbyte.data_plane.embed import check, unusable
from frostbyte.data_plane.tokens import Tokens
from frostbyte.kernel.ports.vectors import CollectionSpec

_PREFIXES: Final = {"nomic": ("search_document: ", "search_query: ")}
"""Model families that were trained with task prefixes (nomic-embed-text's model card)."""
_WINDOW: Final = 512
"""Tokens that every usual model reads; longer passages would not be found better (see chunking.Cutting)."""
_BATCH: Final = 64
"""Texts in one request; a longer document takes several."""
_NUMBER_BYTES: Final = 40
"""More than any float in JSON needs: what is longer than so many a dimension is not an answer."""
_SLACK_BYTES: Final = 64 * 1024


class _Item(msgspec.Struct):
    index: int
    embedding: list[float]


class _Reply(msgspec.Struct):
    data: list[_Item]


class OpenAiEmbedder:
    """An Embedder over HTTP. It asks once: trying again is the flow's business.

    Args:
        endpoint: the full address of the route, such as `http://nomic-embed:8080/embeddings`.
        model: what to ask for; also pinned in the collection.
        dimensions: what a vector must have.
        api_key: sent as a bearer token; '' for none.
        remote: whether text leaves the tenant's plane; it then also asks for `dimensions`.
        timeout: seconds until the whole answer to one request must be there.
        transport: for tests.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        model: str,
        dimensions: int,
        api_key: str = "",
        remote: bool = False,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.spec = CollectionSpec(model=model, version="server", dimensions=dimensions, window=_WINDOW)
        self.remote = remote
        self.label = f"{model} ({'remote' if remote else 'own server'})"
        self._endpoint = endpoint
        self._timeout = timeout
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(timeout=timeout, headers=headers, transport=transport, trust_env=False)
        family = next((prefixes for name, prefixes in _PREFIXES.items() if name in model.lower()), ("", ""))
        self._document_prefix, self._query_prefix = family

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text. Raises Unavailable("embedder_unavailable")."""
        windows = [_windows(text) for text in texts]
        flat = [self._document_prefix + window for group in windows for window in group]
        made: list[list[float]] = []
        for at in range(0, len(flat), _BATCH):
            made += self._ask(flat[at : at + _BATCH])
        vectors, at = list[list[float]](), 0
        for group in windows:
            vectors.append(_mean(made[at : at + len(group)], [len(window) for window in group]))
            at += len(group)
        return vectors

    def query(self, text: str) -> list[float]:
        """The vector of a question. Raises Unavailable("embedder_unavailable")."""
        windows = _windows(text)
        made = [self._ask([self._query_prefix + window])[0] for window in windows]
        return _mean(made, [len(window) for window in windows])

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

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
        vectors = {item.index: item.embedding for item in reply.data}
        if len(reply.data) != len(texts) or set(vectors) != set(range(len(texts))):
            raise unusable("it answered with other vectors than it was asked for")
        return [_unit(check(vectors[number], self.spec.dimensions)) for number in range(len(texts))]

    def _post(self, body: dict[str, Any], most: int) -> bytes:
        """The answer's bytes; never more than `most`, and never waiting longer than the timeout in sum."""
        until = time.monotonic() + self._timeout
        content = bytearray()
        with self._client.stream("POST", self._endpoint, content=msgspec.json.encode(body), headers=_JSON) as answer:
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
