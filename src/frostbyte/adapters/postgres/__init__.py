"""PostgreSQL: the relational store, the audit, and a server of our own where none is installed."""

from frostbyte.adapters.postgres.embedded import EmbeddedServer
from frostbyte.adapters.postgres.schema import Plane, check_plane, claim_plane, migrate, read_plane
from frostbyte.adapters.postgres.unit_of_work import PostgresStore

__all__ = ["EmbeddedServer", "Plane", "PostgresStore", "check_plane", "claim_plane", "migrate", "read_plane"]
