"""A small name server on loopback, UDP and TCP, and a provider's HTTP API (PowerDNS's) over the same records."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Records = dict[tuple[str, str], list[str]]
"""By full name without the last dot, and type: values as a zone file has them."""


@dataclass
class NameServer:
    """What it says, and how it behaves."""

    records: Records = field(default_factory=dict)
    zone: str = "frostbyte.test"
    port: int = 0
    truncates: bool = False
    authoritative: bool = True
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    def reply(self, wire: bytes, transport: str) -> bytes | None:
        """The answer to a question; None for silence."""
        question = dns.message.from_wire(wire)
        name, kind = question.question[0].name, dns.rdatatype.to_text(question.question[0].rdtype)
        host = name.to_text(omit_final_dot=True).lower()
        self.asked.append(f"{transport} {host} {kind}")
        if self.silent:
            return None
        answer = dns.message.make_response(question)
        if self.authoritative:
            answer.flags |= dns.flags.AA
        if not host.endswith(self.zone):
            answer.set_rcode(dns.rcode.REFUSED)
            return answer.to_wire()
        values = self.records.get((host, kind), [])
        if not values:
            wild = "*." + host.partition(".")[2]
            values = self.records.get((wild, kind), [])
        if values:
            answer.answer.append(dns.rrset.from_text_list(name, 300, "IN", kind, values))
        elif not any(known == host for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if self.truncates and transport == "udp":
            answer.answer.clear()
            answer.flags |= dns.flags.TC
        return answer.to_wire()


@contextmanager
def serving(server: NameServer) -> Iterator[NameServer]:
    """Answer on one port of loopback until the end."""
    stop = threading.Event()
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server.port = tcp.getsockname()[1]
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", server.port))
        for one in (tcp, udp):
            one.settimeout(0.05)

        def datagrams() -> None:
            while not stop.is_set():
                try:
                    wire, peer = udp.recvfrom(4096)
                except TimeoutError:
                    continue
                if (said := server.reply(wire, "udp")) is not None:
                    udp.sendto(said, peer)

        def streams() -> None:
            while not stop.is_set():
                try:
                    line, _ = tcp.accept()
                except TimeoutError:
                    continue
                with line, line.makefile("rb") as incoming:
                    (length,) = struct.unpack("!H", incoming.read(2))
                    if (said := server.reply(incoming.read(length), "tcp")) is not None:
                        line.sendall(struct.pack("!H", len(said)) + said)

        threads = [threading.Thread(target=work) for work in (datagrams, streams)]
        for thread in threads:
            thread.start()
        try:
            yield server
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@dataclass
class Provider:
    """PowerDNS's HTTP API as far as a client needs it."""

    records: Records
    zone: str
    key: str
    endpoint: str = ""
    ttls: dict[tuple[str, str], int] = field(default_factory=dict)
    before: Callable[[str], None] = lambda _: None
    """Called with each request's method."""

    def shown(self) -> dict[str, object]:
        """The zone as JSON."""
        rrsets = [
            {
                "name": f"{name}.",
                "type": kind,
                "ttl": self.ttls.get((name, kind), 300),
                "records": [{"content": value, "disabled": False} for value in values],
            }
            for (name, kind), values in self.records.items()
        ]
        return {"kind": "Native", "rrsets": rrsets}

    def change(self, rrset: dict[str, object]) -> None:
        """One change of a PATCH."""
        place = (str(rrset["name"]).rstrip("."), str(rrset["type"]))
        records = rrset["records"]
        assert isinstance(records, list)
        values = [record["content"] for record in records]
        if rrset["changetype"] == "DELETE" or not values:
            self.records.pop(place, None)
        else:
            self.records[place] = values
            self.ttls[place] = int(str(rrset["ttl"]))


@contextmanager
def providing(provider: Provider) -> Iterator[Provider]:
    """Serve the API until the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            provider.before(self.command)
            status, said = 200, provider.shown()
            if self.headers["X-API-Key"] != provider.key:
                status, said = 401, {"error": "Unauthorized"}
            elif not self.path.startswith(f"/api/v1/servers/localhost/zones/{provider.zone}."):
                status, said = 404, {"error": "Not Found"}
            elif self.command == "PATCH":
                for rrset in body["rrsets"]:
                    provider.change(rrset)
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PATCH = do_PUT = _do

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        provider.endpoint = f"http://127.0.0.1:{server.server_port}"
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
