"""What of the things that carry our labels nobody owns any more: pure.

Nothing without our labels, and nothing of another environment, is even told. What the journal knows, what a run may be
making, what is young, what holds data and what something else uses is left alone, each with its reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState, RunRow
from frostbyte.control_plane.provisioning.resources import ENVIRONMENT, FROSTBYTE, MANAGED_BY, OWNER, RUN, Found, Kind

GRACE: Final = timedelta(hours=1)
"""Longer than any call and its journalling: what is younger may be on its way into the journal."""
_TENANT: Final = "tenant."
ORDER: Final = (
    Kind.RECORD,
    Kind.SERVER,
    Kind.VOLUME,
    Kind.PRIMARY_IP,
    Kind.NETWORK,
    Kind.FIREWALL,
    Kind.SSH_KEY,
    Kind.SNAPSHOT,
)
"""In which kinds are removed: first what leads to others or hangs on them. A network's removal would silently take its
servers out of it, so it comes after them."""


class Verdict(StrEnum):
    """How something stands."""

    OWNED = "owned"
    """The journal knows it."""
    BUSY = "busy"
    """A run of its owner, or the run that made it, goes on."""
    DATA = "data"
    """A volume of the base, of a tenant that was ever active, or of one that the register does not know."""
    YOUNG = "young"
    """Made less than the grace ago."""
    UNDATED = "undated"
    """Nobody says when it was made, and its run is not known."""
    IN_USE = "in_use"
    """Something uses it that is left alone."""
    ORPHAN = "orphan"
    """Nobody owns it."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One thing with our labels.

    Attributes:
        project_id: the project whose token sees it.
    """

    found: Found
    verdict: Verdict
    project_id: str = ""

    @property
    def tenant_id(self) -> str:
        """Whose it is by its label; '' for the base's."""
        return tenant_of(self.found)

    @property
    def key(self) -> str:
        """What tells it from everything else: `server/4711`, `record/frostbyte.io/acme.pipeline/A`."""
        return key_of(self.found)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the control plane knows.

    Attributes:
        owned: entries that are not GONE, of all owners of the environment.
        running: runs that go on.
        ended: when other runs ended, by id.
        never_active: tenants whose planes never took a document.
    """

    environment: str
    owned: Sequence[EntryRow]
    running: Sequence[RunRow]
    ended: Mapping[str, datetime] = field(default_factory=dict)
    never_active: Collection[str] = ()


def judge(found: Iterable[Found], known: Known, now: datetime, grace: timedelta = GRACE) -> list[Judged]:
    """Everything of ours with its verdict, in the order in which orphans are removed."""
    ours = [one for one in found if _ours(one, known.environment)]
    judged = [Judged(found=one, verdict=_verdict(one, known, now, grace)) for one in ours]
    going = {(one.found.kind, one.found.resource_id) for one in judged if one.verdict is Verdict.ORPHAN}
    return sorted(
        (_held(one, going) if one.verdict is Verdict.ORPHAN else one for one in judged),
        key=lambda one: (ORDER.index(one.found.kind), one.found.name, one.key),
    )


def tenant_of(found: Found) -> str:
    """A tenant's id by the label; '' for the base, and for what has no such label."""
    label = found.labels.get(OWNER, "")
    return label.removeprefix(_TENANT) if label.startswith(_TENANT) else ""


def key_of(found: Found) -> str:
    """See Judged.key."""
    zone = f"{found.facts['zone']}/" if found.kind is Kind.RECORD else ""
    return f"{found.kind.value}/{zone}{found.resource_id}"


def _ours(found: Found, environment: str) -> bool:
    return (found.labels.get(MANAGED_BY), found.labels.get(ENVIRONMENT)) == (FROSTBYTE, environment)


def _verdict(found: Found, known: Known, now: datetime, grace: timedelta) -> Verdict:
    tenant_id = tenant_of(found)
    if any(_tells(entry, found) for entry in known.owned):
        return Verdict.OWNED
    run = found.labels.get(RUN, "")
    if any(str(row.run_id) == run or row.tenant_id == tenant_id for row in known.running):
        return Verdict.BUSY
    if found.kind is Kind.VOLUME and tenant_id not in known.never_active:
        return Verdict.DATA
    since = datetime.fromisoformat(found.created_at) if found.created_at else known.ended.get(run)
    if since is None:
        return Verdict.UNDATED
    return Verdict.YOUNG if now - since < grace else Verdict.ORPHAN


def _tells(entry: EntryRow, found: Found) -> bool:
    """Whether the journal's entry may mean this one. A name that it has written down is enough, except of snapshots,
    several of which may have one: there an id counts once it is known."""
    if entry.state is EntryState.GONE or entry.kind != found.kind:
        return False
    if found.kind is Kind.RECORD:
        kind = found.resource_id.rpartition("/")[2]
        return entry.name == f"{found.name}.{found.facts['zone']}/{kind}"
    if entry.resource_id and entry.resource_id == found.resource_id:
        return True
    named = entry.name == found.name and entry.owner.label == found.labels.get(OWNER)
    return named and (not entry.resource_id or found.kind is not Kind.SNAPSHOT)


def _held(one: Judged, going: Collection[tuple[Kind, str]]) -> Judged:
    """An orphan that is used by something that stays, stays too."""
    facts = one.found.facts
    users = [*facts.get("servers", ()), facts.get("server", ""), facts.get("assignee", "")]
    if all(not user or (Kind.SERVER, user) in going for user in users):
        return one
    return Judged(found=one.found, verdict=Verdict.IN_USE)
