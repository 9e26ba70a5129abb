"""A description as text for `docker compose` (v2): pure, and the same for the same description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from frostbyte.deploy.compose.description import Network, Plane, Role, Service
from frostbyte.deploy.compose.options import OURS

_HEAD = """\
# A Frostbyte plane, made by {maker}: change what it was told, not this file.
# Every service runs without rights of its own, cannot write to its file system, and is held to limits. Secrets are
# files below ./secrets. Start it with `docker compose up --detach --wait`.
"""
_HEAD_OF_A_BUNDLE = """\
# A Frostbyte plane, as its bundle was signed. What differs between hosts is in the .env of the plane's folder, which
# install.sh writes; secrets are generated there, as files below ./secrets. Every service runs without rights of its
# own, cannot write to its file system, and is held to limits; the door alone can be reached, from this host.
"""
_LOG_MB, _LOG_FILES = 10, 5


def render(plane: Plane) -> str:
    """The compose file."""
    document = {
        "name": plane.project,
        "services": {service.name: _service(service, plane) for service in plane.services},
        "networks": {network.name: _network(network) for network in plane.networks},
        "volumes": {name: _kept(name, plane) for name in plane.volumes if name not in plane.folders},
        "secrets": {name: {"file": f"./secrets/{name}"} for name in plane.secrets},
    }
    text: str = yaml.safe_dump(document, sort_keys=False, width=118, allow_unicode=True)
    head = _HEAD_OF_A_BUNDLE if plane.by_environment else _HEAD
    maker = "the control plane" if plane.by_hand else "`frostbyte deploy compose`"
    return head.format(maker=maker) + text


def env_example(plane: Plane, values: Mapping[str, str]) -> str:
    """What stands in .env beside the compose file: nothing secret.

    Args:
        values: what must be set, by its variable without FROSTBYTE_ before it: of a bundle, see `Options.values`.
    """
    return (
        (
            "# What differs between hosts. install.sh writes it as .env, with the ids of the images it has loaded.\n"
            if values
            else "# Copy to .env to change it.\n"
        )
        + "# There are no secrets here: they are files in ./secrets, generated; no default password exists anywhere.\n"
        + f"COMPOSE_PROJECT_NAME={plane.project}\n"
        + "".join(f"FROSTBYTE_{name}={value}\n" for name, value in values.items())
        + "# FROSTBYTE_LOG_LEVEL: debug, info, warning or error\n"
        + "FROSTBYTE_LOG_LEVEL=info\n"
    )


def _kept(name: str, plane: Plane) -> dict[str, Any]:
    """A volume of the engine's, or one in memory, which no container can fill and no restart finds again."""
    if name not in plane.in_memory:
        return {}
    told = f"size={plane.in_memory[name]}k,mode=0700,uid={OURS.replace(':', ',gid=')},nodev,nosuid,noexec"
    return {"driver": "local", "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": told}}


def _service(service: Service, plane: Plane) -> dict[str, Any]:
    ours = any(name.startswith("FROSTBYTE_") for name in service.environment)
    environment = {
        **service.environment,
        **({"FROSTBYTE_LOG_LEVEL": "${FROSTBYTE_LOG_LEVEL:-info}"} if ours else {}),
    }
    told = {
        "image": service.image,
        "pull_policy": "never" if plane.by_hand or plane.by_environment else "",
        "profiles": ["task"] if plane.by_hand and service.role is Role.TASK else [],
        "labels": {
            "io.frostbyte.role": service.role.value,
            **({"io.frostbyte.given": service.given} if service.given else {}),
        },
        "user": service.user,
        "group_add": [plane.secrets_group] if service.secrets else [],
        "entrypoint": list(service.entrypoint),
        "command": list(service.command),
        "environment": environment,
        "secrets": [_secret(name, service) for name in service.secrets],
        "volumes": [_volume(name, place, plane) for name, place in service.volumes.items()],
        "tmpfs": [f"{place}:size={size}m,mode=1777" for place, size in service.scratch.items()],
        "networks": _joined(service),
        "dns": [service.resolver] if service.resolver else [],
        "ports": [f"{service.published_at}:{host}:{inside}" for host, inside in service.publishes.items()],
        "depends_on": {name: {"condition": ready.value} for name, ready in service.needs.items()},
        "healthcheck": _check(service),
    }
    limits = {
        "restart": "on-failure:3" if service.role is Role.TASK else "unless-stopped",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{service.limits.memory_mb}m",
        "memswap_limit": f"{service.limits.memory_mb}m",
        "cpus": service.limits.cpus,
        "pids_limit": service.limits.pids,
        "stop_grace_period": f"{service.stop_seconds}s",
        "logging": {
            "driver": "json-file",
            "options": {"max-size": f"{_LOG_MB}m", "max-file": str(_LOG_FILES)},
        },
    }
    return {key: value for key, value in told.items() if value} | limits


def _secret(name: str, service: Service) -> str | dict[str, str]:
    return {"source": name, "target": service.places[name]} if name in service.places else name


def _volume(name: str, place: str, plane: Plane) -> str | dict[str, Any]:
    """A folder that is not there is an error: the engine would make one, on the wrong disk."""
    if name not in plane.folders:
        return f"{name}:{place}"
    target, _, only = place.partition(":")
    told: dict[str, Any] = {"type": "bind", "source": plane.folders[name], "target": target}
    return told | ({"read_only": True} if only == "ro" else {}) | {"bind": {"create_host_path": False}}


def _joined(service: Service) -> list[str] | dict[str, Any]:
    if not service.address:
        return list(service.networks)
    first, *others = service.networks
    return {first: {"ipv4_address": service.address}, **{name: {} for name in others}}


def _check(service: Service) -> dict[str, Any]:
    """{} leaves it to the image, whose check asks a server; a task answers nobody."""
    if service.role is Role.TASK:
        return {"disable": True}
    check = service.check
    return (
        {}
        if check is None
        else {
            "test": ["CMD", *check.command],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": f"{check.start_seconds}s",
        }
    )


def _network(network: Network) -> dict[str, Any]:
    address: dict[str, Any] = {"subnet": network.subnet}
    told: dict[str, Any] = {"driver": "bridge", "internal": network.internal}
    if network.bridge:
        told["driver_opts"] = {
            "com.docker.network.bridge.name": network.bridge,
            "com.docker.network.bridge.enable_ip_masquerade": "false",
        }
    if network.dead_end:
        address |= {"gateway": network.gateway} if network.gateway else {}
        address["aux_addresses"] = {"DefaultGatewayIPv4": network.dead_end}
        if not network.internal:
            told["driver_opts"] = {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    return told | {"ipam": {"config": [address]}}
