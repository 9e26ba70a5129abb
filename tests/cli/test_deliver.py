"""`frostbyte deliver` and `tenant refresh`: from a folder to all tenants, and what is said where it is no good."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.fake_plane import Ended, Run
from control.memory_plane import Admin
from frostbyte.cli import deliver
from frostbyte.cli.exits import Exit
from frostbyte.control_plane.registry.records import OperationKind, OperationRow
from offline.miniature import Miniature, Signer
from servers.clamd import DAILY, daily
from upkeep.fresh_office import NEVER, Office, failing
from upkeep.test_refreshing import BROKEN

WORKER = "fb-acme-worker-1"
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("signer"))


@pytest.fixture
def office(admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Tenants on hosts of ours, served by the Admin API; each wait of a command is one turn of what carries out."""
    made = Office(tmp_path, ("acme", "beta"))
    control = admin.control
    monkeypatch.setenv("FROSTBYTE_CONTROL_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(control, "hosting", SimpleNamespace(rounds=made.rounds, shelf=made.shelf))
    monkeypatch.setattr(control, "foreman", made.foreman)
    monkeypatch.setattr(control, "operations", made.operations)

    def carry(operation: OperationRow) -> None:
        made.foreman.turn(NEVER)

    def turn(seconds: float) -> None:
        made.rounds.turn()
        made.foreman.turn(NEVER)

    monkeypatch.setitem(control.hooks, OperationKind.REFRESH, carry)
    monkeypatch.setattr(deliver, "time", SimpleNamespace(sleep=turn))
    return made


@pytest.fixture
def make(run: Run, tmp_path: Path, signer: Signer) -> Make:
    """Makes a signed set of signatures of a day in March."""

    def made(day: int = 1, *more: str, key: Path | None = signer.key) -> Path:
        folder = tmp_path / f"clamav-{day}"
        folder.mkdir(exist_ok=True)
        (folder / DAILY).write_bytes(daily(datetime(2026, 3, day, 3, tzinfo=UTC), version=day))
        words = ["--signatures", str(folder), "--out", str(tmp_path / "sets"), *more]
        words += ["--created-at", f"2026-03-{day:02d}T04:00:00Z", *(["--key", str(key)] if key else [])]
        told = run("deliver", "make", *words, "--json")
        assert told.code == Exit.OK, told.err
        return Path(told.json["folder"])

    return made


def name(folder: Path) -> str:
    return folder.name.removeprefix("frostbyte-supply-")


def taken(run: Run, signer: Signer, folder: Path, *more: str) -> str:
    assert run("deliver", "trust", str(signer.signers)).code == Exit.OK
    told = run("deliver", "take", str(folder), "--json", *more)
    assert told.code == Exit.OK, told.err
    return str(told.json["supply_id"])


def refused(told: Ended, exit_code: Exit, code: str) -> str:
    """What a person reads: what happened, what to do, the code; and no traceback."""
    assert (told.code, f"code {code}" in told.err) == (exit_code, True), told
    assert "try " in told.err
    assert "Traceback" not in told.err
    return told.err


def test_from_a_folder_of_signatures_to_all_tenants(run: Run, office: Office, make: Make, signer: Signer) -> None:
    folder = make()
    shown = run("deliver", "trust", str(signer.signers))
    assert (shown.code, "ssh-ed25519" in shown.out) == (Exit.OK, True)
    shown = run("deliver", "take", str(folder))
    assert (shown.code, f"{name(folder)}: signatures, 1 files" in shown.out) == (Exit.OK, True), shown
    assert f"frostbyte deliver begin {name(folder)}" in shown.err
    followed = run("deliver", "begin", name(folder), "--canary", "beta", "--soak", "0")
    assert followed.code == Exit.OK, followed.err
    assert [line for line in followed.err.splitlines() if "succeeded" in line] == ["beta: succeeded", "acme: succeeded"]
    assert "2 of 2" in followed.out
    content = daily(datetime(2026, 3, 1, 3, tzinfo=UTC), version=1)
    assert [list(files.values()) for files in office.hosts.files.values()] == [[content], [content]]
    shown = run("deliver", "status")
    assert name(folder) in shown.out
    assert "2026-03-01" in shown.out
    assert "succeeded" in shown.out
    listed = run("deliver", "status", "--json").json
    (one,), (kept,) = listed["deliveries"], listed["supplies"]
    assert (one["status"], kept["supply_id"]) == ("succeeded", name(folder))
    assert run("deliver", "status", one["round_id"], "--json").json == one


def test_before_anything_was_taken_that_is_said(run: Run, office: Office) -> None:
    shown = run("deliver", "status")
    assert (shown.code, "Nothing was delivered yet" in shown.out) == (Exit.OK, True)


def test_a_set_that_nobody_signed_is_not_taken(run: Run, office: Office, make: Make, signer: Signer) -> None:
    folder = make(key=None)
    assert "frostbyte deliver trust" in refused(run("deliver", "take", str(folder)), Exit.REFUSED, "signers_missing")
    assert run("deliver", "trust", str(signer.signers), "--json").json == {"signers": 1}
    refused(run("deliver", "take", str(folder)), Exit.VERIFICATION_FAILED, "supply_unsigned")
    assert office.shelf.supplies() == []


def test_a_set_of_somebody_else_is_not_taken(run: Run, office: Office, make: Make, tmp_path: Path) -> None:
    run("deliver", "trust", str(Signer(tmp_path / "stranger").signers))
    told = refused(run("deliver", "take", str(make())), Exit.VERIFICATION_FAILED, "supply_unsigned")
    assert "Take nothing of it" in told
    assert office.shelf.supplies() == []


@pytest.mark.parametrize(
    ("path", "code"),
    [(f"signatures/{DAILY}", "supply_damaged"), ("SUPPLY.json", "supply_damaged"), ("SHA256SUMS", "supply_unsigned")],
)
def test_a_flipped_byte_is_seen(run: Run, office: Office, make: Make, signer: Signer, path: str, code: str) -> None:
    folder = make()
    data = bytearray((folder / path).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / path).write_bytes(data)
    run("deliver", "trust", str(signer.signers))
    told = refused(run("deliver", "take", str(folder)), Exit.VERIFICATION_FAILED, code)
    assert code == "supply_unsigned" or path in told
    assert office.shelf.supplies() == []
    told = run("deliver", "take", str(folder), "--json").err
    assert json.loads(told)["error"]["code"] == code


def test_an_older_set_is_taken_and_delivered_only_when_somebody_means_it(
    run: Run, office: Office, make: Make, signer: Signer
) -> None:
    new, old = taken(run, signer, make(2)), make(1)
    assert "--older" in refused(run("deliver", "take", str(old)), Exit.REFUSED, "supply_older")
    assert taken(run, signer, old, "--older") == name(old)
    assert run("deliver", "begin", new, "--soak", "0").code == Exit.OK
    told = refused(run("deliver", "begin", name(old), "--soak", "0"), Exit.PROBLEMS, "delivery_failed")
    assert "stopped at acme: supply_older" in told
    assert run("deliver", "begin", name(old), "--soak", "0", "--older").code == Exit.OK


def test_two_at_once_are_refused_until_the_first_is_stopped(
    run: Run, office: Office, make: Make, signer: Signer
) -> None:
    supply = taken(run, signer, make())
    begun = run("deliver", "begin", supply, "--no-wait", "--json").json
    refused(run("deliver", "begin", supply, "--no-wait"), Exit.REFUSED, "round_running")
    stopped = run("deliver", "stop", begun["round_id"], "--json").json
    assert (stopped["status"], stopped["stopped_at"], stopped["code"]) == ("failed", "acme", "round_stopped")
    refused(run("deliver", "stop", begun["round_id"]), Exit.REFUSED, "round_ended")
    assert office.hosts.files == {}
    assert run("deliver", "begin", supply, "--soak", "0", "--tenant", "beta").code == Exit.OK
    assert [row.tenant_id for row in office.operations.page(limit=9) if row.kind is OperationKind.REFRESH] == ["beta"]


def test_where_it_fails_it_stops_and_a_script_sees_that(run: Run, office: Office, make: Make, signer: Signer) -> None:
    office.hosts.struck = failing("look", BROKEN, host="acme")
    told = run("deliver", "begin", taken(run, signer, make()), "--soak", "0")
    assert "stopped at acme: host_command_failed" in refused(told, Exit.PROBLEMS, "delivery_failed")
    assert "0 of 2" in told.out
    assert office.hosts.lives == {WORKER: ""}


def test_what_was_typed_wrong_is_said(run: Run, office: Office, make: Make, signer: Signer, tmp_path: Path) -> None:
    supply, empty, nobody = taken(run, signer, make()), tmp_path / "empty", "01990000-0000-7000-8000-0000000000b1"
    empty.mkdir()
    (tmp_path / "text").write_text("nobody\n")
    for words, exit_code, code in (
        (("make", "--out", str(tmp_path)), Exit.USAGE, "supply_empty"),
        (("make", "--image", "api"), Exit.USAGE, "option_pair"),
        (("make", "--image", f"api={tmp_path / 'text'}"), Exit.USAGE, "supply_image"),
        (("make", "--packages", str(empty)), Exit.USAGE, "supply_package"),
        (("make", "--signatures", str(empty)), Exit.USAGE, "bundle_model"),
        (("trust", str(tmp_path / "text")), Exit.USAGE, "bundle_signers"),
        (("trust", str(tmp_path / "nothing")), Exit.USAGE, "bundle_signers"),
        (("take", str(empty)), Exit.VERIFICATION_FAILED, "supply_unsigned"),
        (("begin", "set-9"), Exit.NOT_FOUND, "supply_unknown"),
        (("begin", supply, "--part", "packages"), Exit.USAGE, "supply_part_missing"),
        (("begin", supply, "--part", "kernels"), Exit.USAGE, "request_invalid"),
        (("begin", supply, "--canary", "nobody"), Exit.REFUSED, "round_empty"),
        (("begin", supply, "--tenant", "nobody"), Exit.REFUSED, "round_empty"),
        (("status", nobody), Exit.NOT_FOUND, "round_not_found"),
        (("status", "../supplies"), Exit.USAGE, "id_invalid"),
        (("stop", nobody), Exit.NOT_FOUND, "round_not_found"),
    ):
        refused(run("deliver", *words), exit_code, code)
    assert office.rounds.page() == []


def test_a_whole_bundle_is_a_set(run: Run, office: Office, signer: Signer, tmp_path: Path) -> None:
    bundle = Miniature().write(tmp_path / "bundles", signer)
    shown = run("deliver", "trust", str(signer.signers))
    shown = run("deliver", "take", str(bundle))
    assert (shown.code, "signatures, images" in shown.out) == (Exit.OK, True), shown
    (supply,) = office.shelf.supplies()
    assert run("deliver", "begin", supply.supply_id, "--soak", "0").code == Exit.OK
    (path,) = office.hosts.files[WORKER]
    assert path.endswith("/frostbyte.ndb")
    assert office.hosts.files[WORKER][path] == Miniature().signatures.encode()
    assert {release for _, release in office.loading.brought} == {"1.0"}
    release = json.loads((tmp_path / "releases/1.0.json").read_text())
    assert release["images"] == {image.key: image.image_id for image in supply.images}


def test_a_bundle_that_is_not_whole_or_not_as_it_was_signed_is_no_set(
    run: Run, office: Office, signer: Signer, tmp_path: Path
) -> None:
    run("deliver", "trust", str(signer.signers))
    bundle = Miniature().write(tmp_path / "bundles", signer)
    image = bundle / "images/api.tar"
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    told = refused(run("deliver", "take", str(bundle)), Exit.VERIFICATION_FAILED, "supply_damaged")
    assert "images/api.tar" in told
    delta = Miniature(version="1.1", base="1.0-amd64-0123456789ab").write(tmp_path / "bundles", signer)
    assert "bundle assemble" in refused(run("deliver", "take", str(delta)), Exit.USAGE, "supply_partial")
    assert office.shelf.supplies() == []


def test_one_tenant_is_refreshed_by_itself(run: Run, office: Office, make: Make, signer: Signer) -> None:
    old, new = taken(run, signer, make(1)), taken(run, signer, make(2))
    told = run("tenant", "refresh", "acme", "--set", new)
    assert (told.code, "acme: fresh" in told.out) == (Exit.OK, True), told
    refused(run("tenant", "refresh", "acme", "--set", old), Exit.REFUSED, "supply_older")
    refused(run("tenant", "refresh", "acme", "--set", "set-9"), Exit.NOT_FOUND, "supply_unknown")
    refused(run("tenant", "refresh", "nobody", "--set", new), Exit.NOT_FOUND, "tenant_not_found")
    refused(run("tenant", "refresh", "../acme", "--set", new), Exit.USAGE, "name_invalid")
    office.hosts.struck = failing("look", BROKEN)
    told = run("tenant", "refresh", "acme", "--set", old, "--older")
    assert "host_command_failed" in refused(told, Exit.PROBLEMS, "operation_failed")
    begun = run("tenant", "refresh", "beta", "--set", new, "--no-wait")
    assert (begun.code, "frostbyte tenant operations beta" in begun.err) == (Exit.OK, True)
