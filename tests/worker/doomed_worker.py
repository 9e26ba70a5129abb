"""A worker to whom something happens: `doomed_worker.py DOOM serve worker ...`, with short leases.

DOOM is `WHAT:WHERE:WHEN`. WHAT: `die` ends the process that does the stage (SIGKILL), `hang` has it stand still.
WHERE: `parse`, `judge` or `index`. WHEN: `once` for the first document of all, or a word that the document holds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from frostbyte.adapters.judging import JudgePool
from frostbyte.adapters.leasing import Leases
from frostbyte.adapters.parsing.pool import ParserPool
from frostbyte.adapters.redis import wire
from frostbyte.data_plane import flow, patience
from frostbyte.kernel.records import Stage

LEASE_SECONDS = 2.0


def befall(what: str) -> None:
    """It happens here."""
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    while True:
        time.sleep(1)


def arm(what: str, where: str, when: str) -> None:
    """Put it around the stage."""
    places = {"parse": (ParserPool, "parse"), "judge": (JudgePool, "judge"), "index": (flow.index, "run")}
    target, method = places[where]
    real = getattr(target, method)
    first = Path(os.environ["DOOM_FOLDER"]) / "doomed"

    def doomed(*given: Any, **named: Any) -> Any:
        if when == "once":
            try:
                first.touch(exist_ok=False)
            except FileExistsError:
                return real(*given, **named)
            befall(what)
        if where == "parse":
            content = b"".join(given[1])
            if when.encode() in content:
                befall(what)
            return real(given[0], [content], *given[2:], **named)
        return real(*given, **named)

    setattr(target, method, doomed)


def main() -> None:
    arm(*sys.argv.pop(1).split(":"))
    Leases.__init__.__kwdefaults__["lease_seconds"] = LEASE_SECONDS
    if "DOOM_LIMIT" in os.environ:
        patience.LIMIT_SECONDS[Stage.PARSE] = int(os.environ["DOOM_LIMIT"])
        wire.KILL_AFTER_SECONDS = 1  # type: ignore[misc]
    from frostbyte.cli.app import main as frostbyte

    frostbyte()


if __name__ == "__main__":
    main()
