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
    url = sys.argv[1] if len(sys.argv) > 1 else f"http://127.0.0.1:{listen.rpartition(':')[2]}/health"
    trouble = look(url)
    if trouble:
        sys.exit(trouble)


def look(url: str) -> str:
    """What is wrong with the server at `url` (http); '' for nothing."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("GET", parts.path or "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {type(error).__name__}"
    finally:
        connection.close()
    return "" if status == 200 else f"the answer is {status}"


if __name__ == "__main__":
    main()
