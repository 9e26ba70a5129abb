"""Requests in the engine's words, and what it finds in Qdrant's.

Everything is checked before the engine sees it: what it has taken into its log it reads again at every start, so a
request that it cannot stomach must not get there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

import qdrant_edge as qe

from frostbyte.api.vectors import bodies
from frostbyte.api.vectors.refusals import wrong

DEEPEST: Final = 8
"""Filters and prefetches within each other."""
MOST: Final = 100_000
"""Conditions, values and prefetches of one request together."""
LIMIT: Final = 10
"""Hits, where a request does not say how many (as in Qdrant)."""
_LARGEST: Final = 3.4e38
"""Of a number in a vector: the engine keeps four bytes."""
_ID_END: Final = 2**64
_JSON_INT: Final = (-(2**63), 2**64)

_T = TypeVar("_T")


class Kinds:
    """The kinds of vectors of a collection: what a question or a point may name.

    Args:
        dense: dimensions by name.
        sparse: names.
        several: names of dense kinds of which a point has several.
    """

    def __init__(self, dense: Mapping[str, int], sparse: frozenset[str], several: frozenset[str] = frozenset()) -> None:
        self._dense = dict(dense)
        self._sparse = sparse
        self._several = several

    def vector(self, name: str, given: bodies.Floats | bodies.Terms) -> list[float] | qe.SparseVector:
        """The vector if the kind of that name can hold it. Raises Refused(400)."""
        if isinstance(given, bodies.Terms):
            if name not in self._sparse:
                raise self._unknown(name) if name not in self._dense else wrong("Wrong usage of sparse vectors")
            return _sparse(given)
        if name not in self._dense:
            raise self._unknown(name) if name not in self._sparse else wrong("Wrong usage of sparse vectors")
        if len(given) != self._dense[name]:
            raise wrong(f"Vector dimension error: expected dim: {self._dense[name]}, got {len(given)}")
        _finite(given)
        return given

    def held(
        self, name: str, given: list[float | bodies.Floats] | bodies.Terms
    ) -> list[float] | list[list[float]] | qe.SparseVector:
        """What a point holds of the kind of that name. Raises Refused(400)."""
        if isinstance(given, bodies.Terms):
            return self.vector(name, given)
        single = [one for one in given if not isinstance(one, list)]
        rows = [one for one in given if isinstance(one, list)]
        if single and rows:
            raise wrong("a vector is numbers, or several vectors are lists of numbers")
        if name not in self._several:
            if rows:
                raise wrong(f"Vector `{name[:100]}` is one a point, not several")
            return self.vector(name, single)
        if not rows:
            raise wrong(f"Vector `{name[:100]}` is several a point: a list of lists")
        for one in rows:
            self.vector(name, one)
        return rows

    def known(self, name: str) -> str:
        """The name if there is such a kind. Raises Refused(400)."""
        if name not in self._dense and name not in self._sparse:
            raise self._unknown(name)
        return name

    @staticmethod
    def _unknown(name: str) -> Exception:
        return wrong(f"Not existing vector name error: {name[:100]}")


def _finite(values: Sequence[float]) -> None:
    if values and not max(map(abs, values)) < _LARGEST:  # JSON has no NaN
        raise wrong("a vector holds a number that four bytes cannot hold")


def _sparse(given: bodies.Terms) -> qe.SparseVector:
    if len(given.indices) != len(given.values):
        raise wrong("a sparse vector needs as many values as indices")
    if len(set(given.indices)) != len(given.indices):
        raise wrong("the indices of a sparse vector must be unique")
    _finite(given.values)
    return qe.SparseVector(given.indices, given.values)


def point_id(given: int | str) -> int | UUID:
    """Raises Refused(400)."""
    if isinstance(given, int):
        if given < _ID_END:
            return given
    else:
        try:
            return UUID(given)
        except ValueError:
            pass
    raise wrong("a point id is an unsigned number of 64 bits or a UUID")


def point(given: bodies.PointIn, kinds: Kinds) -> qe.Point:
    """Raises Refused(400)."""
    if isinstance(given.vector, list):
        vector: Any = kinds.vector("", given.vector)
    else:
        vector = {name: kinds.held(name, one) for name, one in given.vector.items()}
    return qe.Point(point_id(given.id), vector, None if given.payload is None else payload(given.payload))


def payload(given: dict[str, Any]) -> dict[str, Any]:
    """The payload if the engine can keep it. Raises Refused(400)."""
    stack: list[tuple[int, Any]] = [(0, given)]
    while stack:
        depth, value = stack.pop()
        if depth > DEEPEST:
            raise wrong(f"a payload is nested deeper than {DEEPEST} levels")
        if isinstance(value, dict):
            stack += [(depth + 1, one) for one in value.values()]
        elif isinstance(value, list):
            stack += [(depth + 1, one) for one in value]
        elif isinstance(value, int) and not _JSON_INT[0] <= value < _JSON_INT[1]:
            raise wrong("a payload holds a whole number of more than 64 bits")
        elif isinstance(value, float) and not math.isfinite(value):
            raise wrong("a payload holds a number that is not finite")
    return given


class Translation:
    """One request's filters and rankings; keeps count so that none grows without end.

    Args:
        kinds: the collection's.
    """

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._left = MOST

    def _spend(self, count: int = 1) -> None:
        self._left -= count
        if self._left < 0:
            raise wrong(f"a request holds more than {MOST} conditions and values")

    def chosen(self, points: list[bodies.PointId] | None, given: bodies.Filter | None) -> qe.Filter:
        """The points that a change is for. Raises Refused(400)."""
        if (points is None) == (given is None):
            raise wrong("a change has either points or a filter")
        if points is not None:
            return qe.Filter(must=[qe.HasIdCondition({point_id(one) for one in points})])
        return self.filter(given) or qe.Filter()

    # -- filters ------------------------------------------------------------------------------------------------

    def filter(self, given: bodies.Filter | bodies.Condition | None, depth: int = 0) -> qe.Filter | None:
        """Raises Refused(400)."""
        if given is None:
            return None
        if depth > DEEPEST:
            raise wrong(f"filters are nested deeper than {DEEPEST} levels")
        return qe.Filter(
            must=self._conditions(given.must, depth),
            should=self._conditions(given.should, depth),
            must_not=self._conditions(given.must_not, depth),
        )

    def _conditions(self, given: list[bodies.Condition] | bodies.Condition | None, depth: int) -> list[Any] | None:
        if given is None:
            return None
        several = given if isinstance(given, list) else [given]
        return [self._condition(one, depth) for one in several]

    def _condition(self, given: bodies.Condition, depth: int) -> Any:
        self._spend()
        nested = (given.must, given.should, given.must_not) != (None, None, None)
        others = (given.key, given.has_id, given.has_vector, given.is_empty, given.is_null)
        if nested + sum(one is not None for one in others) != 1:
            raise wrong("a condition is exactly one of: a field's, ids, a vector's name, empty, null, a filter")
        if nested:
            return self.filter(given, depth + 1)
        if given.has_id is not None:
            self._spend(len(given.has_id))
            return qe.HasIdCondition({point_id(one) for one in given.has_id})
        if given.has_vector is not None:
            return qe.HasVectorCondition(self._kinds.known(given.has_vector))
        if given.is_empty is not None:
            return _parsed(qe.IsEmptyCondition, given.is_empty.key)
        if given.is_null is not None:
            return _parsed(qe.IsNullCondition, given.is_null.key)
        return self._field(given)

    def _field(self, given: bodies.Condition) -> qe.FieldCondition:
        if (given.match is None) == (given.range is None):
            raise wrong("a field's condition has either match or range")
        match = None if given.match is None else self._match(given.match)
        bounds = None
        if given.range is not None:
            one = given.range
            bounds = qe.RangeFloat(gte=one.gte, gt=one.gt, lte=one.lte, lt=one.lt)
        return _parsed(lambda key: qe.FieldCondition(key=key, match=match, range=bounds), given.key or "")

    def _match(self, given: bodies.Match) -> Any:
        if sum(one is not None for one in (given.value, given.any, given.except_)) != 1:
            raise wrong("match has exactly one of value, any, except")
        if given.value is not None:
            return qe.MatchValue(_small(given.value))
        several = given.any if given.any is not None else given.except_
        assert several is not None
        self._spend(len(several))
        if len({type(one) for one in several}) > 1:
            raise wrong("the values of a match are all numbers or all words")
        values: Any = [_small(one) for one in several]
        return qe.MatchAny(values) if given.any is not None else qe.MatchExcept(values)

    # -- rankings -----------------------------------------------------------------------------------------------

    def query(self, given: bodies.Query) -> qe.QueryRequest:
        """Raises Refused(400)."""
        return qe.QueryRequest(
            limit=LIMIT if given.limit is None else given.limit,
            offset=given.offset,
            query=self._asked(given, 0),
            prefetches=self._prefetches(given.prefetch, 1),
            filter=self.filter(given.filter),
            score_threshold=given.score_threshold,
            params=params(given.params),
            with_payload=shown(given.with_payload),
            with_vector=vectors_shown(given.with_vector, self._kinds),
        )

    def search(self, given: bodies.Search) -> qe.QueryRequest:
        """The older form of a ranking. Raises Refused(400)."""
        named = given.vector if isinstance(given.vector, bodies.Named) else bodies.Named(name="", vector=given.vector)
        return qe.QueryRequest(
            limit=given.limit,
            offset=given.offset,
            query=qe.Query.Nearest(self._kinds.vector(named.name, named.vector), using=named.name),
            filter=self.filter(given.filter),
            score_threshold=given.score_threshold,
            params=params(given.params),
            with_payload=shown(given.with_payload),
            with_vector=vectors_shown(given.with_vector, self._kinds),
        )

    def _prefetches(self, given: list[bodies.Prefetch] | bodies.Prefetch | None, depth: int) -> list[qe.Prefetch]:
        several = given if isinstance(given, list) else [] if given is None else [given]
        if several and depth > DEEPEST:
            raise wrong(f"prefetches are nested deeper than {DEEPEST} levels")
        self._spend(len(several))
        return [
            qe.Prefetch(
                limit=LIMIT if one.limit is None else one.limit,
                query=self._asked(one, depth),
                prefetches=self._prefetches(one.prefetch, depth + 1),
                filter=self.filter(one.filter),
                score_threshold=one.score_threshold,
                params=params(one.params),
            )
            for one in several
        ]

    def _asked(self, given: bodies.Query | bodies.Prefetch, depth: int) -> Any:
        if given.query is None:
            if given.prefetch:
                raise wrong("a request with prefetches needs a query that ranks what they found")
            if depth:
                raise wrong("a prefetch needs a query")
            return None
        if isinstance(given.query, list):
            return qe.Query.Nearest(self._kinds.vector(given.using or "", given.query), using=given.using or "")
        asked = given.query
        terms = (asked.indices, asked.values) != (None, None)
        if terms + sum(one is not None for one in (asked.nearest, asked.fusion, asked.rrf)) != 1:
            raise wrong("a query is exactly one of: a vector, nearest, fusion, rrf")
        if terms or asked.nearest is not None:
            vector = asked.nearest
            if vector is None:
                vector = bodies.Terms(indices=asked.indices or [], values=asked.values or [])
            return qe.Query.Nearest(self._kinds.vector(given.using or "", vector), using=given.using or "")
        if not given.prefetch:
            raise wrong("a fusion needs prefetches")
        if asked.fusion == "dbsf":
            return qe.Fusion.Dbsf()
        if asked.fusion not in (None, "rrf"):
            raise wrong("a fusion is rrf or dbsf")
        return qe.Fusion.Rrf(k=asked.rrf.k if asked.rrf and asked.rrf.k else 2)


def _small(value: bool | int | str) -> bool | int | str:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise wrong("a number to match has more than 64 bits")
    return value


def _parsed(make: Callable[[str], _T], key: str) -> _T:
    """A condition on a field's name, which the engine reads as a path."""
    try:
        return make(key)
    except ValueError:
        raise wrong("a field's name is not a path that can be read") from None


