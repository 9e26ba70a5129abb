"""Handing documents over and watching them: with the keyboard, through a lost connection and a killed server, without a
script, to the report, and to the receipt of an erasure."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from browser.consoles import PlaneConsole
from browser.watching import NARROW, Opener, grave, too_wide

AGREEMENT = Path(__file__).parents[2] / "samples" / "services-agreement.pdf"
LONG = "a very long name " * 17
"""More than a page 375 pixels wide has room for; most file systems take 255 bytes."""


def large(name: str) -> tuple[str, bytes]:
    """A document of three pages that is too large to go with others: after its end stands a remark of 9 MB."""
    small = AGREEMENT.read_bytes()
    end = small[small.rindex(b"startxref") :]
    return name, small + b"\n%" + uuid4().hex.encode() + b"x" * 9_000_000 + b"\n" + end


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Four: one by a long name, one that is larger than what goes in one request, one that is empty."""
    unique = uuid4()
    contents = [
        ("letter.txt", f"A letter of {unique} about the freezer in hall four.".encode()),
        (f"{LONG[:200].strip()}.csv", f"item,price\nfreezer,{unique}\nlamp,20\n".encode()),
        large("large.pdf"),
        ("empty.txt", b""),
    ]
    return written(tmp_path, *contents)


def written(folder: Path, *contents: tuple[str, bytes]) -> list[Path]:
    """The files, in the folder."""
    for name, content in contents:
        (folder / name).write_bytes(content)
    return [folder / name for name, _ in contents]


def sound(page: Page) -> None:
    """Nothing that keeps anybody from using the page."""
    assert grave(page) == []
    assert too_wide(page) == []


def test_from_files_to_the_receipt_of_an_erasure(page_of: Opener, files: list[Path]) -> None:
    page = page_of("admin", "/console/upload")
    expect(page.get_by_text("at most 500 MiB")).to_be_visible()
    sound(page)
    page.get_by_label("choose files").set_input_files(files)
    expect(page.locator("#chosen > li")).to_have_count(4)
    expect(page.locator("#chosen")).to_contain_text("It is empty, so it is not sent.")
    expect(page.locator("#sum")).to_contain_text("1 cannot be sent")
    page.get_by_role("button", name="Remove letter.txt").press("Enter")
    expect(page.locator("#chosen > li")).to_have_count(3)
    page.get_by_label("choose files").set_input_files(files[:1])
    expect(page.locator("#chosen > li")).to_have_count(4)
    sound(page)
    page.get_by_role("button", name="Send 3 files").press("Enter")
    page.wait_for_url("**/console/batches/*")
    expect(page.locator("#files tr")).to_have_count(3)
    expect(page.locator("#standing")).to_have_text("Done", timeout=60_000)
    expect(page.get_by_role("heading", name="3 of 3 documents done")).to_be_visible()
    expect(page.locator("#files .badge.indexed")).to_have_count(3)
    sound(page)
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    sound(page)
    page.get_by_role("link", name="Acceptance report", exact=True).click()
    expect(page.get_by_role("heading", name="The account")).to_be_visible()
    sound(page)
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    page.emulate_media(media="screen")
    page.go_back()
    page.get_by_role("link", name="letter.txt").click()
    expect(page.get_by_text("about the freezer in hall four")).to_be_visible()
    sound(page)
    page.get_by_role("link", name="Erase …").click()
    page.get_by_label("Why").select_option("sent_by_mistake")
    page.get_by_label("I am sure").check()
    page.get_by_role("button", name="Erase for good").press("Enter")
    expect(page.get_by_role("heading", name="Destruction receipt")).to_be_visible()
    expect(page.get_by_text("sent by mistake")).to_be_visible()
    sound(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download JSON").click()
    assert '"reason": "sent_by_mistake"' in download.value.path().read_text()


def test_an_upload_goes_on_after_the_network_was_lost(page_of: Opener, tmp_path: Path, plane: PlaneConsole) -> None:
    page = page_of("vendor", "/console/upload", forgiven=("net::ERR_", "status of 503"), subject="roaming")
    lost = {"left": 1, "answered": 1}

    def interfere(route: object) -> None:
        """The second part never arrives; the third arrives, and its answer is lost."""
        url = route.request.url  # type: ignore[attr-defined]
        if "first=1" in url and lost["left"]:
            lost["left"] -= 1
            route.abort("internetdisconnected")  # type: ignore[attr-defined]
        elif "first=2" in url and lost["answered"]:
            lost["answered"] -= 1
            route.fetch()  # type: ignore[attr-defined]
            route.abort("connectionreset")  # type: ignore[attr-defined]
        else:
            route.continue_()  # type: ignore[attr-defined]

    page.route("**/api/v1/ingest?*", interfere)
    parts = written(tmp_path, *(large(f"part-{n}.pdf") for n in range(3)))
    page.get_by_label("choose files").set_input_files(parts)
    page.get_by_role("button", name="Send 3 files").click()
    expect(page.get_by_role("alert")).to_contain_text("The connection was lost")
    expect(page.locator("#chosen .badge.ok")).to_have_count(1)
    page.get_by_role("button", name="Try again now").click()
    page.wait_for_url("**/console/batches/*", timeout=30_000)
    batch = page.url.rpartition("/")[2]
    status = plane.ask("GET", f"/ingest/{batch}")
    assert [one["filename"] for one in status["documents"]] == [path.name for path in parts]
    assert lost == {"left": 0, "answered": 0}


def test_a_page_that_is_open_while_the_server_dies_goes_on_by_itself(page_of: Opener, plane: PlaneConsole) -> None:
    sent = plane.ingest(*((f"{n}.txt", f"Number {n} {uuid4()}\n".encode() * 20) for n in range(16)), through=False)
    page = page_of("admin", goto=False, forgiven=("net::ERR_", "status of 50"))
    page.goto(f"/console/batches/{sent['batch_id']}")
    plane.kill()
    expect(page.locator("#stream")).to_contain_text("Connection lost")
    plane.start()
    expect(page.locator("#standing")).to_have_text("Done", timeout=90_000)
    expect(page.locator("#files .badge.indexed")).to_have_count(16)
    assert page.locator("#bar").evaluate("bar => bar.value") == 16


def test_without_a_script_the_form_does_it(page_of: Opener, files: list[Path]) -> None:
    page = page_of("user", "/console/upload", script=False)
    page.locator("#choose").set_input_files(files[:2])
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Your files arrived")).to_be_visible()
    expect(page.locator("#files tr")).to_have_count(2)
