"""Questions in the engine's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import qdrant_edge as qe

DENSE: Final = "dense"
TERMS: Final = "terms"
RRF_K: Final = 60
"""Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion" (2009); the engine counts ranks from 0."""


EXACT_ENOUGH: Final = qe.SearchParams(quantization=qe.QuantizationSearchParams(rescore=True, oversampling=2.0))
"""Twice as many candidates by their one-byte copies, then ranked by the vectors themselves."""
EXACT: Final = qe.SearchParams(exact=True, quantization=qe.QuantizationSearchParams(ignore=True))
"""By the vectors themselves alone."""


def candidates(limit: int) -> int:
    """How many of each ranking are fused: what both like in the middle must be able to win."""
    return max(2 * limit, 50)


def fused(queries: list[qe.Query], limit: int, chosen: qe.Filter | None) -> qe.QueryRequest:
    """One ranking, or the fusion of several by reciprocal rank."""
    if len(queries) == 1:
        return qe.QueryRequest(limit=limit, query=queries[0], filter=chosen, with_payload=True, params=EXACT_ENOUGH)
    stages = [
        qe.Prefetch(limit=candidates(limit), query=query, filter=chosen, params=EXACT_ENOUGH) for query in queries
    ]
    fusion: Any = qe.Fusion.Rrf(k=RRF_K)  # the package's stubs do not know its own subclass
    return qe.QueryRequest(limit=limit, prefetches=stages, query=fusion, with_payload=True)


def equals(key: str, value: str) -> qe.FieldCondition:
    """Points whose payload has this value."""
    return qe.FieldCondition(key=key, match=qe.MatchValue(value))


def any_document(doc_ids: Sequence[UUID]) -> qe.FieldCondition:
    """Points of one of the documents."""
    return qe.FieldCondition(key="doc_id", match=qe.MatchAny([str(doc_id) for doc_id in doc_ids]))
