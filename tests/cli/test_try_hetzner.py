"""`frostbyte try-hetzner`: nothing is made before its cost is allowed, and whatever was begun goes on or goes away."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cli.fake_plane import Run
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.memory import WorldCalls, waiting_in
from frostbyte.adapters.hetzner.world.faults import Fault
from frostbyte.adapters.vault.age import fresh
from frostbyte.api.hetzner.serving import Serving
from frostbyte.cli import try_hetzner
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.try_hetzner import Story, Trial
from frostbyte.control_plane.provisioning.resources import Owner, WantedServer, WantedVolume

ZONE = "frostbyte.test"


@pytest.fixture
def told(hetzner: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command as somebody types it who has a token of an empty project."""

    class Sealing:
        def __init__(self, program: str) -> None: ...

        def encrypt(self, plain: bytes, recipients: list[str]) -> bytes:
            return b"{}"

    monkeypatch.setattr("frostbyte.adapters.vault.program.Sops", Sealing)
    monkeypatch.setattr(try_hetzner, "RELEASE_SECONDS", 0.0)
    monkeypatch.setenv("HCLOUD_ENDPOINT", hetzner.endpoint)
    monkeypatch.setenv("HCLOUD_TOKEN", hetzner.token)
    calls = WorldCalls(hetzner.world, hetzner.token)
    calls.ask("POST", "/zones", body={"name": ZONE, "mode": "primary"})
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "one.txt").write_text("A document.")
    samples = str(tmp_path / "samples")
    return ["try-hetzner", "--zone", ZONE, "--folder", str(tmp_path / "try"), "--samples", samples]


def posts(hetzner: Serving) -> list[str]:
    """What was asked to be made."""
    return [one.path for one in hetzner.world.requests if one.method == "POST" and one.path != "/zones"]


def test_it_shows_what_it_makes_and_above_the_limit_nothing_is_made(
    run: Run, told: list[str], hetzner: Serving, tmp_path: Path
) -> None:
    before = hetzner.world.bill().owned
    refused = run(*told, "--max-cost", "0.01", "--yes")
    assert refused.code == Exit.REFUSED
    assert "0.01 is the most that you allow" in refused.err
    for words in ("server: edge", "server: single", "cx53 in nbg1", "4 public addresses", "10 GB", "EUR, net"):
        assert words in refused.out, words
    assert hetzner.world.bill().owned == before
    assert not (tmp_path / "try").exists()


def test_nobody_there_to_be_asked_is_no_leave(run: Run, told: list[str], hetzner: Serving, tmp_path: Path) -> None:
    before = hetzner.world.bill().owned
    refused = run(*told)
    assert refused.code != Exit.OK
    assert "nobody is there to be asked" in refused.err
    assert hetzner.world.bill().owned == before
    assert not (tmp_path / "try").exists()


