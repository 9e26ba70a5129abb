"""What may be reached: a list of `host:port`, one a line, which is read again when the file has changed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from frostbyte.kernel.errors import Forbidden, Invalid, Unavailable
from frostbyte.kernel.networks import NOWHERE

MOST_WAYS: Final = 1000
_LARGEST: Final = 256 << 10
_WAY: Final = re.compile(
    r"((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,20}[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?):([1-9][0-9]{0,4})"
)
"""A name with a dot whose last part begins with a letter: no address is one, however it is written."""
Way = tuple[str, int]


def parse(text: str) -> frozenset[Way]:
    """The list in a file; `#` begins a line that says nothing.

    Raises:
        Invalid: `ways_out_invalid`, with the line's number.
    """
    found: set[Way] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        way = read(line)
        if way is None or len(found) == MOST_WAYS:
            raise Invalid(
                "ways_out_invalid",
                f"Line {number} of the list of ways out is not written host.example:443, or is one too many.",
                f"Write names in lower case, no addresses, at most {MOST_WAYS}.",
            )
        found.add(way)
    return frozenset(found)


def read(text: str) -> Way | None:
    """`host:port`, or None for what is none."""
    match = _WAY.fullmatch(text)
    if match is None or len(match[1]) > 253 or int(match[2]) > 65_535:
        return None
    return match[1], int(match[2])


class Ways:
    """The list as it is now. A file that cannot be read lets nobody out until it can."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._ways: frozenset[Way] = frozenset()
        self._trouble: Unavailable | None = None

    def current(self) -> frozenset[Way]:
        """Raises Unavailable: `ways_out_invalid`, `ways_out_unreadable`."""
        try:
            found = os.stat(self._path)
            seen = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns)
            if seen != self._seen:
                self._load()
                self._seen = seen
        except (OSError, UnicodeDecodeError):
            self._seen = ()
            raise Unavailable(
                "ways_out_unreadable",
                "The list of ways out cannot be read, so nobody is let out.",
                "Check FROSTBYTE_WAYS_OUT, and that the proxy's user may read the file.",
            ) from None
        if self._trouble is not None:
            raise self._trouble
        return self._ways

    def _load(self) -> None:
        self._ways, self._trouble = frozenset(), None
        with self._path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        try:
            if len(data) > _LARGEST:
                raise Invalid(
                    "ways_out_invalid", "The list of ways out is larger than 256 KiB.", "Name fewer, one a line."
                )
            self._ways = parse(data.decode("ascii"))
        except Invalid as error:
            self._trouble = Unavailable(error.code, error.message, error.remedy)


def outside(addresses: Sequence[str], nowhere: Sequence[str] = NOWHERE) -> list[str]:
    """Where a name leads, if all of it lies on the internet: a name that leads inside as well is not to be trusted.

    Raises:
        Forbidden: `egress_not_allowed`.
        Unavailable: `egress_unreachable`: it leads nowhere.
    """
    if not addresses:
        raise unreachable("has no address")
    networks = [IPv4Network(network) for network in nowhere]
    for address in addresses:
        if any(IPv4Address(address) in network for network in networks):
            raise Forbidden(
                "egress_not_allowed",
                "This name leads to an address that is nobody's on the internet.",
                "Nothing inside is reached this way: correct the name's DNS records, or the list.",
            )
    return list(addresses)


def unreachable(why: str) -> Unavailable:
    """The error for a host that is allowed and does not answer."""
    return Unavailable("egress_unreachable", f"The host outside {why}.", "Try again; if it stays, ask who runs it.")
