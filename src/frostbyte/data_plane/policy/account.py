"""What became of every position of a document (promise 5).

Each position of a page's canonical text counts once: inserted ones not at all, then dropped before withheld before
redacted before indexed. The sums are taken from the chunks themselves, not as remainders, so a character that no
chunk holds, or that two hold, leaves the account open.

Pages are indexed if any chunk of theirs is, withheld if all are, and dropped if they are missing, unread or without
ink. Cells are dropped if all of their characters are, withheld if any withheld chunk holds a part of them, redacted
if any of their characters is, else indexed (empty ones too). Images are indexed if their text was read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from frostbyte.data_plane.document import Account, Document, Page, Tally

_FREE, _INSERTED, _DROPPED, _REDACTED = 0, 1, 2, 3

BLANK = "blank"
"""Reason for pages without ink, and for white space that stands alone on one."""


@dataclass(frozen=True)
class Marks:
    """Of which kind each position of a page is, one byte each."""

    kinds: bytes

    @staticmethod
    def of(page: Page, redacted: Sequence[tuple[int, int]]) -> Marks:
        """Mark a page's positions by precedence: redacted, then dropped, then inserted on top."""
        kinds = bytearray(len(page.text))
        dropped = [(drop.start, drop.end) for drop in page.dropped]
        inserted = [(span.start, span.end) for span in page.inserted]
        for spans, kind in ((redacted, _REDACTED), (dropped, _DROPPED), (inserted, _INSERTED)):
            for start, end in spans:
                kinds[start:end] = bytes([kind]) * (end - start)
        return Marks(bytes(kinds))

    def count(self, start: int = 0, end: int | None = None) -> tuple[int, int, int]:
        """(plain, redacted, dropped) characters of a range."""
        part = self.kinds[start:end]
        return part.count(_FREE), part.count(_REDACTED), part.count(_DROPPED)


@dataclass
class Ledger:
    """Collects the counts while a document is cleared."""

    found: int = 0
    indexed: int = 0
    redacted: int = 0
    withheld: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)
    """Number of pages by what became of them: indexed, withheld, or a reason for dropping them."""
    cells: dict[str, int] = field(default_factory=dict)
    """The same for cells: indexed, redacted, withheld, or `dropped:` and a reason."""

    def drops(self, page: Page, marks: Marks) -> None:
        """Count a page's characters, and its dropped ones by reason; the first drop of a position names it."""
        plain, redacted, dropped = marks.count()
        self.found += plain + redacted + dropped
        at = 0
        for drop in sorted(page.dropped, key=lambda d: (d.start, d.end)):
            count = marks.count(max(drop.start, at), max(drop.end, at))[2]
            at = max(at, drop.end)
            if count:
                self.dropped[drop.reason] = self.dropped.get(drop.reason, 0) + count

    def blank(self, count: int) -> None:
        """White space that is in no chunk because nothing stands beside it."""
        if count:
            self.dropped[BLANK] = self.dropped.get(BLANK, 0) + count

    def page(self, page: Page, cleared: bool, held: bool) -> None:
        """What became of a page."""
        fate = "indexed" if cleared else "withheld" if held else page.unread or BLANK
        self.pages[fate] = self.pages.get(fate, 0) + 1

    def cell(self, fate: str) -> None:
        """What became of a cell."""
        self.cells[fate] = self.cells.get(fate, 0) + 1

    def close(self, document: Document) -> Account:
        """The account; whether it closes is for the caller to ask."""
        missing = max(document.pages_found - len(document.pages), 0)
        reasons = {k: v for k, v in self.pages.items() if k not in ("indexed", "withheld")}
        if missing:
            reasons["missing_page"] = reasons.get("missing_page", 0) + missing
        return Account(
            pages=Tally(
                found=max(document.pages_found, len(document.pages)),
                indexed=self.pages.get("indexed", 0),
                withheld=self.pages.get("withheld", 0),
                dropped=dict(sorted(reasons.items())),
            ),
            characters=Tally(
                found=self.found,
                indexed=self.indexed,
                redacted=self.redacted,
                withheld=self.withheld,
                dropped=dict(sorted(self.dropped.items())),
            ),
            cells=_cells(document, self.cells),
            images=_images(document, blocked=False),
        )


def blocked(document: Document, marks: Sequence[Marks]) -> Account:
    """The account of a document that is quarantined: what is not dropped is withheld."""
    ledger = Ledger()
    for page, mark in zip(document.pages, marks, strict=True):
        ledger.drops(page, mark)
        plain, redacted, _ = mark.count()
        ledger.withheld += plain + redacted
        ledger.page(page, cleared=False, held=bool(page.reading(0, len(page.text)).strip()))
        for element in page.elements:
            for cell in element.cells:
                ledger.cell(dropped_cell(page, mark, cell.start, cell.end) or "withheld")
    account = ledger.close(document)
    return Account(
        pages=account.pages,
        characters=account.characters,
        cells=account.cells,
        images=_images(document, blocked=True),
    )


def dropped_cell(page: Page, marks: Marks, start: int, end: int) -> str:
    """`dropped:reason` if every character of a cell was dropped, else ''."""
    plain, redacted, dropped = marks.count(start, end)
    if not dropped or plain or redacted:
        return ""
    reason = next(d.reason for d in page.dropped if d.start < end and d.end > start)
    return f"dropped:{reason}"


def overlaps(starts: Sequence[int], ends: Sequence[int], start: int, end: int) -> bool:
    """Whether `[start, end)` meets any of the ranges, which are ordered and do not overlap."""
    index = bisect_left(ends, start + 1)
    return index < len(starts) and starts[index] < end


def _cells(document: Document, fates: dict[str, int]) -> Tally:
    return Tally(
        found=sum(len(element.cells) for page in document.pages for element in page.elements),
        indexed=fates.get("indexed", 0),
        redacted=fates.get("redacted", 0),
        withheld=fates.get("withheld", 0),
        dropped={k.partition(":")[2]: v for k, v in sorted(fates.items()) if k.startswith("dropped:")},
    )


def _images(document: Document, *, blocked: bool) -> Tally:
    outcomes = [image.outcome for page in document.pages for image in page.images]
    read = outcomes.count("read")
    dropped: dict[str, int] = {}
    for outcome in sorted(outcomes):
        if outcome != "read":
            dropped[outcome] = dropped.get(outcome, 0) + 1
    held = read if blocked else 0
    return Tally(found=len(outcomes), indexed=read - held, withheld=held, dropped=dropped)
