"""What Docker says of a plane's containers and networks, held against what they may be. Pure: words in, findings out.

Docker is asked by a script on the host; nothing of ours gets to its socket. What is judged is what the engine runs, and
not what the compose file says: somebody may have started a container by hand, or joined one to another network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.findings import Finding, Level

_SERVICE: Final = "com.docker.compose.service"
_PROJECT: Final = "com.docker.compose.project"
_ROLE: Final = "io.frostbyte.role"
_HARMLESS: Final = frozenset({"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"})
"""Security options that take rights away. Others (`seccomp=unconfined`) give some."""
_SEVERE: Final = "Do not put documents into this plane before it is mended: somebody has changed what was installed. "
_AGAIN: Final = "Remove the container and start the plane as it was signed: run install.sh again."


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a plane is made of.

    Attributes:
        project: its compose project.
        services: that have to be there.
        images: ids that may run.
        port: that the door publishes.
        internal, edge: the networks' names in the project.
        door: the one service on the edge.
        folders: of the host that containers may see, to read alone: the plane's secrets, its signed configuration.
    """

    project: str
    services: tuple[str, ...]
    images: frozenset[str]
    port: int
    internal: str
    edge: str
    door: str
    folders: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """What Docker says.

    Attributes:
        containers: all that stand in the project, as `docker inspect` has them.
        networks: those of the project, as `docker network inspect` has them.
    """

    containers: Sequence[Mapping[str, Any]] = field(default_factory=list)
    networks: Sequence[Mapping[str, Any]] = field(default_factory=list)


def read(text: str) -> View:
    """Take apart what `docker inspect` and `docker network inspect` printed, one after the other.

    Raises:
        CommandFailed: `engine_unreadable`.
    """
    decoder, at, containers, networks = json.JSONDecoder(), 0, list[Any](), list[Any]()
    try:
        while (rest := text[at:].lstrip()) != "":
            items, length = decoder.raw_decode(rest)
            at = len(text) - len(rest) + length
            for item in items:
                (networks if "IPAM" in dict(item) else containers).append(item)
    except (ValueError, TypeError, RecursionError):
        raise CommandFailed(
            "engine_unreadable",
            "What Docker said of its containers cannot be read.",
            "Give it what `docker inspect CONTAINER...` and `docker network inspect NETWORK...` print.",
        ) from None
    return View(containers, networks)


def judge(view: View, expected: Expected) -> Iterator[Finding]:
    """Every finding, always the same ones in the same order. What is not said counts as not well."""
    known = [one for one in view.containers if _label(one, _PROJECT) == expected.project]
    looks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("services_run", lambda: _services(known, expected)),
        ("services_stable", lambda: _stable(known)),
        ("images_run", lambda: _images(known, expected)),
        ("network_internal", lambda: _internal(view.networks, expected)),
        ("networks_apart", lambda: _apart(view, known, expected)),
        ("ports_published", lambda: _published(known, expected)),
        ("rights", lambda: _rights(known)),
        ("mounts", lambda: _mounts(known, expected)),
    )
    for name, look in looks:
        try:
            yield look()
        except (TypeError, ValueError, LookupError, AttributeError):
            told = "Docker says it in words that this version does not know."
            yield Finding(name, Level.FAIL, told, "Use a version of Docker that docs/offline.md names.")


def _services(known: Sequence[Mapping[str, Any]], expected: Expected) -> Finding:
    wrong = [f"{name} is not there" for name in expected.services if name not in {_name(one) for one in known}]
    wrong += [f"{_name(one)} is not of the plane" for one in known if _name(one) not in expected.services]
    wrong += [f"{_name(one)} {trouble}" for one in known if (trouble := _trouble(one))]
    if wrong or not expected.services:
        remedy = "Look at its last lines (docker logs); support.sh collects more. Start all: run install.sh again."
        return Finding("services_run", Level.FAIL, f"Services are not well: {_listed(wrong)}.", remedy)
    return Finding("services_run", Level.OK, f"All {len(known)} services are there and well.")


