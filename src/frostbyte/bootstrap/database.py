"""The way to a PostgreSQL, for planes and for the control plane, which has no other store: nothing else is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from frostbyte.adapters.postgres import EmbeddedServer
from frostbyte.adapters.postgres.schema import WRITER, owns_schema


@dataclass(frozen=True, kw_only=True)
class Access:
    """As whom a process works with its database, and who brings the schema up to date."""

    server: EmbeddedServer | None
    """Where the server is ours to stop."""
    owner: str
    writer: str
    grantee: str
    """The role that the schema's grants are made to."""

    @property
    def steps_down(self) -> bool:
        """Whether the owner itself works, as a writer: nobody has to have prepared the server then."""
        return self.owner == self.writer

    def role(self) -> str:
        """What a running process steps down to, so that it only adds to the audit; '' where it comes as a writer.

        The database is asked, once its schema is there. Raises as `schema.owns_schema`.
        """
        return WRITER if self.steps_down and owns_schema(self.writer) else ""


def access(url: str, owner_url: str, ca_file: str, folder: Path) -> Access:
    """To the server of these addresses, or to one of our own in the folder where there is none."""
    if not url:
        server = EmbeddedServer(folder).start()
        return Access(server=server, owner=server.owner_dsn, writer=server.writer_dsn, grantee=WRITER)
    writer = trusting(url, ca_file)
    return Access(
        server=None,
        owner=trusting(owner_url, ca_file) or writer,
        writer=writer,
        grantee=(_user(writer) if owner_url else "") or WRITER,
    )


def _user(url: str) -> str:
    return str(conninfo_to_dict(url).get("user") or "")


def trusting(url: str, ca_file: str) -> str:
    """The address with the tenant's authority in it, unless it names its own."""
    if not url or not ca_file or "sslrootcert" in conninfo_to_dict(url):
        return url
    return make_conninfo(url, sslrootcert=ca_file)
