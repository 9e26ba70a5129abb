"""Lives a tenant's life in processes that kill themselves before their nth statement, for every n.

    python killed_operator.py DSN

Prints how often each change was killed before it came through. After each kill the registry must be whole.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from control.offices import Office
from control.test_registry_faults import LIFE, before_statement, whole
from frostbyte.adapters.registry.postgres import PostgresRegistry


def attempt(dsn: str, position: int, number: int) -> bool:
    """Whether the change came through in a process that is killed before its statement of this number."""
    child = os.fork()
    if child == 0:
        try:
            with (
                PostgresRegistry(dsn) as store,
                before_statement(number, lambda: os.kill(os.getpid(), signal.SIGKILL)),
            ):
                LIFE[position](Office(store, prepare=False), None)
            os._exit(0)
        except BaseException as error:  # reported to the parent, which has no other way to see it
            print(repr(error), file=sys.stderr)
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{LIFE[position].__name__} broke before statement {number}")
    return True


def check(dsn: str, prepare: bool) -> None:
    """In a process of its own: a pool has threads, and those do not survive a fork."""
    child = os.fork()
    if child == 0:
        try:
            with PostgresRegistry(dsn) as store:
                whole(Office(store, prepare=prepare))
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        raise SystemExit("the registry is not whole")


def main(dsn: str) -> None:
    check(dsn, True)
    for position, act in enumerate(LIFE):
        number = 1
        while not attempt(dsn, position, number):
            check(dsn, False)
            number += 1
        name = f"last_{act.__name__}" if position == len(LIFE) - 1 else act.__name__
        print(name, number - 1)


if __name__ == "__main__":
    main(sys.argv[1])
