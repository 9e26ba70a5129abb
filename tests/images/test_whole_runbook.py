"""The whole runbook on machines that boot: typed as an operator types it, from an empty project to an empty project.

Real are the commands, the snapshot that they build, the control plane in its container on the edge's host, Traefik,
SSH through bastion and gateway, volumes with a file system, Compose, all images, the way out, and what is closed.
Played are the cloud (the simulator, over TLS), what lies outside (tests/machines/internet.py) and Qdrant's server (our
stand-in: none can be had here). No machine but the builder has a route out, so a hidden download fails.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest

from frostbyte import __version__
from images.conftest import ROOT, SERVERS
from machines.country import ALLOWED, DOMAIN, FROSTBYTE, GROUND, RESOLVERS, Country
from servers.clamd import DAILY, daily
from servers.lanes import need
from servers.tiny_model import TinyModel

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(3600)]
QUESTION: Final = "Coastline Freight"
ANSWERS: Final = (
    "import socket, sys\n"
    "from concurrent.futures import ThreadPoolExecutor\n"
    "def asked(given):\n"
    "    host, port = given.split(':')\n"
    "    try:\n"
    "        socket.create_connection((host, int(port)), 5).close()\n"
    "        return f'{given} open'\n"
    "    except OSError:\n"
    "        return f'{given} closed'\n"
    "with ThreadPoolExecutor(32) as pool:\n"
    "    print(*pool.map(asked, sys.argv[1:]), sep='\\n')\n"
)
TUNNEL: Final = (
    "import os, socket, sys\n"
    "proxy = os.environ['FROSTBYTE_EGRESS_PROXY'].removeprefix('http://').split(':')\n"
    "way = socket.create_connection((proxy[0], int(proxy[1])), 10)\n"
    "way.sendall(f'CONNECT {sys.argv[1]}:443 HTTP/1.1\\r\\nHost: {sys.argv[1]}:443\\r\\n\\r\\n'.encode())\n"
    "way.settimeout(20)\n"
    "said = b''.join(iter(lambda: way.recv(4096), b'')).decode()\n"
    "print(said.split()[1], 'hello' in said, 'egress_not_allowed' in said)\n"
)
GATEWAY, WORKER, DB = "fb-acme-gateway", "fb-acme-worker-1", "fb-acme-db"


@pytest.fixture(scope="module")
def country(
    images: dict[str, str],
    server_images: dict[str, str],
    edge_images: dict[str, str],
    machine: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Country]:
    for lane in ("docker", "root", "sops"):
        need(lane)
    made = Country(machine, tmp_path_factory.mktemp("country"))
    try:
        saved = made.folder / "images"
        saved.mkdir()
        for name, image in (images | server_images | edge_images).items():
            subprocess.run(["docker", "save", "--output", saved / f"{name}.tar", image], check=True)
        yield made
    finally:
        made.close()


def container(country: Country, host: str, service: str, code: str, *words: str) -> str:
    """What a program in a container of the plane prints."""
    return country.on(host, "docker", "exec", f"frostbyte-acme-{service}-1", "python", "-c", code, *words)


def test_a_snapshot_holds_all_that_hosts_run(country: Country) -> None:
    folder = country.folder
    TinyModel().write(folder / "model.gguf")
    (folder / DAILY).write_bytes(daily(datetime.now(UTC)))
    release = folder / "operator/releases" / f"{__version__}.json"
    release.parent.mkdir(parents=True, mode=0o700)
    release.write_text(json.dumps({"images": {}, "stand_in_vectors": True, "dimensions": TinyModel().dimensions}))
    words = [f"--image={one.stem}={one}" for one in sorted((folder / "images").iterdir())]
    assert {*SERVERS, "control", "traefik", "qdrant"} < {word.split("=")[1] for word in words}
    model, signatures = "/opt/frostbyte/models/nomic-embed-text-v1.5/model.gguf", f"/opt/frostbyte/clamav/{DAILY}"
    words += [f"--file={folder / 'model.gguf'}={model}", f"--file={folder / DAILY}={signatures}"]
    country.type("hosts", "build", "--system", "debian-13", *words)
    assert [kind for kind, _ in country.there()] == ["snapshot", "ssh_key"]
    for archive in (folder / "images").iterdir():
        archive.unlink()


def test_the_base_comes_up_and_its_control_plane_answers_through_traefik(country: Country) -> None:
    country.type("control", "up", "--yes")
    country.meet()
    assert country.asked("tenant", "list")["tenants"] == []


def test_a_tenant_of_three_hosts_is_active(country: Country) -> None:
    asked = ("--shape", "standard", "--volume-gb", "10", "--unencrypted", "--egress", "allowed.example:443")
    country.type("tenant", "provision", "acme", "--create", "--project", "main", *asked, "--yes")
    assert country.asked("tenant", "show", "acme")["state"] == "ACTIVE"
    assert "ext4" in country.on(DB, "findmnt", "/srv/frostbyte")
    for host in (GATEWAY, WORKER, DB):
        states = country.on(host, "docker", "ps", "--format", "{{.Names}} {{.Status}}").splitlines()
        assert states
        assert all("(healthy)" in one for one in states), states
    health = json.loads(country.curl(f"https://acme.{DOMAIN}/health"))
    assert (health["status"], health["tenant"], health["stand_ins"]) == ("ok", "acme", ["vectors"])


def test_a_document_goes_in_through_the_edge_and_is_found(country: Country) -> None:
    token = container(country, GATEWAY, "intake-gateway", "print(open('/var/lib/frostbyte/token').read().strip())")
    country.environment |= {"FROSTBYTE_URL": f"https://acme.{DOMAIN}", "FROSTBYTE_TOKEN": token}
    country.type("ingest", ROOT / "samples/deliveries.csv", "--json")
    found = country.asked("search", QUESTION)["results"]
    assert QUESTION in found[0]["text"]


def opened(told: str, asked: int) -> set[str]:
    """Of so many, those that answered."""
    lines = told.splitlines()
    assert len(lines) == asked
    return {line.split()[0] for line in lines if line.endswith("open")}


def test_whoever_stands_in_the_plane_reaches_nothing_but_the_plane(country: Country) -> None:
    """As root of a host, and in each container that has a Python; the plane's own containers run all the while."""
    public = country.machines.public()
    outside = [f"{address}:{port}" for address in public for port in (22, 80, 443, 8080, 8443)]
    outside += [f"{ALLOWED}:443", f"{GROUND.router}:443", f"{RESOLVERS[0]}:53", "169.254.169.254:80"]
    stores = [f"10.1.1.20:{port}" for port in (5432, 6379, 9000, 6333)]
    closed = [*outside, "10.1.1.10:22", "10.1.1.10:8080", "10.1.1.10:8443", "10.1.1.20:22"]

    worker = container(country, WORKER, "celery-worker", ANSWERS, *stores, *closed)
    assert opened(worker, len([*stores, *closed])) == set(stores)
    assert opened(country.on(WORKER, "python3", "-c", ANSWERS, *closed), len(closed)) == set()  # not even its root
    beyond = [*outside, "10.1.1.10:22", "10.1.1.31:22", "10.1.1.10:3128", "10.1.1.10:8081"]
    assert opened(container(country, DB, "qdrant", ANSWERS, *beyond), len(beyond)) == set()
    assert opened(country.on(DB, "python3", "-c", ANSWERS, *beyond), len(beyond)) == set()


