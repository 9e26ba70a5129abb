"""What answers questions, put together."""

from __future__ import annotations

from frostbyte.adapters.embeddings.e5 import E5
from frostbyte.data_plane import policy
from frostbyte.data_plane.flow import Ports
from frostbyte.data_plane.lifecycle.configuration import Configuration
from frostbyte.data_plane.serve.answers import Answers
from frostbyte.data_plane.serve.documents import Documents
from frostbyte.data_plane.serve.proofs import Proofs
from frostbyte.data_plane.serve.search import Search
from frostbyte.kernel.audit.checkpoint import Signer


def answers(ports: Ports, documents: Documents, configuration: Configuration) -> Answers:
    """The plane's answers to questions, with every embedder that may have made its index."""
    search = Search(
        unit_of_work=ports.unit_of_work,
        vectors=ports.vectors,
        embedder=ports.embedder,
        others=() if isinstance(ports.embedder, E5) else (E5(),),
        terms=ports.terms,
        load=documents.artefacts.chunk,
    )
    return Answers(
        tenant_id=ports.tenant_id,
        unit_of_work=ports.unit_of_work,
        search=search,
        documents=documents,
        embedder=ports.embedder,
        clock=ports.clock,
        config=configuration.current,
        guard=lambda query, config: policy.redact_query(query, config, ports.rules(), ports.names),
    )


def proofs(ports: Ports, signer: Signer, documents: Documents) -> Proofs:
    """What proves answers against the log that `signer` signs."""
    return Proofs(
        tenant_id=ports.tenant_id,
        verifier_key=signer.verifier_key,
        unit_of_work=ports.unit_of_work,
        documents=documents,
        vault=ports.vault,
    )
