"""One line of a history."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What happened at a moment."""

    at: datetime
    sentence: str
    of: str
    """What is told of: the type of an audit event, or the kind of an operation."""
    id: str
    """Of the event (the last, where several are one sentence) or of the operation."""
    code: str = ""
    """Of the trouble that it tells of; '' for none."""
