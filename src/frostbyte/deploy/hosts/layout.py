"""Where things are on a host, and by which numbers its parts know each other. One place, for rules and files alike."""

from __future__ import annotations

from typing import Final

from frostbyte.control_plane.provisioning.resources import HostRole

USER: Final = "frostbyte"
"""Who comes by SSH."""
FOLDER: Final = "/opt/frostbyte"
"""The compose project, its secrets, and what the snapshot brought: models and signatures."""
MODELS: Final = f"{FOLDER}/models"
CLAMAV: Final = f"{FOLDER}/clamav"
KEYS: Final = f"{FOLDER}/keys"
"""What seals the tenant's documents."""
SIGNING: Final = f"{FOLDER}/signing"
"""What signs the tenant's audit log and tokens; the gateway makes it."""
VOLUME: Final = "/srv/frostbyte"
"""Where the volume is mounted."""
KEPT_SIGNING: Final = f"{VOLUME}/signing-kept"
"""Where a gateway's keys that sign lie a second time; in no container."""
RULES: Final = "/etc/frostbyte/firewall.nft"

PLANE_BRIDGE: Final = "fb-plane"
"""Bridge of the network that nothing leaves."""
HOSTS_BRIDGE: Final = "fb-hosts"
"""Bridge of the network through which services reach and are reached by other hosts."""
PLANE_NETWORK: Final = "172.28.0.0/16"
HOSTS_NETWORK: Final = "172.30.6.0/24"
EGRESS_ADDRESS: Final = "172.30.6.253"
"""The egress proxy's, in the network of the hosts: the rules let out nobody but it."""
EMBEDDER_ADDRESS: Final = "172.30.6.252"
"""The embedder's, in the same network: it answers other hosts and asks none."""
METADATA: Final = "169.254.169.254"
"""Where a cloud answers what it knows of a host, its user data included. For root alone."""

GATES: Final = frozenset({HostRole.GATEWAY, HostRole.SINGLE})
"""Hosts with a public address that the edge reaches."""
KEEPERS: Final = frozenset({HostRole.DB, HostRole.SINGLE})
"""Hosts with a volume."""
JUMPS: Final = frozenset({HostRole.BASTION, HostRole.GATEWAY})
"""Hosts through which others are reached."""
ENGINES: Final = frozenset(HostRole) - {HostRole.BASTION}
"""Hosts that run containers."""