def _trouble(one: Mapping[str, Any]) -> str:
    state = _at(one, "State") or {}
    health = _at(state, "Health", "Status")
    if _label(one, _ROLE) == "task":
        return "" if state.get("Status") == "exited" and state.get("ExitCode") == 0 else "has not done its task"
    if state.get("Status") != "running":
        return f"is {state.get('Status') or 'in no known state'}"
    return "" if health in (None, "none", "healthy") else f"is {health}"


def _stable(known: Sequence[Mapping[str, Any]]) -> Finding:
    killed = [_name(one) for one in known if _at(one, "State", "OOMKilled")]
    again = [f"{_name(one)} {one['RestartCount']}" for one in known if one.get("RestartCount")]
    if killed:
        remedy = "Give the host more memory, or fewer documents at a time; then start the service again."
        return Finding("services_stable", Level.FAIL, f"Ended for want of memory: {_listed(killed)}.", remedy)
    if again:
        remedy = "Look at the last lines before each start: docker logs. support.sh collects what may be shown."
        return Finding("services_stable", Level.WARN, f"Started again by Docker, times: {_listed(again)}.", remedy)
    return Finding("services_stable", Level.OK, "No service was ended for want of memory or had to be started again.")


def _images(known: Sequence[Mapping[str, Any]], expected: Expected) -> Finding:
    wrong = [_name(one) for one in known if one.get("Image") not in expected.images]
    if wrong or not known:
        return Finding(
            "images_run", Level.FAIL, f"Runs from an image that was not signed: {_listed(wrong)}.", _SEVERE + _AGAIN
        )
    return Finding("images_run", Level.OK, f"All {len(known)} containers run from images of the bundle, by their ids.")


def _internal(networks: Sequence[Mapping[str, Any]], expected: Expected) -> Finding:
    found = [one for one in networks if one.get("Name") == f"{expected.project}_{expected.internal}"]
    if len(found) != 1 or found[0].get("Internal") is not True:
        told = f"The network {expected.internal} is {'not internal' if found else 'not there'}."
        return Finding("network_internal", Level.FAIL, told, _SEVERE + "Stop the plane, and run install.sh again.")
    subnets = ", ".join(str(one.get("Subnet")) for one in _at(found[0], "IPAM", "Config") or [])
    return Finding("network_internal", Level.OK, f"Docker's network {expected.internal} ({subnets}) is internal.")


def _apart(view: View, known: Sequence[Mapping[str, Any]], expected: Expected) -> Finding:
    wrong = []
    for one in known:
        wanted = {f"{expected.project}_{expected.edge if _name(one) == expected.door else expected.internal}"}
        joined = set(_at(one, "NetworkSettings", "Networks") or {})
        if joined != wanted:
            wrong.append(f"{_name(one)} is on {_listed(sorted(joined)) or 'none'}")
    ids = {str(one.get("Id")) for one in known}
    for network in view.networks:
        strangers = [str(one.get("Name")) for id, one in (network.get("Containers") or {}).items() if id not in ids]
        wrong += [f"a container that is not of the plane is on {network.get('Name')}: {name}" for name in strangers]
    if wrong or not known:
        return Finding("networks_apart", Level.FAIL, f"Networks are not apart: {_listed(wrong)}.", _SEVERE + _AGAIN)
    told = f"Only {expected.door} is on {expected.edge}; all others are on {expected.internal} alone, with nobody else."
    return Finding("networks_apart", Level.OK, told)


def _published(known: Sequence[Mapping[str, Any]], expected: Expected) -> Finding:
    found = sorted(
        (_name(one), str(binding.get("HostIp")), str(binding.get("HostPort")))
        for one in known
        for bindings in (_at(one, "HostConfig", "PortBindings") or {}).values()
        for binding in bindings or []
    )
    if found != [(expected.door, "127.0.0.1", str(expected.port))]:
        told = _listed(f"{name} at {address or 'every address'}:{port}" for name, address, port in found) or "nothing"
        return Finding(
            "ports_published", Level.FAIL, f"Other ports are published than should be: {told}.", _SEVERE + _AGAIN
        )
    return Finding(
        "ports_published", Level.OK, f"One port is published, by {expected.door}: 127.0.0.1:{expected.port}."
    )


