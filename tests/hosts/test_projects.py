"""Compose projects and files of a tenant's hosts: who runs where, who is given what, and that it fits together."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from frostbyte.adapters.qdrant.names import token
from frostbyte.adapters.redis.acl import rules as queue_rights
from frostbyte.bootstrap import posture
from frostbyte.control_plane.provisioning.doing.first_key import first_key
from frostbyte.control_plane.provisioning.hosting import Credentials, Given, Remote
from frostbyte.control_plane.provisioning.ports import HostFile, Renderer
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.deploy.hosts.renderer import HostRenderer
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import load
from hosts.facts import SMALL, STANDARD, host
from servers.lanes import need

CASES = tomllib.loads((Path(__file__).parent / "projects.toml").read_text())
RENDERER: Renderer = HostRenderer(queue_rights, token)
ROLES = ("gateway", "worker", "db", "single")
OTHERS = {"gateway": "10.7.1.10", "db": "10.7.1.20"}


def secret(number: int) -> str:
    return f"secret-{number:02}-" + "x" * 33


def given(role: str, **more: Any) -> Given:
    hosts = SMALL if role == "single" else STANDARD
    names = {name for one in ROLES for name in RENDERER.images(HostRole(one))}
    facts: dict[str, Any] = {
        "tenant": "acme",
        "images": {name: f"sha256:{'0' * 56}{index:08}" for index, name in enumerate(sorted(names))},
        "secrets": {name: secret(number) for number, name in enumerate(RENDERER.secrets())},
        "authority": "authority\n",
        "certificates": {
            name: Credentials(certificate=f"certificate of {name}\n", key=f"key of {name}\n")
            for name in RENDERER.certificates(hosts, "198.51.100.9")
        },
        "control_keys": "ed25519:abc\n",
    }
    return Given(**facts | more)


def files(role: str, given_more: dict[str, Any] | None = None, **facts: Any) -> dict[str, HostFile]:
    return {file.path: file for file in RENDERER.files(host(role, **facts), given(role, **given_more or {}))}


def project(role: str, given_more: dict[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    text = files(role, given_more, **facts)["/opt/frostbyte/docker-compose.yml"].content
    document: dict[str, Any] = yaml.safe_load(text)
    return document


@pytest.mark.parametrize("role", ROLES)
def test_who_runs_where(role: str) -> None:
    assert sorted(project(role)["services"]) == sorted(CASES["services"][role])
    told = RENDERER.project(HostRole(role))
    assert set(told.services) | set(told.stores) | set(told.tasks) <= set(project(role)["services"])
    assert {*told.services, *told.stores} & set(told.tasks) == set()


@pytest.mark.parametrize("role", ROLES)
def test_starting_what_is_named_starts_everything_but_tasks(role: str) -> None:
    services, told = project(role)["services"], RENDERER.project(HostRole(role))
    started, waiting = set(), list(told.services)
    while waiting:
        name = waiting.pop()
        started.add(name)
        waiting += [one for one in services[name].get("depends_on", {}) if one not in started]
    tasks = {*told.tasks, *filter(None, [told.erasing])}
    assert started == set(services) - tasks
    for task in tasks:
        assert services[task]["profiles"] == ["task"]
        assert services[task]["restart"] == "on-failure:3"


@pytest.mark.parametrize("role", ROLES)
def test_what_a_cloud_is_told_of_a_host_holds_no_secret_but_the_first_host_key(role: str) -> None:
    """User data lies at the cloud, and whoever is on the host can ask for it."""
    acme = Owner(environment="test", project_id="p1", tenant_id="acme")
    key, person = (first_key(bytes(32), acme, name, "r1") for name in ("fb-acme-db", "somebody"))
    told = RENDERER.user_data(host(role), key, [person.public])
    hold = given(role)
    secrets = [*hold.secrets.values(), *(made.key for made in hold.certificates.values()), hold.control_keys]
    assert not [value for value in secrets if value.strip() in told]
    assert told.count("BEGIN OPENSSH PRIVATE KEY") == 1
    assert key.private.splitlines()[1] in told
    assert person.private.splitlines()[2] not in told


def test_stores_are_emptied_by_a_task_that_knows_administrators_alone() -> None:
    destroy = project("db")["services"]["storage-destroy"]
    assert destroy["command"] == ["storage", "destroy", "acme", "--secrets", "/run/tenant", "--yes", "--json"]
    assert destroy["profiles"] == ["task"]
    told = {name: RENDERER.project(HostRole(name)) for name in ROLES}
    assert {name: one.erasing for name, one in told.items() if one.erasing} == dict.fromkeys(
        ("db", "single"), "storage-destroy"
    )
    assert (told["db"].reread, told["db"].restart) == (("postgres", "minio"), ("redis",))
    assert (told["single"].reread, told["single"].restart) == ((), ())


def test_another_secret_is_another_container() -> None:
    def labels(**more: Any) -> dict[str, str]:
        services = project("gateway", more)["services"]
        return {name: told["labels"].get("io.frostbyte.given", "") for name, told in services.items()}

    before = labels()
    after = labels(secrets=given("gateway").secrets | {"embedder": secret(99)})
    assert {name for name in before if before[name] != after[name]} == {
        *("nomic-embed", "intake-gateway", "serving"),
    }
    assert labels() == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", sorted(CASES["secrets"]))
def test_who_is_given_which_secret(role: str, name: str) -> None:
    """An administrator's password and the owner's address reach nobody who reads documents or answers questions."""
    services = project(role)["services"]
    holders = {
        service
        for service, told in services.items()
        for one in told.get("secrets", [])
        if (one if isinstance(one, str) else one["source"]) == name
    }
    between = name == "pg_hba.conf" and role == "single"  # nothing crosses a wire there
    assert holders == (set() if between else set(CASES["secrets"][name]) & set(services))


@pytest.mark.parametrize("role", ROLES)
def test_every_secret_is_listed_and_is_a_file_that_only_its_group_reads(role: str) -> None:
    found = files(role)
    document = project(role)
    tls = {name for name in document["secrets"] if name.endswith(".pem")}
    assert set(document["secrets"]) - tls <= set(CASES["secrets"])
    for name, told in document["secrets"].items():
        assert told == {"file": f"./secrets/{name}"}
        file = found[f"/opt/frostbyte/secrets/{name}"]
        assert (file.mode, file.owner) == (0o440, "0:10001")
        assert file.content.strip()
    text = found["/opt/frostbyte/docker-compose.yml"].content.decode()
    assert not [value for value in given(role).secrets.values() if value in text]
    for path, file in found.items():
        if path.startswith("/opt/frostbyte/keys/"):
            assert (len(file.content), file.mode, file.owner) == (32, 0o400, "10001:10001")
    sealing = {path for path in found if "/keys/" in path}
    assert len(sealing) == (0 if role == "db" else 3)


@pytest.mark.parametrize("role", ROLES)
def test_what_is_published_is_what_the_rules_know(role: str) -> None:
    published = {name: told["ports"] for name, told in project(role)["services"].items() if "ports" in told}
    assert published == CASES["published"][role]
    rules = files(role)["/etc/frostbyte/firewall.nft"].content.decode()
    for ports in published.values():
        for port in ports:
            line = next(line for line in rules.splitlines() if "proto-dst" in line and port.split(":")[1] in line)
            assert "ip saddr" in line


@pytest.mark.parametrize("role", ROLES)
def test_every_service_is_held_and_starts_from_what_is_there(role: str) -> None:
    for name, service in project(role)["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["user"].split(":")[0]) > 0, name
        assert service["mem_limit"] == service["memswap_limit"], name
        assert service["image"].startswith("sha256:"), name
        assert service["pull_policy"] == "never", name
        for volume in service.get("volumes", []):
            if isinstance(volume, dict):
                assert volume["bind"] == {"create_host_path": False}, name


def test_a_worker_cannot_write_keys_and_has_none_that_sign() -> None:
    for role in ("worker", "single"):
        worker = project(role)["services"]["celery-worker"]
        mounted = {volume["target"]: volume for volume in worker["volumes"]}
        assert set(mounted) == {"/run/keys"}
        assert mounted["/run/keys"]["read_only"] is True


@pytest.mark.slow
def test_what_stores_keep_is_on_the_volume() -> None:
    for role in ("db", "single"):
        services = project(role)["services"]
        for name in ("postgres", "minio", "qdrant"):
            assert [v["source"].startswith("/srv/frostbyte/") for v in services[name]["volumes"]] == [True]


def test_across_hosts_everything_speaks_tls_and_checks_it() -> None:
    found = {role: files(role) for role in ("gateway", "worker", "db")}
    for role, names in (("gateway", ("intake-gateway", "serving")), ("worker", ("celery-worker",))):
        for name in names:
            told = project(role)["services"][name]["environment"]
            assert told["FROSTBYTE_CA_FILE"] == "/run/secrets/authority.pem"
            assert told["FROSTBYTE_OBJECTS_URL"] == "https://10.7.1.20:9000"
            assert told["FROSTBYTE_VECTORS_URL"] == "https://10.7.1.20:6333"
            assert told["FROSTBYTE_EMBEDDING_ENDPOINT"].startswith("https://")
        url = found[role]["/opt/frostbyte/secrets/database-url"].content.decode().strip()
        assert url.endswith("@10.7.1.20:5432/tenant_acme?sslmode=verify-full")
        queue = urlsplit(found[role]["/opt/frostbyte/secrets/queue-url"].content.decode().strip())
        assert (queue.scheme, queue.hostname) == ("rediss", "10.7.1.20")
    db = {name: file.content.decode() for name, file in found["db"].items() if "/secrets/" in name}
    redis = db["/opt/frostbyte/secrets/redis.conf"].splitlines()
    assert {"port 0", "tls-port 6379", "user default off"} <= set(redis)
    assert "enable_tls: true" in db["/opt/frostbyte/secrets/qdrant.yaml"]
    hba = [line.split()[0] for line in db["/opt/frostbyte/secrets/pg_hba.conf"].splitlines() if line[0] != "#"]
    assert hba == ["local", "hostssl"]
    services = project("db")["services"]
    assert "ssl=on" in services["postgres"]["command"]
    assert {s["target"] for s in services["minio"]["secrets"] if isinstance(s, dict)} == {
        "/certs/public.crt",
        "/certs/private.key",
    }


def test_servers_are_called_by_the_names_that_their_certificates_have() -> None:
    made = RENDERER.certificates(STANDARD, "198.51.100.9")
    for role in ("gateway", "worker"):
        for service in project(role)["services"].values():
            told = service.get("environment", {})
            for name, server in (
                ("OBJECTS_URL", "minio"),
                ("VECTORS_URL", "qdrant"),
                ("EMBEDDING_ENDPOINT", "embedder"),
            ):
                if url := told.get(f"FROSTBYTE_{name}"):
                    assert urlsplit(url).hostname in made[server]
    told = project("db")["services"]["storage"]["environment"]
    assert urlsplit(told["FROSTBYTE_STORAGE_OBJECTS_URL"]).hostname in made["minio"]
    assert urlsplit(told["FROSTBYTE_STORAGE_VECTORS_URL"]).hostname in made["qdrant"]
    assert made["gateway"] == made["channel"] == ("198.51.100.9",)
    assert set(RENDERER.certificates(SMALL, "198.51.100.9")) == {"gateway", "channel"}


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("gateway", "intake-gateway"),
        ("gateway", "serving"),
        ("worker", "celery-worker"),
        ("single", "intake-gateway"),
        ("single", "serving"),
        ("single", "celery-worker"),
    ],
)
def test_a_service_accepts_what_it_is_told(role: str, name: str, tmp_path: Path) -> None:
    """Settings are read by the same code as in the container, and nothing in them is for development alone."""
    found, service = files(role), project(role)["services"][name]
    told = {}
    for variable, value in service["environment"].items():
        if value.startswith("/run/secrets/"):
            path = tmp_path / value.rpartition("/")[2]
            path.write_bytes(found[f"/opt/frostbyte/secrets/{path.name}"].content)
            value = str(path)
        told[variable] = value
    settings = load(told | {"FROSTBYTE_DATA_DIR": str(tmp_path)})
    beside = set(project(role)["services"])
    gateway = name == "intake-gateway"

    def resolve(address: str) -> list[str]:
        return [address] if address[0].isdigit() else ["172.28.0.5"] if address in beside else []

    posture.check(settings, resolve, gateway=gateway, scans=name == "celery-worker")
    if gateway:
        assert settings.tls_client_ca
        assert settings.needs_lease


def test_the_way_out_is_told_to_those_that_need_it_and_to_nobody_without_one() -> None:
    told = {role: project(role)["services"] for role in ROLES}
    proxies = {
        (role, name): service["environment"]["FROSTBYTE_EGRESS_PROXY"]
        for role, services in told.items()
        for name, service in services.items()
        if "FROSTBYTE_EGRESS_PROXY" in service.get("environment", {})
    }
    assert {url for (role, _), url in proxies.items() if role != "worker"} == {"http://egress-proxy:3128"}
    assert proxies["worker", "celery-worker"] == "http://10.7.1.10:3128"
    assert {name for _, name in proxies} == {"intake-gateway", "serving", "celery-worker"}
    ways = files("gateway")["/opt/frostbyte/secrets/ways-out"].content.decode()
    assert ways == "api.embeddings.example:443\nhooks.example.org:8443\n"
    for role in ROLES:
        closed = project(role, ways_out=())
        assert "egress-proxy" not in closed["services"]
        assert "EGRESS" not in str(closed)


def test_a_remote_embedder_takes_the_place_of_the_own_one() -> None:
    remote = Remote(endpoint="https://api.embeddings.example/v1/embeddings", model="text-embedding-3-small")
    more: dict[str, Any] = {"remote": remote, "secrets": given("gateway").secrets | {"embedding-key": "k" * 40}}
    for role in ("gateway", "single", "worker"):
        services = project(role, more)["services"]
        assert "nomic-embed" not in services
        for service in services.values():
            told = service.get("environment", {})
            if "FROSTBYTE_EMBEDDING_API_KEY_FILE" in told:
                assert told["FROSTBYTE_EMBEDDING_ENDPOINT"] == remote.endpoint
                assert told["FROSTBYTE_EMBEDDING_REMOTE"] == "yes"
                assert told["FROSTBYTE_EMBEDDING_API_KEY_FILE"] == "/run/secrets/embedding-key"


@pytest.mark.parametrize(
    ("role", "more", "said"),
    [
        ("gateway", {"images": {}}, "the image api"),
        ("db", {"secrets": {}}, "the secret redis"),
        ("worker", {"secrets": {**given("worker").secrets, "keys-term": "short"}}, "keys-term"),
        ("gateway", {"certificates": {}}, "channel-certificate.pem"),
        ("gateway", {"control_keys": ""}, "control-keys"),
        ("db", {"authority": ""}, "authority.pem"),
    ],
)
def test_what_is_missing_is_named_and_no_secret_is_shown(role: str, more: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        files(role, more)
    assert refused.value.code == "host_given"
    assert said in refused.value.message
    assert "xxx" not in refused.value.message


def test_a_rotated_wrapping_key_is_given_beside_the_older_one() -> None:
    more = {"secrets": given("worker").secrets | {"keys-wrapping-2": secret(77)}}
    paths = {path for path in files("worker", more) if "/keys/" in path}
    assert paths == {f"/opt/frostbyte/keys/{name}.key" for name in ("id", "term", "wrapping-1", "wrapping-2")}


@pytest.mark.parametrize("role", ROLES)
def test_the_same_input_gives_the_same_files(role: str) -> None:
    assert RENDERER.files(host(role), given(role)) == RENDERER.files(host(role), given(role))


@pytest.mark.parametrize("role", ROLES)
def test_compose_itself_accepts_a_host_s_project(role: str, tmp_path: Path) -> None:
    need("docker")
    for path, file in files(role).items():
        if path.startswith("/opt/frostbyte/"):
            place = tmp_path / path.removeprefix("/opt/frostbyte/")
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(file.content)
    command = ["docker", "compose", "-f", str(tmp_path / "docker-compose.yml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
