"""The rule, free of any effect."""

from __future__ import annotations

from typing import Final

import msgspec

from frostbyte.data_plane import freshness
from frostbyte.kernel.ports.scanner import ScanResult, Verdict


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to the document. With neither `proceed` nor `quarantine` it waits."""

    proceed: bool = False
    quarantine: bool = False
    code: str = ""
    message: str = ""
    remedy: str = ""


_MALWARE: Final = Decision(
    quarantine=True,
    code="malware_found",
    message="The malware scanner recognised this file, so it was locked away unread.",
    remedy="Do not open the original. Clean or replace the file and send it again, or have the document erased.",
)
_WAITS: Final[dict[str, tuple[str, str, str]]] = {
    "size_limit": (
        "scan_limit_exceeded",
        "The file exceeds a limit of the malware scanner, so it could not be scanned.",
        "Raise the limits in the scanner's configuration, or send the content in smaller or less nested files.",
    ),
    "encrypted": (
        "scan_encrypted",
        "The file holds an encrypted part that the malware scanner cannot look into.",
        "Remove the password and send the file again.",
    ),
    "no_scanner": (
        "no_scanner",
        "This plane has no malware scanner, and outside development nothing passes unscanned.",
        "Set FROSTBYTE_CLAMD_ADDRESS to a running clamd; the document is scanned by itself then.",
    ),
    **{code: (code, *words) for code, words in freshness.WORDS.items()},
}
_UNKNOWN: Final = (
    "not_scanned",
    "The malware scanner could not say whether this file is clean.",
    "Look at the scanner's log; the document is tried again by itself.",
)


def decide(result: ScanResult, *, allow_unscanned: bool) -> Decision:
    """What a verdict means.

    Args:
        result: what the scanner said.
        allow_unscanned: True in development mode alone: a document that nobody could scan goes on, and carries
            `unscanned` wherever it is shown.
    """
    if result.verdict is Verdict.CLEAN:
        return Decision(proceed=True)
    if result.verdict is Verdict.INFECTED:
        return _MALWARE
    code, message, remedy = _WAITS.get(result.reason, _UNKNOWN)
    return Decision(proceed=allow_unscanned, code=code, message=message, remedy=remedy)
