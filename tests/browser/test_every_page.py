"""Every page of both consoles: axe finds nothing grave in either theme, nothing scrolls sideways, it has one heading.

The pages are found as a person finds them: by following links. What no link leads to is named here, with why.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page

from browser.consoles import ControlConsole, PlaneConsole
from browser.look import sent
from browser.walking import pages_of, walked
from browser.watching import NARROW, WIDE, Opener, grave, too_wide
from frostbyte.api.control.console.pages import PAGES as CONTROL_PAGES
from frostbyte.api.data.console.pages import PAGES as PLANE_PAGES
from frostbyte.api.data.console.pages import READING
from servers.lanes import need

SAMPLES: Final = Path(__file__).parents[2] / "samples"
FILES: Final = ("services-agreement.pdf", "supplier-note.pdf", "notes.pdf", "deliveries.csv", "complaint-letter.png")
NOT_WALKED: Final = {
    "/console/erasures/{}/receipt.json": "a file: test_journeys.py",
    "/console/passages/{}/pages/{}.png": "a picture: test_journeys.py",
    "/console/sign-in/oidc": "leads to an issuer, which there is none of here",
    "/console/sign-in/oidc/return": "an issuer leads there",
    "/console/webhooks/{}": "for a webhook that there is: test_webhooks.py",
    "/console/ledger/alerts/{}": "for a finding of the ledger, which a plane that is well does not give",
    "/console/operations/{}": "for an operation: test_town.py",
    "/console/operations/{}/progress": "what a script asks for",
    "/console/tenants/{}/drift": "for a tenant on hosts of ours",
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
def test_every_page_of_a_plane(plane: PlaneConsole, page_of: Opener) -> None:
    need("axe")
    known = sent(plane, [SAMPLES / name for name in FILES])
    plane.ask("POST", "/holds", json={"matter": "2026-17", "reason": "litigation", "doc_ids": [known["doc"]]})
    rows = {row["filename"]: row["doc_id"] for row in plane.ask("GET", "/documents")["documents"]}
    gone = plane.ask("DELETE", f"/documents/{rows['deliveries.csv']}")
    beside = (f"/console/passages/{known['chunk']}", f"/console/erasures/{gone['erasure_id']}")
    kinds, found = walk(page_of("admin", goto=False, forgiven=("status of 40",)), beside)
    found += faults(page_of("", "/console/sign-in"), "/console/sign-in")
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
