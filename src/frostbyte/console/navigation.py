"""Which pages there are, and who finds them in the navigation."""

from __future__ import annotations

from typing import Final

import msgspec

from frostbyte.kernel.tokens import Role, Scope

ANYBODY: Final = frozenset(Scope) | frozenset(Role)
"""Whoever signed in."""


class Entry(msgspec.Struct, frozen=True):
    """A page in the navigation."""

    path: str
    label: str
    scopes: frozenset[Scope | Role]
    """One of them is enough."""


DATA: Final = (
    Entry("/console/", "Overview", ANYBODY),
    Entry("/console/search", "Search", frozenset({Scope.QUERY})),
    Entry("/console/batches", "Uploads", frozenset({Scope.INGEST, Scope.QUERY, Scope.AUDIT, Scope.ADMIN})),
    Entry("/console/documents", "Documents", frozenset({Scope.QUERY})),
    Entry("/console/review", "Review", frozenset({Scope.REVIEW})),
    Entry("/console/audit", "Audit", frozenset({Scope.AUDIT})),
    Entry("/console/holds", "Holds", frozenset({Scope.ADMIN, Scope.AUDIT})),
    Entry("/console/webhooks", "Webhooks", frozenset({Scope.ADMIN})),
    Entry("/console/people", "People", frozenset({Scope.ADMIN})),
)
CONTROL: Final = (
    Entry("/console/tenants", "Tenants", ANYBODY),
    Entry("/console/operations", "Operations", ANYBODY),
    Entry("/console/ledger", "Ledger", ANYBODY),
    Entry("/console/orphans", "Leftovers", ANYBODY),
    Entry("/console/deliveries", "Deliveries", ANYBODY),
    Entry("/console/people", "People", frozenset({Role.ADMIN})),
)


def current(entries: tuple[Entry, ...], path: str) -> str:
    """The entry that a page belongs to: the longest that its path begins with; '' for none."""
    fits = [e.path for e in entries if path == e.path or path.startswith(e.path.rstrip("/") + "/")]
    return max((p for p in fits if p != "/console/" or path in ("/console", "/console/")), key=len, default="")
