"""An answer to a question: passages, where they stand, and how to prove them. The question itself is kept nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from frostbyte.data_plane.serve.alike import forms
from frostbyte.data_plane.serve.documents import Documents
from frostbyte.data_plane.serve.highlights import highlights
from frostbyte.data_plane.serve.search import Also, Filters, Found, Mode, Search
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.embedder import Embedder
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.tenancy import TenantConfig

_SUSPICIOUS: Final = 0.3


class Answers:
    """Answers questions and audits that it did.

    Args:
        config: the configuration in force.
        guard: what a question must pass before it leaves the plane for a remote embedder.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        search: Search,
        documents: Documents,
        embedder: Embedder,
        clock: Clock,
        config: Callable[[], TenantConfig],
        guard: Callable[[str, TenantConfig], str],
    ) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._search = search
        self._documents = documents
        self._embedder = embedder
        self._clock = clock
        self._config = config
        self._guard = guard

    def answer(self, query: str, *, top_k: int | None, filters: Filters, mode: Mode, actor: str) -> dict[str, Any]:
        """The best passages; the retrieval is on record before they are given.

        Raises:
            Invalid: `top_k_invalid`.
            Unavailable: `embedder_unavailable`, `vectors_unavailable`, `database_unavailable`.
        """
        config = self._config()
        wanted = config.top_k if top_k is None else top_k
        if not 1 <= wanted <= config.top_k_max:
            raise Invalid(
                "top_k_invalid", f"top_k must lie between 1 and {config.top_k_max}.", "Ask for fewer results."
            )
        embedder = self._search.embedder or self._embedder
        asked = self._guard(query, config) if embedder.remote else query
        with self._documents.answering():
            found = self._search.find(asked, top_k=wanted, filters=filters, mode=mode)
            words = forms(query)
            results = [self._result(item, words) for item in found]
        query_id = new_id()
        details = {"component": "serve", "top_k": wanted, "results": len(found), "mode": mode.value, "status": "ok"}
        with self._unit_of_work() as uow:
            uow.record(
                make_event(
                    self._tenant_id,
                    EventType.RETRIEVAL_EXECUTED,
                    self._clock,
                    actor,
                    "query",
                    str(query_id),
                    details | {"chunk_ids": [str(item.chunk.chunk_id) for item in found]},
                )
            )
        return {
            "query_id": str(query_id),
            "embedding": {"label": embedder.label, "remote": embedder.remote}
            if self._search.embedder is not None
            else {"label": "words alone: the index was made by another model", "remote": False},
            "results": results,
        }

    def _result(self, found: Found, asked: frozenset[str]) -> dict[str, Any]:
        summary = self._documents.summary(found.document)
        chunk = found.chunk
        root = f"/api/v1/documents/{chunk.doc_id}"
        return {
            "rank": found.rank,
            "score": round(found.score, 6),
            "chunk_id": str(chunk.chunk_id),
            "doc_id": str(chunk.doc_id),
            "filename": summary["filename"],
            "title": summary["title"],
            "page": chunk.page,
            "start": chunk.start,
            "end": chunk.end,
            "text": found.shown.text,
            "highlights": highlights(found.shown.text, asked),
            "headings": list(found.shown.headings),
            "classification": found.document.classification,
            "mime": found.document.mime,
            "received_at": iso(found.document.received_at),
            "generation": chunk.generation,
            "flags": _flags(found),
            "also_in": [self._also(item) for item in found.also],
            "links": {
                "proof": f"/api/v1/chunks/{chunk.chunk_id}/proof",
                "page_picture": f"{root}/pages/{chunk.page}.png?highlight={chunk.chunk_id}",
            },
        }

    def _also(self, also: Also) -> dict[str, Any]:
        chunk, summary = also.chunk, self._documents.summary(also.document)
        return {
            "chunk_id": str(chunk.chunk_id),
            "doc_id": str(chunk.doc_id),
            "filename": summary["filename"],
            "page": chunk.page,
            "identical": also.identical,
        }


def _flags(found: Found) -> list[str]:
    """What a reader should know about the passage, as stable words."""
    flags = [f"pii_{kind.lower()}" for kind in found.chunk.pii]
    if found.chunk.injection_score >= _SUSPICIOUS:
        flags.append("injection_suspected")
    if found.document.scan_verdict == "unscanned":
        flags.append("unscanned")
    if found.document.withheld:
        flags.append("document_has_withheld_passages")
    return flags
