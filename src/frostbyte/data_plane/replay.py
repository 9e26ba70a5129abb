"""Computing a document's passages again from the file as it came, to see that they come out the same.

Parsing and policy are deterministic for the same code, packages and architecture; another version refuses and names
both. The file is read, scanned pages and names are recognised, again: nothing recorded is taken on trust.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from frostbyte.data_plane import artefacts, policy
from frostbyte.data_plane.chunking import Cutting
from frostbyte.data_plane.document import encode
from frostbyte.data_plane.flow import Flow, Ports
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.errors import Conflict, NotFound
from frostbyte.kernel.records import State
from frostbyte.kernel.tenancy import config_from


class Replay:
    """Replays documents."""

    def __init__(self, ports: Ports, flow: Flow) -> None:
        self._p = ports
        self._flow = flow
        self._artefacts = artefacts.Artefacts(ports.vault)

    def document(self, doc_id: UUID, *, actor: str) -> dict[str, Any]:
        """Parse and judge the document again and compare every passage byte for byte.

        Reading the source for it is audited.

        Returns:
            `same`, the number of passages, and the ids of those that came out differently or not at all.

        Raises:
            NotFound: `document_not_found`.
            Conflict: `not_indexed`; `replay_versions_differ`: other versions made the passages than those that run.
        """
        with self._p.unit_of_work() as uow:
            row = uow.documents.get(doc_id)
            config = uow.configs.get(row.config_version) if row else None
            stored = uow.chunks.of_document(doc_id, row.active_generation) if row else []
        if row is None:
            raise NotFound("document_not_found", "There is no such document.", "Check the id.")
        if row.state is not State.INDEXED:
            raise Conflict("not_indexed", f"The document is {row.state.value}, not indexed.", "Choose an indexed one.")
        generation = self._flow.generation(row)
        if generation != row.active_generation:
            raise Conflict(
                "replay_versions_differ",
                f"The passages are of generation {row.active_generation}; the versions that run make {generation}.",
                "Replay with the parser, policy and embedding versions that the proof attests.",
            )
        self._audit(doc_id, actor)
        key = self._p.vault.load_key(row.key_object)
        digest = artefacts.raw_sha256(self._p.vault, row, key)
        content = self._p.vault.stream(row.raw_object, key)
        document = self._p.reader.parse(content, sha256=digest, mime=row.mime, size=row.size)
        case = policy.Case(
            doc_id=doc_id,
            generation=generation,
            config=config_from(config.values if config else {}),
            config_version=row.config_version,
            cutting=Cutting.for_window(self._p.embedder.spec.window),
        )
        cleared = policy.load_cleared(self._p.judge.judge(encode(document), case))
        made, text = artefacts.lay_out(cleared.chunks, cleared.withheld)
        again = {item.chunk_id: text[item.object_offset : item.object_offset + item.object_length] for item in made}
        before = self._artefacts.get(row, generation, artefacts.CHUNKS, key)
        kept = {item.chunk_id: before[item.object_offset : item.object_offset + item.object_length] for item in stored}
        differing = sorted(str(name) for name in again.keys() | kept.keys() if again.get(name) != kept.get(name))
        return {
            "doc_id": str(doc_id),
            "generation": generation,
            "sha256": digest,
            "passages": len(kept),
            "same": not differing,
            "differing": differing,
        }

    def _audit(self, doc_id: UUID, actor: str) -> None:
        details = {"component": "replay", "artefact": "raw", "status": "read"}
        with self._p.unit_of_work() as uow:
            uow.audit.append(
                make_event(
                    self._p.tenant_id, EventType.SOURCE_READ, self._p.clock, actor, "document", str(doc_id), details
                )
            )
            uow.commit()
