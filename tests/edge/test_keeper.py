"""The edge's files follow the registry, and what others do to them is put right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.rows import endpoints, tenant
from frostbyte.adapters.edge.files import EdgeFolder
from frostbyte.adapters.edge.memory import MemoryEdgeFiles
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.control_plane.edge.keeper import EdgeKeeper
from frostbyte.control_plane.edge.ports import EdgeFiles
from frostbyte.control_plane.edge.routes import Credentials, Gate, Pair, Site
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.deploy.authority import Client
from frostbyte.deploy.traefik import Traefik
from frostbyte.kernel.errors import Invalid, Unavailable

SITE = Site(domain="pipeline.localhost", api_url="http://127.0.0.1:8090")


def no_credentials(tenant_id: str) -> Credentials:
    raise Unavailable("authority_damaged", "x", "x")


def keeper(files: EdgeFiles) -> EdgeKeeper:
    return EdgeKeeper(SITE, files, Traefik(), no_credentials, lambda: None)


@pytest.fixture
def files() -> MemoryEdgeFiles:
    return MemoryEdgeFiles()


def service(files: EdgeFiles, tenant_id: str = "acme") -> Any:
    text = files.read(f"tenant-{tenant_id}.yml")
    return text and yaml.safe_load(text)["http"]["services"][f"tenant-{tenant_id}-gateway"]["loadBalancer"]["servers"]


def code(files: EdgeFiles) -> Any:
    text = files.read("tenant-acme.yml")
    assert text is not None
    named = yaml.safe_load(text)["http"]["middlewares"]["tenant-acme-named"]["headers"]
    return named.get("customResponseHeaders", {}).get("X-Frostbyte-Code")


def test_a_gate_opens_closes_and_goes(files: MemoryEdgeFiles) -> None:
    kept = keeper(files)
    assert kept.show(tenant(), endpoints(), Gate.OPEN)
    assert service(files) == [{"url": "http://10.7.1.2:8080"}]
    assert code(files) is None
    assert not kept.show(tenant(), endpoints(), Gate.OPEN)
    assert kept.show(tenant(state=TenantState.SUSPENDED), endpoints(), Gate.CLOSED)
    assert service(files) == []
    assert code(files) == "tenant_suspended"
    assert kept.names() == {"acme"}
    assert kept.show(tenant(state=TenantState.DEPROVISIONED), endpoints(), Gate.ABSENT)
    assert not kept.show(tenant(state=TenantState.DEPROVISIONED), endpoints(), Gate.ABSENT)
    assert kept.names() == frozenset()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (TenantState.SUSPENDED, "tenant_suspended"),
        (TenantState.ACTIVE, "tenant_resuming"),
        (TenantState.PROVISIONING, "tenant_unavailable"),
        (TenantState.DEPROVISIONING, "tenant_unavailable"),
    ],
)
def test_a_closed_gate_says_why(files: MemoryEdgeFiles, state: TenantState, said: str) -> None:
    keeper(files).show(tenant(state=state), endpoints(), Gate.CLOSED)
    assert code(files) == said


def test_open_without_an_address_is_closed(files: MemoryEdgeFiles) -> None:
    keeper(files).show(tenant(), None, Gate.OPEN)
    assert service(files) == []


@pytest.mark.parametrize("url", ["http://gw.example.com", "https://gw.example.com", "nonsense {{"])
def test_a_route_that_cannot_be_written_is_closed_and_said(files: MemoryEdgeFiles, url: str) -> None:
    kept = keeper(files)
    kept.show(tenant(), endpoints(), Gate.OPEN)
    with pytest.raises((Invalid, Unavailable)):
        kept.show(tenant(), endpoints(gateway_url=url), Gate.OPEN)
    assert service(files) == []
    assert code(files) == "tenant_unavailable"


def test_an_https_gateway_is_met_with_the_tenants_own_certificates(files: MemoryEdgeFiles, tmp_path: Path) -> None:
    authorities = Authorities(tmp_path)

    def credentials(tenant_id: str) -> Credentials:
        held = authorities.client(tenant_id, Client.EDGE)
        return Credentials(
            ca=authorities.ca_pem(tenant_id), certificate=held.certificate.read_text(), key=held.key.read_text()
        )

    kept = EdgeKeeper(SITE, files, Traefik(), credentials, lambda: None)
    for name in ("acme", "globex"):
        kept.show(tenant(name), endpoints(name, "https://198.51.100.7:8443"), Gate.OPEN)
    texts = [files.read(f"tenant-{name}.yml") or "" for name in ("acme", "globex")]
    transports = [yaml.safe_load(text)["http"]["serversTransports"] for text in texts]
    assert transports[0]["tenant-acme"]["rootCAs"] == [authorities.ca_pem("acme")]
    assert transports[1]["tenant-globex"]["rootCAs"] == [authorities.ca_pem("globex")]
    assert transports[0]["tenant-acme"]["certificates"] != transports[1]["tenant-globex"]["certificates"]


def test_what_others_do_to_the_folder_is_put_right(tmp_path: Path) -> None:
    folder = EdgeFolder(tmp_path / "routes")
    kept = keeper(folder)
    kept.prepare()
    kept.show(tenant(), endpoints(), Gate.OPEN)
    kept.show(tenant("globex"), endpoints("globex"), Gate.OPEN)
    good = {name: folder.read(name) for name in folder.stamps()}
    assert set(good) == {"edge.yml", "control.yml", "tenant-acme.yml", "tenant-globex.yml"}
    assert not kept.mend()
    (folder.folder / "tenant-acme.yml").write_text("http: {{ nonsense")
    (folder.folder / "tenant-globex.yml").unlink()
    (folder.folder / "edge.yml").chmod(0o666)
    (folder.folder / "broken.yml").write_text("{{")
    (folder.folder / "deeper").mkdir()
    (folder.folder / "deeper/x.yml").write_text("x")
    (folder.folder / "tenant-stranger.yml").write_text("http: {}")
    mended = kept.mend()
    assert mended.written == ("edge.yml", "tenant-acme.yml", "tenant-globex.yml")
    assert mended.removed == ("broken.yml", "deeper")
    kept.names()  # every tenant was shown
    assert kept.mend().removed == ("tenant-stranger.yml",)
    assert {name: folder.read(name) for name in folder.stamps()} == good
    assert (folder.folder / "edge.yml").stat().st_mode & 0o777 == 0o640
    assert not kept.mend()


def test_after_a_start_what_is_right_is_left_and_what_is_old_goes(tmp_path: Path) -> None:
    folder = EdgeFolder(tmp_path / "routes")
    before = keeper(folder)
    before.prepare()
    before.show(tenant(), endpoints(), Gate.OPEN)
    before.show(tenant("globex"), endpoints("globex"), Gate.OPEN)
    stamps = folder.stamps()
    after = keeper(folder)
    assert not after.mend().written
    after.prepare()
    assert not after.show(tenant(), endpoints(), Gate.OPEN)
    assert after.names() == {"acme", "globex"}
    after.drop("globex")
    after.drop("globex")
    assert folder.stamps() == {name: stamp for name, stamp in stamps.items() if name != "tenant-globex.yml"}


def test_shared_files_that_are_not_wanted_any_more_go(files: MemoryEdgeFiles) -> None:
    keeper(files).prepare()
    assert "control.yml" in files.stamps()
    alone = EdgeKeeper(Site(domain="pipeline.localhost"), files, Traefik(), no_credentials, lambda: None)
    alone.prepare()
    alone.mend()
    assert set(files.stamps()) == {"edge.yml"}


def test_a_renewed_certificate_is_shown(files: MemoryEdgeFiles) -> None:
    pems = ["A", "B"]

    def pair() -> Pair:
        body = pems[0] * 8 + "\n"
        wrap = "-----BEGIN {0}-----\n" + body + "-----END {0}-----\n"
        return Pair(certificate=wrap.format("CERTIFICATE"), key=wrap.format("PRIVATE KEY"))

    kept = EdgeKeeper(SITE, files, Traefik(), no_credentials, pair)
    assert kept.prepare()
    assert not kept.prepare()
    pems.pop(0)
    assert kept.prepare()
    assert "BBBBBBBB" in (files.read("edge.yml") or "")
