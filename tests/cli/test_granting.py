"""Commands about tokens, keys of machines and the keys that sign, at a plane and at the control plane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.fake_plane import BATCH, TOKEN, FakePlane, Run
from frostbyte.cli.exits import Exit

KEY_ID = "3kTMd9rYwQ2b"
ROW: dict[str, Any] = {
    "key_id": KEY_ID,
    "name": "scanner",
    "scopes": ["ingest"],
    "created_by": "ann",
    "created_at": "2026-03-02T09:07:00.000000Z",
    "expires_at": None,
    "last_used_at": "2026-03-04T09:09:00.000000Z",
    "revoked_at": None,
}
KEYS = {
    "keys": [
        {"kid": "72be46f4f8fd0d71", "key": "ed25519:aaaa", "state": "current", "since": "2026-03-02T09:00:00.000000Z"},
        {"kid": "1f0c2d6a9be83d45", "key": "ed25519:bbbb", "state": "previous", "accepted_until": "2026-04-01T09:00Z"},
    ]
}


def test_an_api_key_is_shown_once_or_written_for_its_owner(plane: FakePlane, run: Run, tmp_path: Path) -> None:
    plane.on("POST", "/api-keys", {"key": f"fbk_{KEY_ID}_secret"} | ROW)
    assert run("api-key", "create", "scanner", "-s", "ingest").out == f"fbk_{KEY_ID}_secret\n"
    assert json.loads(plane.last("POST", "/api-keys").body) == {
        "name": "scanner",
        "scopes": ["ingest"],
        "ttl_seconds": None,
    }
    made = run("api-key", "create", "scanner", "-s", "ingest", "--days", "2", "-o", str(tmp_path / "k"))
    assert json.loads(plane.last("POST", "/api-keys").body)["ttl_seconds"] == 172_800
    assert "secret" not in made.out + made.err
    assert (tmp_path / "k").read_text() == f"fbk_{KEY_ID}_secret\n"
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert run("api-key", "create", "scanner", "-s", "operator").code == Exit.USAGE


def test_api_keys_are_listed_page_by_page_and_revoked(plane: FakePlane, run: Run) -> None:
    def page(request: Any) -> Any:
        return {"api_keys": [ROW], "cursor": None if f"cursor={KEY_ID}" in request.path else KEY_ID}

    plane.on("GET", "/api-keys", page)
    assert len(json.loads(run("api-key", "list", "--json").out)["api_keys"]) == 2
    shown = run("api-key", "list").out
    assert KEY_ID in shown
    assert "2026-03-04" in shown
    plane.on("DELETE", f"/api-keys/{KEY_ID}", {})
    assert run("api-key", "revoke", KEY_ID).code == Exit.OK
    seen = len(plane.seen)
    for wrong in ("../tokens/1", f"fbk_{KEY_ID}_x", "", "3kTMd9rYwQ2é"):
        assert run("api-key", "revoke", wrong).code == Exit.USAGE
    assert len(plane.seen) == seen, "what was typed became no route"


def test_keys_that_sign_are_listed_rotated_and_retired(plane: FakePlane, run: Run) -> None:
    for method, path in (("GET", "/keys"), ("POST", "/keys/rotate"), ("POST", "/keys/retire")):
        plane.on(method, path, KEYS)
    assert json.loads(run("key", "list", "--json").out) == KEYS
    assert "72be46f4f8fd0d71" in run("key", "list").out
    assert run("key", "rotate", "token").code == Exit.OK
    assert json.loads(plane.last("POST", "/keys/rotate").body) == {"retire_old": False, "force": False}
    run("key", "rotate", "token", "--retire-old", "--force")
    assert json.loads(plane.last("POST", "/keys/rotate").body) == {"retire_old": True, "force": True}
    assert run("key", "retire", "token").code == Exit.OK
    assert run("key", "rotate", "log").code == Exit.USAGE


def test_the_same_at_the_control_plane(plane: FakePlane, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTBYTE_CONTROL_URL", plane.url)
    monkeypatch.setenv("FROSTBYTE_CONTROL_TOKEN", "control-token")
    plane.on("POST", "/admin/tokens", {"token": TOKEN, "jti": BATCH})
    plane.on("GET", "/admin/keys", KEYS)
    plane.on("GET", "/admin/api-keys", {"api_keys": [ROW], "cursor": None})
    plane.on("DELETE", f"/admin/tokens/{BATCH}", {})
    assert run("token", "mint", "bob", "-s", "operator", "--control").out.strip() == TOKEN
    assert run("token", "mint", "bob", "-s", "query", "--control").code == Exit.USAGE
    assert run("token", "revoke", BATCH, "--control").code == Exit.OK
    assert run("key", "list", "--control").code == Exit.OK
    assert run("api-key", "list", "--control").code == Exit.OK
    assert {request.headers["Authorization"] for request in plane.seen} == {"Bearer control-token"}
