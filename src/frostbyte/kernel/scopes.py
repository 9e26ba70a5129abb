"""What callers may do at a plane, and at the control plane: names alone, which load nothing."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """What a plane's token allows; docs/security.md maps every route to one."""

    INGEST = "ingest"
    QUERY = "query"
    SOURCE = "source"
    REVIEW = "review"
    ERASE = "erase"
    AUDIT = "audit"
    ADMIN = "admin"


class Role(StrEnum):
    """What a token of the control plane allows: its scopes. None of them holds another."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"
