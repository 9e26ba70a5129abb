"""Hosts that are processes of this machine, in place of SSH: with a simulated cloud, and NOT FOR PRODUCTION."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any, Final

import httpx

from frostbyte.adapters.hetzner.calls import on_this_host
from frostbyte.adapters.hosts.local import LocalHosts, programs
from frostbyte.adapters.hosts.memory import Machine
from frostbyte.adapters.hosts.volumes import Attached
from frostbyte.control_plane.provisioning.hosting import Release
from frostbyte.control_plane.provisioning.ports import HostAddress
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.deploy.hosts.base import BaseHosts
from frostbyte.deploy.hosts.renderer import HostRenderer
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.settings import invalid

SECONDS: Final = 10.0
RUNNING: Final = "running"
_INHERITED: Final = ("FROSTBYTE_HOSTS_DIR", "FROSTBYTE_SOPS", "FROSTBYTE_LOG_LEVEL")
"""Settings of this process that those on its hosts are told as well."""


def local_hosts(settings: ControlSettings) -> LocalHosts | None:
    """Where settings ask for them, else None: hosts are reached over SSH.

    Raises:
        Invalid: `settings_invalid`: with any cloud but a simulated one.
    """
    told = settings.provisioning
    if told.hosts_dir is None:
        return None
    if not on_this_host(told.endpoint):  # real servers would be ordered, and none of them ever reached
        raise invalid("HOSTS_DIR", "it goes with a simulated cloud on this machine (FROSTBYTE_HCLOUD_ENDPOINT)")
    traefik = os.environ.get("FROSTBYTE_TRAEFIK", "") or shutil.which("traefik") or ""
    return LocalHosts(
        simulated(told.endpoint),
        folder=told.hosts_dir,
        programs=programs(traefik),
        answers={"script": "sealed"},
        inherited={name: os.environ[name] for name in _INHERITED if name in os.environ}
        | ({"FROSTBYTE_TRAEFIK": traefik} if traefik else {}),
    )


def simulated(endpoint: str) -> Callable[[HostAddress], Machine | None]:
    """The servers of a simulated cloud, by their addresses: one that does not run there is not there."""
    base = endpoint.rstrip("/").removesuffix("/v1")

    def machine(host: HostAddress) -> Machine | None:
        for project in _asked(base)["projects"].values():
            addresses = {one["assignee"]: one["ip"] for one in project["primary_ips"].values() if one["assignee"]}
            for server in project["servers"].values():
                known = {addresses.get(server["id"]), *(one["ip"] for one in server["private"])}
                if server["name"] == host.name and host.address in known and server["status"] == RUNNING:
                    return Machine(
                        machine_id=str(server["id"]),
                        user_data=server["user_data"],
                        boot=str(server["starts"]),
                        volume=_attached(project, server["id"]),
                    )
        return None

    return machine


def _attached(project: Any, server_id: int) -> Attached | None:
    """The volume at a server of a simulated project."""
    for volume in project["volumes"].values():
        if volume["server"] == server_id:
            return Attached(volume_id=str(volume["id"]), plain=volume["format"] is not None)
    return None


def _asked(base: str) -> Any:
    try:
        reply = httpx.get(f"{base}/_simulator/state", timeout=SECONDS, trust_env=False)
        reply.raise_for_status()
        return reply.json()
    except (httpx.HTTPError, ValueError):
        raise Unavailable(
            "simulator_unreachable",
            "No simulator answers there.",
            "Start one with `frostbyte simulate hetzner`, or name it with FROSTBYTE_HCLOUD_ENDPOINT.",
        ) from None


def usual(version: str) -> Release:
    """What a version runs where images are not run at all: everything, called as usual."""
    names = {
        *HostRenderer(lambda tenant: (), lambda *words: "").images(HostRole.SINGLE),
        *BaseHosts().images(HostRole.EDGE),
    }
    return Release(images={name: f"frostbyte/{name}:{version}" for name in names})
