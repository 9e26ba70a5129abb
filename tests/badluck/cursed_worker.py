"""A worker that dies whenever it is to parse one certain document; it stands in for `frostbyte serve worker`.

The document is known by its size. Nothing else of the worker is changed: what is tested is what the others do.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from frostbyte.adapters.leasing import Leases
from frostbyte.data_plane.flow import Flow

CURSED_BYTES = 66_666

_parse = Flow._parse


def parse(flow: Flow, work: Any) -> Any:
    """As before, but for the document that kills."""
    if work.row.size == CURSED_BYTES:
        os.killpg(0, signal.SIGKILL)
    return _parse(flow, work)


if __name__ == "__main__":
    # Shorter than in life, where four attempts take some three minutes.
    Leases.__init__.__kwdefaults__["lease_seconds"] = 6.0
    Flow._parse = parse  # type: ignore[method-assign]
    from frostbyte.cli.app import main

    sys.argv = ["frostbyte", "serve", "worker"]
    main()
