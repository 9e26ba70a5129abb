"""Commands about people's accounts, at a plane and at the control plane."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.fake_plane import FakePlane, Run
from frostbyte.cli.exits import Exit

IDENTITY = "019ac000-0000-7000-8000-000000000001"
ROW: dict[str, Any] = {
    "account_id": IDENTITY,
    "name": "ann@example.org",
    "role": "admin",
    "state": "invited",
    "link_until": "2026-03-04T09:00:00.000000Z",
    "created_at": "2026-03-02T09:00:00.000000Z",
    "created_by": "local-operator",
    "changed_at": "2026-03-02T09:00:00.000000Z",
}
LINKED = ROW | {"link": "/console/set-up#secret"}


def test_an_account_s_link_is_printed_alone_so_that_it_can_be_sent(plane: FakePlane, run: Run) -> None:
    plane.on("POST", "/accounts", LINKED)
    made = run("account", "create", "ann@example.org", "--role", "admin", "--at", "https://acme.example.org/")
    assert made.out == "https://acme.example.org/console/set-up#secret\n"
    assert "good once" in made.err
    assert json.loads(plane.last("POST", "/accounts").body) == {"name": "ann@example.org", "role": "admin"}
    here = json.loads(run("account", "create", "ann@example.org", "--role", "admin", "--json").out)
    assert here["link"].startswith("http://127.0.0.1:")
    assert run("account", "create", "ann").code == Exit.USAGE


@pytest.mark.parametrize(
    ("method", "words", "body"),
    [
        ("POST", ["link", "Ann@example.org"], None),
        ("POST", ["recover", "ann@example.org"], None),
        ("POST", ["disable", "ann@example.org"], None),
        ("PUT", ["role", "ann@example.org", "auditor"], {"role": "auditor"}),
    ],
)
def test_an_account_is_changed_by_its_name_which_stands_in_no_address(
    plane: FakePlane, run: Run, method: str, words: list[str], body: dict[str, Any] | None
) -> None:
    others = ROW | {"name": "bob", "account_id": IDENTITY[:-1] + "2"}

    def page(request: Any) -> Any:
        return (
            {"accounts": [ROW], "cursor": None}
            if "cursor=bob" in request.path
            else {"accounts": [others], "cursor": "bob"}
        )

    plane.on("GET", "/accounts", page)
    plane.on(method, f"/accounts/{IDENTITY}/{words[0]}", LINKED if words[0] in ("link", "recover") else ROW)
    done = run("account", *words)
    assert done.code == Exit.OK, done.err
    sent = plane.last(method, f"/accounts/{IDENTITY}/{words[0]}")
    assert (json.loads(sent.body) if sent.body else None) == body
    assert all("ann@" not in request.path for request in plane.seen)
    assert run("account", words[0], "nobody", *words[2:]).code == Exit.NOT_FOUND


def test_accounts_are_listed(plane: FakePlane, run: Run) -> None:
    plane.on("GET", "/accounts", {"accounts": [ROW], "cursor": None})
    shown = run("account", "list").out
    for word in ("ann@example.org", "admin", "invited", "2026-03-02", "local-operator"):
        assert word in shown
    assert json.loads(run("account", "list", "--json").out) == {"accounts": [ROW]}
