"""A plane's compose project: decisions as data, invariants over every service, and what lies in the folder."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from frostbyte.adapters.qdrant.names import token
from frostbyte.adapters.redis.acl import rules
from frostbyte.bootstrap import posture
from frostbyte.deploy.compose import (
    Options,
    Plane,
    bundled,
    channel_files,
    plane,
    render,
    write,
    write_secrets,
)
from frostbyte.deploy.compose.config import config_of, read_folder
from frostbyte.deploy.compose.texts import CLAMD, PASSWORDS
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import load
from servers.lanes import need

ROOT = Path(__file__).parents[2]
CASES = tomllib.loads((Path(__file__).parent / "compose_cases.toml").read_text())
GROUP = os.getgid()


def options(**more: Any) -> Options:
    return Options(tenant="acme", version="0.1.0", **more)


def described(**more: Any) -> Plane:
    return plane(options(**more))


def written(folder: Path, given: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    write(folder, options(group=GROUP, **more), queue_rights=rules("acme"), token=token, given=given)
    document: dict[str, Any] = yaml.safe_load((folder / "docker-compose.yml").read_text())
    return document


@pytest.mark.parametrize("secret", sorted(CASES["secrets"]))
def test_a_secret_is_given_to_those_that_need_it(secret: str) -> None:
    holders = [service.name for service in described().services if secret in service.secrets]
    assert sorted(holders) == CASES["secrets"][secret]
    assert set(described().secrets) == set(CASES["secrets"])


@pytest.mark.parametrize("volume", sorted(CASES["volumes"]))
def test_a_volume_is_written_by_one(volume: str) -> None:
    places = {s.name: s.volumes[volume] for s in described().services if volume in s.volumes}
    found = {
        "write": sorted(name for name, place in places.items() if not place.endswith(":ro")),
        "read": sorted(name for name, place in places.items() if place.endswith(":ro")),
    }
    assert found == CASES["volumes"][volume]
    assert set(described().volumes) == set(CASES["volumes"])


@pytest.mark.parametrize("service", sorted(CASES["after"]))
def test_services_start_in_order(service: str) -> None:
    order = described().order()
    assert all(order.index(name) < order.index(service) for name in CASES["after"][service])
    assert set(described().service(service).needs) >= set(CASES["after"][service])


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: str(case["options"]))
def test_what_cannot_work_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        described(**case["options"])
    assert refused.value.code == case["code"]


@pytest.mark.parametrize("stand_in", [False, True])
def test_every_service_is_held(stand_in: bool, tmp_path: Path) -> None:
    """No root, no rights, nothing to write to but what is named, limits, logs that end, a check."""
    document = written(tmp_path, stand_in_vectors=stand_in)
    for name, service in document["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert "privileged" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["user"].split(":")[0]) > 0, name
        assert service["mem_limit"] == service["memswap_limit"], name
        assert 0 < service["cpus"] <= 4, name
        assert 0 < service["pids_limit"] <= 1024, name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert "sock" not in str(service.get("volumes", "")), name
        check = service.get("healthcheck", {"test": ["CMD"]})
        if service["labels"]["io.frostbyte.role"] == "task":
            assert check == {"disable": True}, name  # the image's own would ask a server
        else:
            assert check["test"][0] == "CMD", name  # no shell


def test_only_the_door_can_be_reached_and_only_from_this_host(tmp_path: Path) -> None:
    document = written(tmp_path, port=18080)
    published = {name: s["ports"] for name, s in document["services"].items() if "ports" in s}
    assert published == {"door": ["127.0.0.1:18080:8080"]}
    outside = {name: s["networks"] for name, s in document["services"].items() if s["networks"] != ["etl-internal"]}
    assert outside == {"door": ["edge"], "serving": {"etl-internal": {"ipv4_address": "172.28.255.254"}}}


def test_the_door_holds_nothing_and_meets_the_gateway_in_a_folder_in_memory(tmp_path: Path) -> None:
    document = written(tmp_path)
    services = document["services"]
    door, gateway = services["door"], services["intake-gateway"]
    assert "secrets" not in door
    assert door["volumes"] == ["door:/run/door:ro"]
    assert "group_add" not in door
    assert door["environment"]["FROSTBYTE_SOCKET"] == gateway["environment"]["FROSTBYTE_SOCKET"] == "/run/door/gateway"
    told = document["volumes"]["door"]["driver_opts"]
    assert told["type"] == "tmpfs"
    assert {"size=64k", "mode=0700", "uid=10001", "gid=10001", "nodev", "nosuid", "noexec"} == set(told["o"].split(","))


def test_nothing_leads_out(tmp_path: Path) -> None:
    networks = written(tmp_path)["networks"]
    assert networks["etl-internal"]["internal"] is True
    inside = networks["etl-internal"]["ipam"]["config"][0]
    assert inside == {"subnet": "172.28.0.0/16", "aux_addresses": {"DefaultGatewayIPv4": "172.28.255.253"}}
    edge = networks["edge"]
    assert edge["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    nobody = {
        "etl-internal": "172.28.255.253",
        "edge": edge["ipam"]["config"][0]["aux_addresses"]["DefaultGatewayIPv4"],
    }
    for name, service in written(tmp_path)["services"].items():
        # Else the engine asks for it, on some hosts in the host's name.
        assert service["dns"] == [nobody[next(iter(service["networks"]))]], name


def test_the_spec_s_names_are_kept() -> None:
    """The offline bundle shares this description, and its scripts say these names."""
    names = {service.name for service in described().services}
    assert names == set(
        "postgres redis minio qdrant clamav nomic-embed intake-gateway celery-worker serving storage door".split()
    )
    assert {"pgdata", "miniodata", "qdrantdata", "clamavdata", "models"} <= set(described().volumes)
    images = {described().service(name).image for name in ("intake-gateway", "serving", "storage", "door")}
    assert images == {"frostbyte/api:0.1.0"}


def test_secrets_are_files_that_others_cannot_read_and_no_text_shows_one(tmp_path: Path) -> None:
    written(tmp_path)
    found = {path.name: path.read_text() for path in (tmp_path / "passwords").iterdir()}
    assert len(set(found.values())) == len(found) == len(PASSWORDS)
    assert all(len(text.strip()) >= 43 for text in found.values())
    for path in (tmp_path / "passwords").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in (tmp_path / "secrets").iterdir():
        assert path.stat().st_mode & 0o007 == 0
    assert stat.S_IMODE((tmp_path / "passwords").stat().st_mode) == 0o700
    shown = (tmp_path / "docker-compose.yml").read_text() + (tmp_path / ".env.example").read_text()
    assert not [text for text in found.values() if text.strip() in shown]
    assert not re.search(r"(PASSWORD|SECRET|(?<!ACCESS_)KEY|TOKEN)[A-Z_]*: (?!/run/)", shown)


def test_writing_again_keeps_secrets_and_gives_the_same_text(tmp_path: Path) -> None:
    first = written(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert written(tmp_path) == first
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o755)
    (tmp_path / "secrets").chmod(0o755)
    with pytest.raises(Invalid) as refused:
        written(tmp_path)
    assert refused.value.code == "compose_folder"


def test_an_online_plane_has_a_channel_and_an_offline_one_has_none(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    with pytest.raises(Invalid) as refused:
        channel_files(made)
    assert refused.value.code == "compose_channel"
    for name in ("channel.crt", "channel.key", "ca.pem", "control.keys"):
        (made / name).write_text(f"what is in {name}\n")
    online = {"mode": "online", "channel_port": 9443}
    for number, (more, given) in enumerate(((online, channel_files(made)), ({}, {}))):
        folder = tmp_path / str(number)
        services = written(folder, given, **more)["services"]
        gateway = services["intake-gateway"]
        held = [service for service in services if "channel-key.pem" in services[service].get("secrets", [])]
        told = {name: value for name, value in gateway["environment"].items() if "CHANNEL" in name or "CONTROL" in name}
        if given:
            assert held == ["intake-gateway"]
            assert "127.0.0.1:9443:8443" in services["door"]["ports"]
            told_door = services["door"]["environment"]
            assert told_door["FROSTBYTE_CHANNEL_LISTEN"] == "0.0.0.0:8443"
            assert told.pop("FROSTBYTE_CHANNEL_SOCKET") == told_door["FROSTBYTE_CHANNEL_SOCKET"] == "/run/door/channel"
            assert told["FROSTBYTE_CHANNEL_LISTEN"] == "0.0.0.0:8443"
            assert (folder / "secrets" / "control-keys").read_text() == "what is in control.keys\n"
            assert {Path(told[name]).name for name in told if name != "FROSTBYTE_CHANNEL_LISTEN"} == set(given)
        else:
            assert (held, told) == ([], {})
            assert gateway["environment"]["FROSTBYTE_MODE"] == "offline"


def test_the_stand_in_is_named_as_one(tmp_path: Path) -> None:
    for stand_in in (False, True):
        services = written(tmp_path, stand_in_vectors=stand_in)["services"]
        told = {services[name]["environment"].get("FROSTBYTE_STANDINS") for name in ("intake-gateway", "celery-worker")}
        assert told == ({"vectors"} if stand_in else {None})


def test_clamd_s_limits_are_the_repository_s() -> None:
    def limits(text: str) -> set[str]:
        kept = ("Max", "Stream", "Alert", "Concurrent", "SelfCheck", "ReadTimeout", "Command")
        return {line for line in text.splitlines() if line.startswith(kept)}

    assert limits(CLAMD) == limits((ROOT / "config/clamd.conf").read_text())


def test_a_plane_that_waits_for_itself_has_no_order() -> None:
    services = described().services
    broken = Plane(project="x", services=services[1:], networks=(), volumes=())
    with pytest.raises(ValueError, match="storage"):
        broken.order()


def test_compose_itself_accepts_it(tmp_path: Path) -> None:
    need("docker")
    written(tmp_path)
    command = ["docker", "compose", "-f", str(tmp_path / "docker-compose.yml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_text_is_a_function_of_the_description() -> None:
    assert render(described()) == render(described())


def test_a_bundle_s_project_is_the_same_for_every_host() -> None:
    """What differs is asked of .env; nothing of it stands in the signed file."""
    first = bundled(options(port=18080, subnet="10.99.0.0/24", edge="10.98.0.0/29", group=5, images={"api": "mine:1"}))
    other = bundled(options())
    assert first["docker-compose.yml"] == other["docker-compose.yml"]
    assert not re.search(r"172\.|:8080:|mine:1|10001\"|frostbyte/|postgres:17", other["docker-compose.yml"])
    document = yaml.safe_load(other["docker-compose.yml"])
    assert {service["pull_policy"] for service in document["services"].values()} == {"never"}
    told = dict(line.split("=") for line in first[".env.example"].splitlines() if not line.startswith("#"))
    assert told.items() >= CASES["environment"].items()
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", other["docker-compose.yml"]))
    assert asked == set(told) - {"COMPOSE_PROJECT_NAME", "FROSTBYTE_LOG_LEVEL"}


def test_a_bundle_has_no_control_channel() -> None:
    with pytest.raises(Invalid) as refused:
        bundled(options(mode="online", channel_port=8443))
    assert refused.value.code == "compose_channel"


def test_compose_makes_of_a_bundle_s_project_what_is_written_for_this_host(tmp_path: Path) -> None:
    """And refuses to guess: without one of its variables it does not start."""
    need("docker")
    made, signed = tmp_path / "made", tmp_path / "signed"
    signed.mkdir()
    (tmp_path / "plane").mkdir()
    more: dict[str, Any] = {"port": 18080, "subnet": "10.99.0.0/24", "edge": "10.98.0.0/29", "group": GROUP}
    write(made, options(**more), queue_rights=rules("acme"), token=token)
    for name, text in bundled(options(**more)).items():
        (signed / name).write_text(text)

    def config(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["docker", "compose", *words, "config"], capture_output=True, text=True, check=False)

    place = ["--project-directory", str(tmp_path / "plane"), "-f", str(signed / "docker-compose.yml")]
    told = config("--env-file", str(signed / ".env.example"), *place)
    assert told.returncode == 0, told.stderr
    usual = config("-f", str(made / "docker-compose.yml")).stdout.replace(str(made), str(tmp_path / "plane"))
    assert yaml.safe_load(told.stdout.replace("    pull_policy: never\n", "")) == yaml.safe_load(usual)
    without = (signed / ".env.example").read_text().replace("FROSTBYTE_EDGE_DEAD_END", "FROSTBYTE_NOTHING")
    (signed / "short.env").write_text(without)
    short = config("--env-file", str(signed / "short.env"), *place)
    assert short.returncode != 0
    assert "FROSTBYTE_EDGE_DEAD_END" in short.stderr


@pytest.mark.parametrize("stand_in", [False, True])
def test_a_host_s_secrets_are_those_that_a_project_s_services_ask_for(stand_in: bool, tmp_path: Path) -> None:
    more: dict[str, Any] = {"group": GROUP, "stand_in_vectors": stand_in}
    done = write_secrets(tmp_path, options(**more), queue_rights=rules("acme"), token=token)
    document = yaml.safe_load(bundled(options(**more))["docker-compose.yml"])
    assert {path.name for path in tmp_path.iterdir()} == {"secrets", "passwords"}
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == set(document["secrets"]) == set(done.made)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = write_secrets(tmp_path, options(**more), queue_rights=rules("acme"), token=token)
    assert (again.made, set(again.kept)) == ((), set(done.made))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["intake-gateway", "serving", "celery-worker"])
def test_a_service_may_start_when_only_what_it_waits_for_has_an_address(name: str, tmp_path: Path) -> None:
    service = described().service(name)
    told = {key: value for key, value in service.environment.items() if not key.endswith("_FILE")}
    told |= {
        "FROSTBYTE_DATABASE_URL": "postgresql://plane:Jx1vKq7PzR4mTn8w@postgres/tenant_acme",
        "FROSTBYTE_OBJECTS_SECRET_KEY": "bT5yHn3Wq8Lk2Vx9",
        "FROSTBYTE_VECTORS_API_KEY": "bT5yHn3Wq8Lk2Vx9",
        "FROSTBYTE_QUEUE_URL": "redis://plane:bT5yHn3Wq8Lk2Vx9@redis:6379/0",
        "FROSTBYTE_DATA_DIR": str(tmp_path),
    }

    def resolve(host: str) -> list[str]:
        return [host] if host[0].isdigit() else ["172.28.0.5"] if host in service.needs else []

    posture.check(load(told), resolve)
    answered = described(subnet="10.99.0.0/24").service("serving").address
    assert answered == "10.99.0.254"


CONFIG = {"tenant.json": b'{"top_k": 7}', "policy/pii.toml": b"rules"}


def test_whoever_judges_has_the_tenant_s_rules_and_the_gateway_its_first_configuration() -> None:
    found = described(config=config_of("../bundle/config", CONFIG))
    told = {name: found.service(name).environment for name in ("intake-gateway", "serving", "celery-worker")}
    assert {name for name in told if "FROSTBYTE_TENANT_CONFIG" in told[name]} == {"intake-gateway"}
    assert {given["FROSTBYTE_POLICY_DIR"] for given in told.values()} == {"/run/config/policy"}
    assert [s.name for s in found.services if "config" in s.volumes] == list(told)
    document = yaml.safe_load(render(found))
    bind = document["services"]["serving"]["volumes"][-1]
    assert bind == {
        "type": "bind",
        "source": "../bundle/config",
        "target": "/run/config",
        "read_only": True,
        "bind": {"create_host_path": False},
    }
    assert "config" not in document["volumes"]
    only = described(config=config_of("x", {"tenant.json": b"{}"})).service("serving").environment
    assert "FROSTBYTE_POLICY_DIR" not in only


def test_another_configuration_is_another_container() -> None:
    """Compose leaves a container whose description did not change, and a mounted folder is not described."""
    digests = {config_of("x", CONFIG | more).digest for more in ({}, {"tenant.json": b"{}"}, {"policy/pii.toml": b"r"})}
    assert len(digests) == 3
    found = described(config=config_of("x", CONFIG))
    assert found.service("serving").given == config_of("y", dict(reversed(CONFIG.items()))).digest


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES["config"], ids=lambda case: case["name"])
def test_a_configuration_is_tried_before_a_plane_begins_with_it(case: dict[str, Any], tmp_path: Path) -> None:
    for name, text in case["files"].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shipped = resources.files("frostbyte.data_plane.policy") / "rules" / Path(name).name
        (tmp_path / name).write_text(shipped.read_text() if text == "as shipped" else text)
    if case["code"]:
        with pytest.raises(Invalid) as refused:
            read_folder(tmp_path)
        assert refused.value.code == case["code"]
    else:
        assert (read_folder(tmp_path).tenant, read_folder(tmp_path).policy) == (case["tenant"], case["policy"])
