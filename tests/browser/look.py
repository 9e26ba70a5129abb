"""Pictures of a console's pages, for whoever works on them.

    PYTHONPATH=tests python -m browser.look /console/ /console/batches/{batch} [--role admin] [--control]
        [--files samples/services-agreement.pdf ...] [--out FOLDER] [--whole]

Starts a plane (or a control plane) of its own, sends the files, and writes each page at 375 and 1280 pixels in both
themes.
In an address {batch} and {doc} stand for what was sent last, {chunk} for the passage that was found first.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

from browser.consoles import Console, ControlConsole, PlaneConsole
from browser.watching import NARROW, USUAL, Watch, opened, started

SIZES: Final = (NARROW, USUAL)
THEMES: Final = ("light", "dark")


def sent(plane: PlaneConsole, files: list[Path], question: str = "notice period") -> dict[str, str]:
    """Send files; what stands for them in addresses."""
    answer = plane.ingest(*files)
    found = plane.ask("POST", "/query", json={"query": question, "top_k": 1})["results"]
    known = {"batch": answer["batch_id"], "doc": answer["accepted"][0]["doc_id"]}
    return known | ({"chunk": found[0]["chunk_id"]} if found else {})


def look(
    browser: Browser, server: Console, role: str, paths: list[str], folder: Path, *, whole: bool = False
) -> list[str]:
    """Write the pictures; what the browser complained of."""
    found: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        for size in SIZES:
            watch = Watch(server.url)
            page = opened(browser, watch, [server.session(role)], size=size, theme=theme)
            for path in paths:
                page.goto(path)
                name = path.strip("/").replace("/", "-")[:60] or "root"
                page.screenshot(path=folder / f"{name}-{size[0]}-{theme}.png", full_page=whole)
            page.context.close()
            found += watch.found
    return sorted(set(found))


def main() -> None:
    """As the head of this file says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--role", default="admin")
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--files", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "frostbyte-look")
    parser.add_argument("--whole", action="store_true", help="the whole page, not what fits the window")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="frostbyte-look-"))
    server: Any = ControlConsole(folder) if options.control else PlaneConsole(folder)
    try:
        with server, sync_playwright() as playwright:
            known = sent(server, options.files) if options.files else {}
            browser = started(playwright)
            paths = [path.format(**known) for path in options.paths]
            for line in look(browser, server, options.role, paths, options.out, whole=options.whole):
                print(line)
            browser.close()
        print(options.out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
