"""`frostbyte-health [URL]`: what a container's healthcheck runs. Starts in milliseconds: the standard library alone."""

from __future__ import annotations

import http.client
import os
import sys
from typing import Final
from urllib.parse import urlsplit

SECONDS: Final = 4.0
"""Below the healthchecks' own five."""


def main() -> None:
    """Ends with 0 if the server says that it is well, else with 1 and one line that says why."""
    listen = os.environ.get("FROSTBYTE_LISTEN", "127.0.0.1:8080")
    scheme = "https" if os.environ.get("FROSTBYTE_TLS_CERTIFICATE") else "http"
    url = sys.argv[1] if len(sys.argv) > 1 else f"{scheme}://127.0.0.1:{listen.rpartition(':')[2]}/health"
    trouble = look(url, closed=bool(os.environ.get("FROSTBYTE_TLS_CLIENT_CA")))
    if trouble:
        sys.exit(trouble)


def look(url: str, *, closed: bool = False) -> str:
    """What is wrong with the server at `url`; '' for nothing.

    Its certificate is for other names than the loopback's: those who need to trust it check it.

    Args:
        closed: it lets nobody in without a certificate, and a container's check has none. Then it is well if it did its
            part of the handshake, which the loop does that answers requests as well, and hung up.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    met = False
    try:
        connection.connect()
        met = True
        connection.request("GET", parts.path or "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return "" if closed and met and not isinstance(error, TimeoutError) else f"no answer: {type(error).__name__}"
    finally:
        connection.close()
    return "" if status == 200 else f"the answer is {status}"


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=SECONDS)
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)


if __name__ == "__main__":
    main()
