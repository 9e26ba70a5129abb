"""From a question to its proof in a real browser: by keyboard, without script, and where somebody changed the proof."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.consoles import PlaneConsole
from browser.watching import NARROW, Opener, grave, too_wide

SAMPLES = Path(__file__).parents[2] / "samples"
QUESTION = "how can the agreement be ended"
LONG_NAME = "n" * 200 + ".csv"


@pytest.fixture(scope="module")
def library(plane: PlaneConsole) -> PlaneConsole:
    """A plane with a contract of several pages, and a table under a long name."""
    rows = "\n".join(f"{number},quokka station {number},{number * 17}" for number in range(60))
    plane.ingest(SAMPLES / "services-agreement.pdf", (LONG_NAME, f"id,place,amount\n{rows}\n".encode()))
    return plane


def test_a_question_leads_to_a_proof_by_keyboard_alone_and_back(library: PlaneConsole, page_of: Opener) -> None:
    page = page_of("user", "/console/search")
    assert grave(page) == []
    page.locator("body").focus()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    first = page.locator(".hit").first
    expect(first).to_contain_text("Laboratory Services Agreement")
    expect(first.locator("mark").first).to_have_text(re.compile("agreement|ended|end", re.IGNORECASE))
    assert grave(page) == []
    assert page.url.endswith("/console/search")
    page.keyboard.press("ArrowDown")
    expect(first.locator("a.open")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#query")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/passages/*")
    assert page.locator("#picture").evaluate("one => one.decode().then(() => one.naturalWidth)") > 500
    here = page.url
    page.locator("h1").click()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**?number=*")
    page.go_back()
    page.wait_for_url(here)
    verify(page)
    expect(page.locator("#verdict")).to_contain_text("The proof holds")
    expect(page.locator("#verdict")).to_contain_text("new to this browser")
    assert grave(page) == []
    page.get_by_role("button", name="I compared it").click()
    expect(page.locator("#verdict")).to_contain_text("which you compared")
    page.go_back()
    expect(page.locator("#query")).to_have_value(QUESTION)
    expect(page.locator(".hit").first).to_contain_text("Laboratory Services Agreement")
    assert QUESTION.split()[0] not in page.url


def verify(page: Page) -> None:
    page.get_by_role("button", name=re.compile("Verify|Try again")).click()
    expect(page.locator("#verify")).to_be_enabled()


def passage(library: PlaneConsole, question: str = QUESTION) -> str:
    [found, *_] = library.ask("POST", "/query", json={"query": question, "top_k": 1})["results"]
    return f"/console/passages/{found['chunk_id']}"


Change = Callable[[dict[str, Any]], Any]


def put(*path: Any) -> Change:
    """A change: the last of `path` in place of what the others lead to."""

    def change(proof: dict[str, Any]) -> Any:
        at: Any = proof
        for step in path[:-2]:
            at = at[step]
        at[path[-2]] = path[-1]

    return change


CHANGES: dict[str, tuple[Change, str]] = {
    "another text": (put("answer", "text", "Nobody may end this agreement."), "answer_wrong"),
    "another page": (put("answer", "page", 1), "answer_wrong"),
    "an event's actor": (put("events", 2, "event", "actor", "somebody"), "edited"),
    "an event left out": (lambda proof: proof["events"].pop(1), "chain_inconsistent"),
    "another root": (
        lambda proof: proof.update(checkpoint=re.sub(r"\n\d+\n", "\n9999\n", proof["checkpoint"], count=1)),
        "checkpoint_signature_wrong",
    ),
    "another parser": (put("attested", "parser", "9.9"), "attested_wrong"),
    "another source": (put("source", "commitment", "0" * 64), "source_unbound"),
}


@pytest.fixture
def tampering(library: PlaneConsole, page_of: Opener) -> tuple[Page, list[Change]]:
    """A passage's page, whose proof is changed on its way by what the list holds; it has been proven once."""
    changes: list[Change] = []
    page = page_of("user", passage(library))

    def changed(route: Any) -> None:
        answer = route.fetch()
        proof = answer.json()
        for change in changes:
            change(proof)
        route.fulfill(response=answer, body=json.dumps(proof))

    page.route("**/api/v1/chunks/*/proof", changed)
    verify(page)
    expect(page.locator("#verdict")).to_contain_text("The proof holds")
    return page, changes


def test_whatever_is_changed_in_a_proof_is_told_aloud_and_by_name(tampering: Any) -> None:
    page, changes = tampering
    for what, (change, name) in CHANGES.items():
        changes[:] = [change]
        page.reload()
        verify(page)
        verdict = page.locator("#verdict")
        expect(verdict.get_by_role("alert"), what).to_contain_text("does not hold")
        expect(verdict.locator(".failed"), what).to_contain_text(name)
        expect(verdict, what).not_to_contain_text("The proof holds")
    assert grave(page) == []
    changes[:] = [put("format", "frostbyte-proof/9")]
    page.reload()
    verify(page)
    expect(page.locator("#verdict")).to_contain_text("Not checked")
    changes[:] = []
    verify(page)
    expect(page.locator("#verdict")).to_contain_text("The proof holds")


def test_another_key_than_the_kept_one_is_shouted_until_a_person_takes_it(tampering: Any) -> None:
    page, _ = tampering
    other = json.loads((Path(__file__).parents[1] / "vectors" / "proof.json").read_text())["verifier_key"]
    page.evaluate(
        """other => { const [place] = Object.keys(localStorage).filter(name => name.startsWith("frostbyte-log-key:"));
        localStorage.setItem(place, JSON.stringify({...JSON.parse(localStorage.getItem(place)), key: other})); }""",
        other,
    )
    page.reload()
    verify(page)
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text("The log's key has changed")
    expect(verdict.locator(".failed")).to_contain_text("checkpoint_signature_wrong")
    expect(verdict).to_contain_text(other)
    page.get_by_role("button", name="take the new key").click()
    expect(verdict).to_contain_text("The proof holds")
    page.reload()
    verify(page)
    expect(verdict).to_contain_text("which you compared")


