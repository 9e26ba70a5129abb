"""Pictures of the consoles for the documentation, in both themes: docs/img/console-*.png.

    PYTHONPATH=tests python -m browser.pictures [NAME...]      all of them without a name

A plane takes in the sample documents, a control plane has two tenants behind a real edge; then each page is opened as
somebody of the role that it is for, and pictured at a width of 1280 pixels. tools/servers.sh says how to have what it
needs: chromium, traefik and clamd.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from browser.consoles import Console, PlaneConsole
from browser.look import THEMES, sent
from browser.town import Town
from browser.watching import Watch, opened, started

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs" / "img"
SAMPLES: Final = ROOT / "samples"
WIDTH: Final = 1280
COLOURS: Final = 128
"""Of a picture: flat colours and text need no more, and the file is a third."""
QUESTION: Final = "What notice period applies to termination?"


class Shot(NamedTuple):
    """One picture."""

    name: str
    path: str
    role: str
    act: Callable[[Page], None] = lambda page: None
    """What is done on the page before it is pictured."""
    height: int = 800


def asked(page: Page) -> None:
    """Ask the question of the tour."""
    page.locator("#query").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.locator("#hits .hit").first).to_be_visible()


def proved(page: Page) -> None:
    """Let the browser verify the proof."""
    page.locator("#picture").evaluate("one => one.decode()")
    page.get_by_role("button", name="Verify the proof here").click()
    expect(page.get_by_role("heading", name="The proof holds")).to_be_visible()
    page.evaluate("() => scrollTo(0, 0)")


PLANE: Final = (
    Shot("sign-in", "/console/sign-in", ""),
    Shot("overview", "/console/", "admin"),
    Shot("upload", "/console/upload", "user"),
    Shot("batch", "/console/batches/{batch}", "user"),
    Shot("report", "/console/batches/{batch}/report", "user"),
    Shot("documents", "/console/documents", "user"),
    Shot("document", "/console/documents/{doc}", "admin"),
    Shot("search", "/console/search", "user", asked),
    Shot("passage", "/console/passages/{chunk}", "user", proved, 1250),
    Shot("review", "/console/review", "reviewer"),
    Shot("quarantine", "/console/review/quarantine", "reviewer"),
    Shot("audit", "/console/audit", "auditor"),
    Shot("holds", "/console/holds", "admin"),
    Shot("erasure", "/console/erasures/{erasure}", "admin"),
    Shot("webhooks", "/console/webhooks", "admin"),
    Shot("people", "/console/people", "admin"),
    Shot("account", "/console/account", "user"),
)
CONTROL: Final = (
    Shot("tenants", "/console/", "operator"),
    Shot("tenant", "/console/tenants/acme", "operator"),
    Shot("operations", "/console/operations", "operator"),
    Shot("operation", "/console/operations/{operation}", "operator"),
    Shot("ledger", "/console/ledger", "auditor"),
    Shot("leftovers", "/console/orphans", "operator"),
)


def taken(browser: Browser, server: Console, shots: tuple[Shot, ...], known: dict[str, str]) -> list[str]:
    """Write the pictures; what the browser complained of."""
    found: list[str] = []
    for shot in shots:
        for theme in THEMES:
            watch = Watch(server.url)
            cookies = [server.session(shot.role)] if shot.role else []
            page = opened(browser, watch, cookies, size=(WIDTH, shot.height), theme=theme)
            answer = page.goto(shot.path.format(**known))
            if answer is None or answer.status != 200:
                found.append(f"{shot.name}: {answer and answer.status}")
            shot.act(page)
            kept = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS)
            kept.save(FOLDER / f"console-{shot.name}-{theme}.png", optimize=True)
            page.context.close()
            found += watch.found
    return sorted(set(found))


def plane_of_samples(plane: PlaneConsole) -> dict[str, str]:
    """Everything that the plane's pictures show; what stands for it in addresses."""
    documents = [path for path in sorted(SAMPLES.iterdir()) if path.suffix not in (".py", ".md", ".json")]
    known = sent(plane, documents, QUESTION)
    rows = plane.ask("GET", "/documents")["documents"]
    by_name = {row["filename"]: row["doc_id"] for row in rows}
    known["doc"] = by_name["services-agreement.pdf"]
    held = {"matter": "2026-0147", "reason": "litigation", "doc_ids": [by_name["invoice-2026-0417.docx"]]}
    plane.ask("POST", "/holds", json=held)
    gone = plane.ask("DELETE", f"/documents/{by_name['deliveries.csv']}")
    return known | {"erasure": gone["erasure_id"]}


def main() -> None:
    """As the head of this file says."""
    FOLDER.mkdir(exist_ok=True)
    chosen = lambda shots: tuple(shot for shot in shots if not sys.argv[1:] or shot.name in sys.argv[1:])  # noqa: E731
    folder = Path(tempfile.mkdtemp(prefix="frostbyte-pictures-"))
    folder.chmod(0o755)
    found: list[str] = []
    try:
        with sync_playwright() as playwright:
            browser = started(playwright)
            if shots := chosen(PLANE):
                with PlaneConsole(folder) as plane:
                    found += taken(browser, plane, shots, plane_of_samples(plane))
            if shots := chosen(CONTROL):
                with Town(folder / "town", "acme", "borealis") as town:
                    operation = town.control.finished(town.control.do("borealis", "suspend", {"reason": "payment"}))
                    found += taken(browser, town.control, shots, {"operation": operation["operation_id"]})
            browser.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(list(FOLDER.glob('console-*.png')))} pictures in {FOLDER.relative_to(ROOT)}")
    for line in found:
        print(line)
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
