"""What people do from one end to the other on a plane, by their hands on its pages alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, expect

from browser.consoles import PlaneConsole
from browser.watching import NARROW, Opener

SAMPLES: Final = Path(__file__).parents[2] / "samples"
PATIENCE: Final = 90_000
"""Milliseconds for the stages of some documents, on a machine that does other things too."""


def upload(page: Page, *names: str) -> None:
    """Choose files and send them; the page of their batch opens by itself."""
    page.goto("/console/upload")
    page.locator("#choose").set_input_files([SAMPLES / name for name in names])
    page.get_by_role("button", name="Send").last.click()
    page.wait_for_url(re.compile(r"/console/batches/[0-9a-f-]{36}"), timeout=PATIENCE)


def test_a_document_goes_from_the_hand_to_its_proof(page_of: Opener) -> None:
    page = page_of("user", goto=False, size=NARROW)
    upload(page, "services-agreement.pdf")
    expect(page.locator("#finished")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Search them").click()
    page.wait_for_url(re.compile(r"/console/search"))  # with its script: keys before it search as pages without one do

    page.keyboard.press("/")
    page.keyboard.type("What notice period applies to termination?")
    page.keyboard.press("Enter")
    first = page.locator("#hits .hit").first
    expect(first).to_contain_text("ninety days")
    assert "notice" not in page.url  # what is asked stands in no address
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile(r"/console/passages/"))
    picture = page.locator("#picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 400
    for step in ("Received", "Indexed"):
        expect(page.get_by_text(step).first).to_be_visible()
    page.get_by_role("button", name="Verify the proof here").click()
    expect(page.get_by_role("heading", name="The proof holds")).to_be_visible()


def test_a_tampered_proof_does_not_hold(plane: PlaneConsole, page_of: Opener) -> None:
    plane.ingest(SAMPLES / "services-agreement.pdf")
    (hit,) = plane.ask("POST", "/query", json={"query": "notice period", "top_k": 1})["results"]
    page = page_of("user", goto=False)

    def tampered(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        proof = answer.json()
        proof["answer"]["text"] = proof["answer"]["text"].replace("ninety", "nine", 1) + " "
        route.fulfill(response=answer, json=proof)  # type: ignore[attr-defined]

    page.route("**/api/v1/chunks/*/proof", tampered)
    page.goto(f"/console/passages/{hit['chunk_id']}")
    page.get_by_role("button", name="Verify the proof here").click()
    expect(page.get_by_role("heading", name="The proof does not hold")).to_be_visible()


def test_an_upload_is_watched_while_its_server_is_killed_and_comes_back(plane: PlaneConsole, page_of: Opener) -> None:
    page = page_of("user", goto=False, forgiven=("ERR_",))
    upload(page, "laboratory-budget.xlsx", "storage-order-fax.tiff", "complaint-letter.png", "invoice-2026-0417.docx")
    plane.kill()
    stream = page.locator("#stream")
    expect(stream).to_contain_text("Connection lost", timeout=PATIENCE)
    plane.start()
    expect(page.locator("#finished")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("[data-sum=ended]")).to_have_text("4")


def test_what_is_erased_leaves_a_receipt_and_is_found_no_more(plane: PlaneConsole, page_of: Opener) -> None:
    sent = plane.ingest(SAMPLES / "cold-storage-sop.txt")
    document = sent["accepted"][0]["doc_id"]
    page = page_of("admin", f"/console/documents/{document}")
    page.get_by_role("link", name="Erase").click()
    page.get_by_label("Why").select_option(index=1)
    page.get_by_label(re.compile("I am sure")).check()
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Destruction receipt")
    expect(page.locator("main")).to_contain_text(document)
    with page.expect_download() as kept:
        page.get_by_role("link", name="Download JSON").click()
    assert document in kept.value.path().read_text()

    page.goto("/console/search")
    page.get_by_label("What are you looking for?").fill("Who must be told when a freezer gets too warm?")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).not_to_be_empty()
    expect(page.locator("#hits")).not_to_contain_text("duty manager at once")


def test_a_vendor_sees_uploads_and_nothing_else(page_of: Opener) -> None:
    page = page_of("vendor", forgiven=("status of 403",))
    rooms = page.get_by_role("navigation", name="Rooms")
    expect(rooms).to_contain_text("Uploads")
    expect(rooms).not_to_contain_text("Search")
    for path in ("/console/search", "/console/documents", "/console/review", "/console/audit", "/console/people"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 403, path
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
