"""One tenant's part of a server that many tenants may share: made, tried, and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class Refused(Exception):
    """The server itself said no: what a crossing must end with. An outage is never this."""


@dataclass(frozen=True)
class Attempt:
    """Something that is tried with a tenant's own credentials, or with none.

    Attributes:
        what: in words, for the report.
        run: tries it. Returns if it worked, raises `Refused` if the server said no, and
            `Unavailable` (or another FrostbyteError) if there was no answer to judge by.
    """

    what: str
    run: Callable[[], object]


class Secrets(Protocol):
    """A tenant's generated secrets, durable before a server is told of them."""

    def made(self, name: str) -> str:
        """The secret of this name, made at the first call."""
        ...

    def found(self, name: str) -> str:
        """The secret of this name. Raises NotFound("tenant_secret_missing")."""
        ...

    def note(self, name: str, value: str) -> None:
        """Keep something that is made of secrets, such as an address with a password in it."""
        ...


class TenantStore(Protocol):
    """One server, seen by whoever provisions tenants on it.

    Every method may be called again after it was killed between any two calls to the server. Generators do their work
    as they are iterated and yield a sentence for each thing that was done.

    Raises:
        Unavailable: the server does not answer, or refuses the administrator.
    """

    name: str
    """objects, database, vectors or queue."""

    def provision(self, tenant: str, secrets: Secrets) -> Iterator[str]: ...

    def settings(self, tenant: str, secrets: Secrets) -> dict[str, str]:
        """What the tenant's plane is told of this server: names of settings and their values, none of them secret.

        A name that ends in `_FILE` gives the name of a secret, whose file it becomes.
        """
        ...

    def plant(self, tenant: str, secrets: Secrets) -> Iterator[str]:
        """Put something there that others may try to read."""
        ...

    def uses(self, tenant: str, secrets: Secrets) -> Sequence[Attempt]:
        """What must work with the tenant's credentials: else a refusal would prove nothing."""
        ...

    def crossings(self, tenant: str, secrets: Secrets, other: str) -> Sequence[Attempt]:
        """What must be refused: reaching the other tenant's part, the server's administration, coming as nobody."""
        ...

    def destroy(self, tenant: str) -> Iterator[str]: ...

    def remains(self, tenant: str) -> Sequence[str]:
        """What is still there of the tenant; empty after `destroy`."""
        ...
