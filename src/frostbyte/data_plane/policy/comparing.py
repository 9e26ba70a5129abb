"""What another set of rules would change about a document: two verdicts side by side, in numbers and names of rules.

Nothing in it is content: no value, no text, no title.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from frostbyte.data_plane.document import Record
from frostbyte.data_plane.policy.verdict import Cleared

_Place = tuple[int, int, int, str]


class Difference(Record, frozen=True, kw_only=True):
    """One document under the old rules and under the new ones."""

    found: dict[str, int] = msgspec.field(default_factory=dict)
    """Values of personal data that only the new rules find, by type."""
    lost: dict[str, int] = msgspec.field(default_factory=dict)
    """Values that only the old rules find, by type."""
    withheld: int = 0
    """Passages that would be withheld and are not."""
    freed: int = 0
    """Passages that are withheld and would not be."""
    suspected: dict[str, int] = msgspec.field(default_factory=dict)
    """Suspicions of orders to a model that only the new rules have, by rule (flagged or withheld)."""
    cleared: dict[str, int] = msgspec.field(default_factory=dict)
    """Suspicions that only the old rules have, by rule."""
    classification: tuple[str, str] | None = None
    """(old, new) class, if it changes."""
    confidence: tuple[float, float] | None = None
    """(old, new) confidence in the class, if class or need of review change."""
    review: tuple[bool, bool] | None = None
    """(old, new) whether the class waits for a person, if that changes."""
    blocked: tuple[bool, bool] | None = None
    """(old, new) whether the document is quarantined for its personal data, if that changes."""
    characters: dict[str, int] = msgspec.field(default_factory=dict)
    """How many more characters (or fewer, below zero) the account has as indexed, redacted, withheld, dropped."""

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return self != Difference()


def compare(old: Cleared, new: Cleared) -> Difference:
    """What the verdict `new` has otherwise than `old`, on the same document."""
    before, after = _values(old), _values(new)
    flagged, flags = _suspicions(old), _suspicions(new)
    held, holds = _spans(old), _spans(new)
    label = (old.classification, new.classification)
    review = (old.needs_review, new.needs_review)
    blocked = (old.blocked, new.blocked)
    moved = label[0] != label[1] or review[0] != review[1]
    return Difference(
        found=_by_kind(after - before),
        lost=_by_kind(before - after),
        withheld=_apart(holds, held),
        freed=_apart(held, holds),
        suspected=_by_kind(flags - flagged),
        cleared=_by_kind(flagged - flags),
        classification=label if label[0] != label[1] else None,
        confidence=(round(old.class_confidence, 3), round(new.class_confidence, 3)) if moved else None,
        review=review if review[0] != review[1] else None,
        blocked=blocked if blocked[0] != blocked[1] else None,
        characters=_account(old, new),
    )


def total(differences: Iterable[Difference]) -> dict[str, object]:
    """The sums over documents, as they are reported."""
    found, lost, suspected, cleared = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    classes, characters = Counter[str](), Counter[str]()
    counts = Counter[str]()
    for item in differences:
        found.update(item.found)
        lost.update(item.lost)
        suspected.update(item.suspected)
        cleared.update(item.cleared)
        characters.update(item.characters)
        counts["documents"] += 1
        counts["changed"] += item.changed
        counts["withheld"] += item.withheld
        counts["freed"] += item.freed
        if item.classification:
            classes[" -> ".join(item.classification)] += 1
        if item.review:
            counts["to_review" if item.review[1] else "off_review"] += 1
        if item.blocked:
            counts["blocked" if item.blocked[1] else "unblocked"] += 1
    names = ("documents", "changed", "withheld", "freed", "to_review", "off_review", "blocked", "unblocked")
    return {
        **{name: counts[name] for name in names},
        "found": dict(sorted(found.items())),
        "lost": dict(sorted(lost.items())),
        "suspected": dict(sorted(suspected.items())),
        "cleared": dict(sorted(cleared.items())),
        "classes": dict(sorted(classes.items())),
        "characters": {name: count for name, count in sorted(characters.items()) if count},
    }


def _values(cleared: Cleared) -> set[_Place]:
    return {(f.page, f.start, f.end, f.kind) for f in cleared.findings if f.gate == "pii"}


def _suspicions(cleared: Cleared) -> set[_Place]:
    return {(f.page, f.start, f.end, f.rule) for f in cleared.findings if f.gate == "injection"}


def _by_kind(places: set[_Place]) -> dict[str, int]:
    return dict(sorted(Counter(kind for _, _, _, kind in places).items()))


def _spans(cleared: Cleared) -> list[tuple[int, int, int]]:
    return [(chunk.page, chunk.start, chunk.end) for chunk in cleared.withheld]


def _apart(spans: list[tuple[int, int, int]], others: list[tuple[int, int, int]]) -> int:
    """How many of the spans meet none of the others: cuts may lie elsewhere where values differ."""
    pages: dict[int, list[tuple[int, int]]] = {}
    for page, start, end in others:
        pages.setdefault(page, []).append((start, end))
    return sum(
        not any(first < end and last > start for first, last in pages.get(page, ())) for page, start, end in spans
    )


def _account(old: Cleared, new: Cleared) -> dict[str, int]:
    one, two = old.account.characters, new.account.characters
    moved = {
        "indexed": two.indexed - one.indexed,
        "redacted": two.redacted - one.redacted,
        "withheld": two.withheld - one.withheld,
        "dropped": sum(two.dropped.values()) - sum(one.dropped.values()),
    }
    return {name: count for name, count in moved.items() if count}
