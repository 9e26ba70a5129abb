"""What lies outside of a project, as one container plays it: resolvers, and servers that somebody may want to reach.

Runs in the machines' image, by its own Python: `internet.py NAMES UPSTREAM`. Every address that leads anywhere is one
of this container's own, and it passes nothing on, so no packet leaves the network of the test.

- port 53: names of NAMES (JSON: name to address); all others are asked of UPSTREAM, the zones' own name server;
- port 443: says hello to whoever comes, on every address.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import threading

_A, _IN = 1, 1
_ANSWER, _RECURSION = 0x8000, 0x0180
_HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


def main(names: dict[str, str], upstream: str) -> None:
    """Both servers, until somebody ends the process."""
    threading.Thread(target=_greet, daemon=True).start()
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # Whoever asked 185.12.64.1 takes an answer from there alone: so there is a socket for each address.
    resolver.bind(("185.12.64.1", 53))
    while True:
        asked, sender = resolver.recvfrom(4096)
        with contextlib.suppress(OSError, ValueError, IndexError, struct.error):
            resolver.sendto(answer(asked, names) or passed(asked, upstream), sender)


def answer(asked: bytes, names: dict[str, str]) -> bytes | None:
    """What is known here; None for a name that is not."""
    labels, at = [], 12
    while asked[at]:
        labels.append(asked[at + 1 : at + 1 + asked[at]].decode("ascii").lower())
        at += 1 + asked[at]
    address = names.get(".".join(labels))
    if address is None:
        return None
    kind, kin = struct.unpack("!HH", asked[at + 1 : at + 5])
    found = kind == _A and kin == _IN
    flags = _ANSWER | _RECURSION
    head = asked[:2] + struct.pack("!HHHHH", flags, 1, int(found), 0, 0) + asked[12 : at + 5]
    record = struct.pack("!HHHIH", 0xC00C, _A, _IN, 60, 4) + socket.inet_aton(address)
    return head + (record if found else b"")


def passed(asked: bytes, upstream: str) -> bytes:
    """What the zones' own server says."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.settimeout(2)
        there.sendto(asked, (upstream, 53))
        return there.recv(4096)


def _greet() -> None:
    server = socket.create_server(("", 443))
    while True:
        guest, _ = server.accept()
        with guest, contextlib.suppress(OSError):
            guest.sendall(_HELLO)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2])
