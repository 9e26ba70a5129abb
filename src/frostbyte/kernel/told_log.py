"""What of a log may leave a host: nothing that it says, only what our own words can say of it.

Our processes write lines that hold no content (kernel/logging.py); here each value is held against a shape once more,
and a line with anything else loses it. The servers of others write what they like: a database quotes the statement that
failed, a scanner names a file. Of their lines, and of every line that is none of ours, only known troubles are counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from frostbyte.kernel.logging import FIELDS

_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d| ?UTC)?")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_VERSION: Final = re.compile(r"\d{1,4}(?:\.\d{1,4}){0,3}")
_CLASS: Final = re.compile(r"[A-Za-z]{0,40}(?:Error|Exception|Timeout|Interrupt|Exit|Unavailable|Invalid|Conflict)")
_PLACE: Final = re.compile(r"[a-z_/]{1,100}\.py:\d{1,6}")
_ROUTE: Final = re.compile(r"/[a-z0-9_/{}.-]{0,100}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LIBRARY: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")
SHAPES: Final = {
    "timestamp": _MOMENT,
    "error": _CLASS,
    "where": _PLACE,
    "route": _ROUTE,
    "component": _LIBRARY,
    "version": _VERSION,
}
"""Of the fields that are neither ids nor plain identifiers."""

TROUBLES: Final = {
    "no_space": r"no space left on device|disk full|storage reached its minimum free drive threshold",
    "out_of_memory": r"out of memory|cannot allocate memory|oom command not allowed",
    "too_many_connections": r"too many (?:clients|connections)|remaining connection slots|max number of clients",
    "refused": r"connection refused",
    "timed_out": r"timed? ?out",
    "not_permitted": r"permission denied|operation not permitted|read-only file system",
    "password_wrong": r"password authentication failed|wrongpass|noauth|invalid access key|signature.{0,30}not match",
    "deadlock": r"deadlock detected",
    "damaged": r"checksum|invalid page|corrupt|malformed database|panic:",
    "recovering": r"database system was (?:interrupted|not properly shut down)|automatic recovery",
    "writes_refused": r"misconf|read.?only mode",
    "signatures_missing": r"can'?t (?:open|load).{0,80}database|no supported database files",
    "limit_exceeded": r"(?:size|time) ?limit",
    "ready": r"ready to accept connections|database system is ready|listening on|server initialized",
    "stopped": r"shutting down|shutdown complete|received (?:fast )?shutdown|sigterm",
}
"""What is looked for in lines that are not ours, without regard to case; the names are all that is told."""
_TROUBLES: Final = {name: re.compile(words, re.IGNORECASE) for name, words in TROUBLES.items()}
_SEVERITY: Final = re.compile(r"\b(PANIC|FATAL|CRITICAL|ERROR|WARNING|WARN)\b", re.IGNORECASE)
_OF_TRACE: Final = re.compile(r'^\s+File "[^"]*/(frostbyte/[a-z_/]{1,100}\.py)", line (\d{1,6}), in ', re.ASCII)
_TOLD_COUNT: Final = re.compile(
    r"  at frostbyte/[a-z_/]{1,100}\.py:\d{1,6}"
    r"|\d{1,12} lines are not shown(?:: (?:(?:panic|fatal|critical|error|warning|warn)=\d{1,12} ?)+)?",
    re.ASCII,
)
_TOLD_TROUBLE: Final = re.compile(rf"  ([a-z_]{{1,32}}) \d{{1,12}}(?: last {_MOMENT.pattern})?", re.ASCII)
_LONGEST: Final = 1 << 16
"""Characters of a line that are looked at."""


def told(lines: Iterable[str]) -> Iterator[str]:
    """What may be told of a log: our own lines as they may be shown, then what the others come to.

    Args:
        lines: of one service, oldest first.
    """
    severities, troubles, last, others = Counter[str](), Counter[str](), dict[str, str](), 0
    for line in lines:
        line = line[:_LONGEST].rstrip("\r\n")
        if (own := _own(line)) is not None:
            yield json.dumps(own, sort_keys=True)
            continue
        if place := _OF_TRACE.match(line):
            yield f"  at {place[1]}:{place[2]}"
            continue
        others += bool(line.strip())
        moment = _MOMENT.search(line)
        if severity := _SEVERITY.search(line):
            severities[severity[1].lower()] += 1
        for name, words in _TROUBLES.items():
            if words.search(line):
                troubles[name] += 1
                last[name] = moment[0] if moment else last.get(name, "")
    if others:
        found = " ".join(f"{name}={count}" for name, count in sorted(severities.items()))
        yield f"{others} lines are not shown{': ' + found if found else ''}"
    for name, count in sorted(troubles.items()):
        yield f"  {name} {count}{' last ' + last[name] if last[name] else ''}"


def is_told(line: str) -> bool:
    """Whether `told` may have made this line."""
    if not line.startswith("{"):
        trouble = _TOLD_TROUBLE.fullmatch(line)
        return trouble[1] in TROUBLES if trouble else _TOLD_COUNT.fullmatch(line) is not None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or not _fits("event", found.get("event")):
        return False
    hidden = found.pop("not_shown", 0)
    return (
        type(hidden) is int
        and 0 <= hidden < 2**16
        and all(name in FIELDS and _fits(name, value) for name, value in found.items())
    )


def _own(line: str) -> dict[str, Any] | None:
    """One of our own lines, less what must not be shown; None for anything else."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not _fits("event", found.get("event")):
        return None
    kept = {name: value for name, value in found.items() if name in FIELDS and _fits(name, value)}
    return kept if len(kept) == len(found) else kept | {"not_shown": len(found) - len(kept)}


def _fits(name: str, value: object) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return abs(value) < 2**53  # seconds, counts and bytes; longer ones could be anybody's account
    if not isinstance(value, str):
        return False
    if name.endswith("_id"):
        return _UUID.fullmatch(value) is not None
    if name == "method":
        return value in _METHODS
    return SHAPES.get(name, _IDENTIFIER).fullmatch(value) is not None
