"""A tenant's hosts as tests describe them: documentation addresses outside, a network of its own inside."""

from __future__ import annotations

from typing import Any, Final

from frostbyte.control_plane.provisioning.hosting import HostKey, Surroundings
from frostbyte.control_plane.provisioning.resources import HostRole

STANDARD: Final = {"gateway": "10.7.1.10", "db": "10.7.1.20", "worker-1": "10.7.1.31", "worker-2": "10.7.1.32"}
SMALL: Final = {"single": "10.7.1.10"}
EDGE: Final = "198.51.100.1"
BASTION: Final = "198.51.100.2"
KEY: Final = HostKey(
    public="ssh-ed25519 " + "A" * 68,
    private="-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3Blbn" * 10 + "\n-----END OPENSSH PRIVATE KEY-----\n",
)
PERSON: Final = "ssh-ed25519 " + "B" * 68


def host(role: str, **more: Any) -> Surroundings:
    """A host of this role among the others of its tenant; of several workers the first."""
    part = {"worker": "worker-1"}.get(role, role)
    hosts = SMALL if role == "single" else STANDARD if part in STANDARD else {}
    facts: dict[str, Any] = {
        "name": f"fb-acme-{part}" if hosts else f"fb-{part}",
        "role": HostRole(role),
        "address": hosts.get(part, ""),
        "subnet": "10.7.1.0/24" if hosts else "",
        "hosts": hosts,
        "edge": (EDGE,),
        "control": (EDGE,),
        "bastion": ("203.0.113.0/28",) if role == "bastion" else (BASTION,),
        "ways_out": ("api.embeddings.example:443", "hooks.example.org:8443") if hosts else (),
    }
    return Surroundings(**facts | more)