@pytest.mark.parametrize("token", ["", "0" * 64, "readonly"])
def test_a_token_that_does_not_do_makes_nothing(
    run: Run, told: list[str], hetzner: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", hetzner.world.token(readonly=True) if token == "readonly" else token)
    before = hetzner.world.bill().owned
    refused = run(*told, "--yes")
    assert refused.code != Exit.OK
    assert refused.err
    assert "0000" not in refused.err
    assert hetzner.world.bill().owned == before
    assert not (tmp_path / "try").exists()


def test_a_project_with_a_base_is_not_tried_in(run: Run, told: list[str], hetzner: Serving) -> None:
    calls = WorldCalls(hetzner.world, hetzner.token)
    cloud = HetznerCloud(calls, "production", waiting_in(hetzner.world, calls))
    owner = Owner(environment="production", project_id="main")
    server(cloud, owner, "edge")
    refused = run(*told, "--yes")
    assert refused.code == Exit.REFUSED
    assert "a base of Frostbyte in this project already" in refused.err


@pytest.mark.parametrize("cost", ["-1", "NaN", "much"])
def test_a_limit_is_a_sum_of_money(run: Run, told: list[str], cost: str) -> None:
    refused = run(*told, "--yes", "--max-cost", cost)
    assert refused.code != Exit.OK
    assert "no sum of money" in refused.err


def test_a_real_project_needs_more_words(run: Run, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_hetzner, "_simulated", lambda: False)
    refused = run(*told, "--yes")
    assert "--email, --operators" in refused.err
    refused = run(
        *told, "--yes", "--email", "a@frostbyte.test", "--operators", "198.51.100.7/32", "--image", "control=x"
    )
    assert "the snapshot has to hold: " in refused.err
    assert "traefik" in refused.err
    assert "--image NAME=ARCHIVE" in refused.err


# -- the way to the end ------------------------------------------------------------------------------------------------


def server(cloud: HetznerCloud, owner: Owner, part: str) -> None:
    labels = owner.labels(UUID(int=1), "x")
    cloud.create_server(
        WantedServer(
            name=owner.name(part), labels=labels, type="cx23", location="nbg1", image="debian-13", user_data=""
        )
    )


def begun(folder: Path, *, hours: float = 1.0, environment: str = "try-1") -> Trial:
    trial = Trial(
        environment=environment,
        zone=ZONE,
        email="",
        operators="127.0.0.0/8",
        ends_at=(datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds"),
        recipient=fresh()[1],
    )
    folder.mkdir()
    trial.keep(folder)
    return trial


@pytest.mark.parametrize("late", [True, False])
def test_what_is_over_or_given_up_is_taken_away_from_here_and_nothing_else(
    run: Run, told: list[str], hetzner: Serving, tmp_path: Path, late: bool
) -> None:
    begun(tmp_path / "try", hours=-1.0 if late else 1.0)
    calls = WorldCalls(hetzner.world, hetzner.token)
    ours, theirs = (HetznerCloud(calls, name, waiting_in(hetzner.world, calls)) for name in ("try-1", "production"))
    for cloud, environment, tenant in ((ours, "try-1", "acme"), (theirs, "production", "beta")):
        owner = Owner(environment=environment, project_id="main", tenant_id=tenant)
        server(cloud, owner, "single")
        volume = WantedVolume(
            name=owner.name("data"), labels=owner.labels(UUID(int=1), "x"), size_gb=10, location="nbg1"
        )
        cloud.create_volume(volume)
    before = {one.name for one in theirs.observe()}
    ended = run(*told, *([] if late else ["--end"]))
    assert ended.code == Exit.OK, ended.err
    assert "Nothing of try-1 is left" in ended.out
    assert ours.observe() == []
    assert {one.name for one in theirs.observe()} == before
    assert not (tmp_path / "try").exists()


def test_what_cannot_be_taken_away_is_named_and_the_try_is_not_forgotten(
    run: Run, told: list[str], hetzner: Serving, tmp_path: Path
) -> None:
    begun(tmp_path / "try")
    calls = WorldCalls(hetzner.world, hetzner.token)
    cloud = HetznerCloud(calls, "try-1", waiting_in(hetzner.world, calls))
    server(cloud, Owner(environment="try-1", project_id="main"), "edge")
    hetzner.world.fault(Fault(name="forbidden", match=r"DELETE /servers/.*", times=0))
    left = run(*told, "--end")
    assert left.code == Exit.PROBLEMS
    assert "server fb-edge" in left.err
    hetzner.world.clear_faults()
    assert run(*told, "--end").code == Exit.OK
    assert run(*told, "--end").code != Exit.OK, "there is none any more"


# -- interrupted -------------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    """Somebody pressed Ctrl-C, or the lid was closed."""


class Played:
    """A cloud, a base and a tenant as far as the story's commands change them; the n-th command is cut off.

    Args:
        cut: which; 0 for none.
        after: whether what it began goes on without whoever typed it.
    """

    def __init__(self, cut: int = 0, *, after: bool = False) -> None:
        self.state, self.base, self.snapshot, self.met, self.found = "", False, False, False, False
        self.typed: list[str] = []
        self._cut, self._after = cut, after

    def type(self, *words: str) -> None:
        self.typed.append(" ".join(words))
        self._cut -= 1
        if self._cut == 0 and not self._after:
            raise Interrupted
        self.act(words, whole=self._cut != 0)
        if self._cut == 0:
            raise Interrupted

    def act(self, words: tuple[str, ...], *, whole: bool) -> None:
        """What a command does; what is cut off is only begun."""
        match words[:2]:
            case "hosts", "build":
                self.snapshot = True
            case "control", "up":
                assert self.snapshot
                self.base = self.base or whole
            case "tenant", "provision":
                assert self.met
                assert self.state == ""
                self.state = "ACTIVE" if whole else "PROVISIONING"
            case "tenant", "suspend":
                assert self.state == "ACTIVE"
                self.state = "SUSPENDED"
            case "tenant", "resume":
                assert self.state == "SUSPENDED"
                self.state = "ACTIVE"
            case "tenant", "deprovision":
                assert self.state == "ACTIVE"
                self.state = "DEPROVISIONED" if whole else "DEPROVISIONING"
            case "tenant", "operations":
                self.state = {"PROVISIONING": "ACTIVE", "DEPROVISIONING": "DEPROVISIONED"}[self.state]
            case "tenant", "receipt":
                assert self.state == "DEPROVISIONED"
            case "tenant", "retry":
                assert self.state == "FAILED"
                self.state = "ACTIVE"
            case "control", "down":
                assert self.state == "DEPROVISIONED"
                self.base = not whole
            case _:
                assert words[:2] == ("tenant", "show"), words

    def meet(self) -> None:
        assert self.base
        self.met = True

    def asked(self, *words: str) -> Any:
        assert self.met
        if words[1] == "operations":
            return {"operations": [{"operation_id": "1"}]}
        return {"tenants": [{"tenant_id": "acme", "state": self.state}] if self.state else []}

    def ingest(self, document: Path) -> str:
        assert self.state == "ACTIVE"
        self.found = True
        return "1"

    def expect(self, status: int) -> None:
        assert self.state == {503: "SUSPENDED", 200: "ACTIVE"}[status]


def told_by(played: Any, folder: Path) -> None:
    """One life of the command."""
    played.met = False
    kept = Trial.kept(folder)
    assert kept is not None
    Story(played, kept, folder, folder / "one.txt", ["--image=a=b"]).tell()


def test_undisturbed_it_types_what_the_runbook_says(tmp_path: Path) -> None:
    trial = begun(tmp_path / "try")
    played = Played()
    told_by(played, tmp_path / "try")
    assert played.typed == [
        "hosts build --image=a=b",
        f"control up --yes --expires-at {trial.ends_at}",
        "tenant provision acme --create --project main --shape small --volume-gb 10 --yes",
        "tenant show acme",
        "tenant suspend acme --reason payment",
        "tenant resume acme --reason requested",
        "tenant deprovision acme --confirm acme --destroy-data --reason requested",
        "tenant receipt acme",
        "control down --confirm main",
    ]
    assert played.found


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("cut", range(1, 10))
def test_cut_off_at_any_command_the_same_one_goes_on_to_the_end(tmp_path: Path, cut: int, after: bool) -> None:
    begun(tmp_path / "try")
    played = Played(cut, after=after)
    with pytest.raises(Interrupted):
        told_by(played, tmp_path / "try")
    told_by(played, tmp_path / "try")
    assert (played.state, played.base) == ("DEPROVISIONED", False)
    assert played.found
    assert sum(one.startswith("tenant provision") for one in played.typed) <= 1 + (cut == 3 and not after)


def test_a_tenant_that_failed_is_tried_again(tmp_path: Path) -> None:
    begun(tmp_path / "try")
    played = Played()
    played.state = "FAILED"
    told_by(played, tmp_path / "try")
    assert "tenant retry acme" in played.typed
    assert not any(one.startswith("tenant provision") for one in played.typed)


def test_what_is_known_of_a_try_is_written_down(tmp_path: Path) -> None:
    trial = begun(tmp_path / "try")
    assert Trial.kept(tmp_path / "try") == trial
    assert Trial.kept(tmp_path) is None
    assert "done" in json.loads((tmp_path / "try" / "try.json").read_text())


def test_the_command_says_how_it_goes_on_and_ends(
    run: Run, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(tmp_path / "try")

    def broken(self: Story) -> None:
        raise CommandFailed("demo_failed", "It stopped here.", "Report this.")

    monkeypatch.setattr(Story, "tell", broken)
    failed = run(*told)
    assert failed.code != Exit.OK
    assert "frostbyte try-hetzner --end" in failed.err
    assert (tmp_path / "try" / "try.json").exists()
