"""A tenant's plane on one host, as a compose project: described, rendered, written with its secrets."""

from frostbyte.deploy.compose.description import Check, Limits, Network, Plane, Ready, Role, Service
from frostbyte.deploy.compose.folder import Written, channel_files, write
from frostbyte.deploy.compose.plane import IMAGES, SECRETS_GROUP, Options, plane
from frostbyte.deploy.compose.render import env_example, render

__all__ = [
    "IMAGES",
    "SECRETS_GROUP",
    "Check",
    "Limits",
    "Network",
    "Options",
    "Plane",
    "Ready",
    "Role",
    "Service",
    "Written",
    "channel_files",
    "env_example",
    "plane",
    "render",
    "write",
]