def params(given: bodies.Params | None) -> qe.SearchParams | None:
    """How a ranking is made."""
    if given is None:
        return None
    quantization = None
    if (one := given.quantization) is not None:
        quantization = qe.QuantizationSearchParams(
            ignore=bool(one.ignore), rescore=one.rescore, oversampling=one.oversampling
        )
    return qe.SearchParams(
        hnsw_ef=given.hnsw_ef,
        exact=bool(given.exact),
        indexed_only=bool(given.indexed_only),
        quantization=quantization,
    )


def shown(given: bool | list[str] | bodies.Selector | None, default: bool = False) -> Any:
    """Which fields of a payload are sent. Raises Refused(400)."""
    try:
        if isinstance(given, bodies.Selector):
            if (given.include is None) == (given.exclude is None):
                raise wrong("a payload selector has either include or exclude")
            if given.include is not None:
                return qe.PayloadSelector.Include(given.include)
            return qe.PayloadSelector.Exclude(given.exclude or [])
        return default if given is None else given
    except ValueError:
        raise wrong("a field's name is not a path that can be read") from None


def vectors_shown(given: bool | list[str] | None, kinds: Kinds) -> bool | list[str]:
    """Which vectors are sent. Raises Refused(400)."""
    return [kinds.known(name) for name in given] if isinstance(given, list) else bool(given)


def said_id(found: int | UUID | str) -> int | str:
    """An id as JSON has it."""
    return found if isinstance(found, int) else str(found)


def said_vector(found: Any) -> Any:
    """A vector, or several by name, as JSON has them."""
    if isinstance(found, dict):
        return {name: said_vector(one) for name, one in found.items()}
    if isinstance(found, qe.SparseVector):
        return {"indices": found.indices, "values": found.values}
    return found


def said_record(found: qe.Record) -> dict[str, Any]:
    """A point as Qdrant's `Record`."""
    answer: dict[str, Any] = {"id": said_id(found.id), "payload": found.payload}
    if found.vector is not None:
        answer["vector"] = said_vector(found.vector)
    return answer


def said_hit(found: qe.ScoredPoint) -> dict[str, Any]:
    """A hit as Qdrant's `ScoredPoint`."""
    answer: dict[str, Any] = {"id": said_id(found.id), "version": found.version, "score": found.score}
    if found.payload is not None:
        answer["payload"] = found.payload
    if found.vector is not None:
        answer["vector"] = said_vector(found.vector)
    return answer
