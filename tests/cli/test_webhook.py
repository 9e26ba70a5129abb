"""`frostbyte webhook` against a plane that answers as one does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cli.fake_plane import BATCH, FakePlane, Run
from frostbyte.cli.exits import Exit

HOOK = "01990000-0000-7000-8000-0000000000c1"
DELIVERY = "01990000-0000-7000-8000-0000000000d1"
ROW: dict[str, Any] = {
    "webhook_id": HOOK,
    "url": "https://hooks.example/[red]x",
    "allowed": True,
    "created_at": "2026-03-02T09:07:00.000000Z",
    "created_by": "ann",
    "old_secret_until": None,
    "deliveries": {"waiting": 2, "delivered": 17, "dead": 1},
}
SENT: dict[str, Any] = {
    "delivery_id": DELIVERY,
    "webhook_id": HOOK,
    "type": "batch.completed",
    "batch_id": BATCH,
    "state": "dead",
    "created_at": "2026-03-02T09:07:00.000000Z",
    "attempts": 18,
    "next_attempt_at": None,
    "ended_at": "2026-03-03T09:07:00.000000Z",
    "status": 500,
    "code": "webhook_refused",
    "message": "The server did not take the message.",
    "remedy": "Look into its log.",
    "duration_ms": 41,
}


def test_a_secret_is_shown_once_or_written_for_its_owner(plane: FakePlane, run: Run, tmp_path: Path) -> None:
    plane.on("POST", "/webhooks", ROW | {"secret": "whsec_abc"})
    assert run("webhook", "add", "https://hooks.example/x").out == "whsec_abc\n"
    assert json.loads(plane.last("POST", "/webhooks").body) == {"url": "https://hooks.example/x"}
    made = run("webhook", "add", "https://hooks.example/x", "-o", str(tmp_path / "secret"))
    assert "whsec" not in made.out + made.err
    assert (tmp_path / "secret").read_text() == "whsec_abc\n"
    plane.on("POST", f"/webhooks/{HOOK}/secret", ROW | {"secret": "whsec_new"})
    assert run("webhook", "rotate", HOOK, "--retire-old").out == "whsec_new\n"
    assert json.loads(plane.last("POST", f"/webhooks/{HOOK}/secret").body) == {"retire_old": True}


def test_webhooks_and_their_messages_are_listed(plane: FakePlane, run: Run) -> None:
    plane.on("GET", "/webhooks", {"webhooks": [], "hosts": [], "most": 10})
    empty = run("webhook", "list")
    assert "Nobody is told" in empty.out
    assert "none" in empty.err
    plane.on("GET", "/webhooks", {"webhooks": [ROW, ROW | {"allowed": False}], "hosts": ["hooks.example"], "most": 10})
    shown = run("webhook", "list")
    assert "https://hooks.example/[red]x" in shown.out
    assert "17" in shown.out
    assert "told nothing" in shown.err
    plane.on("GET", f"/webhooks/{HOOK}/deliveries", {"deliveries": [SENT], "cursor": None})
    sent = run("webhook", "deliveries", HOOK, "--state", "dead")
    assert "state=dead" in plane.last("GET", f"/webhooks/{HOOK}/deliveries").path
    assert DELIVERY in sent.out
    assert "HTTP 500" in sent.out
    assert f"retry {HOOK}" in " ".join(sent.err.split())


def test_a_test_that_is_not_taken_ends_with_3(plane: FakePlane, run: Run) -> None:
    plane.on("POST", f"/webhooks/{HOOK}/test", SENT)
    failed = run("webhook", "test", HOOK)
    assert failed.code == Exit.PROBLEMS
    assert "did not take the message. (HTTP 500)" in failed.out
    assert "Look into its log" in failed.err
    plane.on("POST", f"/webhooks/{HOOK}/test", SENT | {"state": "delivered", "status": 204, "code": None})
    done = run("webhook", "test", HOOK)
    assert (done.code, "HTTP 204 after 41 ms" in done.out) == (Exit.OK, True)


def test_what_is_sent_again_and_removed(plane: FakePlane, run: Run) -> None:
    plane.on("POST", f"/webhooks/{HOOK}/deliveries/{DELIVERY}/retry", (202, SENT | {"state": "waiting"}))
    assert run("webhook", "retry", HOOK, DELIVERY).code == Exit.OK
    plane.on("DELETE", f"/webhooks/{HOOK}/deliveries/{DELIVERY}", (204, {}))
    assert run("webhook", "discard", HOOK, DELIVERY).code == Exit.OK
    plane.on("DELETE", f"/webhooks/{HOOK}", {})
    assert json.loads(run("webhook", "remove", HOOK, "--json").out) == {"webhook_id": HOOK, "removed": True}
