"""Provisioning and destroying, killed at every call to a server and at every write of a secret.

A child process does the work and kills itself (SIGKILL) right before or right after the n-th of these. Whatever it
left, the same command finishes it, or `destroy` removes it; secrets that a server may have heard of stay the same.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis
import urllib3

from draws import SEED, SOAK
from frostbyte.deploy.storage import SecretFolder, destroy, provision, verify
from frostbyte.kernel.ports.tenant_stores import TenantStore
from storage.conftest import Folders, quiet

STRIDE = 1 if SOAK else 8
"""Every call in `make soak`; otherwise one in eight, from a place that the seed says."""

POINTS: list[tuple[Any, str]] = [
    (psycopg, "connect"),
    (psycopg.Connection, "execute"),
    (urllib3.PoolManager, "urlopen"),
    (redis.Redis, "execute_command"),
    (httpx.Client, "send"),
    (os, "open"),
    (os, "fsync"),
    (Path, "rename"),
    (Path, "unlink"),
]
Work = Callable[[list[TenantStore], str, SecretFolder, Callable[[str, str], None]], object]


def in_child(work: Callable[[], object], number: int, *, after: bool) -> int:
    """Do it in a child that kills itself at the n-th call (from 1); returns how many calls were made, or -1 if killed.

    A child that was not killed tells by its exit code how many there were.
    """
    child = os.fork()
    if child == 0:
        made = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                nonlocal made
                made += 1
                mine = made
                if mine == number and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                try:
                    return real(*arguments, **named)
                finally:  # also after a call that fails, as asking for what is not there does
                    if mine == number and after:
                        os.kill(os.getpid(), signal.SIGKILL)

            return call

        try:
            for owner, name in POINTS:
                setattr(owner, name, counted(getattr(owner, name)))
            work()
            os._exit(min(made, 250))
        except BaseException:
            os._exit(251)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return -1
    made = os.waitstatus_to_exitcode(status)
    assert made != 251, "the work failed by itself"
    return made


def check_killed_provisioning(stores: list[TenantStore], folder: SecretFolder, number: int, after: bool) -> bool:
    """Whether there was an n-th call at all."""
    tenant = "killed"
    killed = in_child(lambda: provision(stores, tenant, folder, quiet), number, after=after) == -1
    known = {
        name: folder.found(name) for name in ("objects_secret_key", "queue_password") if folder.path(name).exists()
    }
    if number % 2:
        provision(stores, tenant, folder, quiet)
        assert {name: folder.found(name) for name in known} == known
        own = [store.uses(tenant, folder) for store in stores]
        for attempts in own:
            for attempt in attempts:
                attempt.run()
    destroy(stores, tenant, folder, quiet)
    assert [store.remains(tenant) for store in stores] == [[], [], [], []]
    return killed


def check_killed_destroying(stores: list[TenantStore], folder: SecretFolder, number: int, after: bool) -> bool:
    """Whether there was an n-th call at all."""
    tenant = "killed"
    provision(stores, tenant, folder, quiet)
    killed = in_child(lambda: destroy(stores, tenant, folder, quiet), number, after=after) == -1
    destroy(stores, tenant, folder, quiet)
    assert [store.remains(tenant) for store in stores] == [[], [], [], []]
    assert not any(folder.folder.iterdir())
    return killed


CHECKS = {"provision": check_killed_provisioning, "destroy": check_killed_destroying}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", CHECKS)
def test_a_kill_at_any_call_is_mended(name: str, after: bool, stores: list[TenantStore], folders: Folders) -> None:
    print("seed", SEED)
    number = random.Random(f"{SEED} {name} {after}").randrange(1, STRIDE + 1)
    while CHECKS[name](stores, folders("killed"), number, after):
        number += STRIDE
    print(name, "was killed at every", STRIDE, "calls up to", number - STRIDE)
    assert number > 20


@pytest.mark.slow
def test_two_at_once_end_as_one(stores: list[TenantStore], folders: Folders, tmp_path: Path) -> None:
    """Two provisioners of one tenant at the same moment may refuse one another; doing it again mends it."""
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                provision(stores, "killed", folders("killed"), quiet)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    provision(stores, "killed", folders("killed"), quiet)
    provision(stores, "globex", folders("globex"), quiet)
    assert verify(stores, "killed", folders("killed"), "globex").isolated
