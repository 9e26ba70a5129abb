"""A bundle of a few kilobytes with the real scripts, and a host that has nothing but what the scripts may use."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from frostbyte.deploy.bundle import layout
from frostbyte.deploy.bundle.manifest import Image, Layer, Manifest, Model, encode, table
from frostbyte.deploy.compose import IMAGES, Options, bundled

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = ROOT / "src" / "frostbyte" / "deploy" / "bundle" / "scripts"
TENANT: Final = "acme"
COREUTILS: Final = (
    "basename cat chgrp chmod chown cp cut date dd df dirname env head id install ln ls mkdir mktemp mv nproc numfmt "
    "od printf readlink realpath rm rmdir sha256sum shred shuf sleep sort split stat sync tail tee test timeout touch "
    "tr true truncate uname uniq wc"
)
"""Programs of coreutils that the scripts find on the host; nothing else is in its PATH but those below."""
OTHERS: Final = ("bash", "ssh-keygen")


@dataclass
class Signer:
    """A key that signs bundles, and the operator's file of allowed signers."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.key.exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "release", "-f", self.key]
            subprocess.run(command, check=True, capture_output=True)
        public = self.key.with_suffix(".pub").read_text().split()
        self.signers.write_text(f'frostbyte namespaces="frostbyte-bundle" {public[0]} {public[1]}\n')

    @property
    def key(self) -> Path:
        return self.folder / "release"

    @property
    def signers(self) -> Path:
        return self.folder / "signers"

    def sign(self, bundle: Path) -> None:
        """Write SHA256SUMS and its signature anew."""
        files = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
        lines = [
            f"{hashlib.sha256((bundle / name).read_bytes()).hexdigest()}  {name}\n"
            for name in files
            if name not in (layout.SUMS, layout.SIGNATURE)
        ]
        (bundle / layout.SUMS).write_text("".join(lines))
        (bundle / layout.SIGNATURE).unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", self.key, "-n", layout.NAMESPACE, bundle / layout.SUMS]
        subprocess.run(command, check=True, capture_output=True)


