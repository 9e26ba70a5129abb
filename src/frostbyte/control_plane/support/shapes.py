"""What of a host's answer may be told: words that have the shape of what was asked for, and nothing else. Pure.

A host is a machine on which a tenant's documents are worked with, and what programs print there is not ours to trust.
So nothing is taken out of an answer by a list of what must not be in it: each kind of row says how each of its words is
written, and a row that is written otherwise is counted and dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from frostbyte.kernel.told_log import is_told

_COUNT: Final = r"\d{1,12}"
_LOAD: Final = r"\d{1,5}\.\d{1,2}"
_SHARE: Final = r"\d{1,5}(?:\.\d{1,3})?%"
_VERSION: Final = r"v?\d{1,4}(?:\.\d{1,4}){0,3}(?:[.+~-][A-Za-z0-9.+~-]{1,40})?"
_MOMENT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z"
_SERVICE: Final = r"(?:[a-z][a-z0-9]{0,15}-){0,3}[a-z][a-z0-9]{0,15}"
_IMAGE: Final = r"sha256:[0-9a-f]{64}"
_STATE: Final = r"created|running|paused|restarting|removing|exited|dead"
_HEALTH: Final = r"healthy|unhealthy|starting|none|-"
_WORD: Final = r"[a-z_]{1,32}"

ROWS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("host", "kernel"): (_VERSION,),
    ("host", "machine"): (r"[a-z0-9_]{1,16}",),
    ("host", "processors"): (_COUNT,),
    ("host", "load"): (_LOAD, _LOAD, _LOAD),
    ("host", "up_seconds"): (_COUNT,),
    ("host", "clock"): (_MOMENT,),
    **{("memory", name): (_COUNT,) for name in ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")},
    **{("disk", name): (_COUNT, _COUNT, r"\d{1,3}%", rf"{_COUNT}|-") for name in ("root", "volume", "docker")},
    ("docker", "version"): (rf"{_VERSION}|silent",),
    ("docker", "compose"): (rf"{_VERSION}|none",),
    ("docker", "driver"): (r"[a-z0-9]{1,16}",),
    ("docker", "images"): (_COUNT,),
}
"""How the words of a row are written, by its first two."""
SERVICE: Final = (_SERVICE, _STATE, _HEALTH, r"-?\d{1,3}", _COUNT, "true|false", _MOMENT, _IMAGE)
"""Name, state, health, exit code, restarts, out of memory, since when, image."""
USES: Final = (r"[a-z0-9][a-z0-9_-]{0,79}", _SHARE, _SHARE, _COUNT)
"""Container, processor, memory, processes."""
_OF_PLANE: Final = re.compile(rf'"({_WORD})": "?({_WORD}|\d{{1,16}}|null)"?,?', re.ASCII)
"""A line of `frostbyte plane status --json`."""


def host_rows(answer: str) -> Iterator[str]:
    """The rows of a host's answer that may be told, a line each; last how many were dropped, if any were."""
    dropped = 0
    for line in answer.splitlines():
        found = _row(line.split("\t"))
        if found is not None:
            yield found
        elif line.strip() and not line.startswith("plane\t"):  # its JSON has brackets that nobody needs
            dropped += 1
    if dropped:
        yield f"not_shown {dropped}"


def _row(words: list[str]) -> str | None:
    if words[0] == "plane" and len(words) == 2:
        found = _OF_PLANE.fullmatch(words[1].strip())
        return f"plane {found[1]} {found[2]}" if found else None
    if words[0] in ("service", "uses"):
        shapes = SERVICE if words[0] == "service" else USES
        return " ".join(words) if _written(words[1:], shapes) else None
    return " ".join(words) if _written(words[2:], ROWS.get((words[0], "".join(words[1:2])), ())) else None


def _written(words: list[str], shapes: tuple[str, ...]) -> bool:
    return (
        bool(shapes)
        and len(words) == len(shapes)
        and all(re.fullmatch(shape, word, re.ASCII) for shape, word in zip(shapes, words, strict=True))
    )


def log_lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines that `frostbyte plane logs` may have printed; last how many were others, if any were."""
    dropped = 0
    for line in lines:
        if is_told(line):
            yield line
        elif line.strip():
            dropped += 1
    if dropped:
        yield f"not_shown {dropped}"


def services(answer: str) -> list[str]:
    """The services whose logs can be asked for."""
    rows = (line.split("\t") for line in answer.splitlines())
    return sorted({words[1] for words in rows if words[0] == "service" and _written(words[1:], SERVICE)})
