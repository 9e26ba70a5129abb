"""The collections of one tenant on a Qdrant server."""

from __future__ import annotations

from qdrant_client import models as qm

from frostbyte.adapters.qdrant.answers import Gone, Server, asked_again
from frostbyte.adapters.qdrant.names import collection, own
from frostbyte.adapters.qdrant.server import ServerVectors
from frostbyte.kernel.errors import Unavailable


class QdrantServer:
    """What a plane may do there, as far as its key lets it.

    Args:
        client: this closes it.
        tenant_id: whose collections.
    """

    def __init__(self, client: Server, tenant_id: str) -> None:
        self._client = client
        self._tenant_id = tenant_id

    def open(self, name: str) -> ServerVectors:
        """The collection of a name; nothing is asked of the server yet."""
        return ServerVectors(self._client, collection(self._tenant_id, name))

    def names(self) -> list[str]:
        """Of the tenant's collections that exist. Raises Unavailable."""
        listed = asked_again(self._client.get_collections).collections
        return own(self._tenant_id, [one.name for one in listed])

    def remove(self, name: str) -> None:
        """Remove a collection; with a token that may not, all that is in it. Raises Unavailable."""
        full = collection(self._tenant_id, name)
        try:
            try:
                asked_again(lambda: self._client.delete_collection(full))
            except Unavailable as error:
                if error.code != "vectors_refused":
                    raise
                everything = qm.FilterSelector(filter=qm.Filter(must=[]))
                asked_again(lambda: self._client.delete(full, everything, wait=True))
        except Gone:
            return

    def close(self) -> None:
        """Let the client go."""
        self._client.close()
