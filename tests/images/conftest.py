"""Images built once a run from a base of Debian's packages, and taken away again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from draws import SOAK
from servers.lanes import need

ROOT = Path(__file__).parents[2]
# Two bundles of real images take minutes: an exhaustive run. In CI test_layers.py holds what makes a delta small, and
# tests/offline brings one over a miniature.
# The whole runbook on machines takes minutes as well: in CI test_machines.py holds hosts and what is closed between
# them, and test_base_in_containers.py the base's own containers.
collect_ignore = [] if SOAK else ["test_delta.py", "test_whole_runbook.py"]
BASE = "frostbyte-test-base"
NAMESPACE = "frostbyte-test"
TAG = "test"
BUILD_SECONDS = 1500
SERVERS = ("postgres", "redis", "clamav")
MACHINE = f"{NAMESPACE}/machine"


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs docker; fails the test with what it said."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=BUILD_SECONDS)
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done


def build(*images: str, **environment: str) -> None:
    """`tools/images.sh`, from the test base."""
    given = {"BASE": BASE, "NAMESPACE": NAMESPACE, "TAG": TAG, **environment}
    done = subprocess.run(
        ["tools/images.sh", *images],
        cwd=ROOT,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """The base image."""
    need("docker")
    here = docker("image", "inspect", BASE, check=False).returncode == 0
    done = subprocess.run(
        ["tools/docker.sh", "base", BASE], cwd=ROOT, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
    )
    assert done.returncode == 0, done.stderr[-3000:]
    yield BASE
    if not here:
        docker("image", "rm", "--force", BASE, check=False)


@pytest.fixture(scope="session")
def images(base: str) -> Iterator[dict[str, str]]:
    """Frostbyte's three images by name, from today's sources."""
    names = ("api", "worker", "nomic-embed")
    build(*names)
    built = {name: f"{NAMESPACE}/{name}:{TAG}" for name in names}
    yield built
    docker("image", "rm", "--force", *built.values(), check=False)


@pytest.fixture(scope="session")
def server_images(base: str) -> Iterator[dict[str, str]]:
    """Debian's servers, MinIO from its sources, and the stand-in: what a bundle has where official images are not."""
    need("minio")
    built = {name: f"{NAMESPACE}/{name}:{TAG}" for name in SERVERS}
    build(*SERVERS, "minio", "vectors")
    built |= {"minio": f"{NAMESPACE}/minio:{TAG}", "qdrant": f"{NAMESPACE}/vectors:{TAG}"}
    yield built
    docker("image", "rm", "--force", *built.values(), check=False)


@pytest.fixture(scope="session")
def edge_images(base: str) -> Iterator[dict[str, str]]:
    """What runs on the edge's host, but for its database."""
    for program in ("sops", "traefik"):
        need(program)
    names = ("control", "traefik")
    build(*names)
    built = {name: f"{NAMESPACE}/{name}:{TAG}" for name in names}
    yield built
    docker("image", "rm", "--force", *built.values(), check=False)


@pytest.fixture(scope="session")
def machine(base: str) -> Iterator[str]:
    """The system image of machines that boot (tests/machines)."""
    folder = ROOT / "tests/machines"
    docker("build", "--build-arg", f"BASE={base}", "--file", str(folder / "Dockerfile"), "--tag", MACHINE, str(folder))
    yield MACHINE
    docker("image", "rm", "--force", MACHINE, check=False)
