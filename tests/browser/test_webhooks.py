"""An administrator has a server of theirs told when an upload has ended, and sees that it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.consoles import PlaneConsole
from browser.watching import Opener
from servers.receiver import Receiver


@pytest.fixture(scope="module")
def receiver(servers_folder: Path) -> Iterator[Receiver]:
    with Receiver(servers_folder) as made:
        yield made


@pytest.fixture(scope="module")
def plane(servers_folder: Path, receiver: Receiver) -> Iterator[PlaneConsole]:
    """One that may tell servers of this machine."""
    told = {"FROSTBYTE_WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128", "FROSTBYTE_WEBHOOK_CA_FILE": str(receiver.ca_file)}
    with PlaneConsole(servers_folder, "hooked", **told) as server:
        yield server


def test_from_naming_a_server_to_the_message_of_an_upload(
    plane: PlaneConsole, receiver: Receiver, page_of: Opener
) -> None:
    page = page_of("admin", "/console/webhooks", forgiven=("status of 403",))
    page.get_by_label("One a line").fill(receiver.place)
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Address").fill("https://elsewhere.example/")
    page.get_by_role("button", name="Add and show its secret").click()
    expect(page.get_by_role("alert")).to_contain_text("does not name this server")
    page.get_by_label("Address").fill(receiver.url)
    page.keyboard.press("Enter")
    secret = page.get_by_label("Secret").input_value()
    assert secret.startswith("whsec_")
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("status").filter(has_text="took the test (HTTP 204)")).to_be_visible()
    sent = plane.ingest(("a name that nobody is told.txt", b"Notice of termination: ninety days."))
    _, message = receiver.wait(2)
    assert message.verified(secret)
    assert message.said["data"]["batch_id"] == sent["batch_id"]
    assert b"nobody is told" not in message.body
    row = page.get_by_role("row").filter(has_text="The end of upload")
    for _ in range(40):  # the server heard of it a moment before the plane wrote down that it took it
        page.reload()
        if "Taken" in row.inner_text():
            break
        page.wait_for_timeout(250)
    expect(row).to_contain_text("Taken (HTTP 204)")
    row.get_by_role("link").click()
    expect(page).to_have_url(f"{plane.url}{message.said['data']['links']['console']}")
    page.go_back()
    page.get_by_text("Remove", exact=True).click()
    page.get_by_role("button", name="Remove this webhook").click()
    expect(page.get_by_role("status").filter(has_text="The webhook is removed.")).to_be_visible()
    expect(page.get_by_role("heading", name="Nobody is told yet")).to_be_visible()
