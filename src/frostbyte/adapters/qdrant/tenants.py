"""A tenant's collections on a Qdrant server, and a token for them alone."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import jwt

from frostbyte.adapters.qdrant import names
from frostbyte.adapters.qdrant.answers import connect, unreachable
from frostbyte.adapters.qdrant.rankings import TERMS
from frostbyte.adapters.qdrant.server import ServerVectors
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.tenant_stores import Attempt, Refused, Secrets
from frostbyte.kernel.ports.vectors import CollectionSpec

KEY: Final = "vectors_api_key"
_SECONDS: Final = 20.0
_POINT: Final = str(UUID(int=0))
_POINTS: Final = {"points": [{"id": _POINT, "vector": {TERMS: {"indices": [1], "values": [1.0]}}, "payload": {}}]}
_CHOSEN: Final = {"points": [_POINT]}
_Try = tuple[str, str, str, Any]
"""What is tried in words, method, path and body."""


class QdrantTenants:
    """See kernel.ports.tenant_stores.TenantStore.

    Args:
        url: of the server's REST interface.
        key: the server's own, which tokens are signed with.
        spec: what the tenant's collection is made for.
        ca_file: certificates that the server's must be signed by.
    """

    name = "vectors"

    def __init__(self, url: str, key: str, spec: CollectionSpec, *, ca_file: Path | None = None) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._spec = spec
        self._client = connect(self._url, key=key, ca_file=str(ca_file or ""))
        self._http = httpx.Client(
            base_url=self._url,
            timeout=_SECONDS,
            verify=ssl.create_default_context(cafile=str(ca_file)) if ca_file else True,
            trust_env=False,
        )

    def provision(self, tenant: str, secrets: Secrets) -> Iterator[str]:
        """The collection for today's embedder, beside those for earlier ones; then the token."""
        name = self._wanted(tenant)
        self._ask(lambda: ServerVectors(self._client, name).ensure(self._spec))
        yield f"collection {name}"
        secrets.note(KEY, names.token(tenant, self._key))
        yield f"token for collections {names.collection(tenant)} to {names.within_reach(tenant)[-1]}"

    def settings(self, tenant: str, secrets: Secrets) -> dict[str, str]:
        """Address and token."""
        return {"FROSTBYTE_VECTORS_URL": self._url, "FROSTBYTE_VECTORS_API_KEY_FILE": KEY}

    def plant(self, tenant: str, secrets: Secrets) -> Iterator[str]:
        """A point, which has a term and no vector."""
        self._call("PUT", f"/collections/{self._wanted(tenant)}/points?wait=true", _POINTS, key=self._key)
        yield "a point"

    def uses(self, tenant: str, secrets: Secrets) -> Sequence[Attempt]:
        """Write, count and delete in the own collection."""
        own, token = f"/collections/{self._wanted(tenant)}", secrets.found(KEY)
        return [
            self._attempt("write into its own collection", token, "PUT", f"{own}/points?wait=true", _POINTS),
            self._attempt("count its own collection", token, "POST", f"{own}/points/count", {}),
            self._attempt("delete from its own collection", token, "POST", f"{own}/points/delete?wait=true", _CHOSEN),
        ]

    def crossings(self, tenant: str, secrets: Secrets, other: str) -> Sequence[Attempt]:
        """The other's collection, the making of collections, and coming without a token or with a forged one."""
        token, target = secrets.found(KEY), f"/collections/{self._wanted(other)}"
        fresh = f"/collections/{names.collection(tenant)}_intruder"
        forged = jwt.encode({"access": "m"}, secrets.found(KEY), algorithm="HS256")
        unsigned = jwt.encode({"access": "m"}, "", algorithm="none")
        reads: tuple[_Try, ...] = (
            ("look at the other's collection", "GET", target, None),
            ("read the other's points", "POST", f"{target}/points/scroll", {"limit": 1}),
            ("count the other's points", "POST", f"{target}/points/count", {}),
        )
        writes: tuple[_Try, ...] = (
            ("write into the other's collection", "PUT", f"{target}/points?wait=true", _POINTS),
            ("change the other's points", "POST", f"{target}/points/payload", {"payload": {"x": 1}, **_CHOSEN}),
            ("delete the other's points", "POST", f"{target}/points/delete?wait=true", {"points": [str(UUID(int=1))]}),
            ("index the other's points", "PUT", f"{target}/index", {"field_name": "x", "field_schema": "keyword"}),
            ("make a collection", "PUT", fresh, {"sparse_vectors": {TERMS: {}}}),
            ("remove a collection", "DELETE", fresh, None),
        )
        return [
            Attempt("see the other's collection", lambda: self._sees(token, self._wanted(other))),
            *(self._attempt(what, token, *rest) for what, *rest in (*reads, *writes)),
            *(self._attempt(f"{what} without a token", "", *rest) for what, *rest in reads),
            *(self._attempt(f"{what} with a forged token", forged, *rest) for what, *rest in reads),
            *(self._attempt(f"{what} with an unsigned token", unsigned, *rest) for what, *rest in reads),
        ]

    def destroy(self, tenant: str) -> Iterator[str]:
        """Its collections; the token then opens nothing."""
        for name in self._made(tenant):
            count = self._ask(lambda: ServerVectors(self._client, name).count())  # noqa: B023  # called at once
            self._call("DELETE", f"/collections/{name}", None, key=self._key)
            yield f"removed collection {name} ({count} points)"

    def remains(self, tenant: str) -> Sequence[str]:
        """Its collections."""
        return [f"collection {name}" for name in self._made(tenant)]

    def _made(self, tenant: str) -> list[str]:
        listed = self._call("GET", "/collections", None, key=self._key)["result"]["collections"]
        return [names.collection(tenant, one) for one in names.own(tenant, [item["name"] for item in listed])]

    def _wanted(self, tenant: str) -> str:
        """The collection made for today's embedder, or the name that the next rebuild will fill."""
        made = self._made(tenant)
        for name in made:
            if self._ask(lambda: ServerVectors(self._client, name).spec) == self._spec:  # noqa: B023  # called at once
                return name
        if not made:
            return names.collection(tenant)
        first = names.collection(tenant)
        last = max(int(name.removeprefix(first).removeprefix("_") or 0) for name in made)
        return names.collection(tenant, str(last + 1))

    def _sees(self, token: str, name: str) -> None:
        # A list shows to everybody what they may see: not to see it is the refusal.
        listed = self._call("GET", "/collections", None, key=token)["result"]["collections"]
        if name not in {item["name"] for item in listed}:
            raise Refused

    def _attempt(self, what: str, key: str, method: str, path: str, body: Any) -> Attempt:
        return Attempt(what, lambda: self._call(method, path, body, key=key, as_administrator=False))

    def _call(self, method: str, path: str, body: Any, *, key: str, as_administrator: bool = True) -> Any:
        try:
            answer = self._http.request(method, path, json=body, headers={"api-key": key} if key else {})
        except httpx.HTTPError as error:
            raise unreachable(type(error).__name__) from None
        if answer.status_code in (401, 403):
            raise _refused() if as_administrator and key == self._key else Refused
        if not answer.is_success:
            raise unreachable(f"it answered {answer.status_code}")
        return answer.json()

    def _ask(self, call: Any) -> Any:
        try:
            return call()
        except Unavailable as error:
            if error.code == "vectors_refused":
                raise _refused() from None
            raise


def _refused() -> Unavailable:
    return Unavailable(
        "storage_admin_refused",
        "The vector store refused the administrator's key.",
        "Correct FROSTBYTE_STORAGE_VECTORS_API_KEY.",
    )
