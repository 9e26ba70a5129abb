"""Runs inside a network namespace: listens and says who came, or knocks and says what came of it."""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

SECONDS = 0.8
PKTINFO = 8
"""IP_PKTINFO (ip(7)), which Python does not name everywhere."""


def serve(ports: list[str]) -> None:
    """Listen at `tcp/22`, `udp/123` ...; tell each caller the address it came from."""
    chosen = selectors.DefaultSelector()
    for port in ports:
        kind, _, number = port.partition("/")
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("0.0.0.0", int(number)))
        if kind == "tcp":
            one.listen(64)
        else:
            one.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
        chosen.register(one, selectors.EVENT_READ, kind)
    print("ready", flush=True)
    while True:
        for key, _ in chosen.select():
            listener: socket.socket = key.fileobj  # type: ignore[assignment]
            if key.data == "tcp":
                connection, (peer, _) = listener.accept()
                connection.sendall(peer.encode())
                connection.close()
            else:
                _, told, _, address = listener.recvmsg(64, 64)
                asked = told[0][2][8:12]  # answers come from the address that was asked
                source = [(socket.IPPROTO_IP, PKTINFO, struct.pack("=I4s4s", 0, asked, bytes(4)))]
                with suppress(OSError):  # an answer that may not leave is one that does not come
                    listener.sendmsg([address[0].encode()], source, 0, address)


def knock(task: tuple[str, str, str, int]) -> str:
    """`open FROM` with the address that the other side saw, or `closed`."""
    source, kind, target, port = task
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as one:
        one.settimeout(SECONDS)
        try:
            if source:
                one.bind((source, 0))
            one.connect((target, port))
            if kind == "udp":
                one.send(b"?")
            seen = one.recv(64).decode()
        except OSError:
            return "closed"
        return f"open {seen}" if seen else "closed"


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2:])
    with ThreadPoolExecutor(256) as threads:
        print(json.dumps(list(threads.map(knock, json.load(sys.stdin)))))
