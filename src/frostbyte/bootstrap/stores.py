"""Which adapter stands behind which port, by the settings: the same choice for every process of a plane."""

from __future__ import annotations

import shutil
from pathlib import Path

from frostbyte.adapters.clamav.clamd import Clamd, parse_address
from frostbyte.adapters.clamav.none import NoScanner
from frostbyte.adapters.collections import TwoCollections
from frostbyte.adapters.embeddings.e5 import E5
from frostbyte.adapters.embeddings.lexical import LexicalOnly
from frostbyte.adapters.embeddings.openai import OpenAiEmbedder
from frostbyte.adapters.objects.local import LocalBlobs
from frostbyte.adapters.objects.s3 import S3Blobs
from frostbyte.adapters.objects.signing import S3Account
from frostbyte.adapters.postgres import EmbeddedServer, PostgresStore, check_plane, claim_plane, migrate
from frostbyte.adapters.postgres.schema import WRITER
from frostbyte.bootstrap.database import access, trusting
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.blobs import BlobStore
from frostbyte.kernel.ports.embedder import Embedder
from frostbyte.kernel.ports.hints import HintQueue
from frostbyte.kernel.ports.scanner import Scanner
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.settings import NO_EMBEDDER, Mode, Settings


def database(settings: Settings, origin: str) -> tuple[EmbeddedServer | None, PostgresStore]:
    """The relational store with today's schema, claimed for the tenant; and its server where that is ours to stop."""
    found = access(settings.database_url, settings.database_owner_url, settings.ca_file, settings.data_dir / "postgres")
    migrate(found.owner, writer=found.grantee)
    claim_plane(found.owner, settings.tenant_id, origin)
    store = PostgresStore(found.writer, max_connections=settings.workers * 2 + 16, role=found.role())
    return found.server, store.open()


def joined_database(settings: Settings, connections: int = 4) -> PostgresStore:
    """The relational store for a process beside the plane's own: it changes no schema and claims nothing.

    Raises:
        Unavailable: `plane_not_ready`: no plane has prepared the database; `database_unavailable`.
        Conflict: `plane_of_another_tenant`.
    """
    writer = trusting(settings.database_url, settings.ca_file)
    role = WRITER if check_plane(writer, settings.tenant_id) else ""
    return PostgresStore(writer, max_connections=connections, role=role).open()


def close_database(server: EmbeddedServer | None, store: PostgresStore) -> None:
    """Let go of what `database` gave."""
    store.close()
    if server is not None:
        server.stop()


def blobs(settings: Settings) -> BlobStore:
    """The object store. One that does not answer yet may do so later; one that refuses this plane never will.

    Raises:
        Unavailable: `objects_refused`, `bucket_missing`.
    """
    if not settings.objects_url:
        return LocalBlobs(settings.data_dir / "objects")
    account = S3Account(settings.objects_access_key, settings.objects_secret_key)
    ca_file = Path(settings.ca_file) if settings.ca_file else None
    store = S3Blobs(settings.objects_url, settings.bucket, account, ca_file=ca_file)
    try:
        store.check()
    except Unavailable as error:
        if error.code != "objects_unavailable":
            raise
    return store


def vectors(settings: Settings, unit_of_work: UnitOfWorkFactory) -> TwoCollections:
    """The collection that serves, as the database says; what no rebuild needs any more is removed."""
    if settings.vectors_url:
        return _on_server(settings, unit_of_work)
    from frostbyte.adapters.qdrant.edge import EdgeVectors  # not installed where a server keeps the vectors

    folder = settings.data_dir

    def place(name: str) -> Path:
        return folder / (f"vectors-{name}" if name else "vectors")

    def remove(name: str) -> None:
        shutil.rmtree(place(name), ignore_errors=True)

    with unit_of_work() as uow:
        serving, filled = uow.rebuilds.collections()
    for found in folder.glob("vectors*"):
        if found not in {place(serving), place(filled or serving)}:
            remove(found.name.removeprefix("vectors").removeprefix("-"))
    return TwoCollections(lambda name: EdgeVectors(place(name)), remove, serving=serving)


def queue(settings: Settings) -> HintQueue | None:
    """Where workers find hints; None where the stages run in the plane's own process."""
    if not settings.queue_url:
        return None
    from frostbyte.adapters.redis.hints import RedisHints  # what a plane without a queue does not wait for

    return RedisHints(settings.queue_url, settings.tenant_id, ca_file=settings.ca_file)


def _on_server(settings: Settings, unit_of_work: UnitOfWorkFactory) -> TwoCollections:
    # A second to import, which a plane with its vectors in process does not wait for.
    from frostbyte.adapters.qdrant.answers import connect
    from frostbyte.adapters.qdrant.tenant import QdrantServer

    server = QdrantServer(
        connect(
            settings.vectors_url,
            key=settings.vectors_api_key,
            grpc_port=settings.vectors_grpc_port,
            ca_file=settings.ca_file,
        ),
        settings.tenant_id,
    )
    with unit_of_work() as uow:
        serving = uow.rebuilds.serving()
    return TwoCollections(server.open, server.remove, serving=serving, listed=server.names, release=server.close)


def scanner(settings: Settings) -> tuple[Scanner, bool]:
    """The scanner, and whether unscanned documents may pass: with the stand-in in development alone."""
    if settings.clamd_address:
        conf = Path(settings.clamd_conf) if settings.clamd_conf else None
        return Clamd(parse_address(settings.clamd_address), conf=conf), False
    return NoScanner(), settings.mode is Mode.DEVELOPMENT


def embedder(settings: Settings) -> Embedder:
    """What makes vectors of texts; how it reaches its server is the adapter's affair."""
    if settings.embedding_endpoint == NO_EMBEDDER:
        return LexicalOnly()
    if not settings.embedding_endpoint:
        return E5()
    return OpenAiEmbedder(
        endpoint=settings.embedding_endpoint,
        model=settings.embedding_model,
        dimensions=settings.embedding_dimensions,
        sha256=settings.embedding_sha256,
        # The tenant's authority vouches for the tenant's own servers; one outside shows what the world trusts.
        ca_file="" if settings.embedding_remote else settings.ca_file,
        api_key=settings.embedding_api_key,
        remote=settings.embedding_remote,
        proxy=settings.egress_proxy if settings.embedding_remote else "",
    )
