"""What is tried again, how often, and how long is paused before it: by the code of the error, as a table.

A code that is not in the table ends the run: trying again would not help (a quota, a token that may not, a mistake of
ours). No step is tried for ever: each code has its number, and all of them together have one too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.kernel.errors import FrostbyteError


@dataclass(frozen=True)
class Again:
    """How an error is tried again.

    Attributes:
        times: at most, in one step.
        first: seconds of the first pause; each further one is twice as long.
        longest: seconds of the longest pause.
        look: whether what was asked may have happened: it is looked for before it is asked once more.
    """

    times: int
    first: float
    longest: float
    look: bool = False


AGAIN: Final[Mapping[str, Again]] = MappingProxyType(
    {
        # The cloud. What was cut off may have happened; what was refused has not.
        "cloud_unreachable": Again(8, 1, 30, look=True),
        "cloud_server_error": Again(8, 1, 30, look=True),
        "cloud_action_slow": Again(3, 5, 30, look=True),
        "cloud_action_failed": Again(3, 5, 30, look=True),
        "cloud_name_taken": Again(2, 1, 5, look=True),
        "cloud_rate_limited": Again(20, 1, 60),
        "cloud_locked": Again(20, 1, 15),
        "cloud_in_use": Again(20, 1, 15),
        # What it shows may be a moment old.
        "resource_missing": Again(4, 1, 5, look=True),
        "resource_remains": Again(8, 1, 15),
        "server_not_running": Again(4, 2, 15, look=True),
        "snapshot_not_ready": Again(8, 5, 60, look=True),
        # Hosts that boot, pull themselves together, or whose way there is not open yet.
        "host_unreachable": Again(12, 2, 30, look=True),
        "host_slow": Again(4, 5, 30, look=True),
        # Names spread with the time to live of what stood there before.
        "dns_unreachable": Again(8, 1, 30, look=True),
        "dns_not_yet": Again(12, 2, 60),
        # A plane that has only just started, and our own database.
        "plane_unreachable": Again(8, 2, 15, look=True),
        "database_unavailable": Again(8, 1, 15, look=True),
        "database_busy": Again(8, 1, 5, look=True),
    }
)
REFUSED: Final = frozenset(
    {
        "cloud_rate_limited", "cloud_locked", "cloud_protected", "cloud_in_use", "cloud_name_taken", "cloud_not_found",
        "cloud_out_of_stock", "cloud_quota", "cloud_refused", "cloud_invalid", "cloud_type_unfit",
    }
)  # fmt: skip
"""A cloud that says this has not done what it was asked for. After anything else it may have, or may do so yet."""
MOST: Final = 40
"""Attempts at one step, whatever their errors are."""
LONGEST_WAIT: Final = 3600.0
"""A cloud that asks for more patience than this (an hour's requests are used up) ends the run."""


class Tries:
    """The attempts at one call. Not shared by threads.

    Args:
        draw: 0 to 1; spreads the pauses of those who were refused together.
    """

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._count: Counter[str] = Counter()
        self.look = False
        """Whether something that was asked may have happened."""

    def pause(self, error: FrostbyteError) -> float | None:
        """Seconds until the next attempt; None if there is none."""
        again = AGAIN.get(error.code)
        if again is None:
            return None
        self._count[error.code] += 1
        count = self._count[error.code]
        if count > again.times or self._count.total() > MOST:
            return None
        self.look = self.look or again.look
        asked = error.retry_after if isinstance(error, CloudError) else 0.0
        if asked > LONGEST_WAIT:
            return None
        grown = min(again.first * 2.0 ** (count - 1), again.longest)
        return max(grown, asked) * (1.0 + 0.25 * self._draw())
