"""The tenant's configuration and rules as a folder beside the compose file, checked before any plane begins with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from frostbyte.data_plane.policy.ruleset import FILES, RuleSet
from frostbyte.deploy.compose.options import Config
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tenancy import read_config

TENANT: Final = "tenant.json"
POLICY: Final = "policy"


def config_of(folder: str, files: Mapping[str, bytes]) -> Config:
    """What a plane is told of its configuration.

    Args:
        folder: as the compose file names it.
        files: what is in it, by path.
    """
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return Config(
        folder=folder,
        tenant=TENANT in files,
        policy=any(name.startswith(f"{POLICY}/") for name in files),
        digest=digest.hexdigest()[:16],
    )


def read_folder(folder: Path) -> Config:
    """The configuration in a folder: tenant.json, policy/, or both.

    Raises:
        Invalid: `compose_config`: there is neither; `config_invalid`, `rules_invalid`: as when a plane starts.
    """
    names = [name for name in (TENANT, *(f"{POLICY}/{file}" for file in FILES)) if (folder / name).is_file()]
    if not names:
        raise Invalid(
            "compose_config",
            "The folder of the configuration has no tenant.json and no rules in policy/.",
            "Put them there, or leave --config out.",
        )
    files = {name: (folder / name).read_bytes() for name in names}
    if TENANT in files:
        read_config(files[TENANT])
    found = config_of(str(folder.resolve()), files)
    if found.policy:
        RuleSet.load(folder / POLICY)
    return found
