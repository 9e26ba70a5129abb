"""The SSH host key that a server has until it has made its own.

A cloud does not tell a server's host key, so the server is given one, and the first connection is pinned to it. Its
private half goes to the cloud with the server's user data; it is the only secret there, and worth nothing once the host
has its own (`Hosts.settle`). It is derived, not drawn: whoever adopts a server after a crash in the very call that made
it can say what key it shows, though nothing could be stored in that moment.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from frostbyte.control_plane.provisioning.hosting import HostKey
from frostbyte.control_plane.provisioning.resources import Owner

_PURPOSE: Final = b"frostbyte/first-host-key/1\n"


def first_key(seed: bytes, owner: Owner, name: str, run_id: UUID | str) -> HostKey:
    """The key of one server of one run.

    Args:
        seed: 32 secret bytes of the control plane, the same for ever.
        owner: whose server.
        name: the server's.
        run_id: the run that made it, as its label says: a server that is made anew has another key.
    """
    whose = "\n".join((owner.environment, owner.project_id, owner.label, name, str(run_id)))
    key = Ed25519PrivateKey.from_private_bytes(hmac.digest(seed, _PURPOSE + whose.encode(), hashlib.sha256))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return HostKey(private=private.decode("ascii"), public=public.decode("ascii"))
