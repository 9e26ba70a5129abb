"""What of a tenant's differences a repair puts right, and what a person has to: pure. Its cases are data.

A repair makes again what was made and is gone, and undoes what keeps the tenant's own things apart. It takes nothing
away that it did not make, and never makes a volume anew: an empty one in place of a lost one would only hide the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from frostbyte.control_plane.provisioning.drift import Difference, What
from frostbyte.control_plane.provisioning.resources import Kind

MENDED: Final[Mapping[tuple[What, Kind, str], str]] = MappingProxyType(
    {
        (What.MISSING, Kind.SERVER, ""): "another server is made in its place, at its address, with its volume",
        (What.MISSING, Kind.NETWORK, ""): "it is made again, and the tenant's servers join it",
        (What.MISSING, Kind.RECORD, ""): "it is made again",
        (What.CHANGED, Kind.RECORD, "values"): "it leads to the edge again",
        (What.CHANGED, Kind.SERVER, "private_address"): "it joins the network at its address again",
        (What.CHANGED, Kind.VOLUME, "server"): "it is attached to its server again, which is switched off for it",
        (What.OFF, Kind.SERVER, "status"): "it is started",
    }
)
"""What a repair does about a difference."""

ADVICE: Final[Mapping[tuple[What, Kind, str], str]] = MappingProxyType(
    {
        (
            What.MISSING,
            Kind.VOLUME,
            "",
        ): "The data on it is gone. Restore the tenant from a backup: frostbyte tenant restore.",
        (What.CHANGED, Kind.VOLUME, "size_gb"): "Somebody made it larger. Say so: frostbyte tenant scale --volume-gb.",
        (What.CHANGED, Kind.SERVER, "type"): "Somebody changed its type. Name the type that it is to have: "
        "frostbyte tenant scale.",
        (What.CHANGED, Kind.SERVER, "public_address"): "Its address was changed. Replace the server: "
        "frostbyte tenant repair --replace.",
    }
)
"""What a person can do about one that no repair touches."""
_OF_KIND: Final[Mapping[Kind, str]] = MappingProxyType(
    {Kind.FIREWALL: "It is the project's: frostbyte control up puts its firewalls right."}
)
_OF_WHAT: Final[Mapping[What, str]] = MappingProxyType(
    {
        What.REPLACED: "Somebody made another one under its name. Rename or remove that one at the cloud, then repair.",
        What.CHANGED: "Somebody changed it. Change it back at the cloud, or remove it there and repair.",
        What.UNKNOWN: "Nobody's journal knows it. frostbyte sweep shows what can be removed.",
        What.EXTRA: "Somebody put it there. Take it away at the cloud if nobody needs it.",
        What.MISSING: "It is not made again by itself. Look who removed it.",
        What.OFF: "Start it at the cloud.",
    }
)
LOST: Final = (What.MISSING, Kind.VOLUME)
"""What cannot be repaired at all."""


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A difference, and what is done about it.

    Attributes:
        mended: whether a repair puts it right.
        words: how; or what a person can do.
    """

    difference: Difference
    mended: bool
    words: str


def weighed(differences: Sequence[Difference]) -> list[Weighed]:
    """What is done about each, in the same order."""
    return [_weighed(one) for one in differences]


def _weighed(one: Difference) -> Weighed:
    key = (one.what, one.kind, one.field)
    if key in MENDED and one.step:
        return Weighed(difference=one, mended=True, words=MENDED[key])
    words = ADVICE.get(key) or _OF_KIND.get(one.kind) or _OF_WHAT[one.what]
    return Weighed(difference=one, mended=False, words=words)
