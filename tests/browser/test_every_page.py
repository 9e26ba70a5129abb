"""Every page of both consoles: axe finds nothing grave in either theme, nothing scrolls sideways, it has one heading.

The pages are found as a person finds them: by following links. What no link leads to is named here, with why.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn
from playwright.sync_api import Page, expect

from browser.consoles import ControlConsole, PlaneConsole
from browser.look import sent
from browser.walking import pages_of, walked
from browser.watching import NARROW, WIDE, Opener, grave, too_wide
from control.http.operators_site import OperatorsSite
from frostbyte.api.control.console.pages import PAGES as CONTROL_PAGES
from frostbyte.api.data.console.pages import PAGES as PLANE_PAGES
from frostbyte.api.data.console.pages import READING
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from ledger.planes import SimulatedPlane
from provisioning.planning import RUN
from servers.lanes import need

SAMPLES: Final = Path(__file__).parents[2] / "samples"
FILES: Final = ("services-agreement.pdf", "supplier-note.pdf", "notes.pdf", "deliveries.csv", "complaint-letter.png")
NOT_WALKED: Final = {
    "/console/erasures/{}/receipt.json": "a file: test_journeys.py",
    "/console/passages/{}/pages/{}.png": "a picture: test_journeys.py",
    "/console/sign-in/oidc": "leads to an issuer, which there is none of here",
    "/console/sign-in/oidc/return": "an issuer leads there",
    "/console/webhooks/{}": "for a webhook that there is: test_webhooks.py",
    "/console/ledger/alerts/{}": "for a finding of the ledger: below, where a log is signed by nobody",
    "/console/operations/{}": "for an operation: test_town.py",
    "/console/operations/{}/progress": "what a script asks for",
    "/console/tenants/{}/drift": "for a tenant on hosts of ours: below",
    "/console/people/{}": "for somebody with an account: test_people.py",
    "/console/set-up": "for whoever was given a link: test_people.py",
    "/console/sign-in": "for nobody: below, and test_people.py",
}
"""Addresses that answer with something else than a page, or that are tried elsewhere: where."""


def faults(page: Page, kind: str) -> list[str]:
    """What is wrong with a page, in the theme and at the size that tell most: a telephone by day, a wall by night."""
    found = []
    for size, theme in ((NARROW, "light"), (WIDE, "dark")):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        found += [f"{kind} {size[0]} {theme}: {line}" for line in grave(page)]
        found += [f"{kind} {size[0]} {theme}: scrolls sideways: {line}" for line in too_wide(page)]
    if (headings := page.locator("h1").count()) != 1:
        found.append(f"{kind}: {headings} headings of the first level")
    if not page.title().split("·")[0].strip():
        found.append(f"{kind}: no title of its own")
    return found


def walk(page: Page, beside: tuple[str, ...] = ()) -> tuple[set[str], list[str]]:
    """The kinds of pages that were found, and what is wrong with them."""
    kinds, found = set[str](), list[str]()
    for kind, status in walked(page, beside=beside, leave=NOT_WALKED):
        kinds.add(kind)
        found += [f"{kind}: is linked to and answers {status}"] if status != 200 else faults(page, kind)
    return kinds, found


@pytest.mark.timeout(240)
def test_every_page_of_a_plane(plane: PlaneConsole, page_of: Opener, tmp_path: Path) -> None:
    need("axe")
    (tmp_path / "cut.pdf").write_bytes((SAMPLES / "services-agreement.pdf").read_bytes()[:3000])
    known = sent(plane, [*(SAMPLES / name for name in FILES), tmp_path / "cut.pdf"])
    plane.ask("POST", "/holds", json={"matter": "2026-17", "reason": "litigation", "doc_ids": [known["doc"]]})
    rows = {row["filename"]: row["doc_id"] for row in plane.ask("GET", "/documents")["documents"]}
    gone = plane.ask("DELETE", f"/documents/{rows['deliveries.csv']}")
    beside = (f"/console/passages/{known['chunk']}", f"/console/erasures/{gone['erasure_id']}")
    kinds, found = walk(page_of("admin", goto=False, forgiven=("status of 40",)), beside)
    found += faults(page_of("", "/console/sign-in"), "/console/sign-in")
    noted = page_of("admin", f"/console/documents/{rows['cut.pdf']}")
    expect(noted.get_by_role("region", name="How it was read")).to_contain_text("it was cut off")
    found += faults(noted, "a document with notes")
    assert not found, "\n".join(found)
    missed = pages_of((*PLANE_PAGES, *READING)) - kinds - NOT_WALKED.keys()
    assert not missed, f"no link leads to {sorted(missed)}"


@pytest.mark.timeout(240)
def test_every_page_of_the_control_plane(control: ControlConsole, operator_page: Opener) -> None:
    need("axe")
    assert control.call("POST", "/projects", {"project_id": "north"}).status_code == 201
    assert control.call("POST", "/tenants", {"tenant_id": "acme2026", "project_id": "north"}).status_code == 201
    kinds, found = walk(operator_page("admin", goto=False, forgiven=("status of 40",)))
    assert not found, "\n".join(found)
    missed = pages_of(CONTROL_PAGES) - kinds - NOT_WALKED.keys()
    assert not missed, f"no link leads to {sorted(missed)}"


class Troubled:
    """A control plane in this process, in memory: a tenant whose log nobody signed, and a server that nobody made."""

    def __init__(self, folder: Path) -> None:
        self.site = OperatorsSite(folder)
        self.tenant = self.site.tenant("ACTIVE")
        control: Any = self.site.control
        environment = control.settings.environment
        labels = Owner(environment=environment, project_id="eu-1", tenant_id=self.tenant).labels(RUN, "x")
        made = Found(kind=Kind.SERVER, resource_id="7", name="fb-" + "x" * 60, labels=labels)
        self.site.provisioned.shop.there = [made]
        plane = SimulatedPlane(self.tenant, seed=7).grow(3)
        control.ledger._channels = lambda _: plane
        control.ledger.follower.pull_now(self.tenant)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(uvicorn.Config(self.site.app, log_config=None, access_log=False))
        given = {"sockets": [self._listener]}
        self._thread = threading.Thread(target=self._server.run, kwargs=given, daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Troubled:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def session(self, role: str, subject: str = "") -> dict[str, Any]:
        """The cookie of a new session, as Playwright takes it."""
        control = self.site.control
        cookie = control.sessions.begin(subject or role, role)
        return {"name": f"frostbyte-{control.settings.environment}", "value": cookie, "url": self.url}


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Troubled]:
    with Troubled(tmp_path) as made:
        yield made


@pytest.mark.timeout(240)
def test_the_pages_of_what_is_wrong_are_led_to_and_sound(troubled: Troubled, page_of: Opener) -> None:
    need("axe")
    page = page_of("admin", "/console/ledger", server=troubled)
    page.get_by_role("link", name="A checkpoint is not signed by its key").click()
    expect(page.get_by_role("heading", name="What shows it")).to_be_visible()
    expect(page.locator("main")).to_contain_text("nothing more of this log is taken")
    found = faults(page, "/console/ledger/alerts/{}")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status").filter(has_text="It is acknowledged")).to_be_visible()

    page.goto(f"/console/tenants/{troubled.tenant}")
    page.get_by_role("link", name=re.compile("cloud|drift", re.IGNORECASE)).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("at the cloud, just now")
    expect(page.get_by_role("row").filter(has_text="fb-xxx")).to_contain_text("unknown")
    found += faults(page, "/console/tenants/{}/drift")
    assert not found, "\n".join(found)
