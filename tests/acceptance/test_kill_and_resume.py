"""Promises 3 and 4: killed at any moment, every receipted document ends in one state, once, with the same result."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from draws import SEED, SOAK

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PROGRAM = Path(__file__).with_name("doomed_plane.py")
SAMPLES = Path(__file__).parents[2] / "samples"
FILES = [SAMPLES / "cold-storage-sop.txt", SAMPLES / "supplier-note.pdf"]

MOMENTS = [
    *(f"commit.{number}:{when}" for number in range(5) for when in ("before", "after")),
    "scanner.scan:before",
    "reader.parse:before",
    "reader.parse:after",
    "judge.judge:before",
    "judge.judge:after",
    "vault.put:after",
    "embedder.documents:before",
    "vectors.upsert:before",
    "vectors.upsert:after",
    "vectors.flush:after",
]


def run(folder: Path, moment: str, files: list[Path]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), str(folder), moment, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(result, dict)
    return result


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The data folder of a run that nobody killed, and what it came to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    result = told(run(folder, "never", FILES))
    assert {item["state"] for item in result.values()} == {"indexed"}
    assert all(item["chunks"] for item in result.values())
    return folder, result


def drawn() -> list[str]:
    """Every moment, or a sample: one around commits, two around ports."""
    if SOAK:
        return MOMENTS
    rng = random.Random(SEED)
    commits = [moment for moment in MOMENTS if moment.startswith("commit")]
    ports = [moment for moment in MOMENTS if not moment.startswith("commit")]
    return rng.sample(commits, 1) + rng.sample(ports, 2)


@pytest.mark.parametrize("moment", drawn())
def test_a_killed_plane_ends_as_an_undisturbed_one(
    moment: str, undisturbed: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    reference, expected = undisturbed
    folder = tmp_path / "plane"
    folder.mkdir(mode=0o700)
    shutil.copytree(reference / "secrets", folder / "secrets")  # the same keys give the same ids
    killed = run(folder, moment, FILES)
    assert killed.returncode == -signal.SIGKILL, (killed.returncode, killed.stderr[-2000:])
    assert killed.stdout.splitlines() == ["receipted"]
    after = told(run(folder, "never", []))
    assert after == expected


def filled(folder: Path, reference: Path) -> Path:
    """A plane with the files in it, under the reference's keys, which give the same ids."""
    folder.mkdir(mode=0o700)
    shutil.copytree(reference / "secrets", folder / "secrets")
    told(run(folder, "never", FILES))
    return folder


@pytest.fixture(scope="module")
def rebuilt(undisturbed: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an undisturbed rebuild comes to."""
    reference, before = undisturbed
    result = told(run(filled(tmp_path_factory.mktemp("rebuilt") / "plane", reference), "never", ["rebuild"]))
    assert all(item["chunks"] != before[name]["chunks"] for name, item in result.items()), "nothing was made anew"
    return result


REBUILDING = ["reader.parse:before", "vectors.flush:after", "commit.4:before"]


@pytest.mark.parametrize("moment", REBUILDING if SOAK else [random.Random(SEED).choice(REBUILDING)])
def test_a_rebuild_that_was_killed_goes_on_and_ends_as_an_undisturbed_one(
    moment: str, undisturbed: tuple[Path, dict[str, Any]], rebuilt: dict[str, Any], tmp_path: Path
) -> None:
    folder = filled(tmp_path / "plane", undisturbed[0])
    killed = run(folder, moment, ["rebuild"])
    assert killed.returncode == -signal.SIGKILL, (killed.returncode, killed.stderr[-2000:])
    assert killed.stdout.splitlines() == ["rebuilding"]
    assert told(run(folder, "never", [])) == rebuilt
