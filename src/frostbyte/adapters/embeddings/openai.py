"""Any server that speaks OpenAI's `/embeddings`: the tenant's own nomic-embed, or a remote one by opt-in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx
import msgspec

from frostbyte.data_plane.embed import check, unusable
from frostbyte.kernel.ports.vectors import CollectionSpec

_PREFIXES: Final = {"nomic": ("search_document: ", "search_query: ")}
"""Model families that were trained with task prefixes (nomic-embed-text's model card)."""


class _Item(msgspec.Struct):
    index: int
    embedding: list[float]


class _Reply(msgspec.Struct):
    data: list[_Item]


class OpenAiEmbedder:
    """An Embedder over HTTP.

    Args:
        endpoint: the full address of the route, such as `http://nomic-embed:8080/embeddings`.
        model: what to ask for; also pinned in the collection.
        dimensions: what a vector must have.
        api_key: sent as a bearer token; '' for none.
        remote: whether text leaves the tenant's plane; it then also asks for `dimensions`.
        timeout: seconds for one batch.
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
        self.spec = CollectionSpec(model=model, version="server", dimensions=dimensions)
        self.remote = remote
        self.label = f"{model} ({'remote' if remote else 'own server'})"
        self._endpoint = endpoint
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(timeout=timeout, headers=headers, transport=transport, trust_env=False)
        family = next((prefixes for name, prefixes in _PREFIXES.items() if name in model), ("", ""))
        self._document_prefix, self._query_prefix = family

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text. Raises Unavailable("embedder_unavailable")."""
        return self._ask([self._document_prefix + text for text in texts]) if texts else []

    def query(self, text: str) -> list[float]:
        """The vector of a question. Raises Unavailable("embedder_unavailable")."""
        return self._ask([self._query_prefix + text])[0]

    def _ask(self, texts: list[str]) -> list[list[float]]:
        body: dict[str, Any] = {"model": self.spec.model, "input": texts}
        if self.remote:
            body["dimensions"] = self.spec.dimensions
        try:
            answer = self._client.post(self._endpoint, json=body)
        except httpx.HTTPError as error:  # its text may name the request: only its kind goes on
            raise unusable(f"it could not be reached ({type(error).__name__})") from None
        if answer.status_code != httpx.codes.OK:
            raise unusable(f"it answered with status {answer.status_code}")
        try:
            reply = msgspec.json.decode(answer.content, type=_Reply)
        except msgspec.MsgspecError:
            raise unusable("its answer is not what an embeddings route answers") from None
        vectors = {item.index: item.embedding for item in reply.data}
        if len(reply.data) != len(texts) or set(vectors) != set(range(len(texts))):
            raise unusable("it answered with other vectors than it was asked for")
        return [_unit(check(vectors[number], self.spec.dimensions)) for number in range(len(texts))]


def _unit(vector: list[float]) -> list[float]:
    norm = sum(value * value for value in vector) ** 0.5
    return [value / norm for value in vector]
