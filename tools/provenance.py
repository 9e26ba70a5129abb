"""Where a release comes from: an in-toto statement with SLSA's provenance, `python tools/provenance.py FOLDER`.

It names what was made (each file of the folder, the bundle by its sums, and each image in it) and what it was made of:
the commit, the locks of packages and of programs built from sources, the base image, and every image and model that the
bundle's lock pins. Formats: in-toto Statement v1, SLSA provenance v1. The folder's sums, which list it, are signed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "tools/release.sh of the commit below"
SUMS: Final = ("SHA256SUMS", "SHA256SUMS.sig", "provenance.json")


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def subjects(folder: Path) -> list[dict[str, Any]]:
    """What was made: the bundle is named by its sums, which name all that is in it."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in SUMS:
            found.append({"name": path.name, "digest": {"sha256": sha256(path)}})
        elif path.is_dir():
            found.append({"name": f"{path.name}/SHA256SUMS", "digest": {"sha256": sha256(path / "SHA256SUMS")}})
            for image in json.loads((path / "MANIFEST.json").read_bytes())["images"]:
                digest = image["image_id"].removeprefix("sha256:")
                found.append({"name": f"{path.name}/{image['file']}#image", "digest": {"sha256": digest}})
    return found


def materials(folder: Path, root: Path, commit: str, base: dict[str, str]) -> list[dict[str, Any]]:
    """What it was made of."""
    found: list[dict[str, Any]] = [{"name": "source", "digest": {"gitCommit": commit}}]
    locks = [*(root / "requirements").glob("*.lock"), *(root / "tools").glob("*/go.sum")]
    found += [{"name": path.relative_to(root).as_posix(), "digest": {"sha256": sha256(path)}} for path in sorted(locks)]
    found.append(
        {"name": base["name"], "digest": {"sha256": base["id"].removeprefix("sha256:")}, "annotations": {"is": "base"}}
    )
    lock = json.loads((folder / "bundle.lock.json").read_bytes())
    for image in lock["images"]:
        if image["digest"]:  # the others were made here
            found.append({"name": image["name"], "digest": {"sha256": image["digest"].removeprefix("sha256:")}})
    found += [{"name": model["path"], "digest": {"sha256": model["sha256"]}} for model in lock["models"]]
    return found


def statement(folder: Path, root: Path, *, commit: str, moment: str, base: dict[str, str]) -> dict[str, Any]:
    """The whole statement.

    Args:
        moment: ISO 8601: of the commit, so that equal releases say the same.
        base: name and id of the image that ours were built from.
    """
    (bundle,) = (path for path in folder.iterdir() if path.is_dir())
    said = json.loads((bundle / "MANIFEST.json").read_bytes())
    return {
        "_type": STATEMENT,
        "subject": subjects(folder),
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "version": said["version"],
                    "tenant": said["tenant"],
                    "architecture": said["architecture"],
                    "standIns": said["stand_ins"],
                },
                "resolvedDependencies": materials(folder, root, commit, base),
            },
            "runDetails": {
                "builder": {"id": "a machine of whoever signed the release"},
                "metadata": {"invocationId": said["bundle_id"], "startedOn": moment},
            },
        },
    }


def said_by(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Print the statement of a folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--moment", required=True)
    parser.add_argument("--base", required=True)
    told = parser.parse_args()
    base = {"name": told.base, "id": said_by("docker", "image", "inspect", "--format", "{{.Id}}", told.base)}
    made = statement(told.folder, ROOT, commit=said_by("git", "rev-parse", "HEAD"), moment=told.moment, base=base)
    print(json.dumps(made, indent=2))


if __name__ == "__main__":
    main()
