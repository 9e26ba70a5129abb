"""Operators' accounts over HTTP: only administrators make them, and their console is signed in to with them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pyotp
import pytest

from control.memory_plane import Admin
from frostbyte.kernel.accounts.codes import STEP_SECONDS
from frostbyte.kernel.accounts.passwords import Cost
from frostbyte.kernel.tokens import Role

Refused = Callable[[Any, int, str], dict[str, Any]]
HERE = {"sec-fetch-site": "same-origin"}
PASSWORD = "four words and a horse"


def test_only_administrators_make_accounts(admin: Admin, refused: Refused) -> None:
    body = {"name": "bob", "role": "operator"}
    for role in (Role.VIEWER, Role.OPERATOR, Role.AUDITOR):
        refused(admin.call("POST", "/accounts", json=body, token=admin.token(role)), 403, "scope_missing")
    made = admin.made("/accounts", body, 201)
    refused(admin.call("POST", "/accounts", json=body), 409, "account_exists")
    refused(admin.call("POST", "/accounts", json=body | {"name": "eve", "role": "reviewer"}), 422, "account_role")
    path = f"/accounts/{made['account_id']}"
    assert admin.call("POST", f"{path}/link").json()["link"] != made["link"]
    assert admin.call("PUT", f"{path}/role", json={"role": "auditor"}).json()["role"] == "auditor"
    assert admin.call("POST", f"{path}/disable").json()["state"] == "disabled"
    refused(admin.call("POST", f"{path}/link"), 409, "account_is_disabled")
    assert admin.call("POST", f"{path}/recover").json()["state"] == "invited"
    [row] = admin.call("GET", "/accounts").json()["accounts"]
    assert "link" not in row


def test_an_operator_signs_in_at_the_control_plane(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin.control.people.door, "_cost", Cost(log_n=4, r=1, p=1))
    secret = admin.made("/accounts", {"name": "bob", "role": "operator"}, 201)["link"].partition("#")[2]
    page = admin.client.post("/console/set-up", data={"link": secret}, headers=HERE)
    assert page.status_code == 200
    key = re.search(r'class="key">([A-Z2-7]{32})<', page.text)
    assert key
    form = {
        "link": secret,
        "password": PASSWORD,
        "again": PASSWORD,
        "code": pyotp.TOTP(key[1]).generate_otp(int(time.time()) // STEP_SECONDS),
    }
    done = admin.client.post("/console/set-up/finish", data=form, headers=HERE, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/console/account?said=set_up")
    assert admin.client.get("/console/account").status_code == 200
    assert admin.client.get("/console/people").status_code == 403, "an operator is no administrator"
