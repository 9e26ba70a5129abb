"""`frostbyte oidc`: whether the settings are what the issuer has, found without anybody signing in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from frostbyte.cli.app import app
from frostbyte.kernel.oidc.id_tokens import subject
from servers.oidc import OidcServer

ADDRESS = "https://acme.example"


def told(issuer: OidcServer, prefix: str = "OIDC", **more: str) -> dict[str, str]:
    values = {
        "ISSUER": issuer.url,
        "CLIENT_ID": "frostbyte",
        "CLIENT_SECRET": "a secret of sixteen",
        "ADDRESS": ADDRESS,
        "ROLES": "legal=admin",
    }
    return {f"FROSTBYTE_{prefix}_{name}": value for name, value in (values | more).items()}


def run(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], *words: str) -> tuple[int, Any]:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    ended = CliRunner().invoke(app, ["oidc", *words, "--json"])
    return ended.exit_code, json.loads(ended.stdout) if ended.stdout else ended.exception


@pytest.mark.parametrize("control", [False, True], ids=["plane", "control plane"])
def test_settings_that_fit_are_found_to_fit(monkeypatch: pytest.MonkeyPatch, control: bool) -> None:
    with OidcServer(client_secret="a secret of sixteen") as issuer:
        settings = told(issuer, "CONTROL_OIDC" if control else "OIDC")
        code, found = run(monkeypatch, settings, "check", *(["--control"] if control else []))
    assert code == 0
    assert (found["problems"], found["keys"], found["client"]) == ([], 1, "frostbyte, known there")
    assert found["return_address"] == f"{ADDRESS}/console/sign-in/oidc/return"
    assert found["ways_out"] == [issuer.url.removeprefix("http://")]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"CLIENT_SECRET": "another"}, "secret has changed"),
        ({"CLIENT_ID": "x"}, "does not know"),
        ({"ROLES": ""}, "nobody"),
    ],
)
def test_what_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch, more: dict[str, str], says: str) -> None:
    with OidcServer(client_secret="a secret of sixteen") as issuer:
        code, found = run(monkeypatch, told(issuer, **more), "check")
    assert code == 3
    [problem] = found["problems"]
    assert says in problem


def test_a_person_is_found_by_what_the_issuer_calls_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with OidcServer() as issuer:
        code, found = run(monkeypatch, told(issuer), "subject", "a-1")
    assert (code, found["subject"]) == (0, subject(issuer.url, "a-1"))


def test_without_an_issuer_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    code, error = run(monkeypatch, {}, "check")
    assert code != 0
    assert "FROSTBYTE_OIDC_ISSUER" in str(error)
