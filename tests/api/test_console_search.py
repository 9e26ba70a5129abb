"""Search and the page of a passage as browsers get them, without script."""

from __future__ import annotations

import html
import io
import re
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.api.test_console import HERE, Browser

from frostbyte.kernel.ids import new_id

SAMPLES = Path(__file__).parents[2] / "samples"
HOSTILE = "<i onmouseover=alert(1)>'&.txt"


def text_of(page: str) -> str:
    """What a page says, without its marks."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page)))


@pytest.fixture
def user(api: Any) -> Browser:
    return Browser(api, "user")


@pytest.fixture(scope="module")
def hostile(api: Any) -> dict[str, Any]:
    """A document whose name and text are markup."""
    text = "Quokka rules\n\n<img src=x onerror=alert(1)> The quokka & the <b>wombat</b> share one zebra crossing.\n"
    found: dict[str, Any] = api.indexed(HOSTILE, text.encode())
    return found


def search(browser: Browser, query: str, **more: str) -> Any:
    data = {"csrf": browser.csrf, "query": query, "mode": "hybrid"} | more
    return browser.call("POST", "/console/search", headers=HERE, data=data)


@pytest.mark.slow
def test_a_question_is_answered_with_its_words_marked_and_in_no_address(user: Browser, hostile: Any) -> None:
    assert "What are you looking for?" in user.call("GET", "/console/search").text
    answer = search(user, "quokkas and the wombats", document=hostile["doc_id"])
    assert answer.status_code == 200
    assert "<mark>quokka</mark>" in answer.text
    assert "&lt;b&gt;<mark>wombat</mark>&lt;/b&gt;" in answer.text
    assert "<img src=x" not in answer.text
    assert HOSTILE not in answer.text
    assert HOSTILE in html.unescape(answer.text)
    [link, *_] = re.findall(r'href="(/console/passages/[^"]+)"', answer.text)
    assert re.fullmatch(r"/console/passages/[0-9a-f-]{36}", link)
    assert 'value="quokkas and the wombats"' in answer.text


def test_bounds_hold_and_nothing_found_is_said(user: Browser, hostile: Any) -> None:
    inside = {"document": hostile["doc_id"]}
    assert "No passage fits" in search(user, "quokka", received_to="2001-01-01", **inside).text
    found = search(user, "quokka", received_from="2001-01-01", received_to="2999-12-31", **inside)
    assert "<mark>quokka</mark>" in found.text
    assert 'name="received_to" type="date" value="2999-12-31"' in found.text
    wrong = search(user, "quokka", received_from="yesterday")
    assert wrong.status_code == 422
    assert "date_invalid" in wrong.text
    assert search(user, "quokka", mode="magic").status_code == 422
    assert "Every answer with its proof" in search(user, "  ").text


def passage_of(api: Any, query: str, doc_id: str) -> dict[str, Any]:
    found = api.call("POST", "/query", json={"query": query, "filters": {"doc_ids": [doc_id]}}).json()["results"]
    first: dict[str, Any] = found[0]
    return first


def test_a_passage_without_pages_is_shown_in_its_text(api: Any, user: Browser, hostile: Any) -> None:
    hit = passage_of(api, "wombat", hostile["doc_id"])
    page = user.call("GET", f"/console/passages/{hit['chunk_id']}").text
    assert '<mark id="marked">' in page
    assert "<b>wombat</b>" not in page
    assert "<img src=x" not in page
    [shown] = re.findall(r'<blockquote id="shown">(.*?)</blockquote>', page, re.DOTALL)
    assert html.unescape(shown) == hit["text"]  # to the letter: the proof is compared with it
    said = text_of(page)
    for link in ("Received", "Scanned for malware", "Read", "Judged by the policy", "Embedded", "Indexed"):
        assert link in said
    assert "not yet" not in said
    assert 'id="picture"' not in page


@pytest.fixture(scope="module")
def letter(api: Any) -> dict[str, Any]:
    """A PDF with personal data in it."""
    found: dict[str, Any] = api.indexed("letter.pdf", letter_pdf())
    return found


def letter_pdf() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    target = io.BytesIO()
    canvas = Canvas(target)
    for number in (1, 2):
        canvas.drawString(72, 700, f"Sheet {number}: the pangolin account of the customer")
        canvas.drawString(72, 680, "has the address jane.doe@example.org and nothing else.")
        canvas.showPage()
    canvas.save()
    return target.getvalue()


@pytest.mark.slow
def test_a_passage_of_a_pdf_stands_on_its_page_with_what_is_hidden_covered(
    api: Any, user: Browser, letter: Any
) -> None:
    hit = passage_of(api, "pangolin account", letter["doc_id"])
    room = f"/console/passages/{hit['chunk_id']}"
    page = user.call("GET", room)
    assert f'src="{room}/pages/{hit["page"]}.png"' in page.text
    assert "jane.doe" not in page.text
    other = 3 - hit["page"]
    turned = user.call("GET", f"{room}?number={other}")
    assert f"To the passage, page {hit['page']}" in turned.text
    covered = user.call("GET", f"{room}/pages/{hit['page']}.png")
    assert covered.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(covered.content)).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(1 << 24)}
    assert (255, 236, 110) in colours, "the passage is marked"
    plain = Image.open(io.BytesIO(user.call("GET", f"{room}/pages/{other}.png").content)).convert("RGB")
    assert (255, 236, 110) not in {colour for _, colour in plain.getcolors(1 << 24)}
    assert black(picture) > 500, "the address is covered"


def black(picture: Image.Image) -> int:
    return sum(number for number, colour in picture.getcolors(1 << 24) if colour == (0, 0, 0))


@pytest.mark.slow
def test_what_is_hidden_is_shown_to_who_may_see_it_when_they_ask_and_the_audit_says_so(
    api: Any, user: Browser, letter: Any
) -> None:
    hit = passage_of(api, "pangolin account", letter["doc_id"])
    room = f"/console/passages/{hit['chunk_id']}"
    reviewer = Browser(api, "reviewer")

    def reads() -> int:
        events = api.call("GET", f"/audit/events?type=SOURCE_READ&resource_id={letter['doc_id']}&limit=100")
        return len(events.json()["events"])

    before = reads()
    refused = user.call("GET", f"{room}/pages/{hit['page']}.png?source=yes")
    assert refused.status_code == 403
    assert "Show what is hidden" not in user.call("GET", room).text
    assert "Show what is hidden" in reviewer.call("GET", room).text
    covered = reviewer.call("GET", f"{room}/pages/{hit['page']}.png").content
    shown = reviewer.call("GET", f"{room}/pages/{hit['page']}.png?source=yes").content
    deadline = time.monotonic() + 10  # events are numbered every second
    while reads() == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert reads() == before + 1, "of the two, only the one that hides nothing reads the source"
    assert shown != covered
    assert "Nothing is hidden on this picture" in reviewer.call("GET", f"{room}?source=yes").text


def test_a_passage_or_page_that_is_not_there_is_said(api: Any, user: Browser, letter: Any) -> None:
    missing = user.call("GET", f"/console/passages/{new_id()}")
    assert (missing.status_code, "chunk_not_found" in missing.text) == (404, True)
    hit = passage_of(api, "pangolin account", letter["doc_id"])
    assert user.call("GET", f"/console/passages/{hit['chunk_id']}/pages/99.png").status_code == 404
    far = user.call("GET", f"/console/passages/{hit['chunk_id']}?number=99")
    assert (far.status_code, "page_not_found" in far.text) == (404, True)
