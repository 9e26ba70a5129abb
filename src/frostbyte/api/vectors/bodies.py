"""Bodies of requests, as far as this server understands them; anything else in them is refused."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

PointId = Annotated[int, msgspec.Meta(ge=0)] | str
"""A number, or a UUID in any of its spellings."""
Floats = list[float]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
"""More than any plane asks for; the engine keeps room for as many."""
Percent = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field that is not named here is an error."""


# -- collections ---------------------------------------------------------------------------------------------------


class Scalar(_Strict, frozen=True):
    """One byte a dimension."""

    type: str
    quantile: Annotated[float, msgspec.Meta(ge=0.5, le=1)] | None = None
    always_ram: bool | None = None


class Quantization(_Strict, frozen=True):
    """The only kind that is known."""

    scalar: Scalar


class SparseIndex(_Strict, frozen=True):
    """How the inverted lists are kept."""

    full_scan_threshold: int | None = None
    on_disk: bool | None = None


class Sparse(_Strict, frozen=True):
    """One kind of sparse vectors."""

    index: SparseIndex | None = None
    modifier: str | None = None


class Hnsw(_Strict, frozen=True):
    """Taken and shown, but no graph is built: see `shelf.CollectionConfig`."""

    m: int | None = None
    ef_construct: int | None = None
    full_scan_threshold: int | None = None
    max_indexing_threads: int | None = None
    on_disk: bool | None = None
    payload_m: int | None = None


class Several(_Strict, frozen=True):
    """Several vectors a point."""

    comparator: str


class Dense(_Strict, frozen=True):
    """One kind of vectors."""

    size: Annotated[int, msgspec.Meta(ge=1, le=65_536)]
    distance: str
    on_disk: bool | None = None
    multivector_config: Several | None = None
    datatype: str | None = None
    hnsw_config: Hnsw | None = None
    quantization_config: Quantization | None = None


class Optimizers(_Strict, frozen=True):
    """When segments are written anew."""

    deleted_threshold: Percent | None = None
    vacuum_min_vector_number: int | None = None
    default_segment_number: int | None = None
    max_segment_size: int | None = None
    memmap_threshold: int | None = None
    indexing_threshold: Annotated[int, msgspec.Meta(ge=0)] | None = None
    flush_interval_sec: int | None = None
    max_optimization_threads: int | None = None


class Create(_Strict, frozen=True):
    """PUT /collections/{name}"""

    vectors: dict[str, Any] | None = None
    """One `Dense`, or several by name."""
    sparse_vectors: dict[str, Sparse] | None = None
    shard_number: int | None = None
    replication_factor: int | None = None
    write_consistency_factor: int | None = None
    on_disk_payload: bool | None = None
    hnsw_config: Hnsw | None = None
    optimizers_config: Optimizers | None = None
    quantization_config: Quantization | None = None
    metadata: dict[str, Any] | None = None


class FieldParams(_Strict, frozen=True):
    """The long form of a payload index."""

    type: str
    is_tenant: bool | None = None
    is_principal: bool | None = None
    on_disk: bool | None = None
    lookup: bool | None = None
    range: bool | None = None


class FieldIndex(_Strict, frozen=True):
    """PUT /collections/{name}/index"""

    field_name: str
    field_schema: str | FieldParams


# -- filters -------------------------------------------------------------------------------------------------------


class Match(_Strict, frozen=True):
    """One of these."""

    value: bool | int | str | None = None
    any: list[int | str] | None = None
    except_: list[int | str] | None = msgspec.field(default=None, name="except")


class Range(_Strict, frozen=True):
    """Bounds of a number."""

    gte: float | None = None
    gt: float | None = None
    lte: float | None = None
    lt: float | None = None


class Key(_Strict, frozen=True):
    """A field's name."""

    key: str


class Condition(_Strict, frozen=True):
    """A condition on a field, on ids or vectors, or a filter in a filter: `translation.condition` tells them apart."""

    key: str | None = None
    match: Match | None = None
    range: Range | None = None
    has_id: list[PointId] | None = None
    has_vector: str | None = None
    is_empty: Key | None = None
    is_null: Key | None = None
    must: list[Condition] | Condition | None = None
    should: list[Condition] | Condition | None = None
    must_not: list[Condition] | Condition | None = None


