"""What cloud-init is told at a host's first boot. It configures; whatever has to be installed is in the snapshot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from frostbyte.control_plane.provisioning.hosting import HostKey, Surroundings
from frostbyte.deploy.hosts import boot, layout
from frostbyte.kernel.errors import Invalid

LARGEST: Final = 32 << 10
"""Bytes of user data that Hetzner takes (public API reference, servers)."""
_PERSON: Final = re.compile(
    r"((?:ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|ssh-rsa|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]{16,2000}={0,2})(?: [ -~]*)?"
)
_HOST_KEY: Final = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{68}")
_PRIVATE: Final = re.compile(
    r"-----BEGIN OPENSSH PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END OPENSSH PRIVATE KEY-----\n?"
)


def user_data(
    host: Surroundings,
    key: HostKey,
    people: Sequence[str],
    folders: Mapping[str, str],
    on_volume: Mapping[str, str],
) -> str:
    """See Renderer.user_data; folders as in boot.files."""
    document = {
        "hostname": host.name,
        "preserve_hostname": False,
        "manage_etc_hosts": True,
        "disable_root": True,
        "ssh_pwauth": False,
        "users": [
            {
                "name": layout.USER,
                "gecos": "Frostbyte",
                "shell": "/bin/bash",
                "lock_passwd": True,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": _people(people),
            }
        ],
        # The snapshot's own keys go. The control plane pins this one, has the host make another, and drops it.
        "ssh_deletekeys": True,
        "ssh_keys": _host_key(key),
        "package_update": False,
        "package_upgrade": False,
        "write_files": [
            {"path": path, "owner": "root:root", "permissions": f"{mode:04o}", "content": text}
            for path, (text, mode) in boot.files(host, folders, on_volume).items()
        ],
        "runcmd": [[boot.CONFIGURE]],
    }
    text = "#cloud-config\n" + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=118)
    if len(text.encode()) > LARGEST:
        raise Invalid(
            "host_facts",
            f"A host would be told {len(text.encode())} bytes, and a cloud takes {LARGEST}.",
            "Give fewer public keys or fewer networks.",
        )
    return text


class _Dumper(yaml.SafeDumper):
    """Files as blocks, so that people can read what a host was told."""

    def represent_str(self, data: str) -> Any:
        """Lines as lines."""
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def _people(keys: Sequence[str]) -> list[str]:
    """Without comments: they name people and machines, and a host's user data is no place for that."""
    found = [_PERSON.fullmatch(key.strip()) for key in keys]
    if not found or not all(found):
        raise Invalid(
            "host_facts",
            "A public key is not written as one, or none is given.",
            "Give each as OpenSSH writes it: ssh-ed25519 AAAA...",
        )
    return sorted({match[1] for match in found if match})


def _host_key(key: HostKey) -> dict[str, str]:
    private = key.private.replace("\r\n", "\n").strip() + "\n"
    if not _HOST_KEY.fullmatch(key.public) or not _PRIVATE.fullmatch(private):
        raise Invalid("host_facts", "The host key is not written as one.", "Make it with OpenSSH's format, Ed25519.")
    return {"ed25519_private": private, "ed25519_public": key.public}
