"""A tenant's plane, on one host or on several, as compose projects: described, rendered, written with its secrets.

What judges a configuration's rules is left to `compose.config`: a control plane describes planes and judges nothing.
"""

from frostbyte.deploy.compose.description import Check, Limits, Network, Plane, Ready, Role, Service
from frostbyte.deploy.compose.folder import Written, bundled, channel_files, write, write_secrets
from frostbyte.deploy.compose.options import IMAGES, SECRETS_GROUP, OnHost, Options
from frostbyte.deploy.compose.plane import plane
from frostbyte.deploy.compose.render import env_example, render
from frostbyte.deploy.compose.texts import PASSWORDS, texts

__all__ = [
    "IMAGES",
    "PASSWORDS",
    "SECRETS_GROUP",
    "Check",
    "Limits",
    "Network",
    "OnHost",
    "Options",
    "Plane",
    "Ready",
    "Role",
    "Service",
    "Written",
    "bundled",
    "channel_files",
    "env_example",
    "plane",
    "render",
    "texts",
    "write",
    "write_secrets",
]
