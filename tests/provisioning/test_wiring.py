"""The control plane's wiring of provisioning: without a token it says what is missing, with one it asks the cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.api.control.carrying import working
from frostbyte.api.hetzner.serving import Serving
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.bootstrap.base import Bench, check_edge
from frostbyte.bootstrap.control import ControlPlane, build
from frostbyte.bootstrap.provisioning import Clouds, OwnKeys, release, ssh_key
from frostbyte.control_plane.edge.routes import Site, Tls
from frostbyte.control_plane.edge.settings import EdgeSettings
from frostbyte.control_plane.provisioning.resources import Kind, Owner
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.settings import load
from frostbyte.kernel.errors import Conflict, Invalid, Unavailable


@pytest.fixture
def sky() -> Iterator[Serving]:
    with Serving(World()) as serving:
        yield serving


@pytest.fixture
def control(tmp_path: Path, sky: Serving) -> Iterator[ControlPlane]:
    settings = load(
        {"FROSTBYTE_CONTROL_DATA_DIR": str(tmp_path / "control"), "FROSTBYTE_HCLOUD_ENDPOINT": sky.endpoint}
    )
    plane = build(settings)
    plane.projects.create("north", actor="alice")
    plane.tenants.create("acme", "north", actor="alice")
    yield plane
    plane.close()


@pytest.mark.slow
def test_without_a_token_it_says_what_is_missing_and_with_one_it_asks_the_cloud(
    control: ControlPlane, sky: Serving
) -> None:
    desk, hosting = control.provisioning, control.hosting
    assert desk is not None
    assert hosting is not None
    for asked in (
        lambda: desk.plan("acme"),
        lambda: desk.begin("acme", Move.PROVISION, {}, actor="alice", reason="requested"),
    ):
        with pytest.raises(Unavailable) as missing:
            asked()
        assert missing.value.code == "cloud_token_missing"
        assert "hcloud_token" in missing.value.remedy
    path = control.settings.provisioning.token_file("north")
    path.parent.mkdir(parents=True)
    path.write_text(sky.token)
    path.chmod(0o600)
    planned = desk.plan("acme").plan  # no restart was needed
    assert {problem.code for problem in planned.problems} == {"no_host_image", "base_missing"}
    assert sky.world.counts["GET /server_types"] == 1
    with pytest.raises(Conflict) as refused:
        desk.begin("acme", Move.PROVISION, {}, actor="alice", reason="requested")
    assert refused.value.code == "no_host_image"
    assert hosting.clouds.cloud("north").find(Kind.NETWORK, "fb-acme-network") is None
    assert sky.token not in repr(control.settings)
    assert not desk.remains("acme")
    assert "provisioner" in control.loops


def test_what_a_version_runs_is_read_from_its_file(tmp_path: Path) -> None:
    with pytest.raises(Conflict) as unknown:
        release(tmp_path, "1.0")
    assert unknown.value.code == "release_unknown"
    (tmp_path / "1.0.json").write_bytes(msgspec.json.encode({"images": {"api": "sha256:1"}, "dimensions": 384}))
    found = release(tmp_path, "1.0")
    assert (found.images["api"], found.dimensions, found.remote) == ("sha256:1", 384, None)
    (tmp_path / "1.1.json").write_text("{")
    with pytest.raises(Invalid) as damaged:
        release(tmp_path, "1.1")
    assert damaged.value.code == "release_unreadable"


def test_the_control_planes_ssh_key_is_the_same_after_a_restart(tmp_path: Path) -> None:
    private, public = ssh_key(FileSecrets(tmp_path / "secrets"))
    again, same = ssh_key(FileSecrets(tmp_path / "secrets"))
    assert public == same
    assert public.startswith("ssh-ed25519 ")
    assert "PRIVATE KEY" in private
    assert again.startswith("-----BEGIN OPENSSH")


def test_online_nothing_is_sealed_that_only_this_host_could_open(tmp_path: Path) -> None:
    online = {"FROSTBYTE_MODE": "online", "FROSTBYTE_CONTROL_DATA_DIR": str(tmp_path)}
    settings = load({**online, "FROSTBYTE_STANDINS": "database"})
    own = OwnKeys(secrets=None, keys=None, authorities=Authorities(tmp_path / "a"))  # type: ignore[arg-type]
    clouds = Clouds(settings, None, None, own, None)  # type: ignore[arg-type]
    with pytest.raises(Unavailable) as missing:
        clouds.vault  # noqa: B018
    assert missing.value.code == "recovery_recipient_missing"
    assert "age-keygen" in missing.value.remedy


@pytest.mark.slow
def test_without_sops_it_says_so_and_not_that_no_cloud_is_known(tmp_path: Path, sky: Serving) -> None:
    told = {"FROSTBYTE_CONTROL_DATA_DIR": str(tmp_path / "control"), "FROSTBYTE_HCLOUD_ENDPOINT": sky.endpoint}
    plane = build(load(told | {"FROSTBYTE_HCLOUD_TOKEN": sky.token, "FROSTBYTE_SOPS": str(tmp_path / "nowhere")}))
    try:
        with pytest.raises(Unavailable) as missing:
            working(plane, "acme", OperationKind.ROTATE_KEYS, {}, actor="alice", reason="requested")
        assert missing.value.code == "sops_missing"
        assert "sops" in missing.value.remedy
    finally:
        plane.close()


@pytest.mark.parametrize(("tls", "email"), [(Tls.OWN, ""), (Tls.ACME, "ops@plane.example")])
def test_the_edges_host_gets_its_certificate_by_itself(tls: Tls, email: str) -> None:
    check_edge(EdgeSettings(site=Site(domain="plane.example", tls=tls, acme_email=email)))


def test_a_base_is_refused_a_certificate_from_files_of_another_machine() -> None:
    told = EdgeSettings(site=Site(domain="plane.example", tls=Tls.FILES), certificate="a", key="b")
    plane: Any = SimpleNamespace(settings=SimpleNamespace(edge=told))
    with pytest.raises(Invalid, match="do not reach the edge's host") as caught:
        Bench(plane=plane, owner=Owner(environment="test", project_id="main")).plan({})
    assert caught.value.code == "settings_invalid"
