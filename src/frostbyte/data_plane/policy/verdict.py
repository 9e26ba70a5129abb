"""The verdict of the policy gates: what is stored, and how it is read back.

A verdict holds no unredacted text. `ClearedChunk`s come into being here (reading a stored verdict, `load_cleared`)
and in `clear.py`, nowhere else.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec.structs import replace

from frostbyte.data_plane.document import Account, ClearedChunk, Finding, Record, Tally
from frostbyte.kernel.errors import Invalid, StageFailed
from frostbyte.kernel.ids import chunk_id


class Redaction(Record, frozen=True, kw_only=True):
    """Characters of a page that are not shown, and what stands in their place."""

    page: int
    start: int
    end: int
    placeholder: str


class FormulaRedaction(Record, frozen=True, kw_only=True):
    """A cell (by its span) whose formula holds what may not be shown, and the formula as it may be shown."""

    page: int
    start: int
    end: int
    row: int
    column: int
    text: str


class WithheldCell(Record, frozen=True, kw_only=True):
    """A cell that a withheld chunk holds: the page's element and the cell's place in it, by index."""

    element: int
    cell: int
    redacted: bool


class WithheldChunk(Record, frozen=True, kw_only=True):
    """A chunk that waits for a reviewer; its text is redacted already. Never embedded, indexed or searched."""

    chunk_id: UUID
    doc_id: UUID
    generation: str
    page: int
    start: int
    end: int
    text: str
    headings: tuple[str, ...]
    injection_score: float
    pii: tuple[str, ...]
    config_version: int
    rules: tuple[str, ...]
    """The injection rules that spoke, sorted."""
    indexed: int
    """Characters that count as indexed once it is released."""
    redacted: int
    """Characters that count as redacted once it is released."""
    cells: tuple[WithheldCell, ...] = ()


class Cleared(Record, frozen=True, kw_only=True):
    """What the gates decided about one generation of a document."""

    doc_id: UUID
    generation: str
    config_version: int
    policy: str
    """`policy_version` of the rules and the name engine that judged."""
    blocked: bool
    """Personal data that the tenant blocks was found: there are no chunks and the document is quarantined."""
    chunks: tuple[ClearedChunk, ...]
    withheld: tuple[WithheldChunk, ...]
    findings: tuple[Finding, ...]
    """Ordered by page and start. Page 0 stands for title, metadata, sheet names and formulas."""
    classification: str
    class_confidence: float
    class_second: str = ""
    """The next best class."""
    class_second_confidence: float = 0.0
    class_reasons: tuple[str, ...] = ()
    """Names of the features that speak most for the class against the second."""
    needs_review: bool
    title: str
    metadata: dict[str, str]
    page_names: dict[int, str]
    """Names of sheets by page number, redacted; pages without a name are missing."""
    formulas: tuple[FormulaRedaction, ...]
    redactions: tuple[Redaction, ...]
    """Everything redacted on pages, also inside withheld chunks; ordered, without overlap."""
    account: Account
    released: tuple[UUID, ...] = ()
    """Chunks that a reviewer released, sorted."""


def encode(cleared: Cleared) -> bytes:
    """The verdict's JSON, for storing; the same verdict gives the same bytes (its mappings are built sorted)."""
    return msgspec.json.encode(cleared)


def load_cleared(data: bytes) -> Cleared:
    """Re-read a stored verdict, and move the chunks that it names as released from withheld to cleared.

    Raises:
        StageFailed: `verdict_invalid` if the bytes are no verdict or its parts contradict each other;
            `account_open` if its account does not close.
    """
    try:
        cleared = msgspec.json.decode(data, type=Cleared)
    except msgspec.MsgspecError as error:
        raise _invalid("it cannot be decoded") from error
    _validate(cleared)
    due = [held for held in cleared.withheld if held.chunk_id in cleared.released]
    if not due:
        return cleared
    stay = tuple(held for held in cleared.withheld if held.chunk_id not in cleared.released)
    freed = (*cleared.chunks, *(_released(held) for held in due))
    moved = replace(
        cleared,
        chunks=tuple(sorted(freed, key=lambda chunk: (chunk.page, chunk.start, chunk.end))),
        withheld=stay,
        account=_after_release(cleared, due, stay),
    )
    _validate(moved)
    return moved


