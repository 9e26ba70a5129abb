"""The rules that all servers of a role share. What no rule lets in is refused; private servers have none of these."""

from __future__ import annotations

from typing import Final

from frostbyte.control_plane.provisioning.hosting import CHANNEL_PORT, GATEWAY_PORT
from frostbyte.control_plane.provisioning.resources import ENVIRONMENT, FROSTBYTE, MANAGED_BY, ROLE, HostRole
from frostbyte.control_plane.provisioning.specs import FirewallSpec, RuleSpec

EVERYBODY: Final = ("0.0.0.0/0", "::/0")
GUARDED: Final = {
    HostRole.EDGE: (HostRole.EDGE,),
    HostRole.BASTION: (HostRole.BASTION,),
    HostRole.GATEWAY: (HostRole.GATEWAY, HostRole.SINGLE),
    HostRole.BUILDER: (HostRole.BUILDER,),
}
"""Firewall of a role: the roles whose servers it guards."""


def guard(role: HostRole) -> HostRole:
    """The role whose firewall guards a public host of `role`."""
    return next(of for of, guarded in GUARDED.items() if role in guarded)


def firewall(role: HostRole, environment: str, edge: str, bastion: str, operators: tuple[str, ...]) -> FirewallSpec:
    """A role's firewall.

    Args:
        role: a key of `GUARDED`.
        edge, bastion: their networks (`198.51.100.7/32`), or the step that has the address (`@primary_ip.edge`).
        operators: networks from which people come.
    """
    # What calls in is named by where it comes from, so that a rule reads like the diagram of the network.
    rules = {
        HostRole.EDGE: (
            _tcp("80", EVERYBODY, "http, redirected"),
            _tcp("443", EVERYBODY, "https"),
            _tcp("22", (bastion,), "ssh from the bastion"),
        ),
        HostRole.BASTION: (
            _tcp("22", operators, "ssh from operators"),
            _tcp("22", (edge,), "ssh from the control plane"),
        ),
        HostRole.GATEWAY: (
            _tcp(str(GATEWAY_PORT), (edge,), "requests from the edge"),
            _tcp(str(CHANNEL_PORT), (edge,), "control channel"),
            _tcp("22", (bastion,), "ssh from the bastion"),
        ),
        HostRole.BUILDER: (_tcp("22", operators, "ssh while it is built"),),
    }[role]
    return {"role": role.value, "selector": selector(role, environment), "rules": list(rules)}


def selector(role: HostRole, environment: str) -> str:
    """The label selector of the servers that a role's firewall guards."""
    guarded = GUARDED[role]
    among = f"{ROLE}=={guarded[0].value}" if len(guarded) == 1 else f"{ROLE} in ({','.join(guarded)})"
    return f"{MANAGED_BY}=={FROSTBYTE},{ENVIRONMENT}=={environment},{among}"


def _tcp(port: str, addresses: tuple[str, ...], description: str) -> RuleSpec:
    return {
        "direction": "in",
        "protocol": "tcp",
        "port": port,
        "addresses": list(addresses),
        "description": description,
    }