@dataclass(frozen=True, kw_only=True)
class Miniature:
    """What a small bundle is like.

    Attributes:
        changes: what is written over its files at last: path, content. None takes a file away.
        images_of: another content of an image's layer, by key: then it has another id.
        signatures: of the scanner; another text is a newer database.
        weights: of the embedder.
    """

    version: str = "1.0"
    schema: int = 10
    tenant: str = TENANT
    created_at: str = "2026-02-11T12:00:00Z"
    architecture: str = "amd64"
    base: str = ""
    memory_mb: int = 1
    disk_mb: int = 1
    images_of: dict[str, str] = field(default_factory=dict)
    signatures: str = "Frostbyte.EICAR-Test-File:0:0:58354f\n"
    weights: str = "GGUF"
    changes: dict[str, str | None] = field(default_factory=dict)

    def write(self, parent: Path, signer: Signer) -> Path:
        """Its folder, signed."""
        bundle = parent / layout.folder_name(self.version)
        images = tuple(self._image(bundle, key) for key in sorted(IMAGES))
        models = (
            self._model(bundle, "clamav", f"{layout.SIGNATURES}/frostbyte.ndb", self.signatures),
            self._model(bundle, "nomic-embed-text-v1.5", layout.EMBEDDER_MODEL, self.weights),
        )
        for name in sorted(path.name for path in SCRIPTS.glob("*.sh")):
            _put(bundle / layout.SCRIPTS / name, (SCRIPTS / name).read_bytes(), 0o755)
        digest = hashlib.sha256(repr((self, images)).encode()).hexdigest()[:12]
        manifest = Manifest(
            version=self.version,
            bundle_id=f"{self.version}-{self.architecture}-{digest}",
            created_at=self.created_at,
            architecture=self.architecture,
            tenant=self.tenant,
            schema=self.schema,
            images=images,
            models=models,
            scripts=tuple(sorted(path.name for path in SCRIPTS.glob("*.sh"))),
            memory_mb=self.memory_mb,
            disk_mb=self.disk_mb,
            base=self.base,
            stand_ins=("qdrant",),
        )
        for name, text in {
            layout.MANIFEST: encode(manifest).decode(),
            layout.TABLE: table(manifest),
            **self._project,
            layout.SBOM: '{"bomFormat": "CycloneDX", "specVersion": "1.6"}\n',
            layout.TENANT: json.dumps({"tenant": self.tenant}) + "\n",
            f"{layout.POLICY}/rules.toml": "# none\n",
            f"{layout.MIGRATIONS}/001_plane.sql": "-- one\n",
            f"{layout.LICENCES}/LICENSE": "Apache-2.0\n",
            "README.md": "How to check this bundle.\n",
            **self.changes,
        }.items():
            if text is None:
                (bundle / name).unlink()
            else:
                _put(bundle / name, text.encode())
        signer.sign(bundle)
        return bundle

    def _model(self, bundle: Path, name: str, path: str, text: str) -> Model:
        _put(bundle / path, text.encode())
        return Model(name=name, path=path, sha256=_sha256(text.encode()), size=len(text), date=self.created_at)

    def _image(self, bundle: Path, key: str) -> Image:
        """An image of one layer that holds one small file, as an archive that an engine loads."""
        layer = _tar({"what": self.images_of.get(key, f"{key} of any version").encode()})
        packed = gzip.compress(layer, mtime=0)
        diff_id = "sha256:" + _sha256(layer)
        # What runs a plane knows its schema; other images are the same in every version.
        ours = {"io.frostbyte.version": self.version, "io.frostbyte.schema": str(self.schema)}
        config = {
            "architecture": self.architecture,
            "os": "linux",
            "config": {"Labels": ours if key in ("api", "worker") else {}},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
        raw = json.dumps(config, sort_keys=True).encode()
        image_id = _sha256(raw)
        tag, name = f"frostbyte-bundle/{key}:{image_id[:12]}", f"{layout.IMAGES}/{key}.tar"
        entry = [{"Config": f"{image_id}.json", "RepoTags": [tag], "Layers": [f"{diff_id[7:]}.tar.gz"]}]
        archive = _tar(
            {
                "manifest.json": json.dumps(entry).encode(),
                f"{image_id}.json": raw,
                f"{diff_id[7:]}.tar.gz": packed,
            }
        )
        _put(bundle / name, archive)
        return Image(
            key=key,
            name=f"frostbyte/{key}:{self.version}",
            file=name,
            sha256=_sha256(archive),
            size=len(archive),
            digest="",
            image_id=f"sha256:{image_id}",
            tag=tag,
            architecture=self.architecture,
            layers=(Layer(diff_id=diff_id, size=len(layer), packed=len(packed)),),
        )

    @property
    def _project(self) -> dict[str, str]:
        return bundled(Options(tenant=self.tenant, version=self.version, stand_in_vectors=True))


class Host:
    """A host without a network: a folder, a stand-in for Docker, and the programs that the scripts may use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.into = folder / "opt"
        self.standin = folder / "docker"
        self.bin = folder / "bin"
        for made in (self.standin, self.bin):
            made.mkdir(parents=True)
        for name in (*COREUTILS.split(), *OTHERS):
            found = shutil.which(name)
            if found:
                (self.bin / name).symlink_to(found)
        # Python without its packages starts in a fifth of the time; only the project's reader adds them.
        packages = f"FROSTBYTE_STANDIN_PACKAGES={Path(yaml.__file__).parents[1]}"
        program = f'{packages} exec {sys.executable} -I -S {Path(__file__).with_name("standin.py")} "$@"\n'
        _put(self.bin / "docker", f"#!/bin/sh\n{program}".encode(), 0o755)

    def run(
        self, script: Path | str, *arguments: str | Path, timeout: float = 60, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A script in a session of its own, with this host's programs alone."""
        given = {"PATH": str(self.bin), "FROSTBYTE_STANDIN": str(self.standin), "HOME": str(self.folder)}
        return subprocess.run(
            [self.bin / "bash", script, *arguments],
            env=given | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            start_new_session=True,
        )

    @property
    def calls(self) -> list[list[str]]:
        """What Docker was asked, in order."""
        file = self.standin / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def state(self) -> dict[str, Any]:
        """What the engine has: images, volumes, networks, containers."""
        file = self.standin / "state.json"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def told(self, **facts: object) -> None:
        """What the engine is to be from now on (see standin.FACTS)."""
        (self.standin / "facts.json").write_text(json.dumps(facts))

    def answer(self, **answers: object) -> None:
        """What commands of ours answer from now on (see answers.py)."""
        (self.standin / "answers.json").write_text(json.dumps(answers))

    def cut_power(self, call: int, when: str) -> None:
        """At that call of Docker, counted from the first ever, everything that runs ends: `before` or `after` it."""
        (self.standin / "die").write_text(f"{call} {when}")

    def volume(self, name: str) -> Path:
        """Where what is in a volume lies."""
        return self.standin / "volumes" / f"frostbyte-{TENANT}_{name}"


def _put(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.chmod(path, mode)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
