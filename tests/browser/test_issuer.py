"""A person comes in by an issuer's word: out to its page, back with a role, out again; and one who has no role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from browser.consoles import PlaneConsole
from browser.watching import Opener
from servers.oidc import OidcServer


@pytest.fixture(scope="module")
def issuer() -> Iterator[OidcServer]:
    with OidcServer() as found:
        found.issuer.people = {"ann": {"sub": "a-1", "groups": ["legal"]}, "bob": {"sub": "b-2", "groups": []}}
        yield found


@pytest.fixture(scope="module")
def plane(servers_folder: Path, issuer: OidcServer) -> Iterator[PlaneConsole]:
    """A plane that believes the issuer."""
    told = {"ISSUER": issuer.url, "CLIENT_ID": "frostbyte", "ROLES": "legal=reviewer"}
    server = PlaneConsole(servers_folder, "sso", **{f"FROSTBYTE_OIDC_{name}": value for name, value in told.items()})
    server.environment["FROSTBYTE_OIDC_ADDRESS"] = server.url
    with server:
        yield server


def test_somebody_whom_the_issuer_knows_comes_in_where_they_wanted_to(
    page_of: Opener, plane: PlaneConsole, issuer: OidcServer
) -> None:
    elsewhere = urlsplit(issuer.url).netloc
    page = page_of("", "/console/review", server=plane, others=(issuer.url,), forgiven=("status of 403",))
    page.get_by_role("link", name=f"Sign in through {elsewhere}").click()
    page.get_by_role("link", name="bob").click()
    assert "gives you a role here" in page.get_by_role("main").inner_text()

    page.goto("/console/review")
    page.get_by_role("link", name=f"Sign in through {elsewhere}").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="ann").click()
    page.wait_for_url("**/console/review")
    assert "reviewer" in page.get_by_role("banner").inner_text()
    assert page.get_by_role("link", name="People").count() == 0

    page.get_by_role("button", name="Sign out").click()
    page.goto("/console/review")
    page.get_by_role("heading", name="Sign in").wait_for()
