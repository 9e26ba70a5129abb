"""Commands for many tenants, against a control plane whose registry is in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.fake_plane import Run
from control.memory_plane import Admin, attachment
from frostbyte.cli import control, following
from frostbyte.cli.client import CONTROL
from frostbyte.cli.exits import Exit
from frostbyte.control_plane.killswitch.steps import Step
from frostbyte.control_plane.overview.words import SAID


def attached(run: Run, tenant: str, *more: str) -> Any:
    """Attach a tenant."""
    options = attachment(tenant)
    where = ("--gateway-url", options["gateway_url"], "--channel-url", options["channel_url"])
    return run("tenant", "attach", tenant, *where, "--log-key", options["log_key"], *more)


def test_a_tenants_life_in_commands(run: Run, admin: Admin) -> None:
    assert run("project", "create", "life").code == Exit.OK
    assert "life" in run("project", "list").out
    made = run("tenant", "create", "life1", "--project", "life", "--set", "top_k=7", "--set", "pii_types=SSN,EMAIL")
    assert made.code == Exit.OK, made.err
    values = run("tenant", "config", "life1", "--json").json["values"]
    assert (values["top_k"], values["pii_types"]) == (7, ["SSN", "EMAIL"])
    told = attached(run, "life1")
    assert told.code == Exit.OK, told.err
    assert "its plane answers" in told.err
    assert "provision succeeded" in told.out
    assert run("tenant", "suspend", "life1", "--reason", "payment", "--json").json["status"] == "succeeded"
    shown = run("tenant", "show", "life1")
    assert "SUSPENDED" in shown.out
    assert "deprovision, resume" in shown.err
    assert run("tenant", "list", "--state", "suspended", "--prefix", "life").out.count("life1") == 1
    assert run("tenant", "resume", "life1", "-r", "payment").code == Exit.OK
    assert run("tenant", "config", "life1", "top_k=9", "--json").json["version"] == 2
    assert run("tenant", "config", "life1", "--version", "1", "--json").json["values"]["top_k"] == 7
    assert run("tenant", "deprovision", "life1", "--confirm", "life1").code == Exit.OK
    listed = run("tenant", "operations", "life1", "--json").json["operations"]
    assert [row["kind"] for row in listed] == ["deprovision", "resume", "suspend", "provision"]
    steps = run("tenant", "operations", "life1", listed[0]["operation_id"])
    assert "its log is in the ledger to the end" in steps.out
    assert run("tenant", "operations", "--limit", "1").out.count("deprovision") == 1


def test_every_step_has_words() -> None:
    assert {said for said in SAID if not said.startswith("undo.")} == {step.value for step in Step}


def test_waiting_and_not_waiting(run: Run, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = admin.tenant("ACTIVE")
    admin.hands.at_once = False
    begun = run("tenant", "suspend", tenant, "--reason", "incident", "--no-wait", "--json")
    assert (begun.code, begun.json["status"]) == (Exit.OK, "running")
    operation = begun.json["operation_id"]
    still = run("tenant", "operations", tenant, operation, "--no-wait")
    assert "running" in still.out
    real = following._streamed

    def streamed(*args: Any) -> Iterator[dict[str, Any]]:
        finish_soon(admin)
        return real(*args)

    monkeypatch.setattr(following, "_streamed", streamed)
    followed = run("tenant", "operations", tenant, operation)
    assert followed.code == Exit.OK
    assert "the edge refuses its requests" in followed.err
    assert "succeeded" in followed.out
    assert run("tenant", "operations", "--running", "--json").json["operations"] == []


def test_an_operation_that_fails_says_so_with_its_exit_code(run: Run, admin: Admin) -> None:
    tenant = admin.tenant()
    admin.hands.fails = "plane_unreachable"
    told = attached(run, tenant)
    assert told.code == Exit.PROBLEMS
    assert "plane_unreachable" in told.err
    assert "operation_failed" in told.err
    shown = run("tenant", "show", tenant)
    assert "FAILED (provision)" in shown.out
    assert "abandon, attach, retry" in shown.err
    assert run("tenant", "retry", tenant).code == Exit.OK
    other = admin.tenant()
    admin.hands.fails = "plane_unreachable"
    attached(run, other)
    assert run("tenant", "abandon", other, "--confirm", other).code == Exit.OK


def test_refusals_are_sentences_with_remedies(run: Run, admin: Admin) -> None:
    tenant = admin.tenant("ACTIVE")
    for arguments, exit_code, code in (
        (("tenant", "show", "nobody"), Exit.NOT_FOUND, "tenant_not_found"),
        (("tenant", "show", "../projects"), Exit.USAGE, "name_invalid"),
        (("tenant", "resume", tenant, "-r", "payment"), Exit.REFUSED, "move_illegal"),
        (("tenant", "suspend", tenant, "-r", "He did not pay"), Exit.USAGE, "reason_invalid"),
        (("tenant", "suspend", tenant, "-r", "payment", "--version", "1"), Exit.REFUSED, "tenant_changed"),
        (("tenant", "deprovision", tenant, "--confirm", "other"), Exit.USAGE, "confirmation_wrong"),
        (("tenant", "create", "admin", "-p", "eu-1"), Exit.USAGE, "tenant_id_invalid"),
        (("tenant", "create", "x1", "-p", "none"), Exit.NOT_FOUND, "project_not_found"),
        (("tenant", "create", "x1", "-p", "eu-1", "--set", "no=1"), Exit.USAGE, "setting_unknown"),
        (("tenant", "create", "x1", "-p", "eu-1", "--set", "top_k=99"), Exit.USAGE, "config_invalid"),
        (("tenant", "config", tenant, "top_k"), Exit.USAGE, "change_unreadable"),
        (("tenant", "config", tenant, "top_k=9", "--version", "1"), Exit.USAGE, "change_of_old_version"),
        (("tenant", "operations", tenant, "x"), Exit.USAGE, "id_invalid"),
        (("tenant", "list", "--state", "HAPPY"), Exit.USAGE, "request_invalid"),
    ):
        told = run(*arguments)
        assert (told.code, code in told.err) == (exit_code, True), (arguments, told)
        assert "try " in told.err, arguments
        assert "Traceback" not in told.err
    assert admin.state(tenant) == "ACTIVE"


def test_a_change_of_what_somebody_else_changed_says_what_is_different(
    run: Run, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = admin.tenant()
    real = control.Client.json

    def late(self: Any, method: str, path: str, **more: Any) -> Any:
        if method == "PUT":
            monkeypatch.setattr(control.Client, "json", real)
            admin.call("PUT", f"/tenants/{tenant}/config", json={"top_k": 3}, headers={"If-Match": '"1"'})
        return real(self, method, path, **more)

    monkeypatch.setattr(control.Client, "json", late)
    told = run("tenant", "config", tenant, "top_k=9")
    assert told.code == Exit.REFUSED
    assert "top_k is 3" in told.err


def test_a_command_whose_answer_was_lost_is_done_once(run: Run, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    tenant = admin.tenant("ACTIVE")
    real, lost = httpx.Client.request, 2

    def request(self: Any, method: str, *args: Any, **more: Any) -> Any:
        nonlocal lost
        answer = real(self, method, *args, **more)
        if method == "POST" and lost:
            lost -= 1
            raise httpx.ReadError("the connection broke off")
        return answer

    monkeypatch.setattr(httpx.Client, "request", request)
    assert run("tenant", "suspend", tenant, "-r", "payment").code == Exit.OK
    assert lost == 0
    found = admin.call("GET", "/operations", params={"tenant_id": tenant}).json()["operations"]
    assert [row["kind"] for row in found] == ["suspend", "provision"]


def test_a_stream_that_breaks_off_is_taken_up_again(run: Run, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = admin.tenant("ACTIVE")
    admin.hands.at_once = False
    real, opened = following._streamed, []

    def broken(client: Any, path: str, last: int) -> Iterator[dict[str, Any]]:
        opened.append(last)
        for number, event in enumerate(real(client, path, last)):
            if len(opened) == 1 and number == 1:
                return
            yield event

    monkeypatch.setattr(following, "_streamed", broken)
    finish_soon(admin)
    told = run("tenant", "suspend", tenant, "-r", "payment")
    assert told.code == Exit.OK
    assert told.err.count("the edge refuses its requests") == 1
    assert told.err.count("its plane has acknowledged") == 1
    assert opened[0] == 0


def finish_soon(admin: Admin) -> None:
    """Carry out what begins next, a moment after it began."""

    def wait() -> None:
        path, params = "/operations", {"running": True}
        while not (rows := admin.call("GET", path, params=params).json()["operations"]):
            time.sleep(0.02)
        time.sleep(0.3)
        admin.hands.finish(rows[0]["operation_id"])

    threading.Thread(target=wait, daemon=True).start()


def test_where_no_stream_comes_through_asking_does(run: Run, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = admin.tenant("ACTIVE")
    admin.hands.at_once = False
    monkeypatch.setattr(following, "_streamed", lambda *_: iter(()))
    finish_soon(admin)
    told = run("tenant", "suspend", tenant, "-r", "payment")
    assert told.code == Exit.OK
    assert "its plane has acknowledged" in told.err


def test_names_are_completed_and_an_absent_control_plane_is_no_error(
    run: Run, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = SimpleNamespace(params={})
    admin.tenant()
    for name in ("complete1", "complete2", "other1"):
        if admin.call("GET", f"/tenants/{name}").status_code == 404:
            admin.made("/tenants", {"tenant_id": name, "project_id": "eu-1"}, 201)
    assert control.complete_tenant(context, "comp") == ["complete1", "complete2"]  # type: ignore[arg-type]
    assert control.complete_tenant(context, "zz") == []  # type: ignore[arg-type]
    monkeypatch.setenv(CONTROL.prefix + "URL", "http://127.0.0.1:9")
    assert control.complete_tenant(context, "comp") == []  # type: ignore[arg-type]


def test_without_a_control_plane_every_command_says_where_one_could_be(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CONTROL.prefix + "DATA_DIR", str(tmp_path / "none"))
    for name in ("URL", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(CONTROL.prefix + name, raising=False)
    told = run("tenant", "list")
    assert told.code == Exit.REFUSED
    assert "token_missing" in told.err
    assert "frostbyte serve control" in told.err
    monkeypatch.setenv(CONTROL.prefix + "TOKEN", "x")
    monkeypatch.setenv(CONTROL.prefix + "URL", "http://127.0.0.1:9")
    told = run("tenant", "list")
    assert told.code == Exit.UNAVAILABLE
    assert "no_control_plane" in told.err


def test_doctor_knows_the_control_plane(run: Run, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    def line() -> Any:
        return next(row for row in run("doctor", "--json").json if row["name"] == "control plane")

    assert line()["level"] == "ok"
    monkeypatch.setenv(CONTROL.prefix + "TOKEN", "nonsense")
    assert line()["level"] == "warn"
    assert "token" in line()["message"]
    monkeypatch.setenv(CONTROL.prefix + "URL", "http://127.0.0.1:9")
    assert "No control plane answers" in line()["message"]
