"""How long things stay in a plane: erasure, legal holds, retention, and what is cleared up every minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frostbyte.data_plane.flow import Ports
from frostbyte.data_plane.intake import sweep_orphans
from frostbyte.data_plane.lifecycle.configuration import Configuration
from frostbyte.data_plane.lifecycle.erasure import Erasure, sweep_generations
from frostbyte.data_plane.lifecycle.retention import Retention
from frostbyte.data_plane.lifecycle.trusted_time import TrustedTime
from frostbyte.data_plane.obeying import Obeying
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import Upkeep

if TYPE_CHECKING:
    from frostbyte.bootstrap.data import Plane


def erasure(ports: Ports) -> Erasure:
    """What erases documents."""
    return Erasure(
        tenant_id=ports.tenant_id,
        unit_of_work=ports.unit_of_work,
        vault=ports.vault,
        blobs=ports.vault.blobs,
        vectors=ports.vectors,
        clock=ports.clock,
    )


def retention(ports: Ports, configuration: Configuration, obeying: Obeying | None) -> Retention:
    """What erases them when they were kept long enough, by a clock that the control plane's is compared with."""
    return Retention(
        tenant_id=ports.tenant_id,
        unit_of_work=ports.unit_of_work,
        clock=ports.clock,
        time=TrustedTime(
            ports.tenant_id,
            ports.unit_of_work,
            ports.clock,
            told=lambda: obeying.told_time if obeying is not None else None,
        ),
        erasure=erasure(ports),
        configuration=configuration,
    )


def maintain(plane: Plane) -> None:
    """Finish erasures, apply retention, remove what nothing refers to.

    While the plane is updated nothing is done at all. While the tenant is suspended nothing is removed but what
    was erased before: what a person was promised is kept, and what nobody could take back waits. A tenant may be
    suspended because somebody else has its keys. Retention counts from when a document came, so that it is made up
    for when the tenant is resumed; the clock is looked at meanwhile, so that the pause is not taken for a leap.
    """
    if plane.gate.upkeep is not Upkeep.OPEN:
        return
    plane.rotation.resume()
    plane.erasure.resume()
    _retain(plane)
    if plane.gate.refusal is not None or plane.store.snapshot_read():
        return  # an export reads an older state, and what that refers to
    sweep_orphans(plane.store.unit_of_work, plane.vault.blobs)
    sweep_generations(plane.store.unit_of_work, plane.vault.blobs, plane.ports.vectors)
    plane.rebuild.sweep()


def _retain(plane: Plane) -> None:
    """What else is to be maintained does not wait for a clock that is doubted; log and health say that."""
    try:
        if plane.gate.refusal is None:
            plane.retention.turn(lambda: plane.gate.refuses_writing is None and not plane.stopping)
        else:
            plane.retention.time.look()
    except Unavailable as error:
        if error.code != "clock_doubted":
            raise
