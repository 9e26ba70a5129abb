"""`frostbyte control restore` in processes that die. Run as a program by test_restore_killed.py.

It reads orders, one JSON object a line, and does each in a process of its own (a fork, so that nothing is imported
again):

    {"environment": {...}, "standings": [...], "identity": PATH, "number": N, "said": PATH}

The process is killed (SIGKILL) before its N-th step; 0 for never. A step is a commit, or anything that makes, writes,
renames or removes something below the data folder. What the command says goes to the file `said`. The answer is a line
as well: whether it was killed, and the steps if it lived: for each whether it was a commit.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

from frostbyte.adapters.hosts.memory import MemoryHosts
from frostbyte.bootstrap import channels, control
from frostbyte.bootstrap.local_hosts import simulated
from frostbyte.cli.app import app
from frostbyte.kernel.channel import PlaneStanding

CHANGES: Final = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.remove": 0}
"""Events of sys.addaudithook, with the place of the path that is changed."""


class Planes:
    """What is behind the ways to planes: what each has heard, and nothing else.

    Args:
        standings: as JSON.
    """

    def __init__(self, standings: list[Any]) -> None:
        self._standings = {one.tenant_id: one for one in msgspec.convert(standings, list[PlaneStanding])}

    def at(self, tenant_id: str) -> Any:
        """The channel to a plane."""
        standing = self._standings[tenant_id]
        return type("Plane", (), {"standing": lambda _: standing})()


def armed(number: int, folder: str) -> list[bool]:
    """Die before the step of that number (from 1); the steps so far."""
    made: list[bool] = []

    def step(*, commit: bool = False) -> None:
        made.append(commit)
        if len(made) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, flags = given[0], given[2]
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        elif event in CHANGES:
            path, writes = given[CHANGES[event]], True
        else:
            return
        if writes and isinstance(path, str | os.PathLike) and os.fspath(path).startswith(folder):
            step()

    real = psycopg.Connection.commit

    def commit(connection: psycopg.Connection[Any]) -> None:
        step(commit=True)
        real(connection)

    psycopg.Connection.commit = commit  # type: ignore[method-assign]
    sys.addaudithook(watch)
    return made


def restore(order: dict[str, Any]) -> list[bool]:
    """The command; its steps, and none if it failed."""
    os.environ.update(order["environment"])
    planes = Planes(order["standings"])
    channels.Channels.__call__ = lambda _, endpoints: planes.at(endpoints.tenant_id)  # type: ignore[method-assign]
    control.local_hosts = lambda settings: MemoryHosts(simulated(settings.provisioning.endpoint))  # type: ignore[assignment]
    with Path(order["said"]).open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    made = armed(order["number"], order["environment"]["FROSTBYTE_CONTROL_DATA_DIR"])
    try:
        app(["control", "restore", "--identity", order["identity"], "--json"])
    except SystemExit as ended:
        sys.stdout.flush()
        return made if ended.code in (0, 3, None) else []
    return made


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        told = Path(order["said"]).with_suffix(".steps")
        child = os.fork()
        if child == 0:
            steps: list[bool] = []
            try:
                steps = restore(order)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
            told.write_text(json.dumps(steps))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(json.dumps({"killed": killed, "steps": [] if killed else json.loads(told.read_text())}), flush=True)


if __name__ == "__main__":
    main()
