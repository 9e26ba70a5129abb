"""Uses each part of a plane without changing anything: nothing is audited, so a frozen plane may be tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from frostbyte.adapters.postgres import PostgresStore
from frostbyte.data_plane.artefacts import Artefacts
from frostbyte.data_plane.flow import Ports
from frostbyte.data_plane.lifecycle.configuration import Configuration
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import ChunkRow, DocumentRow

SAMPLE = 5
"""Passages that are read once more."""


def parts(
    ports: Ports, store: PostgresStore, ping: Callable[[], object] | None
) -> Iterator[tuple[str, FrostbyteError | None]]:
    """What was tried, and what it said; None where it is well.

    Args:
        ping: asks the queue; None where there is none.
    """
    yield from (
        ("scanner", _said(lambda: _scan(ports))),
        ("embedder", _said(lambda: ports.embedder.query("Is the model there?"))),
        ("index", _said(lambda: ports.vectors.ensure(ports.embedder.spec) if ports.vectors.spec else None)),
        *((("queue", _said(ping)),) if ping is not None else ()),
        ("passages", _said(lambda: _read(ports, store))),
    )


def _said(use: Callable[[], object]) -> FrostbyteError | None:
    try:
        use()
    except FrostbyteError as error:
        return error
    return None


def _scan(ports: Ports) -> None:
    config = Configuration(ports.tenant_id, ports.unit_of_work, ports.clock).current()
    if not ports.scanner.stand_in:
        ports.scanner.check(config.max_file_size_mb << 20)
        ports.scanner.scan([b"Is the scanner there?"])


def _read(ports: Ports, store: PostgresStore) -> None:
    """Newest passages, from keys, objects and index: a document that is there has to be found."""
    rows: list[tuple[DocumentRow, ChunkRow]] = []
    with store.unit_of_work(reading=True) as uow:
        for chunk in uow.chunks.page(limit=SAMPLE):
            document = uow.documents.get(chunk.doc_id)
            if document is not None:
                rows.append((document, chunk))
    artefacts = Artefacts(ports.vault)
    for document, chunk in rows:
        artefacts.chunk(document, chunk)
        if not ports.vectors.count(document.doc_id):
            raise FrostbyteError(
                "index_lacks_document",
                "The index lacks a document that search should find.",
                "See that the vector store has its data; `frostbyte index rebuild` makes the index anew.",
            )
