"""Building snapshots from an operator's machine: the engine of every run, the journal of that machine's data folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from frostbyte.bootstrap.base import Bench
from frostbyte.bootstrap.provisioning import release
from frostbyte.control_plane.provisioning.building import ASKED, BuildRequest, snapshots
from frostbyte.control_plane.provisioning.hosting import Release
from frostbyte.control_plane.provisioning.journal import EntryRow, RunRow
from frostbyte.control_plane.provisioning.settings import ProvisioningSettings
from frostbyte.control_plane.provisioning.specs import ArchiveSpec
from frostbyte.kernel.errors import Conflict, Invalid

SAVE_SECONDS: Final = 900.0


@dataclass(frozen=True, kw_only=True)
class Yard(Bench):
    """Where snapshots of a project are built: on its base's bench."""

    def build(self, asked: BuildRequest, seen: Callable[[EntryRow], None]) -> RunRow:
        """Build it, or go on with what was interrupted.

        Raises:
            Conflict: `base_busy`: a run of the base goes on that is no build, or builds something else; `no_builder`.
        """
        run, request = self.running(), asked.values()
        if run is not None and run.request.get(ASKED) != request[ASKED]:
            raise Conflict(
                "base_busy",
                "Something else is being done to this project's base.",
                "Let that end first: type the command that began it once more.",
            )
        return self.carried(run or self.begun(request), seen)

    def snapshots(self) -> list[EntryRow]:
        """Those that are there, the newest first."""
        with self.plane.store.unit_of_work() as uow:
            return snapshots(uow.journal.entries(self.owner))

    def written_down(self, version: str, images: Mapping[str, str], archives: Mapping[str, ArchiveSpec]) -> Path:
        """Say in `releases/{version}.json` what a version runs; whatever else stands there stays.

        The archives are kept beside it, for hosts that stand and are brought to this version.

        Args:
            images: by name, the id on hosts.
            archives: where each came from, by name.
        """
        return keep_release(self.plane.settings.provisioning, version, images, archives)


def keep_release(
    told: ProvisioningSettings, version: str, images: Mapping[str, str], archives: Mapping[str, ArchiveSpec]
) -> Path:
    """See `Yard.written_down`."""
    try:
        before = release(told.releases, version)
    except Conflict:
        before = Release(images={})
    for one in archives.values():
        _kept(Path(one["path"]), told.images / f"{one['sha256']}.tar")
    told.releases.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = told.releases / f"{version}.json"
    part = path.with_suffix(".part")
    now = msgspec.to_builtins(before) | {
        "images": {**before.images, **images},
        "archives": {**before.archives, **{images[name]: one["sha256"] for name, one in archives.items()}},
    }
    part.write_bytes(msgspec.json.format(msgspec.json.encode(now)) + b"\n")
    part.replace(path)
    return path


def _kept(source: Path, target: Path) -> None:
    """Under the name of what is in it; without another copy where both lie on one disk."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_suffix(f".{os.getpid()}")
    part.unlink(missing_ok=True)
    try:
        part.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, part)
    part.replace(target)


def archive(source: str, folder: Path) -> Path:
    """An archive of an image: the file of that name, or what the engine of this machine saves under it.

    Raises:
        Invalid: `image_unknown`: it is neither.
    """
    path = Path(source)
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = _docker("image", "inspect", "--format", "{{.Id}}", source)
    kept = folder / f"{known.removeprefix('sha256:')}.tar"
    if not kept.exists():
        part = kept.with_suffix(f".{os.getpid()}")
        _docker("save", "--output", str(part), source)
        part.replace(kept)
    return kept


def _docker(*words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, and what the person typed as one of them
            ["docker", *words],  # noqa: S607 - the person's own client, wherever it is
            capture_output=True,
            text=True,
            check=True,
            timeout=SAVE_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        raise Invalid(
            "image_unknown",
            "An image is neither a file nor known to the engine of this machine.",
            "Name an archive made by `docker save`, or build the image first (tools/images.sh).",
        ) from None
    return done.stdout.strip()
