"""Questions in the engine's words."""

from __future__ import annotations

from typing import Final

import qdrant_edge as qe

from frostbyte.kernel.ports.vectors import Scope

DENSE: Final = "dense"
TERMS: Final = "terms"
LABELS: Final = "labels"
RECEIVED: Final = "received"

EXACT_ENOUGH: Final = qe.SearchParams(quantization=qe.QuantizationSearchParams(rescore=True, oversampling=2.0))
"""Twice as many candidates by their one-byte copies, then ranked by the vectors themselves."""
EXACT: Final = qe.SearchParams(exact=True, quantization=qe.QuantizationSearchParams(ignore=True))
"""By the vectors themselves alone."""


def nearest(query: qe.Query, limit: int, chosen: qe.Filter | None) -> qe.QueryRequest:
    """One ranking."""
    return qe.QueryRequest(limit=limit, query=query, filter=chosen, with_payload=True, params=EXACT_ENOUGH)


def equals(key: str, value: str) -> qe.FieldCondition:
    """Points whose payload has this value."""
    return qe.FieldCondition(key=key, match=qe.MatchValue(value))


def inside(scope: Scope) -> qe.Filter | None:
    """The engine's filter for a scope; None for one without bounds."""
    conditions = []
    if scope.doc_ids is not None:
        conditions.append(qe.FieldCondition(key="doc_id", match=qe.MatchAny([str(doc_id) for doc_id in scope.doc_ids])))
    if scope.labels is not None:
        conditions.append(qe.FieldCondition(key=LABELS, match=qe.MatchAny(list(scope.labels))))
    if scope.received_from is not None or scope.received_to is not None:
        bounds = qe.RangeFloat(gte=scope.received_from, lte=scope.received_to)
        conditions.append(qe.FieldCondition(key=RECEIVED, range=bounds))
    return qe.Filter(must=list(conditions)) if conditions else None
