"""A bundle's small files: what Compose reads, the tenant's configuration and rules, scripts, schema, licences, how to
begin. Pure but for reading the package's own files and the rules that are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from frostbyte.data_plane.policy.ruleset import FILES, RuleSet
from frostbyte.deploy import compose
from frostbyte.deploy.bundle import layout
from frostbyte.deploy.bundle.lock import Lock
from frostbyte.deploy.compose.config import config_of
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.tenancy import read_config

_README: Final = """\
# Frostbyte {version}: a plane for a host without a network

Architecture {architecture}, made {created_at} for the tenant `{tenant}`.

**Believe nothing in this folder yet.** You were given a file with the keys that may sign it by another way than this
disk. Say where it is, stand in this folder, and type these lines before you start any program that lies here:

    SIGNERS=/path/to/allowed_signers
    ssh-keygen -Y verify -f "$SIGNERS" -I frostbyte -n {namespace} -s {signature} < {sums} \\
      && sha256sum -c --strict --quiet {sums}

The first line of the answer says `Good "{namespace}" signature for frostbyte`; nothing comes after it. Anything else:
stop, and ask whoever gave you the disk.

Then:

    scripts/install.sh --signers "$SIGNERS" --dry-run
    scripts/install.sh --signers "$SIGNERS"

The first looks at this host and says what would be done; the second does it. The host needs bash, coreutils,
ssh-keygen and Docker 20.10 or newer with Compose 2, {memory_mb} MB of memory and {disk_mb} MB of disk. No network.

| | |
|---|---|
| MANIFEST.json | what is in here: images, models, versions, sums |
| sbom.cdx.json | every package in every image (CycloneDX 1.6); licences/packages.tsv is the same for people |
| docker-compose.yml | what will run; it is used as it was signed |
| config/ | the tenant's configuration and policy rules |
| scripts/ | install, verify, export, update, support |
"""


_CONFIG_FROM_PLANE: Final = f"../bundle/{layout.CONFIG}"
"""INTO/plane is the project's folder, and INTO/bundle the bundle that runs (scripts/lib.sh)."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a bundle is told besides its lock.

    Attributes:
        tenant: its id.
        config: JSON of the tenant's configuration, as far as it differs from the defaults.
        policy: a folder with rules of one's own; None for those that ship.
        migrations: the schema's files, by name.
        notices: texts for licences/, by name.
    """

    tenant: str
    config: bytes
    policy: Path | None
    migrations: Mapping[str, bytes]
    notices: Mapping[str, bytes]


def options(lock: Lock, tenant: str, config: Mapping[str, bytes] | None = None) -> compose.Options:
    """The plane that the bundle installs.

    Args:
        config: the files of its configuration, by their path in the bundle.
    """
    models = {model.path: model.sha256 for model in lock.models}
    return compose.Options(
        tenant=tenant,
        version=lock.version,
        images={image.key: image.image_id for image in lock.images},
        model_sha256=models.get(layout.EMBEDDER_MODEL, ""),
        dimensions=lock.dimensions,
        stand_in_vectors="qdrant" in lock.stand_ins,
        config=None
        if config is None
        else config_of(
            _CONFIG_FROM_PLANE, {name.removeprefix(f"{layout.CONFIG}/"): data for name, data in config.items()}
        ),
    )


def texts(lock: Lock, given: Given) -> dict[str, bytes]:
    """The files by their path in the bundle, but for what is made of all the others.

    Raises:
        Invalid: `config_invalid`, `rules_invalid`: as when a plane starts; `bundle_tenant`.
    """
    config = {layout.TENANT: tenant_config(given.config), **_policy(given.policy)}
    project = compose.bundled(options(lock, given.tenant, config))
    return {
        **{name: text.encode() for name, text in project.items()},
        **config,
        **{f"{layout.SCRIPTS}/{name}": data for name, data in scripts().items()},
        **{f"{layout.MIGRATIONS}/{name}": data for name, data in given.migrations.items()},
        **{f"{layout.LICENCES}/{name}": data for name, data in {**_licences(), **given.notices}.items()},
    }


def tenant_config(given: bytes) -> bytes:
    """The whole configuration, checked, as the plane will have it.

    Raises:
        Invalid: `config_invalid`.
    """
    return msgspec.json.format(msgspec.json.encode(read_config(given or b"{}")), indent=2) + b"\n"


SEEN_MB: Final = MappingProxyType(
    {
        "postgres": 114,
        "redis": 5,
        "minio": 134,
        "qdrant": 70,
        "clamav": 10,
        "nomic-embed": 61,
        "intake-gateway": 170,
        "serving": 195,
        "celery-worker": 209,
        "door": 38,
    }
)
"""The most that each container took, mebibytes, by the kernel's own count (memory.max_usage_in_bytes), while a plane
was installed and its tests ran: small documents, no weights and no signatures to speak of, and the stand-in in Qdrant's
place."""
HELD: Final = MappingProxyType({"clamav": 11.0, "nomic-embed": 1.0})
"""Bytes in memory for each byte of a file: weights once, whoever computes with them. Signatures are packed, and a new
set is read beside the old one: clamd's users tell of 1.2 GB for 230 MB. That was not measured here."""
LANES: Final = 2
"""Texts that the embedder computes at the same time: the processors that it may use."""
LANE_MB: Final = 0.43
"""Mebibytes for each, by dimension: measured at 768 and 32, with texts of the 2,048 tokens that it reads at most."""


def scripts() -> dict[str, bytes]:
    """The scripts of this version, by name."""
    folder = resources.files("frostbyte.deploy.bundle") / "scripts"
    return {item.name: item.read_bytes() for item in folder.iterdir() if item.name.endswith(".sh")}


def readme(lock: Lock, tenant: str, memory_mb: int, disk_mb: int) -> bytes:
    """How to begin."""
    return _README.format(
        version=lock.version,
        architecture=lock.architecture,
        created_at=lock.created_at,
        tenant=tenant,
        namespace=layout.NAMESPACE,
        signature=layout.SIGNATURE,
        sums=layout.SUMS,
        memory_mb=memory_mb,
        disk_mb=disk_mb,
    ).encode()


def memory_mb(lock: Lock, tenant: str) -> int:
    """Mebibytes that a host must have for the plane.

    What each service was seen to take, with the files that it keeps in memory and what the embedder computes in; and
    the largest one's whole limit, for the worst document: never do all reach theirs at once.
    """
    services = {one.name: one.limits.memory_mb for one in compose.plane(options(lock, tenant)).services}
    held = {"clamav": 0.0, "nomic-embed": LANES * LANE_MB * lock.dimensions}
    for model in lock.models:
        name = "clamav" if model.path.startswith(f"{layout.SIGNATURES}/") else "nomic-embed"
        held[name] += model.size * HELD[name] / (1 << 20)
    taken = {name: min(services[name], round(seen + held.get(name, 0))) for name, seen in SEEN_MB.items()}
    largest = max(taken, key=lambda name: services[name])
    return sum(taken.values()) - taken[largest] + services[largest]


def _policy(folder: Path | None) -> dict[str, bytes]:
    """Rules of one's own, after all their examples have run. A folder without any has none to carry."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise Invalid("rules_missing", f"{folder} is no folder.", "Name the folder with the rules.")
    RuleSet.load(folder)
    return {f"{layout.POLICY}/{name}": (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}


def _licences() -> dict[str, bytes]:
    own = metadata.distribution("frostbyte").read_text("licenses/LICENSE") or ""
    return {"frostbyte-LICENSE.txt": own.encode()}
