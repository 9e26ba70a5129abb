"""The proof of an answer: from the passage that was shown to a signed checkpoint."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from frostbyte.data_plane import artefacts
from frostbyte.data_plane.artefacts import CHUNK_TREE, RAW, ShownChunk
from frostbyte.data_plane.document import decode_document
from frostbyte.data_plane.serve.documents import Documents
from frostbyte.kernel.audit.answers import Attested, Disclosure, Place, build_proof, chunk_tree
from frostbyte.kernel.audit.logs import prove_chain
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import DocumentRow, EventRow
from frostbyte.kernel.vault import DocumentKey, Vault

CHECKPOINT_SECONDS: Final = 10.0
"""How long a proof waits for the checkpoint over the document's newest event; one is signed every second."""


class Proofs:
    """Makes proofs."""

    def __init__(
        self,
        *,
        tenant_id: str,
        verifier_key: str,
        unit_of_work: UnitOfWorkFactory,
        documents: Documents,
        vault: Vault,
    ) -> None:
        self._tenant_id = tenant_id
        self._verifier_key = verifier_key
        self._unit_of_work = unit_of_work
        self._documents = documents
        self._vault = vault

    def chunk(self, chunk_id: UUID, *, source: bool, actor: str) -> dict[str, Any]:
        """The proof document (docs/proof-format.md) of a visible chunk.

        Args:
            chunk_id: which.
            source: disclose the source's sha256; the disclosure is audited.
            actor: who asked.

        Raises:
            NotFound: `chunk_not_found`.
            Unavailable: `checkpoint_pending`.
        """
        row, chunk = self._documents.chunk(chunk_id)
        key = self._vault.load_key(row.key_object)
        if row.last_event_id is None:
            raise Conflict("proof_incomplete", "The document has no audit events.", "Report this.")
        with self._unit_of_work() as uow:
            events = chain_of(uow, row.last_event_id)
        proven = prove_chain(self._unit_of_work, [event.event_id for event in events], CHECKPOINT_SECONDS)
        shown = self._all_chunks(row, key)
        tree = chunk_tree(shown)
        place = Place(
            index=chunk.ordinal,
            size=len(shown),
            path=tuple(tree.path_for(chunk.ordinal)),
            root=tree.root,
            nonce=key.nonce(f"{CHUNK_TREE}.{chunk.generation}"),
        )
        return build_proof(
            tenant_id=self._tenant_id,
            verifier_key=self._verifier_key,
            chunk=shown[chunk.ordinal],
            doc_id=row.doc_id,
            generation=chunk.generation,
            place=place,
            proven=proven,
            attested=self._attested(events, row),
            disclosure=self._disclosure(row, key, actor) if source else None,
        )

    def _all_chunks(self, row: DocumentRow, key: DocumentKey) -> list[ShownChunk]:
        data = self._documents.artefacts.get(row, row.active_generation, artefacts.CHUNKS, key)
        with self._unit_of_work() as uow:
            rows = uow.chunks.of_document(row.doc_id, row.active_generation)
        return [
            msgspec.json.decode(data[item.object_offset : item.object_offset + item.object_length], type=ShownChunk)
            for item in rows
        ]

    def _disclosure(self, row: DocumentRow, key: DocumentKey, actor: str) -> Disclosure:
        self._documents.audit_read(row, actor, "digest")
        data = self._documents.artefacts.get(row, row.active_generation, artefacts.DOCUMENT, key)
        digest = bytes.fromhex(decode_document(data).source.sha256)
        return Disclosure(sha256=digest, nonce=key.nonce(RAW))

    def _attested(self, events: list[EventRow], row: DocumentRow) -> Attested:
        """The versions that the document's own events name, not those that run now."""
        named = [(event.type, event.details.get("pipeline_version")) for event in events]
        versions = {kind: str(version) for kind, version in named if version}  # a review names none: the last counts
        return Attested(
            parser=versions.get("DOCUMENT_PARSED", ""),
            policy=versions.get("POLICY_GATE_PASSED", ""),
            embedding=row.embedding,
        )


def chain_of(uow: UnitOfWork, last: UUID) -> list[EventRow]:
    """A resource's events, oldest first, following each one's link to the one before."""
    events: list[EventRow] = []
    at: UUID | None = last
    while at is not None:
        event = uow.audit.event(at)
        if event is None:
            raise Conflict("audit_chain_broken", "An event of this chain is missing.", "Run the audit verification.")
        events.append(event)
        at = event.previous_event_id
    return events[::-1]
