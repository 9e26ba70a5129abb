"""Exit codes of the command line (docs/cli.md): scripts rely on them, so a number never changes its meaning."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from frostbyte.kernel.errors import Kind


class Exit(IntEnum):
    """What a command's end means."""

    OK = 0
    INTERNAL = 1
    """A fault of ours."""
    USAGE = 2
    """The command line, or a value in it, can never work."""
    PROBLEMS = 3
    """It finished, and not all is well: documents are not indexed, would change, or `doctor` found a failure."""
    REFUSED = 4
    """The plane said no: token, scope, or the state of things."""
    NOT_FOUND = 5
    VERIFICATION_FAILED = 6
    """A proof or an audit export does not hold."""
    UNAVAILABLE = 7
    """Nobody answers, or not now: the same command may work later."""
    INTERRUPTED = 130
    """Ctrl-C (128 + SIGINT, as shells have it)."""


OF_KIND: Final[dict[Kind, Exit]] = {
    Kind.INVALID: Exit.USAGE,
    Kind.UNAUTHENTICATED: Exit.REFUSED,
    Kind.FORBIDDEN: Exit.REFUSED,
    Kind.CONFLICT: Exit.REFUSED,
    Kind.TOO_LARGE: Exit.REFUSED,
    Kind.GONE: Exit.NOT_FOUND,
    Kind.NOT_FOUND: Exit.NOT_FOUND,
    Kind.RATE_LIMITED: Exit.UNAVAILABLE,
    Kind.UNAVAILABLE: Exit.UNAVAILABLE,
    Kind.INTERNAL: Exit.INTERNAL,
}
"""The exit code of each sort of error."""
