"""Logs as JSON lines that cannot hold content (promise 10).

Nobody has to remember what may be logged: a processor keeps the fields it knows, and of those only values that look
like ids, codes and numbers. Messages of libraries are built from what they work on, so of these only the library's
name, the level and the kind of exception are kept.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections import deque
from collections.abc import MutableMapping
from pathlib import PurePath
from typing import Any, Final, TextIO
from uuid import UUID

import structlog

FIELDS: Final = frozenset(
    {
        "event", "level", "timestamp", "tenant", "component", "request_id",
        "route", "method", "status", "duration_ms",
        "code", "error", "where",
        "stage", "attempt", "count", "size", "version", "mode",
        "batch_id", "doc_id", "receipt_id", "job_id", "event_id",
    }
)  # fmt: skip
"""What a line may say. `route` is a pattern, never a path; `error` the name of an exception's class."""

_WORD: Final = re.compile(r"[A-Za-z0-9_.:/{}+-]{1,128}")
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WITHHELD: Final = "withheld"


_recent: deque[str] = deque(maxlen=0)


def recent() -> list[str]:
    """This process's newest lines, oldest first, as many as `configure` was told to keep."""
    return list(_recent)


class _Lines:
    """Writes finished lines and knows which component they are from."""

    def __init__(self, component: str, stream: TextIO) -> None:
        self.component = component
        self._stream = stream

    def msg(self, line: str) -> None:
        _recent.append(line)
        self._stream.write(line + "\n")
        self._stream.flush()

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


class KeepKnown:
    """The processor: drops unknown fields, withholds values that could be content, adds tenant and component."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant

    def __call__(self, logger: Any, method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
        """The line as it may be written; `dropped` says how many fields are missing."""
        line.setdefault("component", getattr(logger, "component", "frostbyte"))
        if self._tenant:
            line["tenant"] = self._tenant
        kept = {name: _safe(name, value) for name, value in line.items() if name in FIELDS}
        if len(kept) < len(line):
            kept["dropped"] = len(line) - len(kept)
        return kept


def _safe(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, UUID):
        return str(value)
    shape = _EVENT if name == "event" else _WORD
    return value if isinstance(value, str) and shape.fullmatch(value) else _WITHHELD


class _Libraries(logging.Handler):
    """What other libraries log, without what they say."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        told = {"error": type(error).__name__, "where": where(error)} if error is not None else {}
        log = structlog.get_logger(record.name)
        log.log(max(record.levelno, logging.DEBUG), "library_message", **told)


def where(error: BaseException) -> str:
    """`file.py:line` of the innermost frame of ours, else of anybody's: enough to find it, and nothing of the data."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown"
    ours = [frame for frame in frames if "frostbyte" in PurePath(frame.filename).parts]
    frame = (ours or list(frames))[-1]
    parts = PurePath(frame.filename).parts
    inside = parts[parts.index("frostbyte") + 1 :] if "frostbyte" in parts else parts[-1:]
    return f"{'/'.join(inside)}:{frame.lineno}"


def configure(*, level: str = "warning", tenant: str = "", stream: TextIO | None = None, keep: int = 0) -> None:
    """Send this process's logs to `stream` (default: stderr), one JSON object a line, from `level` on.

    An unknown level is taken as `warning`. Python's own logging is led through the same door.

    Args:
        keep: how many of the newest lines `recent` has, too.
    """
    global _recent
    _recent = deque(_recent, maxlen=keep)
    floor = logging.getLevelNamesMapping().get(level.upper(), logging.WARNING)
    out = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            KeepKnown(tenant),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(floor),
        logger_factory=lambda *names: _Lines(_component(names), out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Libraries()]
    root.setLevel(max(floor, logging.WARNING))


def _component(names: tuple[Any, ...]) -> str:
    return str(names[0]).removeprefix("frostbyte.") if names else "frostbyte"