def release(cleared: Cleared, chunk_ids: tuple[UUID, ...]) -> Cleared:
    """The verdict with these withheld chunks released by a reviewer; sums move in the account.

    Raises:
        Invalid: `chunk_not_withheld` if one of them is not withheld (or was released before).
    """
    waiting = {held.chunk_id for held in cleared.withheld}
    if not chunk_ids or not waiting.issuperset(chunk_ids):
        raise Invalid("chunk_not_withheld", "One of these passages is not withheld.", "Reload the review queue.")
    named = tuple(sorted({*cleared.released, *chunk_ids}))
    return load_cleared(encode(replace(cleared, released=named)))


def pii_counts(cleared: Cleared) -> dict[str, int]:
    """How many values of each type the PII gate found, sorted by type."""
    counts: dict[str, int] = {}
    for finding in cleared.findings:
        if finding.gate == "pii":
            counts[finding.kind] = counts.get(finding.kind, 0) + 1
    return dict(sorted(counts.items()))


def account_open() -> StageFailed:
    """The error for a document of which something would get lost."""
    return StageFailed(
        "account_open",
        "Not every character of this document is accounted for.",
        "Report it with the document's id; it stays out of the index until a corrected version reads it again.",
    )


def _released(held: WithheldChunk) -> ClearedChunk:
    return ClearedChunk(
        chunk_id=held.chunk_id,
        doc_id=held.doc_id,
        generation=held.generation,
        page=held.page,
        start=held.start,
        end=held.end,
        text=held.text,
        headings=held.headings,
        injection_score=held.injection_score,
        pii=held.pii,
        config_version=held.config_version,
    )


def _after_release(cleared: Cleared, due: list[WithheldChunk], stay: tuple[WithheldChunk, ...]) -> Account:
    account = cleared.account
    plain, redacted = sum(held.indexed for held in due), sum(held.redacted for held in due)
    pages = {held.page for held in due} - {chunk.page for chunk in cleared.chunks}
    waiting = {(held.page, cell.element, cell.cell) for held in stay for cell in held.cells}
    cells: dict[tuple[int, int, int], bool] = {}
    for held in due:
        for cell in held.cells:
            place = (held.page, cell.element, cell.cell)
            if place not in waiting:
                cells[place] = cells.get(place, False) or cell.redacted
    hidden = sum(cells.values())
    return replace(
        account,
        pages=_move(account.pages, len(pages), 0),
        characters=_move(account.characters, plain, redacted),
        cells=_move(account.cells, len(cells) - hidden, hidden),
    )


def _move(tally: Tally, indexed: int, redacted: int) -> Tally:
    return replace(
        tally,
        indexed=tally.indexed + indexed,
        redacted=tally.redacted + redacted,
        withheld=tally.withheld - indexed - redacted,
    )


def _validate(cleared: Cleared) -> None:
    if not cleared.account.closes:
        raise account_open()
    if cleared.blocked and (cleared.chunks or cleared.withheld):
        raise _invalid("a blocked document has chunks")
    place = (0, 0)
    both: list[ClearedChunk | WithheldChunk] = [*cleared.chunks, *cleared.withheld]
    for chunk in sorted(both, key=lambda c: (c.page, c.start, c.end)):
        named = chunk_id(cleared.doc_id, cleared.generation, chunk.page, chunk.start, chunk.end)
        if chunk.chunk_id != named or (chunk.doc_id, chunk.generation) != (cleared.doc_id, cleared.generation):
            raise _invalid("a chunk belongs to something else")
        if (chunk.page, chunk.start) < place or chunk.end <= chunk.start or chunk.page < 1:
            raise _invalid("chunks overlap")
        place = (chunk.page, chunk.end)


def _invalid(why: str) -> StageFailed:
    return StageFailed("verdict_invalid", f"The stored verdict is not valid: {why}.", "Process the document again.")
