"""Names of a tenant's collections on a Qdrant server.

The first is `tenant_{id}`; each rebuild for another model fills one of its own, `tenant_{id}_1`, `_2` and so on. A
name is used once, so a process that has not heard of a switch yet cannot write into a later collection.
"""

from __future__ import annotations

from typing import Final

import jwt

REACH: Final = 16
"""Collections that a tenant's token names: the first, and those of fifteen changes of model."""


def collection(tenant_id: str, name: str = "") -> str:
    """The collection of a tenant.

    Args:
        name: '' for the first, else the number of the rebuild that fills it.
    """
    return f"tenant_{tenant_id}_{name}" if name else f"tenant_{tenant_id}"


def within_reach(tenant_id: str) -> list[str]:
    """All names that a tenant's token should open, made or not."""
    return [collection(tenant_id, str(number) if number else "") for number in range(REACH)]


def token(tenant_id: str, key: str) -> str:
    """What opens these collections and nothing else on a server with this key: the same at each call."""
    reach = [{"collection": one, "access": "rw"} for one in within_reach(tenant_id)]
    return jwt.encode({"access": reach}, key, algorithm="HS256")


def own(tenant_id: str, collections: list[str]) -> list[str]:
    """The names (as `collection` takes them) of those that are the tenant's."""
    first = collection(tenant_id)
    found = [one.removeprefix(first).removeprefix("_") for one in collections if (one + "_").startswith(first + "_")]
    return [name for name in found if not name or name.isdecimal()]
