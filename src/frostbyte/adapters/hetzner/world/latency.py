"""How long things take in the world, in its own seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds of each kind of work.

    Attributes:
        reply: what every request takes before its answer.
        halt: from the end of a `shutdown` action until the server is really off.
        select: until a firewall's label selector has been looked at again.
        release: how long a firewall counts as in use after its last server has gone.
        publish: until a zone's name servers answer with what was changed.
    """

    reply: float = 0.0
    create_server: float = 0.0
    create_from_snapshot: float = 0.0
    delete_server: float = 0.0
    start: float = 0.0
    stop: float = 0.0
    shutdown: float = 0.0
    halt: float = 0.0
    join: float = 0.0
    create_volume: float = 0.0
    attach: float = 0.0
    detach: float = 0.0
    resize: float = 0.0
    create_image: float = 0.0
    change_type: float = 0.0
    network: float = 0.0
    firewall: float = 0.0
    select: float = 0.0
    release: float = 0.0
    primary_ip: float = 0.0
    protection: float = 0.0
    publish: float = 0.0

    def named(self, name: str) -> float:
        """Raises KeyError for a name that is not one of the attributes."""
        if name not in {field.name for field in fields(self)}:
            raise KeyError(name)
        seconds: float = getattr(self, name)
        return seconds


NONE: Final = Latency()
"""Everything is over when one looks next."""
REALISTIC: Final = Latency(
    reply=0.15,
    create_server=11.0,
    create_from_snapshot=15.0,
    delete_server=3.0,
    start=3.0,
    stop=2.0,
    shutdown=1.0,
    halt=8.0,
    join=2.0,
    create_volume=2.0,
    attach=2.0,
    detach=2.0,
    resize=2.0,
    create_image=60.0,
    change_type=30.0,
    network=1.0,
    firewall=1.0,
    select=5.0,
    release=4.0,
    primary_ip=1.0,
    protection=0.5,
    publish=2.0,
)
"""What people report of the real one: a server in 8 to 15 s, starts in 3 s, volumes and attachments in 2 s. Rounded,
and the same at each call, so that a critical path can be computed from them."""
PROFILES: Final = {"none": NONE, "realistic": REALISTIC}
