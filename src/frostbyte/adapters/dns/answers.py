"""What a zone's own name servers answer: no resolver's memory lies between, neither ours nor a provider's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from frostbyte.adapters.dns.records import plain, unreachable
from frostbyte.kernel.errors import Unavailable

SECONDS: Final = 3.0
"""For one name server, UDP and TCP each."""
LOOKUP_SECONDS: Final = 10.0
"""For finding the name servers."""


@dataclass(frozen=True)
class Server:
    """A name server."""

    address: str
    port: int = 53


def parse_server(text: str) -> Server:
    """`192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`. Raises ValueError."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return Server(address, int(port.lstrip(":") or 53))
    address, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    return Server(address, int(port or 53))


def delegated(zone: str) -> list[Server]:
    """The name servers that the zone is delegated to, one address each, as this host's resolver finds them.

    Raises:
        Unavailable: `dns_unreachable`.
    """
    try:
        names = [item.target for item in dns.resolver.resolve(zone, "NS", lifetime=LOOKUP_SECONDS)]
    except (dns.exception.DNSException, OSError) as error:
        raise unreachable(f"the name servers of {zone} cannot be found ({type(error).__name__})") from None
    return [server for name in names for server in addresses(name.to_text())]


def addresses(host: str) -> list[Server]:
    """One address of a name server, IPv4 if it has one; [] if it cannot be found."""
    for kind in ("A", "AAAA"):
        try:
            answer = dns.resolver.resolve(host, kind, lifetime=LOOKUP_SECONDS)
        except (dns.exception.DNSException, OSError):
            continue
        return [Server(next(iter(answer)).to_text())]
    return []


class Answering(Protocol):
    """Who knows what a zone's name servers answer."""

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        """See ports.Dns."""
        ...


class Authority:
    """Asks the name servers of zones.

    Args:
        servers: those to ask for every zone; none to find each zone's own by `find`.
    """

    def __init__(
        self,
        servers: Sequence[Server] = (),
        find: Callable[[str], Sequence[Server]] = delegated,
        seconds: float = SECONDS,
    ) -> None:
        self._servers = tuple(servers)
        self._find = find
        self._seconds = seconds

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        """What they all answer, sorted; () for nothing.

        Raises:
            Unavailable: `dns_unreachable`: none answered with authority; `dns_not_yet`: they do not agree yet.
        """
        wanted = dns.name.from_text(zone if name == "@" else f"{name}.{zone}")
        heard: set[tuple[str, ...]] = set()
        for server in self._servers or self._find(zone):
            said = self._ask(server, wanted, type)
            if said is not None:
                heard.add(said)
        if not heard:
            raise unreachable(f"none of the name servers of {zone} answers with authority")
        if len(heard) > 1:
            raise Unavailable(
                "dns_not_yet",
                f"The name servers of {zone} do not agree yet.",
                "It is asked again; if it stays so, look at the zone at its provider.",
            )
        return heard.pop()

    def _ask(self, server: Server, wanted: dns.name.Name, type: str) -> tuple[str, ...] | None:
        """None where it does not answer, or not with authority."""
        question = dns.message.make_query(wanted, type)
        question.flags &= ~dns.flags.RD
        try:
            reply, _ = dns.query.udp_with_fallback(question, server.address, timeout=self._seconds, port=server.port)
        except (dns.exception.DNSException, OSError, ValueError):
            return None
        if not reply.flags & dns.flags.AA or reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        kind = dns.rdatatype.from_text(type)
        records = [item for rrset in reply.answer if (rrset.name, rrset.rdtype) == (wanted, kind) for item in rrset]
        if kind == dns.rdatatype.TXT:
            return tuple(sorted(b"".join(item.strings).decode("utf-8", "replace") for item in records))
        return tuple(sorted(plain(type, item.to_text()) for item in records))