def test_the_host_that_was_named_answers_through_the_way_out_and_no_other(country: Country) -> None:
    for host, service in ((WORKER, "celery-worker"), (GATEWAY, "intake-gateway")):
        assert container(country, host, service, TUNNEL, "allowed.example") == "200 True False"
        assert container(country, host, service, TUNNEL, "refused.example") == "403 False True"


def test_a_suspended_tenant_gets_503_and_goes_on_when_it_is_resumed(country: Country) -> None:
    country.type("tenant", "suspend", "acme", "--reason", "payment")
    assert country.status(f"https://acme.{DOMAIN}/health") == 503
    assert "tenant_suspended" in country.run(FROSTBYTE, "search", QUESTION).stderr
    country.type("tenant", "resume", "acme", "--reason", "requested")
    assert country.asked("search", QUESTION)["results"]


def test_nothing_is_left_in_the_end(country: Country) -> None:
    country.type("tenant", "deprovision", "acme", "--confirm", "acme", "--destroy-data", "--reason", "requested")
    assert [name for _, name in country.there() if "acme" in name] == []
    receipt = country.folder / "receipt.json"
    country.type("tenant", "receipt", "acme", "--out", receipt)
    emptied = json.loads(receipt.read_text())["receipt"]["stores"]
    assert {one["what"].partition(":")[0] for one in emptied} >= {"database", "objects", "vectors"}
    country.type("control", "down", "--confirm", "main")
    assert country.there() == []
    assert country.machines.public() == []
