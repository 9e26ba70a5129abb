"""What binds an answer to the log.

The chunks of a document are the leaves of a small Merkle tree (the hashing of RFC 6962). The event INDEX_WRITTEN
carries a commitment to their number and its root: SHA-256(nonce || SHA-256(number || root)). A proof opens that one
commitment for one chunk and shows of the others only hashes. docs/proof-format.md describes what `build_proof` makes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from frostbyte.kernel.audit import merkle
from frostbyte.kernel.audit.events import event_fields
from frostbyte.kernel.audit.logs import NamedLog, ProvenChain
from frostbyte.kernel.audit.proofs import ProvenEvent
from frostbyte.kernel.canonical import canonical
from frostbyte.kernel.errors import Conflict

FORMAT: Final = "frostbyte-proof/1"
FORMAT_OF_SEVERAL_LOGS: Final = "frostbyte-proof/2"
"""Where an event lies in a log that has ended. A verifier of the first format would judge it wrongly."""


class Chunk(Protocol):
    """What of a chunk is proven."""

    @property
    def chunk_id(self) -> UUID: ...
    @property
    def page(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def text(self) -> str: ...


class ChunkTree(msgspec.Struct, frozen=True):
    """The tree over a document's chunks, in the order of their ordinals, withheld ones among them."""

    leaves: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """What is committed to (32 bytes): SHA-256(number of chunks, 8 bytes big-endian || Merkle root).

        The Merkle root alone would leave it open how many chunks there are.
        """
        root = merkle.fold([self._node(position) for position in merkle.pieces(0, len(self.leaves))])
        return hashlib.sha256(len(self.leaves).to_bytes(8, "big") + root).digest()

    def path_for(self, index: int) -> list[bytes]:
        """The audit path of chunk number `index`.

        Raises:
            ValueError: there is no such chunk.
        """
        return merkle.inclusion_proof(
            index, len(self.leaves), lambda wanted: {position: self._node(position) for position in wanted}
        )

    def _node(self, position: merkle.Position) -> bytes:
        level, index = position
        row = list(self.leaves[index << level : (index + 1) << level])
        while len(row) > 1:
            row = [merkle.node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
        return row[0]


def chunk_leaf(chunk: Chunk) -> bytes:
    """The leaf hash of a chunk: which it is, where it lies, and the sha256 of its text as it is shown."""
    return merkle.leaf_hash(
        canonical(
            {
                "chunk_id": str(chunk.chunk_id),
                "page": chunk.page,
                "start": chunk.start,
                "end": chunk.end,
                "text_sha256": hashlib.sha256(chunk.text.encode()).hexdigest(),
            }
        )
    )


def chunk_tree(chunks: Sequence[Chunk]) -> ChunkTree:
    """The tree over all chunks of a document in reading order."""
    return ChunkTree(tuple(map(chunk_leaf, chunks)))


def commitment(nonce: bytes, digest: bytes) -> str:
    """Hex SHA-256(nonce || digest), as events carry it."""
    return hashlib.sha256(nonce + digest).hexdigest()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chunk lies in its document's chunk tree."""

    index: int
    """The chunk's ordinal."""
    size: int
    """Chunks of the document, withheld ones among them."""
    path: tuple[bytes, ...]
    root: bytes
    """`ChunkTree.root`."""
    nonce: bytes
    """Opens the commitment to the root; opens nothing else."""


class Disclosure(msgspec.Struct, frozen=True, kw_only=True):
    """Opens the commitment to the source. Needs the scope `source`, and giving it out is audited."""

    sha256: bytes
    nonce: bytes


class Attested(msgspec.Struct, frozen=True, kw_only=True):
    """What the plane says and a verifier cannot compute: by which versions the text came about."""

    parser: str
    policy: str
    embedding: str


def build_proof(
    *,
    tenant_id: str,
    verifier_key: str,
    chunk: Chunk,
    doc_id: UUID,
    generation: str,
    place: Place,
    proven: ProvenChain,
    attested: Attested,
    disclosure: Disclosure | None = None,
) -> dict[str, Any]:
    """The proof document of one chunk.

    Args:
        tenant_id: whose plane this is.
        verifier_key: key of the log that grows (`Signer.verifier_key`).
        chunk: the chunk with its text as shown.
        doc_id: its document.
        generation: the one that the answer came from.
        place: the chunk in the chunk tree.
        proven: the document's whole chain.
        attested: versions.
        disclosure: the source's sha256 and nonce for those who may see them.

    Raises:
        Conflict: `proof_incomplete`: the events do not hold the source's and the index's commitments. The document was
            erased or processed again in between.
    """
    ordered, note = [item for _, item in proven.events], proven.checkpoint.note
    bound = commitment(place.nonce, place.root)
    indexed = _last(
        ordered, "INDEX_WRITTEN", lambda said: said == said | {"output_hash": bound, "generation": generation}
    )
    # A retry is an ingestion too, but brings no file: it carries on what the chain had come to.
    ingested = _last(ordered, "DOCUMENT_INGESTED", lambda said: said.get("output_hash") != said.get("input_hash"))
    several = bool(proven.earlier)
    return {
        "format": FORMAT_OF_SEVERAL_LOGS if several else FORMAT,
        "tenant_id": tenant_id,
        "origin": note.partition("\n")[0],
        "public_key": verifier_key,
        "answer": {
            "chunk_id": str(chunk.chunk_id),
            "doc_id": str(doc_id),
            "generation": generation,
            "page": chunk.page,
            "start": chunk.start,
            "end": chunk.end,
            "text": chunk.text,
            "index": place.index,
            "chunks": place.size,
            "path": [value.hex() for value in place.path],
            "nonce": place.nonce.hex(),
            "commitment": bound,
            "event_id": str(indexed.event.event_id),
        },
        "source": {
            "commitment": ingested.event.details.get("output_hash", ""),
            "event_id": str(ingested.event.event_id),
            "disclosure": None
            if disclosure is None
            else {"sha256": disclosure.sha256.hex(), "nonce": disclosure.nonce.hex()},
        },
        "events": [event_proof(item) | ({"log": log} if several else {}) for log, item in proven.events],
        "checkpoint": note,
        "attested": msgspec.structs.asdict(attested),
        **({"earlier": [earlier_log(item) for item in proven.earlier]} if several else {}),
    }


def event_proof(item: ProvenEvent) -> dict[str, Any]:
    """An event and its audit path, as JSON."""
    return {
        "sequence": item.sequence,
        "event": event_fields(item.event),
        "path": [value.hex() for value in item.path],
    }


def earlier_log(item: NamedLog) -> dict[str, Any]:
    """A log that has ended, its last checkpoint, and the event by which the next log names it, as JSON."""
    return {
        "log": item.row.log,
        "origin": item.row.origin,
        "public_key": item.row.public_key,
        "checkpoint": item.row.note,
        "named_by": event_proof(item.by),
    }


def _last(events: Sequence[ProvenEvent], kind: str, fits: Callable[[dict[str, Any]], bool]) -> ProvenEvent:
    for item in reversed(events):
        if item.event.type == kind and fits(item.event.details):
            return item
    raise Conflict(
        "proof_incomplete",
        "The audit log does not hold the events that bind this passage to its source.",
        "Search again: the document was processed anew or erased.",
    )
