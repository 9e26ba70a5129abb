"""What a release says of where it comes from: everything that was made, and everything that it was made of."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import provenance

COMMIT = "0123456789abcdef0123456789abcdef01234567"
IMAGE, PULLED, MODEL, BASE = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "frostbyte-1.0"
    bundle = folder / "frostbyte-offline-bundle-v1.0"
    bundle.mkdir(parents=True)
    manifest = {
        "version": "1.0",
        "bundle_id": "1.0-amd64-ffffffffffff",
        "tenant": "acme",
        "architecture": "amd64",
        "stand_ins": ["qdrant"],
        "images": [{"file": "images/api.tar", "image_id": f"sha256:{IMAGE}"}],
    }
    (bundle / "MANIFEST.json").write_text(json.dumps(manifest))
    (bundle / "SHA256SUMS").write_bytes(b"sums of the bundle\n")
    (folder / "frostbyte-1.0-py3-none-any.whl").write_bytes(b"wheel")
    lock = {
        "images": [
            {"name": "postgres:17-alpine", "digest": f"sha256:{PULLED}"},
            {"name": "frostbyte/api:1.0", "digest": ""},
        ],
        "models": [{"path": "models/clamav/main.cvd", "sha256": MODEL}],
    }
    (folder / "bundle.lock.json").write_text(json.dumps(lock))
    for name in provenance.SUMS:
        (folder / name).write_text("not a subject\n")
    return folder


def statement(release: Path, root: Path) -> dict[str, Any]:
    base = {"name": "debian:trixie-slim", "id": f"sha256:{BASE}"}
    return provenance.statement(release, root, commit=COMMIT, moment="2026-02-11T12:00:00Z", base=base)


def test_it_names_all_that_was_made(release: Path, tmp_path: Path) -> None:
    made = statement(release, tmp_path)
    assert (made["_type"], made["predicateType"]) == (provenance.STATEMENT, provenance.PREDICATE)
    lock = (release / "bundle.lock.json").read_bytes()
    assert {one["name"]: one["digest"]["sha256"] for one in made["subject"]} == {
        "bundle.lock.json": sha(lock),
        "frostbyte-1.0-py3-none-any.whl": sha(b"wheel"),
        "frostbyte-offline-bundle-v1.0/SHA256SUMS": sha(b"sums of the bundle\n"),
        "frostbyte-offline-bundle-v1.0/images/api.tar#image": IMAGE,
    }


def test_it_names_all_that_it_was_made_of(release: Path, tmp_path: Path) -> None:
    for name in ("requirements/core.lock", "tools/minio/go.sum"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(name.encode())
    definition = statement(release, tmp_path)["predicate"]["buildDefinition"]
    found = {one["name"]: next(iter(one["digest"].values())) for one in definition["resolvedDependencies"]}
    assert found == {
        "source": COMMIT,
        "requirements/core.lock": sha(b"requirements/core.lock"),
        "tools/minio/go.sum": sha(b"tools/minio/go.sum"),
        "debian:trixie-slim": BASE,
        "postgres:17-alpine": PULLED,
        "models/clamav/main.cvd": MODEL,
    }
    assert definition["externalParameters"]["standIns"] == ["qdrant"]


def test_equal_releases_say_the_same(release: Path, tmp_path: Path) -> None:
    assert json.dumps(statement(release, tmp_path)) == json.dumps(statement(release, tmp_path))


def test_our_own_locks_are_found() -> None:
    """Every lock of packages and of programs that are built from sources."""
    root = provenance.ROOT
    found = {path.relative_to(root).as_posix() for path in root.glob("*/**/*.lock") if ".venv" not in path.parts[-3:]}
    assert {name for name in found if name.startswith("requirements/")}
    assert sorted(path.parent.name for path in (root / "tools").glob("*/go.sum")) == ["minio", "sops", "traefik"]