class Filter(_Strict, frozen=True):
    """Conditions that must all, may, and must not hold."""

    must: list[Condition] | Condition | None = None
    should: list[Condition] | Condition | None = None
    must_not: list[Condition] | Condition | None = None


# -- questions -----------------------------------------------------------------------------------------------------


class Terms(_Strict, frozen=True):
    """A sparse vector."""

    indices: list[Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]]
    values: Floats


class Rrf(_Strict, frozen=True):
    """Reciprocal rank fusion's constant."""

    k: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


class Asked(_Strict, frozen=True):
    """A sparse vector, a vector to be near to, or a fusion of prefetched rankings: exactly one of them."""

    indices: list[Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]] | None = None
    values: Floats | None = None
    nearest: Floats | Terms | None = None
    fusion: str | None = None
    rrf: Rrf | None = None


class QuantizationSearch(_Strict, frozen=True):
    """How the one-byte copies are used."""

    ignore: bool | None = None
    rescore: bool | None = None
    oversampling: Annotated[float, msgspec.Meta(ge=1, le=1000)] | None = None


class Params(_Strict, frozen=True):
    """How a ranking is made."""

    hnsw_ef: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    exact: bool | None = None
    indexed_only: bool | None = None
    quantization: QuantizationSearch | None = None


class Selector(_Strict, frozen=True):
    """Names of payload fields to send or to keep back."""

    include: list[str] | None = None
    exclude: list[str] | None = None


class Prefetch(_Strict, frozen=True):
    """A ranking that another is made of."""

    prefetch: list[Prefetch] | Prefetch | None = None
    query: Floats | Asked | None = None
    using: str | None = None
    filter: Filter | None = None
    params: Params | None = None
    score_threshold: float | None = None
    limit: Count | None = None


class Query(_Strict, frozen=True):
    """POST /collections/{name}/points/query"""

    prefetch: list[Prefetch] | Prefetch | None = None
    query: Floats | Asked | None = None
    using: str | None = None
    filter: Filter | None = None
    params: Params | None = None
    score_threshold: float | None = None
    limit: Count | None = None
    offset: Count | None = None
    with_payload: bool | list[str] | Selector | None = None
    with_vector: bool | list[str] | None = None


class QueryBatch(_Strict, frozen=True):
    """POST /collections/{name}/points/query/batch"""

    searches: Annotated[list[Query], msgspec.Meta(max_length=64)]


class Named(_Strict, frozen=True):
    """A vector of one kind."""

    name: str
    vector: Floats | Terms


class Search(_Strict, frozen=True):
    """POST /collections/{name}/points/search"""

    vector: Floats | Named
    limit: Count
    offset: Count | None = None
    filter: Filter | None = None
    params: Params | None = None
    with_payload: bool | list[str] | Selector | None = None
    with_vector: bool | list[str] | None = None
    score_threshold: float | None = None


class Scroll(_Strict, frozen=True):
    """POST /collections/{name}/points/scroll"""

    offset: PointId | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    filter: Filter | None = None
    with_payload: bool | list[str] | Selector | None = None
    with_vector: bool | list[str] | None = None


class Retrieve(_Strict, frozen=True):
    """POST /collections/{name}/points"""

    ids: list[PointId]
    with_payload: bool | list[str] | Selector | None = None
    with_vector: bool | list[str] | None = None


class CountOf(_Strict, frozen=True):
    """POST /collections/{name}/points/count"""

    filter: Filter | None = None
    exact: bool | None = None


# -- changes -------------------------------------------------------------------------------------------------------


class PointIn(_Strict, frozen=True):
    """A point as it is written."""

    id: PointId
    vector: Floats | dict[str, list[float | Floats] | Terms]
    """A list of lists is several vectors of one kind."""
    payload: dict[str, Any] | None = None


class Upsert(_Strict, frozen=True):
    """PUT /collections/{name}/points"""

    points: list[PointIn]


class Delete(_Strict, frozen=True):
    """POST /collections/{name}/points/delete: by ids or by a filter."""

    points: list[PointId] | None = None
    filter: Filter | None = None


class SetPayload(_Strict, frozen=True):
    """POST /collections/{name}/points/payload: of ids or of what a filter chooses."""

    payload: dict[str, Any]
    points: list[PointId] | None = None
    filter: Filter | None = None
