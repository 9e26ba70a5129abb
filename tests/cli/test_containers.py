"""What is judged of Docker's own words about a plane: a plane as it is started is well, and each change is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.fake_plane import Run
from frostbyte.cli.containers import Expected, View, judge, read
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.findings import Level

PROJECT = "frostbyte-acme"
EXPECTED = Expected(
    project=PROJECT,
    services=("door", "intake-gateway", "postgres", "storage"),
    images=frozenset({"sha256:api", "sha256:postgres"}),
    port=8080,
    internal="etl-internal",
    edge="edge",
    door="door",
    folders=("/opt/frostbyte/plane/secrets", "/opt/frostbyte/bundle/config"),
)
NAMES = [
    "services_run",
    "services_stable",
    "images_run",
    "network_internal",
    "networks_apart",
    "ports_published",
    "rights",
    "mounts",
]


def container(service: str, *, image: str = "sha256:api", role: str = "store", network: str = "") -> dict[str, Any]:
    """As Docker 20.10 shows one that compose made, less what is not looked at."""
    task = role == "task"
    state = {"Status": "running", "ExitCode": 0, "OOMKilled": False, "Health": {"Status": "healthy"}}
    return {
        "Id": f"id-{service}",
        "Name": f"/{PROJECT}-{service}-1",
        "Image": image,
        "RestartCount": 0,
        "State": {"Status": "exited", "ExitCode": 0, "OOMKilled": False} if task else state,
        "Config": {
            "User": "10001:10001",
            "Labels": {
                "com.docker.compose.project": PROJECT,
                "com.docker.compose.service": service,
                "io.frostbyte.role": role,
            },
        },
        "HostConfig": {
            "Privileged": False,
            "CapDrop": ["ALL"],
            "CapAdd": None,
            "SecurityOpt": ["no-new-privileges:true"],
            "ReadonlyRootfs": True,
            "NetworkMode": f"{PROJECT}_etl-internal",
            "PidMode": "",
            "IpcMode": "private",
            "UTSMode": "",
            "UsernsMode": "",
            "CgroupnsMode": "host",
            "Devices": [],
            "DeviceRequests": None,
            "DeviceCgroupRules": None,
            "PortBindings": {},
        },
        "Mounts": [
            {
                "Type": "bind",
                "Source": "/opt/frostbyte/plane/secrets/queue-url",
                "Destination": "/run/secrets/queue-url",
                "RW": False,
            },
            {"Type": "volume", "Name": f"{PROJECT}_keys", "Source": "/var/lib/docker/volumes/x/_data", "RW": True},
        ],
        "NetworkSettings": {"Networks": {f"{PROJECT}_{network or 'etl-internal'}": {}}},
    }


def well() -> View:
    door = container("door", role="door", network="edge")
    door["HostConfig"]["PortBindings"] = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    door["Mounts"] = [{"Type": "volume", "Name": f"{PROJECT}_door", "Source": "", "RW": False}]
    others = [
        container("intake-gateway"),
        container("postgres", image="sha256:postgres"),
        container("storage", role="task"),
    ]
    networks = [
        {
            "Name": f"{PROJECT}_etl-internal",
            "Internal": True,
            "IPAM": {"Config": [{"Subnet": "172.28.0.0/16"}]},
            "Containers": {"id-intake-gateway": {"Name": "g"}, "id-postgres": {"Name": "p"}},
        },
        {
            "Name": f"{PROJECT}_edge",
            "Internal": False,
            "IPAM": {"Config": [{"Subnet": "172.30.6.0/29"}]},
            "Containers": {"id-door": {"Name": "d"}},
        },
    ]
    return View([door, *others], networks)


def failed(view: View) -> set[str]:
    found = list(judge(view, EXPECTED))
    assert [one.name for one in found] == NAMES
    assert all(one.remedy for one in found if one.level is not Level.OK)
    return {one.name for one in found if one.level is Level.FAIL}


def test_a_plane_as_it_is_started_is_well() -> None:
    assert all(one.level is Level.OK for one in judge(well(), EXPECTED))


GATEWAY, POSTGRES, DOOR, STORAGE = 1, 2, 0, 3
HOST = "HostConfig"
CHANGES: list[tuple[str, int, Callable[[Any], object]]] = [
    ("services_run", GATEWAY, lambda one: one["State"].update(Status="exited")),
    ("services_run", GATEWAY, lambda one: one["State"]["Health"].update(Status="unhealthy")),
    ("services_run", GATEWAY, lambda one: one["State"]["Health"].update(Status="starting")),
    ("services_run", STORAGE, lambda one: one["State"].update(ExitCode=1)),
    ("services_run", STORAGE, lambda one: one["State"].update(Status="created")),
    ("services_run", POSTGRES, lambda one: one["Config"]["Labels"].update({"com.docker.compose.service": "other"})),
    ("services_stable", POSTGRES, lambda one: one["State"].update(OOMKilled=True)),
    ("images_run", POSTGRES, lambda one: one.update(Image="sha256:other")),
    ("networks_apart", GATEWAY, lambda one: one["NetworkSettings"]["Networks"].update(bridge={})),
    ("networks_apart", GATEWAY, lambda one: one["NetworkSettings"].update(Networks={})),
    ("networks_apart", DOOR, lambda one: one["NetworkSettings"]["Networks"].update({f"{PROJECT}_etl-internal": {}})),
    ("ports_published", DOOR, lambda one: one[HOST]["PortBindings"]["8080/tcp"][0].update(HostIp="")),
    ("ports_published", DOOR, lambda one: one[HOST]["PortBindings"]["8080/tcp"][0].update(HostPort="80")),
    ("ports_published", DOOR, lambda one: one[HOST].update(PortBindings={})),
    ("ports_published", POSTGRES, lambda one: one[HOST].update(PortBindings={"5432/tcp": [{"HostIp": "127.0.0.1"}]})),
    ("rights", GATEWAY, lambda one: one[HOST].update(Privileged=True)),
    ("rights", GATEWAY, lambda one: one[HOST].update(CapDrop=None)),
    ("rights", GATEWAY, lambda one: one[HOST].update(CapDrop=["NET_RAW"])),
    ("rights", GATEWAY, lambda one: one[HOST].update(CapAdd=["NET_ADMIN"])),
    ("rights", GATEWAY, lambda one: one[HOST].update(SecurityOpt=None)),
    ("rights", GATEWAY, lambda one: one[HOST]["SecurityOpt"].append("seccomp=unconfined")),
    ("rights", GATEWAY, lambda one: one[HOST].update(ReadonlyRootfs=False)),
    ("rights", GATEWAY, lambda one: one["Config"].update(User="")),
    ("rights", GATEWAY, lambda one: one["Config"].update(User="0:0")),
    ("rights", GATEWAY, lambda one: one[HOST].update(NetworkMode="host")),
    ("rights", GATEWAY, lambda one: one[HOST].update(PidMode="host")),
    ("rights", GATEWAY, lambda one: one[HOST].update(IpcMode="container:other")),
    ("rights", GATEWAY, lambda one: one[HOST].update(Devices=[{"PathOnHost": "/dev/sda"}])),
    ("mounts", GATEWAY, lambda one: one["Mounts"][0].update(Source="/var/run/docker.sock")),
    ("mounts", GATEWAY, lambda one: one["Mounts"][0].update(Source="/opt/frostbyte/plane/secrets/../../x")),
    ("mounts", GATEWAY, lambda one: one["Mounts"][0].update(Source="/opt/frostbyte/plane")),
    ("mounts", GATEWAY, lambda one: one["Mounts"][0].update(Source="/opt/frostbyte/plane/secrets2/x")),
    ("mounts", GATEWAY, lambda one: one["Mounts"][0].update(RW=True)),
    ("mounts", GATEWAY, lambda one: one["Mounts"][1].update(Name="other_keys")),
    ("mounts", GATEWAY, lambda one: one["Mounts"][1].update(Type="npipe")),
]


def test_the_signed_configuration_may_be_read() -> None:
    view = well()
    view.containers[GATEWAY]["Mounts"].append(
        {"Type": "bind", "Source": "/opt/frostbyte/bundle/config", "Destination": "/run/config", "RW": False}
    )
    assert all(one.level is Level.OK for one in judge(view, EXPECTED))


@pytest.mark.parametrize(("name", "place", "change"), CHANGES, ids=[f"{at}-{one[0]}" for at, one in enumerate(CHANGES)])
def test_a_container_that_was_changed_is_named(name: str, place: int, change: Callable[[Any], object]) -> None:
    view = well()
    change(view.containers[place])
    assert failed(view) == {name}


def test_a_container_that_is_gone_or_more_than_there_should_be() -> None:
    view = well()
    assert "services_run" in failed(View(view.containers[:2], view.networks))
    extra = container("miner")
    assert "services_run" in failed(View([*view.containers, extra], view.networks))


def test_a_network_that_was_changed() -> None:
    view = well()
    view.networks[0]["Internal"] = False  # type: ignore[index]
    assert failed(view) == {"network_internal"}
    assert failed(View(well().containers, [])) == {"network_internal"}
    view = well()
    view.networks[0]["Containers"]["id-x"] = {"Name": "stranger"}
    assert failed(view) == {"networks_apart"}


def test_starting_again_is_a_warning() -> None:
    view = well()
    view.containers[1]["RestartCount"] = 3  # type: ignore[index]
    found = {one.name: one for one in judge(view, EXPECTED)}
    assert found["services_stable"].level is Level.WARN
    assert "intake-gateway 3" in found["services_stable"].message


def test_nothing_said_is_nothing_well() -> None:
    """An engine that says nothing, or not enough, has not shown that anything is well."""
    assert failed(View()) >= {
        "services_run",
        "images_run",
        "network_internal",
        "networks_apart",
        "ports_published",
        "rights",
    }
    bare = [{"Config": {"Labels": one["Config"]["Labels"]}} for one in well().containers]
    assert failed(View(bare, [])) >= {"services_run", "images_run", "networks_apart", "rights"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from(["State", "Config", "Image", "RestartCount", "Id", "Name"]), json_values)
def test_whatever_docker_says_is_judged(key: str, value: Any) -> None:
    view = well()
    changed = deepcopy(view.containers[GATEWAY])
    changed[key] = value  # type: ignore[index]
    list(judge(View([view.containers[DOOR], changed], view.networks), EXPECTED))


@given(st.text(max_size=60))
def test_what_is_no_json_is_refused(text: str) -> None:
    with suppress(CommandFailed):
        found = read(text)
        assert all(isinstance(one, dict) for one in (*found.containers, *found.networks))


def test_the_command_reads_what_docker_prints(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    view = well()
    told = json.dumps(view.containers, indent=4) + "\n" + json.dumps(view.networks) + "\n"
    words = ["plane", "containers", "--project", PROJECT, "--port", "8080", "--lines"]
    words += [word for name in EXPECTED.services for word in ("--service", name)]
    words += [word for name in sorted(EXPECTED.images) for word in ("--image", name)]
    words += [word for name in EXPECTED.folders for word in ("--folder", name)]
    monkeypatch.setattr("sys.stdin", io.StringIO(told))
    ended = run(*words)
    assert ended.code == 0, ended
    assert [line.split("\t")[:3] for line in ended.out.splitlines()] == [["finding", "ok", name] for name in NAMES]
    monkeypatch.setattr("sys.stdin", io.StringIO(told.replace('"Privileged": false', '"Privileged": true')))
    assert run(*words).code == 3


def test_digests_of_files(run: Run, tmp_path: Any) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/main.cvd").write_bytes(b"abc")
    ended = run("plane", "digests", str(tmp_path))
    assert ended.out == (f"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  {tmp_path}/a/main.cvd\n")
    assert run("plane", "digests", str(tmp_path / "b")).code == 5