def seen(page: Page, size: int, root: str) -> None:
    """Let this be the only checkpoint that the browser remembers."""
    page.evaluate(
        """([size, root]) => {
            const place = Object.keys(localStorage).find(name => name.startsWith("frostbyte-log-key:"));
            const kept = JSON.parse(localStorage.getItem(place));
            localStorage.setItem(place, JSON.stringify({...kept, roots: {[size]: root}})); }""",
        [size, root],
    )


def test_a_longer_log_has_to_begin_with_what_the_browser_saw(library: PlaneConsole, page_of: Opener) -> None:
    page = page_of("user", passage(library), forgiven=("status of 409", "status of 429"))
    verdict = page.locator("#verdict")
    verify(page)
    expect(verdict).to_contain_text("The proof holds")
    expect(verdict).not_to_contain_text("begins with that of")
    library.ingest(("a later note.txt", b"1. Later\n\nThe wombat samples came after the contract.\n"))
    page.goto(passage(library, "wombat samples"))
    verify(page)
    expect(verdict.locator(".checked")).to_contain_text("begins with that of")
    expect(verdict.locator(".checked")).to_contain_text("nothing of it was changed or taken out")
    assert grave(page) == []

    checkpoints = library.ask("GET", "/audit/checkpoints")["checkpoints"]
    old = next(row for row in checkpoints if row["size"] < checkpoints[-1]["size"])
    seen(page, old["size"], "0" * 64)
    page.reload()
    verify(page)
    expect(verdict.get_by_role("alert")).to_contain_text("does not hold")
    expect(verdict.locator(".failed")).to_contain_text("forked")
    expect(verdict.locator(".failed")).to_contain_text("is not of the same log")
    page.reload()
    verify(page)
    expect(verdict.locator(".failed"), "it is not forgotten").to_contain_text("forked")

    seen(page, 10**6, "0" * 64)
    page.reload()
    verify(page)
    expect(verdict.locator(".failed")).to_contain_text("and now it has fewer")

    seen(page, old["size"], old["root"])
    refusal = json.dumps({"code": "rate_limited", "detail": "Too many requests.", "remedy": "Wait."})
    page.route(
        "**/api/v1/audit/consistency?*",
        lambda route: route.fulfill(status=429, content_type="application/problem+json", body=refusal),
    )
    page.reload()
    verify(page)
    expect(verdict).to_contain_text("The proof holds")
    expect(verdict.locator(".attested")).to_contain_text("it was not shown (Too many requests.)")
    expect(verdict.locator(".checked")).not_to_contain_text("begins with")
    page.unroute("**/api/v1/audit/consistency?*")
    page.reload()
    verify(page)
    expect(verdict.locator(".checked"), "asked again").to_contain_text("begins with that of")


def test_a_page_that_shows_another_text_than_was_proven_is_told(tampering: Any) -> None:
    page, _ = tampering
    page.reload()
    page.locator("#shown").evaluate("one => { one.textContent += ' And more.'; }")
    verify(page)
    expect(page.locator("#verdict .failed")).to_contain_text("answer_shown_otherwise")


def test_a_file_is_checked_against_the_proof_and_stays_here(library: PlaneConsole, page_of: Opener) -> None:
    page = page_of("reviewer", passage(library))
    verify(page)
    page.get_by_label("Check a file that you have").set_input_files(SAMPLES / "services-agreement.pdf")
    expect(page.locator("#verdict .checked")).to_contain_text("the file that you gave is that source")
    page.get_by_label("Check a file that you have").set_input_files(Path(__file__))
    expect(page.locator("#verdict .failed")).to_contain_text("source_wrong")


def test_a_table_is_shown_as_text_and_fits_a_telephone(library: PlaneConsole, page_of: Opener) -> None:
    page = page_of("user", passage(library, "quokka station 17"), size=NARROW)
    expect(page.locator("#marked")).to_be_in_viewport()
    expect(page.locator("#marked")).to_contain_text("quokka station")
    verify(page)
    expect(page.locator("#verdict")).to_contain_text("The proof holds")
    assert too_wide(page) == []
    assert grave(page) == []
    page.goto("/console/search")
    page.get_by_label("What are you looking for?").fill("quokka station 17")
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_contain_text("quokka")
    assert too_wide(page) == []


def test_without_script_a_question_is_answered_and_its_passage_shown(library: PlaneConsole, page_of: Opener) -> None:
    page = page_of("user", "/console/search", script=False)
    page.get_by_label("What are you looking for?").fill(QUESTION)
    page.get_by_label("In documents of class").select_option("contract")
    page.get_by_role("button", name="Search", exact=True).click()
    assert page.url.endswith("/console/search")
    page.locator(".hit a.open").first.click()
    expect(page.get_by_text("frostbyte proof verify")).to_be_visible()
    expect(page.get_by_role("heading", name="Chain of custody")).to_be_visible()


def test_a_search_that_cannot_reach_its_server_says_so_and_keeps_the_question(
    library: PlaneConsole, page_of: Opener
) -> None:
    page = page_of("user", "/console/search", forgiven=("ERR_INTERNET_DISCONNECTED",))
    page.get_by_label("What are you looking for?").fill(QUESTION)
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".hit").first).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
