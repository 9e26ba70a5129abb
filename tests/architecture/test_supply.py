"""Everything that is installed is locked by hash, and no file of ours says where a machine gets it from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(\[[a-z,]+\])?==([A-Za-z0-9.+!]+)( ; [^\\]+)? \\$")
HASHED = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
TEXT = {".py", ".sh", ".toml", ".md", ".txt", ".in", ".lock", ".sql", ".json", ".yml", ".yaml", ".cfg", ".html", ""}


def tracked() -> list[Path]:
    """Files of the repository, or of the folder where it is not one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [path for area in ("src", "tests", "docs", "tools", "requirements") for path in (ROOT / area).rglob("*")]


def pins(lock: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := PINNED.match(line):
            found[match[1].lower().replace("_", "-").replace(".", "-")] = match[3]
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_line_of_a_lock_is_a_pin_or_a_hash(lock: Path) -> None:
    lines = lock.read_text(encoding="utf-8").splitlines()
    told = [line for line in lines if line and not line.startswith("#")]
    odd = [line for line in told if not PINNED.match(line) and not HASHED.match(line)]
    assert odd == []
    hashed = [at for at, line in enumerate(lines) if PINNED.match(line) and not HASHED.match(lines[at + 1])]
    assert hashed == []
    assert pins(lock)


def test_tests_run_with_the_versions_that_are_installed() -> None:
    runtime, dev = (pins(ROOT / "requirements" / name) for name in ("runtime.lock", "dev.lock"))
    assert runtime.items() <= dev.items()


def asked_for(name: str) -> set[str]:
    """Names in a `.in` file and in those that it refers to."""
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    parts = [asked_for(line.split()[1]) for line in lines if line.startswith("-r ")]
    own = {
        re.split(r"[\[<>=; ]", line, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")
        for line in lines
        if line and not line.startswith(("#", "-r"))
    }
    return own.union(*parts)


def test_everything_that_is_asked_for_is_locked() -> None:
    for lock in LOCKS:
        assert asked_for(lock.with_suffix(".in").name) <= set(pins(lock)), lock.name


def test_images_run_with_the_versions_that_are_tested() -> None:
    tested = pins(ROOT / "requirements" / "runtime.lock") | pins(ROOT / "requirements" / "models.lock")
    for lock in LOCKS:
        if lock.name.startswith("image-"):
            assert pins(lock).items() <= tested.items(), lock.name


def test_no_address_of_a_package_source_and_no_path_of_a_machine() -> None:
    """A registry's address binds everyone to it; a home folder's path is of use to nobody else."""
    # Put together here, so that this file does not hold what it forbids.
    registries = [f"{name}.{top}" for name, top in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
    # With what follows a host: the first alone is also the name of Debian's package of Docker.
    registries += [f"{name}.io{end}" for name in ("docker", "ghcr", "quay") for end in ("/", ":")]
    options = ("--index" + "-url", "--extra-index" + "-url", "--find" + "-links")
    homes = re.compile(r"(?<![\w.])/(root|home/[a-z]+|Users/[A-Za-z]+)/")
    for path in tracked():
        if path.suffix not in TEXT or "samples" in path.parts:
            continue
        content = path.read_text(encoding="utf-8", errors="replace")
        assert not [word for word in (*registries, *options) if word in content], path
        assert not homes.search(content), path


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
