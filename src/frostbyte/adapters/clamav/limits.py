"""clamd's limits: past some of them it answers OK without having looked (clamd.conf(5))."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from frostbyte.kernel.errors import Invalid

_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_MUST_HOLD_A_FILE: Final = ("StreamMaxLength", "MaxFileSize", "MaxScanSize")
_LARGEST: Final = 4 * 1024**3 - 1
"""What 0 (no limit) and the engine's own bound of MaxFileSize come to: 4 GiB."""


def read_conf(path: Path) -> dict[str, str]:
    """The options of a clamd.conf; of one that is given twice, the last.

    Raises:
        Invalid: `scanner_limits`: it cannot be read.
    """
    options: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise _invalid(
            f"the scanner's configuration {path.name} cannot be read", "Point FROSTBYTE_CLAMD_CONF to it."
        ) from error
    for line in lines:
        name, _, value = line.partition("#")[0].strip().partition(" ")
        if name:
            options[name] = value.strip().strip('"')
    return options


def sizes(options: dict[str, str]) -> dict[str, int]:
    """The limits in bytes; one that is not set counts as 0, so that nothing lies below it.

    Raises:
        Invalid: `scanner_limits`: one of them is not a size.
    """
    return {name: _bytes(name, options[name]) if name in options else 0 for name in _MUST_HOLD_A_FILE}


def check_limits(options: dict[str, str], max_file_size: int) -> None:
    """Refuse limits under which a file of `max_file_size` bytes could pass unscanned.

    Raises:
        Invalid: `scanner_limits`, naming the option.
    """
    for name in _MUST_HOLD_A_FILE:
        if name not in options:
            raise _invalid(f"{name} is not set, and clamd's default is lower than needed", f"Set {name}.")
        size = _bytes(name, options[name])
        if size <= max_file_size:
            raise _invalid(
                f"{name} is {size} bytes, but files of up to {max_file_size} bytes are accepted",
                f"Raise {name} above the largest file, or lower max_file_size_mb.",
            )
    if options.get("AlertExceedsMax", "no").lower() not in ("yes", "true", "1"):
        raise _invalid("AlertExceedsMax is off, so what exceeds a limit is called OK", "Set AlertExceedsMax yes.")


def _bytes(name: str, text: str) -> int:
    number, unit = (text[:-1], text[-1].lower()) if text and not text[-1].isdigit() else (text, "")
    if not number.isdigit() or unit not in _UNITS:
        raise _invalid(f"{name} is not a size", f"Write {name} as a number with K, M or G.")
    return int(number) * _UNITS[unit] or _LARGEST


def _invalid(why: str, remedy: str) -> Invalid:
    return Invalid("scanner_limits", f"The malware scanner's limits do not fit: {why}.", remedy)
