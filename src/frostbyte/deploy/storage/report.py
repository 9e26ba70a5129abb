"""What came of trying to cross from one tenant to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How an attempt ended."""

    DENIED = "DENIED"
    """The server refused."""
    ALLOWED = "ALLOWED"
    """It worked."""
    UNANSWERED = "UNANSWERED"
    """The server gave no answer to judge by: neither a refusal nor a success."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One attempt."""

    store: str
    acting: str
    """Whose credentials were used."""
    target: str
    """Whose part was tried."""
    what: str
    wanted: Outcome
    outcome: Outcome
    code: str = ""
    """Of the error, where nothing was answered."""

    @property
    def good(self) -> bool:
        """Whether it ended as it must."""
        return self.outcome is self.wanted


@dataclass(frozen=True, kw_only=True)
class Report:
    """All attempts of one verification."""

    tenant: str
    against: str
    at: datetime
    findings: tuple[Finding, ...]

    @property
    def crossings(self) -> list[Finding]:
        """Attempts that must be refused."""
        return [finding for finding in self.findings if finding.wanted is Outcome.DENIED]

    @property
    def breaches(self) -> list[Finding]:
        """Crossings that succeeded."""
        return [finding for finding in self.crossings if finding.outcome is Outcome.ALLOWED]

    @property
    def unanswered(self) -> list[Finding]:
        """Attempts of which nothing is known."""
        return [finding for finding in self.findings if finding.outcome is Outcome.UNANSWERED]

    @property
    def broken(self) -> list[Finding]:
        """What the tenant must be able to do and may not: then refusals prove nothing."""
        return [f for f in self.findings if f.wanted is Outcome.ALLOWED and f.outcome is Outcome.DENIED]

    @property
    def isolated(self) -> bool:
        """Whether every crossing was refused while the tenant's own work was not; False if there was none."""
        return bool(self.crossings) and all(finding.good for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """For programs and for the record."""
        return {
            "tenant": self.tenant,
            "against": self.against,
            "at": self.at.isoformat(),
            "isolated": self.isolated,
            "counts": {
                "crossings": len(self.crossings),
                "denied": sum(f.outcome is Outcome.DENIED for f in self.crossings),
                "allowed": len(self.breaches),
                "unanswered": len(self.unanswered),
                "own_work_refused": len(self.broken),
            },
            "attempts": [
                {
                    "store": f.store,
                    "acting": f.acting,
                    "target": f.target,
                    "attempt": f.what,
                    "wanted": f.wanted.value,
                    "outcome": f.outcome.value,
                    **({"code": f.code} if f.code else {}),
                }
                for f in self.findings
            ],
        }
