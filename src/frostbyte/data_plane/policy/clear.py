"""The policy stage: a canonical document in, a verdict out. Pure but for the NameFinder it is given.

The gates judge whole pages before any chunk is cut, so a border never hides a value or an order from them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from frostbyte.data_plane import chunking
from frostbyte.data_plane.chunking import Cutting, Heading, Piece, Readable
from frostbyte.data_plane.document import ClearedChunk, Document, Finding, Page, Span
from frostbyte.data_plane.policy import account as accounts
from frostbyte.data_plane.policy import class_reading
from frostbyte.data_plane.policy.account import Ledger, Marks
from frostbyte.data_plane.policy.classify import classify
from frostbyte.data_plane.policy.injection import Suspicion, score_range
from frostbyte.data_plane.policy.pii import Hit
from frostbyte.data_plane.policy.port import NameFinder
from frostbyte.data_plane.policy.ruleset import RuleSet
from frostbyte.data_plane.policy.search import Search, check_spans, marks_of, read
from frostbyte.data_plane.policy.verdict import (
    Cleared,
    FormulaRedaction,
    Redaction,
    WithheldCell,
    WithheldChunk,
    account_open,
)
from frostbyte.kernel.ids import chunk_id
from frostbyte.kernel.tenancy import PiiPolicy, TenantConfig

POLICY_VERSION: Final = "2"
"""Raised whenever this code judges, redacts, cuts or counts differently; part of the generation."""

WITHHELD: Final = "[WITHHELD]"
"""Stands for a title, property or sheet name that reads like orders to a model."""

_ACTIONS: Final = {PiiPolicy.REDACT: "redact", PiiPolicy.FLAG: "flag", PiiPolicy.BLOCK: "block"}
_HEADING_LENGTH: Final = 200
_TITLE_LENGTH: Final = 80
"""Of a document's title above each of its chunks: it has to leave them their window."""
_NO_TITLE: Final = re.compile(
    r"(?i)\W*(?:untitled|unbenannt|anonymous|title|titel|(?:document|dokument|sheet|tabelle|mappe|table)\s?\d*|"
    r"microsoft (?:word|excel|powerpoint)\b.*|[\w .-]+\.(?:docx?|xlsx?|pdf|txt|csv|rtf|odt|indd|tex|dvi))\W*\Z|"
    r"\[WITHHELD\]"
)
"""What programs write where people would write a title."""
_LONGEST: Final = 2000
"""No value is longer; bounds how far back from a chunk its values are looked for."""


def policy_version(rules: RuleSet, names: NameFinder | None) -> str:
    """Names everything that a verdict depends on besides the document and the configuration."""
    return f"{POLICY_VERSION}+{rules.version}+{names.version if names else 'none'}"


def clear(
    document: Document,
    *,
    doc_id: UUID,
    generation: str,
    config: TenantConfig,
    config_version: int,
    rules: RuleSet,
    names: NameFinder | None,
    cutting: Cutting = Cutting(),
) -> Cleared:
    """Judge a document, redact it and cut it into chunks.

    Raises:
        Unavailable: `pii_engine_missing` if NAME or ADDRESS is configured and nothing can find them.
        StageFailed: `account_open` if not every position of the document would be accounted for.
    """
    check_spans(document)
    search = Search(config, rules, names)
    readings = read(document)
    hits = search.pages(document, readings)
    fields = _Fields(search, document)
    hidden = config.pii_policy is not PiiPolicy.FLAG
    redactions = [_redactions(page, found) if hidden else [] for page, found in zip(document.pages, hits, strict=True)]
    marks = marks_of(document, hits if hidden else [[] for _ in hits])
    blocked = config.pii_policy is PiiPolicy.BLOCK and (any(hits) or bool(fields.findings))
    work = _Work(document, doc_id, generation, config, config_version, hits, redactions, marks, fields)
    if blocked:
        account = accounts.blocked(document, marks)
    else:
        work.chunk(search.suspicions(document, readings), cutting)
        account = work.ledger.close(document)
    if not account.closes:
        raise account_open()
    judged = classify(document.title, _class_text(document), rules)
    findings = [*fields.findings, *_pii_findings(document, hits, config), *work.findings]
    return Cleared(
        doc_id=doc_id,
        generation=generation,
        config_version=config_version,
        policy=policy_version(rules, names),
        blocked=blocked,
        chunks=tuple(work.chunks),
        withheld=tuple(work.withheld),
        findings=tuple(sorted(findings, key=lambda f: (f.page, f.start, f.end, f.gate, f.kind, f.rule))),
        classification=judged.label,
        class_confidence=judged.confidence,
        class_second=judged.second,
        class_second_confidence=judged.second_confidence,
        class_reasons=judged.reasons,
        needs_review=judged.confidence < config.classification_threshold,
        title=fields.title,
        metadata=fields.metadata,
        page_names=fields.page_names,
        formulas=tuple(fields.formulas),
        redactions=tuple(item for page in redactions for item in page),
        account=account,
    )


