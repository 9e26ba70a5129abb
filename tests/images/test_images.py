"""What is promised of the images, tried on images that are built here."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from images.conftest import NAMESPACE, ROOT, build, docker

sys.path.insert(0, str(ROOT / "tools"))
import image_table

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(3000)]
NAMES = ("api", "worker", "nomic-embed")


def inspected(image: str) -> Any:
    return json.loads(docker("image", "inspect", image).stdout)[0]


def run(image: str, *command: str) -> subprocess.CompletedProcess[str]:
    """As compose runs it: read-only, without any right, nothing writable but /tmp."""
    strict = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    return docker("run", "--rm", "--network", "none", *strict, *command[:-1], image, command[-1], check=False)


@pytest.fixture(scope="module", params=NAMES)
def image(request: Any, images: dict[str, str]) -> str:
    return images[request.param]


def test_it_says_what_it_is_and_runs_as_nobody_in_particular(image: str) -> None:
    config = inspected(image)["Config"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["licenses"] == "Apache-2.0"
    assert labels["title"] == image.replace(NAMESPACE, "frostbyte").partition(":")[0]
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert labels["revision"] == (revision.stdout.strip() or "unknown")
    assert run(image, "version").stdout == f"frostbyte {labels['version']}\n"
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["frostbyte"]
    assert config["Healthcheck"]["Test"][0] == "CMD"  # without a shell


def test_nothing_in_it_can_be_a_shell_a_compiler_or_a_package_manager(image: str) -> None:
    container = docker("create", image).stdout.strip()
    try:
        listed = subprocess.run(f"docker export {container} | tar -t", shell=True, capture_output=True, check=True)
    finally:
        docker("rm", container)
    files = set(listed.stdout.decode().splitlines())
    programs = {name.rsplit("/", 1)[1] for name in files if "/bin/" in f"/{name}" or "/sbin/" in f"/{name}"}
    shells = {"sh", "bash", "dash", "busybox", "perl", "apt-get", "dpkg", "gcc", "cc", "ld", "pip", "pip3", "uv", "su"}
    assert programs & shells == set()
    assert {"frostbyte", "frostbyte-health", "python3.13"} <= programs
    assert not [name for name in files if name.endswith(("/pip/__init__.py", "/ensurepip/__init__.py", "pip.conf"))]


def test_the_package_source_of_the_builder_is_in_no_layer(image: str) -> None:
    history = docker("history", "--no-trunc", image).stdout.replace("http://127.0.0.1:8080/health", "")
    assert "://" not in history
    configuration = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    hosts = [part.split("/")[2] for part in configuration.split("'") if part.startswith(("http://", "https://"))]
    assert not [host for host in hosts if host in history]


def test_help_answers_and_health_is_quick_and_says_why(image: str) -> None:
    assert "serve" in run(image, "--help").stdout
    began = time.monotonic()
    asked = run(image, "--entrypoint", "frostbyte-health", "http://127.0.0.1:9/health")
    assert asked.returncode == 1
    assert "no answer" in asked.stderr
    assert time.monotonic() - began < 10


def test_what_it_loads_is_compiled_already(images: dict[str, str]) -> None:
    """A read-only file system could not keep it, and each process would do it again."""
    look = (
        "import sys, frostbyte.bootstrap.data, frostbyte.api.data.app; "
        "print([m.__file__ for m in list(sys.modules.values()) if getattr(m, '__cached__', None) "
        "and m.__file__.endswith('.py') and not __import__('os').path.exists(m.__cached__)])"
    )
    assert docker("run", "--rm", "--entrypoint", "python", images["api"], "-c", look).stdout.strip() == "[]"


def test_a_read_only_plane_without_its_volume_says_what_is_missing(images: dict[str, str]) -> None:
    done = run(images["api"], "serve")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["api", "worker"])
def test_it_weighs_at_most_350_mb_without_model_weights(name: str, images: dict[str, str]) -> None:
    found = image_table.content(images[name])
    print(f"{name}: {found.total / 1e6:.0f} MB, {found.without_weights:.0f} MB without weights")
    assert found.without_weights <= image_table.LIMIT, found.parts.most_common(12)


def test_equal_inputs_make_equal_layers(images: dict[str, str]) -> None:
    """Everything is fetched, installed and compiled again; time has passed; every layer is the same."""
    before = inspected(images["nomic-embed"])["RootFS"]["Layers"]
    build("nomic-embed", TAG="again", NO_CACHE="1")
    again = f"{NAMESPACE}/nomic-embed:again"
    try:
        assert inspected(again)["RootFS"]["Layers"] == before
    finally:
        docker("image", "rm", "--force", again, check=False)


def test_the_worker_reads_pdfs_by_machine_code_and_as_its_sources_would(images: dict[str, str]) -> None:
    """What was compiled for this image, on this Python, beside its own sources: the same documents."""
    mounted = ("-v", f"{ROOT}/samples:/samples:ro", "-v", f"{ROOT}/tests/parse/answers.py:/answers.py:ro")
    told = []
    for words in ((), ("plain",)):
        command = ("run", "--rm", "--network", "none", *mounted, "--entrypoint", "python", images["worker"], "-P")
        told.append(json.loads(docker(*command, "/answers.py", "/samples", *words).stdout))
    compiled, plain = told
    assert compiled["answers"] == plain["answers"]
    assert len(plain["answers"]) > 40
    native = {name for name, file in compiled["modules"].items() if file.endswith(".so")}
    assert {"building", "wellformed", "pdf.text", "pdf.tables.aligned"} <= native
    assert [file for file in plain["modules"].values() if file.endswith(".so")] == []
    find = "import pathlib, frostbyte; print(*pathlib.Path(frostbyte.__file__).parent.rglob('*.so'))"
    assert docker("run", "--rm", "--entrypoint", "python", images["api"], "-c", find).stdout.strip() == ""