def _rights(known: Sequence[Mapping[str, Any]]) -> Finding:
    wrong = [f"{_name(one)} {excess}" for one in known for excess in _excess(one)]
    if wrong or not known:
        return Finding("rights", Level.FAIL, f"Containers have rights: {_listed(wrong)}.", _SEVERE + _AGAIN)
    told = "No container is privileged, has a capability, runs as root, may gain rights or write its file system."
    return Finding("rights", Level.OK, told)


def _excess(one: Mapping[str, Any]) -> Iterator[str]:
    host = _at(one, "HostConfig") or {}
    options = list(host.get("SecurityOpt") or [])
    for excess, there in (
        ("is privileged", host.get("Privileged") is not False),
        ("keeps capabilities", [str(name).upper() for name in host.get("CapDrop") or []] != ["ALL"]),
        ("has capabilities", bool(host.get("CapAdd"))),
        ("may gain rights", not _HARMLESS & set(options)),
        ("has rules switched off", bool(set(options) - _HARMLESS)),
        ("may write its file system", host.get("ReadonlyRootfs") is not True),
        ("is root", str(_at(one, "Config", "User") or "").split(":")[0] in ("", "0", "root")),
        ("has devices", bool(host.get("Devices") or host.get("DeviceRequests") or host.get("DeviceCgroupRules"))),
        *((f"shares the host's {kind}", _shares(host.get(key))) for kind, key in _SHARED),
    ):
        if there:
            yield excess


_SHARED: Final = (
    ("network", "NetworkMode"),
    ("processes", "PidMode"),
    ("memory", "IpcMode"),
    ("name", "UTSMode"),
    ("users", "UsernsMode"),
)
"""Not the control groups: with their first version every container shares the host's, and none may write there."""


def _shares(mode: object) -> bool:
    return str(mode or "").partition(":")[0] in ("host", "container")


def _mounts(known: Sequence[Mapping[str, Any]], expected: Expected) -> Finding:
    wrong = [f"{_name(one)} sees {place}" for one in known for place in _foreign(one, expected)]
    if wrong:
        return Finding(
            "mounts", Level.FAIL, f"Containers see what they should not: {_listed(wrong)}.", _SEVERE + _AGAIN
        )
    return Finding(
        "mounts",
        Level.OK,
        "Containers see volumes of the plane, their own secrets and its signed configuration, and nothing of the host.",
    )


def _foreign(one: Mapping[str, Any], expected: Expected) -> Iterator[str]:
    for mount in one.get("Mounts") or []:
        kind, source = str(mount.get("Type")), str(mount.get("Source") or "")
        inside = "/.." not in source and any(f"{source}/".startswith(f"{folder}/") for folder in expected.folders)
        own = str(mount.get("Name") or "").startswith(f"{expected.project}_")
        if kind == "bind" and not (inside and mount.get("RW") is False):
            yield "a folder of the host"
        elif kind == "volume" and not own:
            yield "a volume of somebody else"
        elif kind not in ("bind", "volume", "tmpfs"):
            yield f"a mount of the kind {kind}"


def _name(one: Mapping[str, Any]) -> str:
    return _label(one, _SERVICE) or str(one.get("Name") or "?").lstrip("/")


def _label(one: Mapping[str, Any], name: str) -> str:
    return str((_at(one, "Config", "Labels") or {}).get(name) or "")


def _at(thing: Any, *path: str) -> Any:
    for word in path:
        thing = thing.get(word) if isinstance(thing, Mapping) else None
    return thing


def _listed(items: Iterable[str]) -> str:
    return "; ".join(items)