def redact_query(text: str, config: TenantConfig, rules: RuleSet, names: NameFinder | None) -> str:
    """A query as it may leave the plane: values of the configured types replaced, whatever the policy for documents.

    Raises:
        Unavailable: `pii_engine_missing`, as for `clear`.
    """
    return _replace(text, Search(config, rules, names).text(text))


def redactions(cleared: Cleared, page: int) -> list[Span]:
    """What a picture of this page (1-based) must cover: redacted and withheld ranges, ordered."""
    items: list[Redaction | WithheldChunk] = [*cleared.redactions, *cleared.withheld]
    spans = [(item.start, item.end) for item in items if item.page == page]
    return [Span(start=start, end=end) for start, end in sorted(spans)]


def shown(page: Page | Readable, start: int, end: int, items: Iterable[Redaction]) -> str:
    """What a reader sees of `[start, end)`: without dropped characters, each redaction replaced once.

    Args:
        items: the page's redactions, ordered, without overlap.
    """
    parts: list[str] = []
    at = start
    for item in items:
        if item.end <= at or item.start >= end:
            continue
        parts.append(page.reading(at, max(at, item.start)))
        parts.append(item.placeholder)
        at = min(item.end, end)
    parts.append(page.reading(at, end))
    return "".join(parts)


class _Fields:
    """What is no page text: title, properties, names of sheets, formulas."""

    def __init__(self, search: Search, document: Document) -> None:
        self._search = search
        self._action = _ACTIONS[search.config.pii_policy]
        self.findings: list[Finding] = []
        self.title = self._field("title", document.title, search.text(document.title))
        self.metadata = {
            key: self._field("metadata", value, search.metadata(key, value))
            for key, value in sorted(document.metadata.items())
        }
        self.page_names = {
            page.number: self._field("sheet_name", page.name, search.text(page.name))
            for page in document.pages
            if page.name
        }
        self.formulas = [item for page in document.pages for item in self._formulas(page)]

    def _field(self, place: str, text: str, hits: list[Hit]) -> str:
        """The text as it may be shown; what was found goes to the findings as page 0."""
        for hit in hits:
            self.findings.append(
                _finding(0, hit.start, hit.end, hit.kind, f"{place}:{hit.rule}", hit.confidence, self._action)
            )
        config = self._search.config
        score = self._search.suspicion(text, unseen=place == "metadata") if text else 0.0
        held = score >= config.injection_withhold
        if text and score >= config.injection_flag:
            action = "withhold" if held else "flag"
            self.findings.append(_finding(0, 0, len(text), place, place, score, action, gate="injection"))
        if text and held:
            return WITHHELD
        return text if config.pii_policy is PiiPolicy.FLAG else _replace(text, hits)

    def _formulas(self, page: Page) -> Iterable[FormulaRedaction]:
        for element in page.elements:
            for cell in element.cells:
                if not cell.formula:
                    continue
                text = self._field("formula", cell.formula, self._search.text(cell.formula))
                if text != cell.formula:
                    yield FormulaRedaction(
                        page=page.number, start=cell.start, end=cell.end, row=cell.row, column=cell.column, text=text
                    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """A piece of a page with what the injection gate says of it."""

    piece: Piece
    score: float
    reasons: tuple[Suspicion, ...]
    held: bool


class _Work:
    """Cuts a document and builds its chunks and their account."""

    def __init__(
        self,
        document: Document,
        doc_id: UUID,
        generation: str,
        config: TenantConfig,
        config_version: int,
        hits: list[list[Hit]],
        redactions: list[list[Redaction]],
        marks: list[Marks],
        fields: _Fields,
    ) -> None:
        self._document = document
        self._doc_id = doc_id
        self._generation = generation
        self._config = config
        self._config_version = config_version
        self._hits = hits
        self._redactions = redactions
        self._marks = marks
        self._fields = fields
        self._readable = [Readable(page) for page in document.pages]
        self._page_index = {page.number: index for index, page in enumerate(document.pages)}
        self.chunks: list[ClearedChunk] = []
        self.withheld: list[WithheldChunk] = []
        self.findings: list[Finding] = []
        self.ledger = Ledger()

    def chunk(self, suspicions: list[list[Suspicion]], cutting: Cutting) -> None:
        """Cut every page, judge every piece, then build the chunks."""
        judged = self._judge(suspicions, cutting)
        held = {
            (page.number, item.piece.start): item.piece.end
            for page, items in zip(self._document.pages, judged, strict=True)
            for item in items
            if item.held
        }
        for index, (page, items) in enumerate(zip(self._document.pages, judged, strict=True)):
            mark = self._marks[index]
            self.ledger.drops(page, mark)
            cleared, withheld = len(self.chunks), len(self.withheld)
            for item in items:
                self._build(index, page, item, held)
            self.ledger.page(page, len(self.chunks) > cleared, len(self.withheld) > withheld)
            self._cells(page, mark, [item.piece for item in items if item.held])

    def _judge(self, suspicions: list[list[Suspicion]], cutting: Cutting) -> list[list[_Judged]]:
        judged: list[list[_Judged]] = []
        open_sections: tuple[Heading, ...] = ()
        for page, hits, found in zip(self._document.pages, self._hits, suspicions, strict=True):
            whole = [Span(start=hit.start, end=hit.end) for hit in hits]
            cut = chunking.cut(page, open=open_sections, whole=whole, settings=cutting)
            open_sections = cut.open
            hidden = [(e.start, e.end) for e in page.elements if e.hidden]
            hidden += [(m.start, m.end) for m in page.marks if m.kind in ("hidden_row", "hidden_column")]
            hidden += [(0, len(page.text))] if page.hidden else []
            judged.append([self._score(piece, found, hidden) for piece in cut.pieces])
        return judged

    def _score(self, piece: Piece, found: list[Suspicion], hidden: Sequence[tuple[int, int]]) -> _Judged:
        score, reasons = score_range(piece.start, piece.end, found, hidden)
        return _Judged(piece, score, tuple(reasons), score >= self._config.injection_withhold)

    def _build(self, index: int, page: Page, item: _Judged, held: dict[tuple[int, int], int]) -> None:
        piece = item.piece
        plain, redacted, _ = self._marks[index].count(piece.start, piece.end)
        text = shown(
            self._readable[index], piece.start, piece.end, _within(self._redactions[index], piece.start, piece.end)
        )
        if not text.strip():
            self.ledger.blank(plain + redacted)
            return
        hits = self._hits[index]
        first = bisect_left(hits, piece.start - _LONGEST, key=lambda hit: hit.start)
        here = hits[first : bisect_left(hits, piece.end, key=lambda hit: hit.start)]
        titles = [h for h in (self._heading(heading, held, item.held) for heading in piece.headings) if h]
        headings = (*self._outermost(page, titles), *titles)
        shared = {
            "chunk_id": chunk_id(self._doc_id, self._generation, page.number, piece.start, piece.end),
            "doc_id": self._doc_id,
            "generation": self._generation,
            "page": page.number,
            "start": piece.start,
            "end": piece.end,
            "text": text,
            "headings": headings,
            "injection_score": item.score,
            "pii": tuple(sorted({hit.kind for hit in here if hit.end > piece.start})),
            "config_version": self._config_version,
        }
        self._suspect(page, item)
        if item.held:
            self.ledger.withheld += plain + redacted
            self.withheld.append(
                WithheldChunk(
                    **shared,  # type: ignore[arg-type]
                    rules=tuple(sorted({reason.rule for reason in item.reasons})),
                    indexed=plain,
                    redacted=redacted,
                    cells=tuple(self._withheld_cells(index, page, piece)),
                )
            )
        else:
            self.ledger.indexed += plain
            self.ledger.redacted += redacted
            self.chunks.append(ClearedChunk(**shared))  # type: ignore[arg-type]

    def _suspect(self, page: Page, item: _Judged) -> None:
        if item.score < self._config.injection_flag:
            return
        for reason in item.reasons:
            self.findings.append(
                Finding(
                    page=page.number,
                    start=max(reason.start, item.piece.start),
                    end=min(reason.end, item.piece.end),
                    gate="injection",
                    kind=reason.rule,
                    action="withhold" if item.held else "flag",
                    rule=reason.rule,
                    confidence=reason.score,
                )
            )

    def _outermost(self, page: Page, titles: Sequence[str]) -> list[str]:
        """The document's title and the sheet's name, as they may be shown, where the titles do not say them."""
        said = {title.casefold() for title in titles}
        found = (" ".join(name.split())[:_TITLE_LENGTH] for name in (self._fields.title, self._sheet(page)))
        return [name for name in found if name and name.casefold() not in said and not _NO_TITLE.match(name)]

    def _sheet(self, page: Page) -> str:
        return self._fields.page_names.get(page.number, "")

    def _heading(self, heading: Heading, held: dict[tuple[int, int], int], own_held: bool) -> str:
        """A section's title, redacted; '' if it stands in a withheld passage (its words would escape with it)."""
        if not own_held and any(
            page == heading.page and start < heading.end and end > heading.start for (page, start), end in held.items()
        ):
            return ""
        index = self._page_index[heading.page]
        text = shown(
            self._readable[index],
            heading.start,
            heading.end,
            _within(self._redactions[index], heading.start, heading.end),
        )
        return " ".join(text.split())[:_HEADING_LENGTH]

    def _withheld_cells(self, index: int, page: Page, piece: Piece) -> Iterable[WithheldCell]:
        mark = self._marks[index]
        for number, element in enumerate(page.elements):
            if not element.cells or element.end <= piece.start or element.start >= piece.end:
                continue
            for place, cell in enumerate(element.cells):
                inside = max(cell.start, piece.start), min(cell.end, piece.end)
                if inside[0] < inside[1] and not accounts.dropped_cell(page, mark, cell.start, cell.end):
                    yield WithheldCell(element=number, cell=place, redacted=mark.count(cell.start, cell.end)[1] > 0)

    def _cells(self, page: Page, mark: Marks, held: list[Piece]) -> None:
        starts, ends = [piece.start for piece in held], [piece.end for piece in held]
        for element in page.elements:
            for cell in element.cells:
                fate = accounts.dropped_cell(page, mark, cell.start, cell.end)
                if not fate and cell.end > cell.start and accounts.overlaps(starts, ends, cell.start, cell.end):
                    fate = "withheld"
                if not fate:
                    fate = "redacted" if mark.count(cell.start, cell.end)[1] else "indexed"
                self.ledger.cell(fate)


def _within(items: Sequence[Redaction], start: int, end: int) -> Sequence[Redaction]:
    """The redactions that meet `[start, end)`."""
    return items[
        bisect_right(items, start, key=lambda item: item.end) : bisect_left(items, end, key=lambda item: item.start)
    ]


def _redactions(page: Page, hits: Sequence[Hit]) -> list[Redaction]:
    """What to hide on a page: hits that overlap become one, named after the surest."""
    return [
        Redaction(page=page.number, start=start, end=end, placeholder=f"[{kind}]") for start, end, kind in _merged(hits)
    ]


def _merged(hits: Sequence[Hit]) -> list[tuple[int, int, str]]:
    merged: list[Hit] = []
    for hit in sorted(hits):
        if merged and hit.start < merged[-1].end:
            last = merged[-1]
            best = max(last, hit, key=lambda h: (h.confidence, h.end - h.start))
            merged[-1] = Hit(last.start, max(last.end, hit.end), best.kind, best.rule, best.confidence)
        else:
            merged.append(hit)
    return [(hit.start, hit.end, hit.kind) for hit in merged]


def _replace(text: str, hits: Sequence[Hit]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, kind in _merged(hits):
        parts += [text[at:start], f"[{kind}]"]
        at = end
    return "".join((*parts, text[at:]))


def _pii_findings(document: Document, hits: list[list[Hit]], config: TenantConfig) -> Iterable[Finding]:
    action = _ACTIONS[config.pii_policy]
    for page, found in zip(document.pages, hits, strict=True):
        for hit in found:
            yield _finding(page.number, hit.start, hit.end, hit.kind, hit.rule, hit.confidence, action)


def _finding(
    page: int, start: int, end: int, kind: str, rule: str, confidence: float, action: str, gate: str = "pii"
) -> Finding:
    return Finding(
        page=page,
        start=start,
        end=end,
        gate=gate,
        kind=kind,
        action=action,
        rule=rule,
        confidence=round(confidence, 4),
    )


def _class_text(document: Document) -> str:
    """The text that tells a document's kind: its first pages as far as the classifier looks, and how its last one ends.

    Hidden pages are not its face.
    """
    pages = [page for page in document.pages if not page.hidden]
    parts: list[str] = []
    left = class_reading.READ
    for page in pages:
        if left > 0:
            parts.append(page.reading(0, min(len(page.text), left)))
        left -= len(page.text)
    if left < 0:
        end = len(pages[-1].text)
        parts.append(pages[-1].reading(max(0, end - class_reading.ENDING), end))
    return "\n".join(parts)
