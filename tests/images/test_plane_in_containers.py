"""The whole plane in containers, as compose starts it: real PostgreSQL, Redis, MinIO and clamd, workers, two APIs.

The vector store is our stand-in: no Qdrant server can be had on a test machine, and everything says so. The model is a
tiny one that is written here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from images.conftest import ROOT, docker
from servers.clamd import DAILY, EICAR, daily
from servers.process import free_port
from servers.tiny_model import TinyModel

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(3000)]
FROSTBYTE = Path(sys.executable).parent / "frostbyte"
START_SECONDS = "400"


@dataclass(frozen=True)
class Project:
    """A compose project that runs."""

    folder: Path
    url: str
    token: str
    key: Path

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return docker("compose", "--file", str(self.folder / "docker-compose.yml"), *arguments, check=check)

    def frostbyte(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of a person on the host."""
        given = os.environ | {"FROSTBYTE_URL": self.url, "FROSTBYTE_TOKEN": self.token}
        return subprocess.run(
            [FROSTBYTE, *arguments], env=given, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
        )

    def python(self, service: str, code: str) -> str:
        return self.compose("exec", "-T", service, "python", "-c", code).stdout.strip()


@pytest.fixture(scope="module")
def project(
    images: dict[str, str], server_images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    model = folder / "nomic-embed-text-v1.5"
    model.mkdir()
    TinyModel().write(model / "model.gguf")
    port = free_port()
    command = [FROSTBYTE, "deploy", "compose", "--out", folder, "--tenant", "acme", "--port", str(port)]
    command += ["--stand-in-vectors", "--dimensions", str(TinyModel().dimensions)]
    for name, image in (images | server_images).items():
        command += ["--image", f"{name}={image}"]
    subprocess.run(command, check=True)
    running = Project(folder, f"http://127.0.0.1:{port}", "", folder / "log.pub")
    try:
        running.compose("create")
        running.compose("cp", str(model), "nomic-embed:/models/")
        (folder / DAILY).write_bytes(daily(datetime.now(UTC)))
        running.compose("cp", str(folder / DAILY), f"clamav:/var/lib/clamav/{DAILY}")
        up = running.compose("up", "--detach", "--wait", "--wait-timeout", START_SECONDS, check=False)
        logs = running.compose("logs", "--no-color", "--tail", "30", check=False).stdout
        assert up.returncode == 0, f"{up.stderr[-2000:]}\n{logs[-8000:]}"
        token = running.python("intake-gateway", "print(open('/var/lib/frostbyte/token').read())")
        running.key.write_text(running.python("intake-gateway", "print(open('/var/lib/frostbyte/log.pub').read())"))
        yield Project(folder, running.url, token, running.key)
    finally:
        running.compose("down", "--volumes", "--timeout", "20", check=False)


def test_the_sample_batch_goes_in_by_http_and_a_proof_holds(project: Project, tmp_path: Path) -> None:
    batch = tmp_path / "batch"
    batch.mkdir()
    samples = [*sorted((ROOT / "samples").glob("*.pdf")), ROOT / "samples/deliveries.csv"]
    for file in samples:
        (batch / file.name).write_bytes(file.read_bytes())
    (batch / "invoice.txt").write_bytes(EICAR)
    sent = project.frostbyte("ingest", str(batch), "--json")
    assert sent.returncode == 3, sent.stderr  # one of them is malware
    states = [document["state"] for document in listed(project)]
    assert sorted(set(states)) == ["indexed", "quarantined"]
    assert states.count("quarantined") == 1
    assert states.count("indexed") == len(samples) - 1  # notes.pdf is no PDF and is refused at the door

    proofs = tmp_path / "proofs"
    found = project.frostbyte("search", "notice period", "--json", "--proof", str(proofs))
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["results"]
    proof = sorted(proofs.glob("*.json"))[0]
    checked = project.frostbyte("proof", "verify", str(proof), "--key", str(project.key))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    proof.write_text(proof.read_text().replace("0", "1", 40))
    assert project.frostbyte("proof", "verify", str(proof), "--key", str(project.key)).returncode != 0


def listed(project: Project) -> list[dict[str, Any]]:
    code = (
        "import json, urllib.request as u; r = u.Request('http://127.0.0.1:8080/api/v1/documents?limit=100', "
        "headers={'Authorization': 'Bearer ' + open('/var/lib/frostbyte/token').read().strip()}); "
        "print(u.urlopen(r).read().decode())"
    )
    found: list[dict[str, Any]] = json.loads(project.python("intake-gateway", code))["documents"]
    return found


def test_the_reading_routes_are_answered_by_serving_alone(project: Project) -> None:
    """Without it questions fail with a sentence, and uploads go on; the gateway has none of these routes itself."""
    project.compose("stop", "--timeout", "5", "serving")
    try:
        asked = project.frostbyte("search", "notice", "--json")
        assert asked.returncode != 0
        assert "serving_unavailable" in asked.stderr + asked.stdout
        assert project.frostbyte("ingest", str(ROOT / "samples/deliveries.csv"), "--json").returncode == 0
    finally:
        project.compose("up", "--detach", "--wait", "serving")
    assert project.frostbyte("search", "notice", "--json").returncode == 0


def test_it_says_that_it_is_not_for_production(project: Project) -> None:
    health = json.loads(
        project.python(
            "intake-gateway",
            "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/health').read().decode())",
        )
    )
    assert health["stand_ins"] == ["vectors"]
    assert "NOT FOR PRODUCTION" in str(health["warnings"])


@pytest.mark.parametrize(
    "service",
    "postgres redis minio qdrant clamav nomic-embed intake-gateway serving celery-worker door".split(),
)
def test_no_container_reaches_anything_outside(project: Project, images: dict[str, str], service: str) -> None:
    """From within its network, whatever its image holds; test_walls.py counts what leaves."""
    name = project.compose("ps", "--format", "{{.Name}}", service).stdout.strip()
    held = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    told = ["plane", "probe", "--seconds", "4", "--json"]
    done = docker("run", "--rm", "--network", f"container:{name}", *held, images["api"], *told)
    assert json.loads(done.stdout)["isolated"] is True


def test_the_door_holds_nothing_and_says_so_while_the_gateway_is_away(project: Project) -> None:
    look = "import os; print(os.path.exists('/run/secrets'), os.listdir('/run/door'), os.access('/run/door', os.W_OK))"
    assert project.python("door", look) == "False ['gateway'] False"
    project.compose("stop", "--timeout", "20", "intake-gateway")
    try:
        asked = project.frostbyte("status", "--json")
        assert "gateway_unavailable" in asked.stdout + asked.stderr
    finally:
        project.compose("up", "--detach", "--wait", "intake-gateway")
    assert project.frostbyte("status", "--json").returncode == 0


def test_every_container_is_well_and_nobody_is_root(project: Project) -> None:
    for name in project.compose("ps", "--all", "--format", "{{.Name}}").stdout.split():
        found = json.loads(docker("inspect", name).stdout)[0]
        health = found["State"].get("Health", {}).get("Status", "done")
        assert health in ("healthy", "done"), name
        assert not found["State"]["OOMKilled"], name
        assert found["HostConfig"]["ReadonlyRootfs"], name
        assert found["Config"]["User"].split(":")[0] not in ("", "0", "root"), name
