"""The simulated zones' own name server: UDP, authoritative, nothing but what has been published."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import structlog

from frostbyte.adapters.hetzner.world.world import World

_DATAGRAM: Final = 4096
_LOOK_SECONDS: Final = 0.2
_TTL: Final = 60
_log = structlog.get_logger("frostbyte.hetzner.names")


class NameServer:
    """A thread that answers. A context manager.

    Args:
        host, port: where to listen; port 0 takes a free one.
    """

    def __init__(self, world: World, host: str = "127.0.0.1", port: int = 0) -> None:
        self._world = world
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.settimeout(_LOOK_SECONDS)
        self.host: str = host
        self.port: int = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-names", daemon=True)

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                asked, sender = self._socket.recvfrom(_DATAGRAM)
            except TimeoutError:
                continue
            try:
                self._socket.sendto(self.answer(asked), sender)
            except (dns.exception.DNSException, ValueError, OSError) as error:
                _log.warning("question_dropped", error=type(error).__name__)

    def answer(self, asked: bytes) -> bytes:
        """The answer to a question as it stands on the wire. Raises DNSException for what is none."""
        query = dns.message.from_wire(asked)
        reply = dns.message.make_response(query)
        if len(query.question) != 1 or query.question[0].rdclass != dns.rdataclass.IN:
            reply.set_rcode(dns.rcode.REFUSED)
            return reply.to_wire()
        question = query.question[0]
        name, kind = question.name, dns.rdatatype.to_text(question.rdtype)
        values = self._world.answers(name.to_text(omit_final_dot=True), kind)
        if values is None:
            reply.set_rcode(dns.rcode.REFUSED)
            return reply.to_wire()
        reply.flags |= dns.flags.AA
        if values:
            try:
                found = dns.rrset.from_text(name, _TTL, "IN", kind, *values)
            except dns.exception.DNSException:  # a CNAME stands there
                found = dns.rrset.from_text(name, _TTL, "IN", "CNAME", *values)
            reply.answer.append(found)
        return reply.to_wire()
