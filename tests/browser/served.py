"""`frostbyte serve data` or `serve control` that begins sessions for whoever knows its socket. Run as a program.

    served.py data|control

FROSTBYTE_TEST_SESSIONS names the socket. A connection sends a line `SUBJECT ROLE` and gets the cookie of a session as
its only answer, just as the server itself begins one for a person who signed in. Everything else is the command alone.
"""

from __future__ import annotations

import os
import socketserver
import sys
import threading
from pathlib import Path
from typing import Any


def listen(server: Any) -> None:
    """Answer on the socket, from a thread of its own, for as long as the process lives."""

    class Asked(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            subject, role = self.rfile.readline().decode().split()
            self.wfile.write(server.sessions.begin(subject, role).encode())

    path = Path(os.environ.pop("FROSTBYTE_TEST_SESSIONS"))
    path.unlink(missing_ok=True)
    listener = socketserver.ThreadingUnixStreamServer(str(path), Asked)
    listener.daemon_threads = True
    threading.Thread(target=listener.serve_forever, daemon=True).start()


def main() -> None:
    """Start what is named."""
    kind = sys.argv[1]
    from frostbyte.bootstrap import control, data
    from frostbyte.cli.app import main as command

    module: Any = {"data": data, "control": control}[kind]
    build = module.build

    def built(*given: Any, **more: Any) -> Any:
        server = build(*given, **more)
        listen(server)
        return server

    module.build = built
    sys.argv[1:] = ["serve", kind]
    command()


if __name__ == "__main__":
    main()
