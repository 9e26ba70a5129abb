"""`frostbyte control edge`: files shown without keys, and the edge looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.fake_plane import Run
from edge.rows import endpoints, tenant
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.bootstrap.edge import Edge, file_pair
from frostbyte.cli.exits import Exit
from frostbyte.control_plane.edge.routes import Gate
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.settings import load
from frostbyte.deploy.authority import Authority
from frostbyte.kernel.errors import Invalid
from servers.process import free_port


@pytest.fixture(autouse=True)
def settings(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTBYTE_CONTROL_DATA_DIR", str(tmp_path / "control"))
    monkeypatch.setenv("FROSTBYTE_CONTROL_EDGE_STATUS", f"127.0.0.1:{free_port()}")


def edge() -> Edge:
    told = load()
    return Edge(told.edge, told.edge_folder, Authorities(told.data_dir / "authorities"), told.data_dir / "edge-ca")


def test_files_are_shown_without_keys(run: Run, tmp_path: Path) -> None:
    shown = run("control", "edge", "render", "--tenant", "acme", "--gateway", "https://gw.example.com")
    assert shown.code == Exit.OK
    assert "Host(`acme.pipeline.localhost`)" in shown.out
    assert "LEFTOUT" in shown.out
    assert not (tmp_path / "control").exists(), "nothing was made"
    assert run("control", "edge", "render", "--tenant", "{{x}}").code == Exit.USAGE
    plain = run("control", "edge", "render", "--tenant", "acme", "--gateway", "http://gw.example.com")
    assert plain.code == Exit.USAGE


def test_how_the_edge_is(run: Run) -> None:
    made = edge()
    made.prepare()
    made.keeper.show(tenant(), endpoints(), Gate.OPEN)
    made.keeper.show(tenant("globex", TenantState.SUSPENDED), endpoints("globex"), Gate.CLOSED)
    (made.files.folder / "broken.yml").write_text("{{")
    (made.files.folder / "tenant-odd.yml").write_text("http: []")
    ended = run("control", "edge", "status", "--json")
    assert ended.code == Exit.UNAVAILABLE, "no Traefik runs"
    seen = json.loads(ended.out)
    assert [(one["tenant_id"], one["gate"], one["leads_to"], one["code"]) for one in seen["tenants"]] == [
        ("acme", "open", "http://10.7.1.2:8080", ""),
        ("globex", "closed", "", "tenant_suspended"),
    ]
    assert seen["strangers"] == ["broken.yml", "tenant-odd.yml"]
    assert seen["certificate_ends"] > "2026"
    assert "acme.pipeline.localhost" in run("control", "edge", "status").out


def test_the_authority_for_clients_is_the_one_that_the_edge_uses(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    edge().prepare()
    assert run("control", "edge", "ca").out == (load().data_dir / "edge-ca/ca.pem").read_text()
    monkeypatch.setenv("FROSTBYTE_CONTROL_EDGE_TLS", "acme")
    monkeypatch.setenv("FROSTBYTE_CONTROL_EDGE_ACME_EMAIL", "ops@example.com")
    assert run("control", "edge", "ca").code != Exit.OK


@pytest.mark.parametrize(
    ("certificate", "key", "domain", "why"),
    [
        ("good", "good", "other.example", "for other hosts"),
        ("good", "lost", "pipeline.localhost", "cannot be read"),
        ("good", "else", "pipeline.localhost", "do not belong together"),
        ("junk", "good", "pipeline.localhost", "cannot be read"),
    ],
)
def test_certificates_from_files_are_tried(tmp_path: Path, certificate: str, key: str, domain: str, why: str) -> None:
    for name in ("good", "else"):
        Authority(tmp_path, "", domain="pipeline.localhost").server(name, ["*.pipeline.localhost"])
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk/public.crt").write_text("{{ nonsense")
    place = tmp_path / "good"
    noisy = "Bag Attributes\r\n" + (place / "public.crt").read_text().replace("\n", "\r\n")
    (place / "public.crt").write_text(noisy)
    assert file_pair(place / "public.crt", place / "private.key", "pipeline.localhost").certificate.startswith("-----")
    with pytest.raises(Invalid, match=why):
        file_pair(tmp_path / certificate / "public.crt", tmp_path / key / "private.key", domain)


def test_settings_of_the_edge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load().edge.site.api_url == "http://127.0.0.1:8090"
    for name, value in (("EDGE_TLS", "files"), ("EDGE_TLS", "acme"), ("EDGE_STATUS", "0.0.0.0:1"), ("EDGE_WEB", "x")):
        with monkeypatch.context() as patch:
            patch.setenv(f"FROSTBYTE_CONTROL_{name}", value)
            with pytest.raises(Invalid):
                load()
    monkeypatch.setenv("FROSTBYTE_CONTROL_EDGE_API", "no")
    assert load().edge.site.api_url == ""
