"""Bundles of a few kilobytes, and the images that they are made of."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frostbyte.adapters.engine.memory import MemoryEngine
from frostbyte.bootstrap.bundle import migrations
from frostbyte.deploy.bundle import locking, models
from frostbyte.deploy.bundle.building import Order
from frostbyte.deploy.bundle.lock import Lock
from frostbyte.deploy.bundle.texts import Given
from frostbyte.deploy.compose import IMAGES

MOMENT = "2026-02-11T12:00:00Z"


def layer(files: Mapping[str, bytes | None], *, form: int = tarfile.GNU_FORMAT) -> bytes:
    """A layer of these files; None makes a folder."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form) as archive:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.type, about.size = (tarfile.DIRTYPE, 0) if data is None else (tarfile.REGTYPE, len(data))
            archive.addfile(about, None if data is None else io.BytesIO(data))
    return written.getvalue()


STATUS = b"""Package: libc6
Status: install ok installed
Version: 2.41-12

Package: gone
Status: deinstall ok config-files
Version: 1
"""
METADATA = b"Metadata-Version: 2.4\nName: Some_Package\nVersion: 1.2\nLicense-Expression: MIT\n\nLong words.\n"
BASE = layer({"var/lib/dpkg/status": STATUS, "usr/share/doc/libc6/copyright": b"Files: *\nLicense: LGPL-2.1+\n"})


def engine(**changes: Any) -> MemoryEngine:
    """An engine with an image for each key, all on one base; `changes` are for `api` (see MemoryEngine.add)."""
    made = MemoryEngine()
    for key in IMAGES:
        own = layer({f"opt/{key}": key.encode() * 1000, "opt/lib/some_package-1.2.dist-info/METADATA": METADATA})
        made.add(f"frostbyte/{key}:1", **{"layers": [BASE, own], **(changes if key == "api" else {})})
    return made


def sources(folder: Path) -> Path:
    """The models of a lock, as they lie in a bundle."""
    for path, data in {"nomic-embed-text-v1.5/model.gguf": b"GGUF" * 100, "clamav/main.cvd": CVD}.items():
        (folder / "models" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "models" / path).write_bytes(data)
    return folder


CVD = b"ClamAV-VDB:16 Sep 2021 08-32 -0400:62:6647427:90:0:0:sigmgr:1631795562:rest".ljust(600)


def lock(at: MemoryEngine, folder: Path) -> Lock:
    """All of it pinned."""
    found = [
        *models.describe("nomic-embed-text-v1.5", folder / "models/nomic-embed-text-v1.5/model.gguf"),
        *models.describe("clamav", folder / "models/clamav"),
    ]
    return locking.lock(wanted(models=found), at)


def wanted(**changes: Any) -> locking.Wanted:
    """What a lock pins."""
    usual: dict[str, Any] = {
        "version": "0.1.0",
        "architecture": "amd64",
        "created_at": MOMENT,
        "images": {key: f"frostbyte/{key}:1" for key in IMAGES},
        "models": [],
        "dimensions": 768,
        "stand_ins": [],
        "built_here": True,
    }
    return locking.Wanted(**usual | changes)


def order(folder: Path, found: Lock, out: Path, *, key: Path | None = None, **changes: Any) -> Order:
    """What `bundle build` is told; `changes` are Given's."""
    usual: dict[str, Any] = {
        "tenant": "acme",
        "config": b"{}",
        "policy": None,
        "migrations": migrations(),
        "notices": {},
    }
    return Order(lock=found, given=Given(**usual | changes), models=folder, out=out, key=key)


def signer(folder: Path, name: str = "key") -> tuple[Path, Path]:
    """A key that signs, and the list of allowed signers that an operator has."""
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signers = folder / f"{name}.signers"
    signers.write_text(f"frostbyte {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n")
    return key, signers
