"""What `frostbyte doctor` says of a cloud: a simulated project with everything, and without each thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from frostbyte.adapters.dns.lexicon import LexiconDns
from frostbyte.adapters.hetzner.memory import WorldCalls
from frostbyte.adapters.hetzner.world.faults import Fault
from frostbyte.adapters.vault.age import fresh
from frostbyte.api.hetzner.serving import Serving
from frostbyte.cli import doctor, doctor_cloud
from frostbyte.cli.findings import Finding, Level
from frostbyte.control_plane import settings as control_settings
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.kernel.errors import Unavailable

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIcXwNkuVwUbLKkVdCiEYQYpWwkSZEFBQUFBQUFBQUFB frostbyte"


class Desk:
    """A control plane's host, whose settings are changed."""

    def __init__(self, hetzner: Serving, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hetzner, self.world = hetzner, hetzner.world
        self.calls = WorldCalls(self.world, hetzner.token)
        self.patch = monkeypatch
        self.sealed: list[list[str]] = []

        class Sealing:
            def __init__(inner, program: str) -> None:
                if program != "sops":
                    raise Unavailable("sops_missing", "It is not there.", "Install it.")

            def encrypt(inner, plain: bytes, recipients: list[str]) -> bytes:
                self.sealed.append(recipients)
                return b"{}"

        monkeypatch.setattr("frostbyte.adapters.vault.program.Sops", Sealing)
        self.told = {
            "FROSTBYTE_HCLOUD_TOKEN": hetzner.token,
            "FROSTBYTE_HCLOUD_ENDPOINT": hetzner.endpoint,
            "FROSTBYTE_CONTROL_DOMAIN": "pipeline.frostbyte.test",
            "FROSTBYTE_CONTROL_DATA_DIR": str(folder),
            "FROSTBYTE_RECOVERY_RECIPIENT": fresh()[1],
            "FROSTBYTE_OPERATORS": "198.51.100.0/24",
        }
        self.calls.ask("POST", "/zones", body={"name": "frostbyte.test", "mode": "primary"})
        labels = Owner(environment="production", project_id="main").labels(UUID(int=1), "ssh_key")
        self.calls.ask("POST", "/ssh_keys", body={"name": "fb-key", "public_key": KEY, "labels": labels})

    def look(self, **changes: str) -> dict[str, Finding]:
        found = doctor_cloud.check_cloud(control_settings.load({**self.told, **changes}))
        assert len({one.name for one in found}) == len(found)
        assert all(one.remedy for one in found if one.level is not Level.OK)
        return {one.name: one for one in found}


@pytest.fixture
def desk(hetzner: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(hetzner, tmp_path, monkeypatch)


def test_all_is_well_and_nothing_was_made(desk: Desk) -> None:
    before = desk.world.bill().owned
    found = desk.look()
    assert {one.level for one in found.values()} == {Level.OK}, found
    assert found.keys() == {
        "cloud", "quota", "servers", "ssh key", "dns zone", "sops and age", "recovery", "operators",
    }  # fmt: skip
    assert "read and write" in found["cloud"].message
    assert "gateway cx43 in nbg1" in found["servers"].message
    assert "simulated" in found["dns zone"].message
    assert desk.world.bill().owned == before
    assert desk.sealed, "it was tried, not only looked for"


def test_a_token_that_may_only_read_is_found_out(desk: Desk) -> None:
    found = desk.look(FROSTBYTE_HCLOUD_TOKEN=desk.world.token(readonly=True))
    assert (found["cloud"].level, found["cloud"].message) == (Level.FAIL, "The token may read, but not write.")
    assert "servers" not in found


def test_a_wrong_token_and_a_cloud_that_is_away_are_told_once(desk: Desk) -> None:
    found = desk.look(FROSTBYTE_HCLOUD_TOKEN="0" * 64)
    assert found["cloud"].level is Level.FAIL
    assert "0000" not in "".join(one.message + one.remedy for one in found.values())
    desk.world.fault(Fault(name="connection_reset", times=0))
    assert desk.look()["cloud"].level is Level.FAIL


def test_no_token_is_no_failure(desk: Desk) -> None:
    found = desk.look(FROSTBYTE_HCLOUD_TOKEN="")
    assert [(one.name, one.level) for one in found.values()] == [("cloud", Level.WARN)]


def test_projects_have_tokens_of_their_own(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "projects" / "eu-1" / "hcloud_token"
    file.parent.mkdir(parents=True)
    file.write_text(desk.hetzner.token)
    file.chmod(0o644)
    assert desk.look(FROSTBYTE_HCLOUD_TOKEN="")["cloud"].level is Level.FAIL
    file.chmod(0o600)
    assert desk.look(FROSTBYTE_HCLOUD_TOKEN="")["cloud eu-1"].level is Level.OK


def test_what_cannot_be_ordered_is_told_by_role(desk: Desk) -> None:
    for kind in ("cx53", "cax41", "cpx62", "ccx33"):
        for place in ("nbg1", "fsn1"):
            try:
                desk.world.stock(kind, place, False)
            except KeyError:
                continue
    found = desk.look()["servers"]
    assert found.level is Level.FAIL
    assert "for single in nbg1, fsn1" in found.message
    assert desk.look(FROSTBYTE_LOCATIONS="xyz9")["servers"].level is Level.FAIL


def test_key_zone_recovery_sops_and_operators_are_missed(desk: Desk) -> None:
    desk.calls.ask("DELETE", f"/ssh_keys/{desk.calls.ask('GET', '/ssh_keys')['ssh_keys'][0]['id']}")
    found = desk.look(
        FROSTBYTE_CONTROL_DOMAIN="pipeline.example.test",
        FROSTBYTE_RECOVERY_RECIPIENT="",
        FROSTBYTE_OPERATORS="",
        FROSTBYTE_SOPS="/nowhere/sops",
    )
    assert {name for name, one in found.items() if one.level is Level.FAIL} == {"dns zone", "recovery", "sops and age"}
    assert {name for name, one in found.items() if one.level is Level.WARN} == {"ssh key", "operators"}
    assert desk.look(FROSTBYTE_RECOVERY_RECIPIENT="age1wrong")["recovery"].level is Level.FAIL


def test_another_providers_zone_is_asked_for_and_its_name_servers(desk: Desk) -> None:
    asked: list[Any] = []
    desk.patch.setattr(LexiconDns, "find", lambda self, *what: asked.append(what))
    answers = {"frostbyte.test": ("ns. host. 1 2 3 4 5",)}
    desk.patch.setattr(
        "frostbyte.adapters.dns.answers.Authority.answer", lambda self, zone, name, type: answers.get(zone, ())
    )
    told = {"FROSTBYTE_DNS_PROVIDER": "cloudflare", "FROSTBYTE_DNS_TOKEN": "t0ken-of-a-zone"}
    assert desk.look(**told)["dns zone"].level is Level.OK
    assert asked == [("frostbyte.test", "_frostbyte-doctor", "TXT")]
    answers.clear()
    found = desk.look(**told)["dns zone"]
    assert (found.level, "do not have it" in found.message) == (Level.FAIL, True)
    assert desk.look(**told | {"FROSTBYTE_DNS_PROVIDER": "nobody"})["dns zone"].level is Level.FAIL


def test_doctor_says_nothing_of_clouds_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, desk: Desk
) -> None:
    monkeypatch.setenv("FROSTBYTE_CONTROL_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.delenv("FROSTBYTE_HCLOUD_TOKEN", raising=False)
    assert doctor.check_provisioning() == []
    for name, value in desk.told.items():
        monkeypatch.setenv(name, value)
    assert {one.level for one in doctor.check_provisioning()} == {Level.OK}
    monkeypatch.setenv("FROSTBYTE_LOCATIONS", "nbg1,nbg1")
    assert [one.name for one in doctor.check_provisioning()] == ["settings"]
