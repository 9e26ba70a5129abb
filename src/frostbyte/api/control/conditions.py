"""Under which conditions something is changed: once (Idempotency-Key), and as it was seen (If-Match).

If-Match is RFC 9110's, section 13.1.1. Where it does not hold for a configuration, the answer says what differs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request

from frostbyte.api.control.access import CHANGE, ControlDep, needs
from frostbyte.api.http.problems import Refused
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.registry.idempotency import Once, once
from frostbyte.kernel.errors import Conflict, Invalid
from frostbyte.kernel.tokens import Caller

IfMatch = Annotated[str, Header(max_length=40, description="The version that was read, as its ETag.")]
IdempotencyKey = Annotated[
    str,
    Header(
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="The same request under the same key is done once, however often it is sent.",
    ),
]
_ETAG: Final = re.compile(r'"([0-9]{1,15})"')


async def asked_once(request: Request, caller: Caller, key: str, if_match: str = "") -> Once | None:
    """The request as one that may be sent again; None without a key.

    Two requests are the same if route, body and If-Match are, byte for byte.
    """
    body = hashlib.sha256(await request.body()).hexdigest()
    what = f"{request.method} {request.url.path}"
    return once(caller.subject, key, what, {"body": body, "if_match": if_match})


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Who changes a tenant, what they saw of it, and whether they may be saying it again."""

    control: ControlPlane
    caller: Caller
    expected: int | None
    """The version that was named; None for whatever it is."""
    once: Once | None


async def decision_of(
    request: Request,
    control: ControlDep,
    caller: Annotated[Caller, needs(CHANGE)],
    idempotency_key: IdempotencyKey = "",
    if_match: IfMatch = "",
) -> Decision:
    """The decision that a request is. Raises as `version_of`."""
    asked = await asked_once(request, caller, idempotency_key, if_match)
    return Decision(control=control, caller=caller, expected=version_of(if_match), once=asked)


Decided = Annotated[Decision, Depends(decision_of)]


def version_of(if_match: str) -> int | None:
    """The version that is named; None for none, or for `*`: whatever it is.

    Raises:
        Invalid: `if_match_invalid`.
    """
    if if_match.strip() in ("", "*"):
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise Invalid("if_match_invalid", "If-Match is not an ETag of this API.", "Send the ETag as it came.")
    return int(found[1])


def config_changed(control: ControlPlane, tenant_id: str, expected: int) -> Refused:
    """412 with what was changed since the version that was named; a tenant always has a configuration."""
    with control.store.unit_of_work() as uow:
        [newest, *_] = uow.configs.page(tenant_id, limit=1)
        seen = uow.configs.get(tenant_id, expected)
    now, then = newest.values, seen.values if seen else {}
    changes = {
        name: {"before": then.get(name), "now": now.get(name)}
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    }
    told = ": " + "; ".join(f"{name} is {_word(change['now'])}" for name, change in changes.items()) if seen else ""
    return Refused(
        Conflict(
            "config_changed",
            f"Version {newest.version} is in force, by {newest.actor}, and not {expected}{told}.",
            "Read the configuration again and repeat the change.",
        ),
        status=412,
        more={"version": newest.version, "changes": changes if seen else None},
    )


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
