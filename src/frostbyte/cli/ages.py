"""How old a scanner's signatures and a model may be. A pure judgement by two limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.findings import Finding, Level

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Limits:
    """In days; 0 for no limit.

    Attributes:
        warn: above it the report warns.
        fail: above it the plane is not as it should be.
    """

    warn: int
    fail: int


SIGNATURES: Final = Limits(warn=35, fail=100)
"""Where signatures are carried in by hand every month, or every quarter, with some days to spare."""
MODEL: Final = Limits(warn=0, fail=0)
"""A model does not spoil with age: a limit is for those whose rules name one."""


def limits(text: str) -> Limits:
    """From `WARN,FAIL`.

    Raises:
        CommandFailed: `age_limits`.
    """
    found = re.fullmatch(r"(\d{1,5}),(\d{1,5})", text.strip(), re.ASCII)
    if found is None or 0 < int(found[2]) < int(found[1]):
        raise CommandFailed(
            "age_limits",
            "Two numbers of days are wanted, the first not above the second.",
            "Write 35,100 to be warned above 35 days and refused above 100; 0 stands for no limit.",
        )
    return Limits(warn=int(found[1]), fail=int(found[2]))


def judge(name: str, made: datetime | None, now: datetime, allowed: Limits, *, what: str, remedy: str) -> Finding:
    """Whether something is as young as the limits want.

    Args:
        name: of the finding.
        made: when; None where nobody knows, which passes only where there is no limit.
        now: by the host's clock.
        allowed: the limits.
        what: it is, as a sentence begins: "The scanner's signatures".
        remedy: how to get younger ones.
    """
    told = f"warns above {allowed.warn} days, fails above {allowed.fail}; 0 is no limit"
    if made is None:
        level = Level.FAIL if allowed.fail else Level.WARN if allowed.warn else Level.OK
        return Finding(
            name, level, f"{what}: of a date that nobody knows ({told}).", "" if level is Level.OK else remedy
        )
    age = now - made
    line = f"{what}: of {made.astimezone(UTC):%Y-%m-%d}, {max(age, timedelta()).days} days old ({told})."
    if age < -_DAY:
        return Finding(
            name, Level.FAIL, f"{what}: of {made:%Y-%m-%d}, which is still to come.", "Set this host's clock."
        )
    if allowed.fail and age > allowed.fail * _DAY:
        return Finding(name, Level.FAIL, line, remedy)
    if allowed.warn and age > allowed.warn * _DAY:
        return Finding(name, Level.WARN, line, remedy)
    return Finding(name, Level.OK, line)


def moment(text: str) -> datetime | None:
    """An ISO 8601 date or moment, UTC where no zone is named; None for ''.

    Raises:
        CommandFailed: `age_date`.
    """
    if not text or text == "-":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandFailed("age_date", "This is no date.", "Write it as 2026-03-01 or 2026-03-01T14:00:00Z.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
