"""What may be sealed, and where an owner's things lie. The same for every vault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.kernel.errors import Invalid

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,126}")
_PLAIN_SUFFIX: Final = "_unencrypted"
"""SOPS leaves a value of such a name as it is (its documentation, "Encrypting only parts of a file")."""
_LARGEST: Final = 256 * 1024
"""Bytes of a value: a certificate with its chain has a few thousand."""


def folder_of(owner: Owner) -> str:
    """The name of an owner's folder: a tenant's id, which has no '.', or `base.{project}`."""
    return owner.tenant_id or f"base.{owner.project_id}"


def checked(values: Mapping[str, str]) -> dict[str, str]:
    """The values, sorted by name.

    Raises:
        Invalid: `vault_value_invalid`: a name that SOPS would treat in its own way, or a value that it would not seal.
    """
    for name, value in values.items():
        if not _NAME.fullmatch(name) or name.endswith(_PLAIN_SUFFIX) or name == "sops":
            raise _invalid("A secret's name is 1 to 127 of a-z, 0-9, '.', '_' and '-', and is not 'sops'.")
        if not value or len(value.encode()) > _LARGEST:
            raise _invalid("A secret has at least one character and at most 256 KiB.")
    return {name: values[name] for name in sorted(values)}


def _invalid(why: str) -> Invalid:
    return Invalid("vault_value_invalid", why, "Give it another name, or leave it out.")
