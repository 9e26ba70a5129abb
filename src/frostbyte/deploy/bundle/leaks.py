"""Looks for secrets in what a bundle is made of: nothing secret ever travels, secrets are made on the host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from frostbyte.kernel.errors import Invalid

PATTERNS: Final = {
    "private key": re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "age key": re.compile(rb"AGE-SECRET-KEY-1[0-9A-Z]{10,}"),
    "signed token": re.compile(rb"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}"),
    "access key": re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}|\bglpat-[A-Za-z0-9_-]{20,}"),
    "address with a password": re.compile(rb"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'{}$<>]*:[^\s/:@\"'{}$<>]{3,}@"),
    "password": re.compile(
        rb"(?im)^[ \t\"'-]*[A-Z0-9_-]*(?:password|passwd|secret|(?:secret|api|private)[_-]?key|token)[\"']?[ \t]*"
        rb"[:=][ \t]*[\"']?(?![\"'\s{\[$<>|&])(?!/|\./|true\b|false\b|null\b|none\b)[^\s\"'#,]{8,}"
    ),
}
"""What a secret looks like, by what it is called. A path, a reference (`${...}`) and an empty value are none."""
_SETTING: Final = re.compile(r"(?i)(?:PASSWORD|PASSWD|SECRET|TOKEN|(?:API|SECRET|PRIVATE)_?KEY)$")
"""Names of an image's variables that hold a secret; `..._FILE` names a path."""


def found(data: bytes) -> Iterator[tuple[int, str]]:
    """Line and kind of everything that looks like a secret; never the secret."""
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(data):
            yield data.count(b"\n", 0, match.start()) + 1, kind


def in_configuration(configuration: bytes) -> list[str]:
    """Names of an image's variables that carry a secret."""
    try:
        variables = json.loads(configuration).get("config", {}).get("Env") or []
    except (ValueError, AttributeError):
        return []
    named = [str(variable).partition("=") for variable in variables]
    return [name for name, _, value in named if value and _SETTING.search(name)]


def refusal(where: str, what: str) -> Invalid:
    """The error for a secret that was found. Args: where, what: a file of ours and a place in it, never the secret."""
    return Invalid(
        "bundle_secret",
        f"There is something like a secret in {where[:80]}: {what[:80]}.",
        "Take it out: a bundle carries no secrets, its host makes its own.",
    )
