"""Scaling a tenant over the Admin API, and by the command over it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from control.memory_plane import Admin, memory_plane
from frostbyte.cli import app, following, output
from frostbyte.cli.client import CONTROL
from frostbyte.cli.exits import Exit
from frostbyte.kernel.tokens import Role
from upkeep.standing_site import NEVER, StandingSite


@pytest.fixture
def site(tmp_path: Path) -> StandingSite:
    site = StandingSite(tmp_path)
    site.stand()
    return site


@pytest.fixture
def admin(site: StandingSite, tmp_path: Path) -> Admin:
    control = memory_plane(tmp_path / "control", site.registry)
    admin = Admin(control)
    control.provisioning, control.foreman = site.desk, site.foreman
    control.hooks.update(dict.fromkeys(site.foreman.kinds, site.foreman.carry))
    return admin


def test_it_is_begun_once_can_be_followed_and_is_refused_before_anything_begins(
    admin: Admin, site: StandingSite, refused: Callable[[Any, int, str], Any]
) -> None:
    path, body = "/tenants/acme/scale", {"workers": 2, "types": {"db": ["ccx23"]}}
    refused(admin.call("POST", path, json=body, token=admin.token(Role.VIEWER)), 403, "scope_missing")
    for wrong, status, code in (
        ({"shape": "small"}, 422, "request_invalid"),
        ({"workers": 0}, 422, "request_invalid"),
        ({"egress": ["a.example:443"]}, 422, "request_invalid"),
        ({"types": {"db": []}}, 422, "request_invalid"),
        ({"types": {"db": ["cx23"]}}, 409, "no_server_to_be_had"),
        ({"volume_gb": 20}, 409, "volume_kept_large"),
        ({}, 409, "scale_changes_nothing"),
    ):
        refused(admin.call("POST", path, json=wrong), status, code)
    refused(admin.call("POST", "/tenants/nobody/scale", json=body), 404, "tenant_not_found")
    begun = admin.made(path, body, Idempotency_Key="k")
    assert admin.made(path, body, Idempotency_Key="k") == begun
    assert (begun["kind"], begun["request"]["workers"]) == ("scale", 2)
    refused(admin.call("POST", path, json={"workers": 3}), 409, "operation_running")
    site.foreman.turn(NEVER)
    shown = admin.call("GET", f"/operations/{begun['operation_id']}").json()
    assert (shown["status"], shown["code"]) == ("succeeded", None)
    steps = [step["step"] for step in shown["steps"] if step["status"] == "succeeded"]
    assert steps[0] == "plan"
    assert {"server.db", "start.db", "server.worker-2", "deploy.worker-2"} <= set(steps)
    assert steps[-2:] == ["hosts_changed", "surplus_gone"]
    planned = admin.call("GET", "/tenants/acme/plan").json()
    assert {one["host"]: one["type"] for one in planned["servers"]}["db"] == "ccx23"


@pytest.fixture
def command(
    admin: Admin, site: StandingSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """`frostbyte ARGS` over the API, with a foreman at work."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(admin.app, log_config=None, access_log=False))
    threads = [threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)]
    stop = threading.Event()
    threads.append(threading.Thread(target=site.foreman.run, args=(stop,), daemon=True))
    for thread in threads:
        thread.start()
    monkeypatch.setenv(CONTROL.prefix + "URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv(CONTROL.prefix + "TOKEN", admin.everything)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(following, "POLL_SECONDS", 0.02)

    def run(*args: str) -> tuple[int, str, str]:
        output.forget_consoles()
        code = app.run(args)
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run
    stop.set()
    server.should_exit = True
    for thread in threads:
        thread.join(10)
    output.forget_consoles()


@pytest.mark.slow
def test_the_command_shows_asks_and_follows(command: Callable[..., tuple[int, str, str]], site: StandingSite) -> None:
    code, said, _ = command("tenant", "scale", "acme", "--workers", "2", "--dry-run")
    assert code == Exit.OK
    assert "server.worker-2" in said
    code, said, _ = command("tenant", "scale", "acme")
    assert code == Exit.USAGE
    code, _, said = command("tenant", "scale", "acme", "--workers", "2")
    assert code == Exit.USAGE, "nobody is there to be asked"
    assert "EUR a month" in said
    assert site.operations.page(tenant_id="acme")[0].kind.value == "provision", "so far nothing was begun"
    code, said, told = command("tenant", "scale", "acme", "--workers", "2", "--db-type", "cx53,ccx23", "--yes")
    assert code == Exit.OK, told
    assert "acme: scaled" in said
    assert site.servers()["db"].facts["type"] == "cx53"
    assert "worker-2" in site.servers()
    code, said, told = command("tenant", "scale", "acme", "--shape", "small", "--yes")
    assert code == Exit.USAGE
    code, said, told = command("tenant", "scale", "acme", "--db-type", "cx23", "--yes")
    assert code == Exit.REFUSED
    assert "no_server_to_be_had" in told
