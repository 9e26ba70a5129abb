"""What runs on the edge's host, from its own description: PostgreSQL that nobody has prepared, control plane, Traefik.

The whole runbook on machines is a soak (test_whole_runbook.py); this much of it is tried each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_urlsafe

import pytest

from frostbyte.deploy.compose import SECRETS_GROUP, render
from frostbyte.deploy.compose.base import GIVEN, HANDED, POSTGRES_PASSWORD, BaseOptions, base
from images.conftest import docker
from servers.lanes import need

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(1500)]
OURS = 10001
DOMAIN = "pipeline.frostbyte.example"
ASKED = (
    "import ssl, socket\n"
    "trusted = ssl.create_default_context(cafile='/var/lib/frostbyte/edge-ca/ca.pem')\n"
    "plain = socket.create_connection(('traefik', 8443), 10)\n"
    f"way = trusted.wrap_socket(plain, server_hostname='control.{DOMAIN}')\n"
    f"way.sendall(b'GET /health HTTP/1.1\\r\\nHost: control.{DOMAIN}\\r\\nConnection: close\\r\\n\\r\\n')\n"
    "print(way.recv(4096).decode().splitlines()[0])\n"
)


@pytest.fixture(scope="module")
def folder(
    server_images: dict[str, str], edge_images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A host's folder with the project, which runs."""
    need("docker")
    need("root")
    place = tmp_path_factory.mktemp("base")
    options = BaseOptions(
        images=server_images | edge_images,
        settings={
            "FROSTBYTE_CONTROL_DOMAIN": DOMAIN,
            "FROSTBYTE_CONTROL_ENVIRONMENT": "test",
            "FROSTBYTE_RECOVERY_RECIPIENT": "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        },
        operators=(),
        folder=str(place),
        networks=(("198.18.40.0/24", ""), ("198.18.41.0/24", "")),
    )
    project = base(options)
    # Nothing of this host is published: its ports may be somebody else's.
    project = replace(project, services=tuple(replace(service, publishes={}) for service in project.services))
    (place / "docker-compose.yml").write_text(render(project))
    written = {POSTGRES_PASSWORD: token_urlsafe(32), "database-url": ""}
    written["database-url"] = f"postgresql://frostbyte_admin:{written[POSTGRES_PASSWORD]}@postgres:5432/frostbyte"
    (place / "secrets").mkdir(mode=0o700)
    for name in project.secrets:
        file = place / "secrets" / name
        file.write_text(written[name])
        file.chmod(0o440)
        os.chown(file, 0, int(SECRETS_GROUP))
    for name in (GIVEN, HANDED):
        (place / name).mkdir(mode=0o700)
        os.chown(place / name, OURS, OURS)
    try:
        up = compose(place, "up", "--detach", "--wait", "--wait-timeout", "180", "postgres", "control", "traefik")
        assert up == "", up
        yield place
    finally:
        docker("compose", "--project-directory", str(place), "down", "--volumes", "--timeout", "5", check=False)


def compose(place: Path, *words: str) -> str:
    """What compose printed; what it and its services said where it failed, of `up`."""
    done = docker("compose", "--progress", "quiet", "--project-directory", str(place), *words, check=False)
    if done.returncode == 0:
        return done.stdout
    logs = docker("compose", "--project-directory", str(place), "logs", "--no-color", "--tail", "15", check=False)
    return done.stderr[-2000:] + logs.stdout[-6000:]


def test_the_control_plane_begins_on_an_empty_server_and_is_reached_through_its_edge(folder: Path) -> None:
    said = compose(folder, "exec", "-T", "control", "python", "-c", ASKED)
    assert said.strip() == "HTTP/1.1 200 OK", said


def test_an_operator_is_let_in_by_the_task_of_the_handover(folder: Path) -> None:
    assert json.loads(compose(folder, "run", "--rm", "--no-TTY", "operator"))["token"]
