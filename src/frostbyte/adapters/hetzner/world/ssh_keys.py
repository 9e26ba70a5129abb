"""`/ssh_keys`: public keys, unique by name and by fingerprint."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

import msgspec

from frostbyte.adapters.hetzner.world import labels, limits, shown
from frostbyte.adapters.hetzner.world.call import Answer, Call, Routes, Update
from frostbyte.adapters.hetzner.world.records import Charge, SshKey
from frostbyte.adapters.hetzner.world.refusals import invalid, taken

_KINDS: Final = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


class Create(msgspec.Struct, kw_only=True):
    """Body of `POST /ssh_keys`."""

    name: str
    public_key: str
    labels: dict[str, str] = {}


def of(call: Call) -> SshKey:
    """The key that the path names."""
    return call.get("SSH key", call.project.ssh_keys, call.number())


def index(call: Call) -> Answer:
    """`GET /ssh_keys`."""
    wanted = call.one("fingerprint")
    found = [one for one in call.project.ssh_keys.values() if wanted is None or one.fingerprint == wanted]
    return call.listed("ssh_keys", found, shown.ssh_key)


def show(call: Call) -> Answer:
    """`GET /ssh_keys/{id}`."""
    return Answer(200, {"ssh_key": shown.ssh_key(of(call))})


def create(call: Call) -> Answer:
    """`POST /ssh_keys`."""
    given = call.parse(Create)
    world, project = call.world, call.project
    limits.name_of(given.name)
    labels.check(given.labels)
    fingerprint = fingerprint_of(given.public_key)
    if any(key.name == given.name for key in project.ssh_keys.values()):
        raise taken("SSH key name", "name")
    if any(key.fingerprint == fingerprint for key in project.ssh_keys.values()):
        raise taken("SSH key fingerprint", "public_key")
    world.quota(project, "ssh_keys")
    key = SshKey(
        id=world.next_id(),
        name=given.name,
        created=world.clock.now(),
        labels=given.labels,
        public_key=given.public_key.strip(),
        fingerprint=fingerprint,
    )
    project.ssh_keys[key.id] = key
    world.charge(project, Charge(kind="ssh_key", id=str(key.id), name=key.name, since=key.created, labels=key.labels))
    return Answer(201, {"ssh_key": shown.ssh_key(key)})


def fingerprint_of(text: str) -> str:
    """MD5, as the API shows it. Raises Refused for what is no public key of OpenSSH's."""
    parts = text.split()
    if len(parts) < 2 or parts[0] not in _KINDS:
        raise invalid("public_key", "is not a valid SSH public key")
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError):
        raise invalid("public_key", "is not a valid SSH public key") from None
    name = parts[0].encode()
    if blob[: 4 + len(name)] != len(name).to_bytes(4, "big") + name:
        raise invalid("public_key", "is not a valid SSH public key")
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def update(call: Call) -> Answer:
    """`PUT /ssh_keys/{id}`."""
    key, given = of(call), call.parse(Update)
    if given.name is not None and given.name != key.name:
        limits.name_of(given.name)
        if any(other.name == given.name for other in call.project.ssh_keys.values()):
            raise taken("SSH key name", "name")
        key.name = given.name
    if given.labels is not None:
        labels.check(given.labels)
        key.labels = given.labels
    call.world.relabel(call.project, "ssh_key", key)
    return Answer(200, {"ssh_key": shown.ssh_key(key)})


def delete(call: Call) -> Answer:
    """`DELETE /ssh_keys/{id}`: servers that were made with it keep it."""
    key = of(call)
    del call.project.ssh_keys[key.id]
    call.world.discharge(call.project, "ssh_key", key.id)
    return Answer(204)


ROUTES: Routes = (
    ("GET", "/ssh_keys", index),
    ("POST", "/ssh_keys", create),
    ("GET", "/ssh_keys/{id}", show),
    ("PUT", "/ssh_keys/{id}", update),
    ("DELETE", "/ssh_keys/{id}", delete),
)
