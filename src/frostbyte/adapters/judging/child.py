"""The process that judges."""

from __future__ import annotations

from frostbyte.adapters.children.child import private_pipes, serve
from frostbyte.adapters.judging.troubles import TROUBLES


def main() -> None:
    """Serve requests until the parent closes the pipe."""
    reading, writing = private_pipes()
    # Loaded before the first request and before any bound on memory can make the loading fail half-way.
    from frostbyte.adapters.judging.work import Bench

    serve(reading, writing, Bench().perform, TROUBLES)


if __name__ == "__main__":
    main()
