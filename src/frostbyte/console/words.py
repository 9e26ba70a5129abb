"""How the console says numbers, times and states."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

SAID: Final = {
    "done": "Done.",
    "received": "Your files arrived. What becomes of them is below.",
    "closed": "The upload is closed: what arrived goes on.",
    "erased": "The document is erased. Keep this receipt.",
    "webhook_removed": "The webhook is removed.",
    "webhook_discarded": "The message is off the list. The audit keeps that it was given up, and who discarded it.",
    "webhook_sent_again": "The message is sent now. Open this page again in a moment to see what came of it.",
    "signed_out": "You are signed out.",
    "acknowledged": "It is acknowledged; the log is tried again.",
    "released": "Released: searches find it from now on.",
    "kept": "It stays withheld.",
    "classified": "The class is set.",
    "sent_again": "It goes through every gate again.",
    "decided_elsewhere": "Somebody else decided about this just before you; nothing of yours was changed.",
    "hold_placed": "The hold is in force.",
    "hold_released": "The hold is released.",
    "hold_released_before": "Somebody else released it just before you.",
    "set_up": "Your account is set up. From now on you sign in with name, password and a code.",
    "password_changed": "Your password is changed; other sessions have ended.",
    "sessions_ended": "Signed out there.",
    "account_changed": "The account is changed.",
}
"""What a page says after an action that led to it: an address names one of these and nothing else."""

STATES: Final = {
    "received": "Received",
    "waiting": "Waiting",
    "indexed": "Indexed",
    "quarantined": "Quarantined",
    "failed": "Failed",
    "erased": "Erased",
    "processing": "In progress",
    "rejected": "Rejected",
    "duplicate": "Here already",
    "under_way": "Under way",
}
STAGES: Final = {
    "scan": "Scanning for malware",
    "parse": "Reading",
    "policy": "Checking against policy",
    "embed": "Preparing for search",
    "index": "Entering into search",
}
"""What is done with a document at each stage, in order."""
_UNITS: Final = ("kB", "MB", "GB", "TB")
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def size(octets: int) -> str:
    """So many bytes, to read: decimal units, as disks are sold and quotas are set."""
    if octets < 1000:
        return f"{octets} B"
    power = 1
    while octets >= 999.5 * 1000**power and power < len(_UNITS):
        power += 1
    amount, unit = octets / 1000**power, _UNITS[power - 1]
    return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:.0f} {unit}"


def count(number: int, one: str = "", many: str = "") -> str:
    """A number with its noun: 1 document, 12,340 documents. Without a noun, the number alone."""
    noun = one if number == 1 else many or (one and f"{one}s")
    return f"{number:,} {noun}" if noun else f"{number:,}"


def seconds(amount: float) -> str:
    """A duration: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if amount < 10:
        return f"{amount:.1f} s"
    whole = round(amount)
    for large, small, length, part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {large}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def state(name: str) -> str:
    """A document's or batch's state as a person says it."""
    return STATES.get(name, name.replace("_", " ").capitalize())


def stage(name: str) -> str:
    """What is done with a document at a stage."""
    return STAGES.get(name, name)


def moment(value: datetime | str | None) -> Markup:
    """A moment as a <time> in UTC; a script shows it in the reader's own zone."""
    if value is None or value == "":
        return Markup('<span class="soft">not yet</span>')
    when = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
    when = when.astimezone(UTC)
    shown = f"{when.day} {_MONTHS[when.month - 1]} {when.year}, {when:%H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(timespec="seconds"), shown)


def short(identifier: object, length: int = 8) -> Markup:
    """The end of an id, which tells one from another, with the whole in its title."""
    whole = str(identifier)
    return Markup('<code class="id" title="{}">{}</code>').format(whole, escape(whole[-length:]))
