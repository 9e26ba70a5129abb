"""A simulated project, reached in this process or over HTTP: what is tried must be the same through both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from frostbyte.adapters.hetzner.calls import Calls
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.waiting import Waiting
from frostbyte.adapters.hetzner.world.world import World

ENVIRONMENT = "test"


@dataclass
class Place:
    """One project.

    Attributes:
        tapped: what the tap heard.
        calls_with: another way to the project, with another token.
    """

    world: World
    calls: Calls
    waiting: Waiting
    calls_with: Callable[[str], Calls]
    tapped: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def cloud(self) -> HetznerCloud:
        """The port."""
        return HetznerCloud(self.calls, ENVIRONMENT, self.waiting)
