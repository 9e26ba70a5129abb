"""What the edge's use cases need of the world: a folder that the edge watches, and the text of its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from frostbyte.control_plane.edge.routes import Credentials, Pair, Route, Site


class EdgeFiles(Protocol):
    """The folder that the edge watches. All methods raise `Unavailable("edge_unwritable")`.

    A name is one of our own kinds (`[a-z0-9]{1,32}(-[a-z0-9]{1,32})?` and `.yml`); another raises `Invalid`
    (`edge_name_invalid`), except in `remove`, which takes whatever `stamps` found.
    """

    def write(self, name: str, text: str) -> None:
        """Durable, and as a whole: who reads finds the old text or the new one."""
        ...

    def read(self, name: str) -> str | None:
        """The text; None where there is no such file, or nothing that `write` could have made."""
        ...

    def remove(self, name: str) -> None:
        """One that is not there is no trouble."""
        ...

    def stamp(self, name: str) -> str:
        """What changes whenever somebody writes to the file; '' where there is none."""
        ...

    def stamps(self) -> dict[str, str]:
        """By name, everything that lies in the folder, with its stamp."""
        ...


class Renderer(Protocol):
    """The edge's own format."""

    def tenant(self, route: Route, site: Site) -> str:
        """A tenant's file."""
        ...

    def shared(self, site: Site, pair: Pair | None) -> dict[str, str]:
        """By name, the files that are no tenant's; the pair is what clients see where the edge gets none itself."""
        ...


CredentialsOf = Callable[[str], Credentials]
"""What the edge shows to a tenant's gateway and knows it by; renewed in time. Raises FrostbyteError."""
SitePair = Callable[[], Pair | None]
"""The certificate that clients see, as it is now."""
