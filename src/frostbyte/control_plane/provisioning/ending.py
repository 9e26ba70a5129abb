"""The end of an environment that was only tried: everything goes, the host that says so last.

A try has a time to live. When it is over the control plane on the edge's host takes everything of its environment away
by itself, so that nothing costs money because somebody's laptop slept. No journal is asked: what carries the
environment's labels goes, whoever made it. What is left is what a server cannot take away from under itself: the
firewall that guards it, which costs nothing, and which `frostbyte control down` removes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from frostbyte.control_plane.provisioning.ports import Cloud, Dns
from frostbyte.control_plane.provisioning.resources import ENVIRONMENT, Found, Kind
from frostbyte.kernel.errors import FrostbyteError

ORDER: Final = (Kind.SERVER, Kind.VOLUME, Kind.NETWORK, Kind.SNAPSHOT, Kind.PRIMARY_IP, Kind.SSH_KEY, Kind.FIREWALL)
"""What holds others goes before them."""
TURNS: Final = 5
"""How often what could not be taken away is tried again: a firewall is released late, a volume is detached late."""


def end_everything(
    cloud: Cloud, dns: Dns, *, environment: str, own_server: str, pause: Callable[[], object]
) -> list[str]:
    """Take away everything of an environment.

    Args:
        cloud: which shows what is of this environment alone.
        dns: which shows the records of every environment.
        environment: whose records go.
        own_server: id of the server that this runs on: the last call deletes it, and does not return where it is true.
            '' where it runs elsewhere.
        pause: waits between two turns.

    Returns:
        what could not be taken away, by kind and name; empty where all is gone but what the own server holds.
    """
    for record in dns.observe():
        if record.labels.get(ENVIRONMENT) != environment:
            continue
        which = str(record.facts["zone"]), record.name, record.resource_id.rpartition("/")[2]
        _tried(partial(dns.remove, *which))
    left: list[Found] = []
    for turn in range(TURNS + 1):  # until a look finds nothing: what was just being made shows itself in the next one
        left = [one for one in _ordered(cloud.observe()) if one.resource_id != own_server]
        if turn == TURNS or all(_held(one, own_server) for one in left):
            break
        if [one for one in left if not _gone(cloud, one) and not _held(one, own_server)]:
            pause()
    if own_server and cloud.show(Kind.SERVER, own_server) is not None:
        for one in left:
            if one.kind is Kind.PRIMARY_IP and _held(one, own_server):
                cloud.tie(one.resource_id)
        for _ in range(TURNS):
            if _tried(lambda: cloud.delete(Kind.SERVER, own_server)):
                break
            pause()
    return [f"{one.kind.value} {one.name}" for one in left if not _held(one, own_server)]


def _ordered(found: list[Found]) -> list[Found]:
    return sorted((one for one in found if one.kind in ORDER), key=lambda one: ORDER.index(one.kind))


def _held(one: Found, own_server: str) -> bool:
    """Whether the own server holds it: its address goes with it, its firewall stays."""
    return bool(own_server) and (
        one.facts.get("assignee") == own_server or own_server in list(one.facts.get("servers", ()))
    )


def _gone(cloud: Cloud, one: Found) -> bool:
    if one.kind is Kind.VOLUME and one.facts.get("server") and not _tried(lambda: cloud.detach(one.resource_id)):
        return False
    return _tried(lambda: cloud.delete(one.kind, one.resource_id))


def _tried(call: Callable[[], object]) -> bool:
    try:
        call()
    except FrostbyteError:
        return False
    return True
