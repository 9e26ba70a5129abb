"""Whether every plane has heard of a new key, so that the one before it may go.

A plane learns keys from directives alone, and each one names all keys that are accepted. While there are two, the older
one signs: every plane knows it. Once it is retired the newer one signs, which a plane must have heard of by then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from frostbyte.control_plane.killswitch.orders import acknowledged, order
from frostbyte.control_plane.registry.ports import RegistryFactory, RegistryUnitOfWork
from frostbyte.control_plane.registry.records import TenantRow
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import PlaneState

MARGIN: Final = timedelta(seconds=60)
"""An exchange that ends so long after a key was made was signed after it: a channel gives up long before."""
_PAGE: Final = 1000


def unheard(uow: RegistryUnitOfWork, since: datetime | None) -> int:
    """How many planes that are still told something have not been told a key.

    Args:
        since: when the key was made; None for one that is not made yet.
    """
    count, after = 0, ""
    while rows := uow.tenants.page(after=after, limit=_PAGE):
        after = rows[-1].tenant_id
        count += _unheard(uow, rows, since)
    return count


def _unheard(uow: RegistryUnitOfWork, rows: list[TenantRow], since: datetime | None) -> int:
    names = [row.tenant_id for row in rows if order(row) is not None]
    reached, standings = uow.endpoints.get_many(names), uow.standings.get_many(names)
    count = 0
    for row in rows:
        standing = standings.get(row.tenant_id)
        over = order(row) in (None, PlaneState.CLOSED) and (order(row) is None or acknowledged(row, standing))
        heard_at = None if standing is None else standing.acknowledged_at
        heard = since is not None and heard_at is not None and heard_at >= since + MARGIN
        count += row.tenant_id in reached and not over and not heard
    return count


def checked(unit_of_work: RegistryFactory) -> Callable[[datetime | None], None]:
    """Refuses to retire a key that planes need; see kernel.rotation.Rotation.

    Raises (what it returns):
        Conflict: `key_still_needed`.
    """

    def check(since: datetime | None) -> None:
        with unit_of_work() as uow:
            count = unheard(uow, since)
        if count:
            raise Conflict(
                "key_still_needed",
                f"{count} planes have not heard of the new key yet, and would believe nothing any more.",
                "Rotate without --retire-old, wait a minute or two, then retire. Planes that are away for good can be "
                "left behind with --force: they need the new key in their FROSTBYTE_CONTROL_KEYS.",
            )

    return check
