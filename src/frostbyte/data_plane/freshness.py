"""Whether a scanner's signatures are young enough to call anything clean, and what follows where they are not.

The limit is the tenant's (`signatures_max_age_days`). Above it a scanner knows nothing of what came since, and its `OK`
is no verdict: documents wait (promise 2), and no upload is taken that could only wait as well. The same holds where
nobody can tell how old they are: a clamd whose daily database is missing answers OK to all that is new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.tenancy import TenantConfig

TOLD_SECONDS: Final = 30.0
"""Between two words of a scanner."""
SEEN_SECONDS: Final = 300.0
"""A scanner that was not heard of for so long is not counted: its worker is gone, or it is down, which others say."""
AHEAD_OF_US: Final = timedelta(days=1)
"""By so much a scanner's clock, which tells no time zone, may differ from ours."""
_DAY: Final = timedelta(days=1)

_SAID: Final = (
    (
        "signatures_too_old",
        "The malware scanner's signatures are older than this tenant allows (signatures_max_age_days).",
        "Bring newer ones: `frostbyte deliver` at the control plane, a newer bundle's update.sh where there is none. "
        "What waits is scanned by itself then.",
    ),
    (
        "signatures_undated",
        "The malware scanner does not say how old its signatures are, and this tenant limits that.",
        "Bring a whole set with the daily database, or set signatures_max_age_days to 0. What waits goes on then.",
    ),
    (
        "signatures_ahead",
        "The malware scanner's signatures are of a day that is still to come by this host's clock.",
        "Set the clock of the host; what waits goes on by itself then.",
    ),
)
TOO_OLD, UNDATED, AHEAD = (said[0] for said in _SAID)
WORDS: Final = {code: (message, remedy) for code, message, remedy in _SAID}
"""Code: what is the matter, and what to do."""


def trouble(made_at: datetime | None, now: datetime, days: int) -> str:
    """Why nothing may be called clean with these signatures, as a code; '' where it may.

    Args:
        made_at: when they were made; None where the scanner does not say.
        now: by the clock of whoever scans.
        days: the tenant's limit; 0 for none.
    """
    if not days:
        return ""
    if made_at is None:
        return UNDATED
    if made_at - now > AHEAD_OF_US:
        return AHEAD
    return TOO_OLD if now - made_at > days * _DAY else ""


def refused(code: str) -> Unavailable:
    """What whoever uploads is answered."""
    message, remedy = WORDS[code]
    return Unavailable(code, f"{message} So no uploads are taken; questions are answered as ever.", remedy)


@dataclass(frozen=True, kw_only=True)
class Signatures:
    """What the plane's scanners have.

    Attributes:
        limit_days: the tenant's; 0 for none.
        made_at: of the oldest that any of them scans with; None where none was heard of, or one does not say.
        trouble: code of the worst of them; '' where all may scan.
        refusal: why no upload is taken: none of those that were heard of may call anything clean.
    """

    limit_days: int
    made_at: datetime | None
    trouble: str
    refusal: Unavailable | None


class Freshness:
    """What is known of the plane's scanners, from its database: they are on other hosts than who takes uploads.

    Args:
        config: the configuration in force.
        strict: whether uploads are refused: everywhere but in development, where the unscanned goes on as such.
    """

    def __init__(
        self, unit_of_work: UnitOfWorkFactory, clock: Clock, config: Callable[[], TenantConfig], *, strict: bool = True
    ) -> None:
        self._unit_of_work, self._clock, self._config, self._strict = unit_of_work, clock, config, strict

    def look(self) -> Signatures:
        """As it is now. Raises Unavailable if the database does not answer."""
        now, days = self._clock.now(), self._config().signatures_max_age_days
        with self._unit_of_work(reading=True) as uow:
            rows = uow.scanners.seen(now, SEEN_SECONDS)
        made = [row.made_at for row in rows]
        found = [code for row in rows if (code := trouble(row.made_at, now, days))]
        dated = [at for at in made if at is not None]
        return Signatures(
            limit_days=days,
            made_at=min(dated) if dated and len(dated) == len(made) else None,
            trouble=found[0] if found else "",
            refusal=refused(found[0]) if self._strict and found and len(found) == len(rows) else None,
        )

    def refusal(self) -> Unavailable | None:
        """Why no upload is taken now."""
        return self.look().refusal
