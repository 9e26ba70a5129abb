"""Questions in the engine's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import qdrant_edge as qe

from frostbyte.adapters.qdrant.rankings import (
    DENSE,
    DOC_ID,
    LABELS,
    OVERSAMPLING,
    PIECES,
    RECEIVED,
    TERMS,
    Ranking,
)
from frostbyte.kernel.ports.vectors import Scope, SparseVector

EXACT_ENOUGH: Final = qe.SearchParams(quantization=qe.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING))
_EXACT: Final = qe.SearchParams(exact=True, quantization=qe.QuantizationSearchParams(ignore=True))


def request(
    ranking: Ranking,
    dense: Sequence[float] | None,
    sparse: SparseVector | None,
    limit: int,
    chosen: qe.Filter | None,
) -> qe.QueryRequest:
    """One ranking of a search."""
    meaning = qe.Query.Nearest(list(dense or ()), using=DENSE)
    if ranking is Ranking.MEANING:
        return qe.QueryRequest(limit=limit, query=meaning, filter=chosen, params=EXACT_ENOUGH)
    inner = []
    if ranking is Ranking.PIECES:
        inner = [qe.Prefetch(limit=limit, query=meaning, filter=chosen, params=EXACT_ENOUGH)]
        if sparse is None or not sparse.indices:
            return _of_pieces(dense, inner, limit)
    assert sparse is not None
    words = qe.Query.Nearest(qe.SparseVector(list(sparse.indices), list(sparse.values)), using=TERMS)
    if ranking is Ranking.WORDS:
        return qe.QueryRequest(limit=limit, query=words, filter=chosen)
    inner.append(qe.Prefetch(limit=limit, query=words, filter=chosen))
    if ranking is Ranking.PIECES:
        return _of_pieces(dense, inner, 2 * limit)
    return qe.QueryRequest(limit=limit, query=meaning, prefetches=inner, params=_EXACT)


def _of_pieces(dense: Sequence[float] | None, inner: list[qe.Prefetch], limit: int) -> qe.QueryRequest:
    """What was found, by its nearest pieces."""
    nearest = qe.Query.Nearest(list(dense or ()), using=PIECES)
    return qe.QueryRequest(limit=limit, query=nearest, prefetches=inner, params=_EXACT)


def equals(key: str, value: str) -> qe.FieldCondition:
    """Points whose payload has this value."""
    return qe.FieldCondition(key=key, match=qe.MatchValue(value))


def inside(scope: Scope) -> qe.Filter | None:
    """The engine's filter for a scope; None for one without bounds."""
    conditions = []
    if scope.doc_ids is not None:
        conditions.append(qe.FieldCondition(key=DOC_ID, match=qe.MatchAny([str(doc_id) for doc_id in scope.doc_ids])))
    if scope.labels is not None:
        conditions.append(qe.FieldCondition(key=LABELS, match=qe.MatchAny(list(scope.labels))))
    if scope.received_from is not None or scope.received_to is not None:
        bounds = qe.RangeFloat(gte=scope.received_from, lte=scope.received_to)
        conditions.append(qe.FieldCondition(key=RECEIVED, range=bounds))
    return qe.Filter(must=list(conditions)) if conditions else None
