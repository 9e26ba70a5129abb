"""Whether the passage that answers is among the first five, over questions with exact answers.

    python -m bench.finding.retrieval [--half tuning] [--misses]

Each document of bench/sets/retrieval/*/ is rendered to a real file (PDF, DOCX, TXT, XLSX or CSV, mixed) and goes the
whole way: parser, policy gates, embedder, index, and then `Search`. The three parts that were written beside the search
and a hundred documents that answer nothing lie in one collection; `strangers`, by somebody who had seen nothing of it
and asked as users ask, lies with the same hundred in another, and nobody has looked at what is missed of it. A question
counts if one of its first five passages is of the right document and holds the answer's characters (white space aside),
or at least four fifths of them in one run.

Beside it, from the same parsed text and the same model: fixed-size windows (1,000 characters, 200 overlapping) by one
vector each, the same windows in our own hybrid search, and our own passages by words alone. PII is flagged and not
redacted here, so that an answer may be an address. `--misses` lists what was missed of the tuning half; the other half
is for counting only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

import msgspec
from msgspec.structs import replace

from bench.finding.distractors import documents as distractors
from bench.finding.rendering import render
from bench.table import Line, show
from frostbyte.adapters.collections import TwoCollections
from frostbyte.adapters.embeddings.e5 import E5
from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.parsing.direct import DirectReader
from frostbyte.adapters.qdrant.edge import EdgeVectors
from frostbyte.data_plane import embed, index, policy
from frostbyte.data_plane.artefacts import CHUNKS, Artefacts, lay_out
from frostbyte.data_plane.document import Document
from frostbyte.data_plane.serve.search import Filters, Mode, Search
from frostbyte.data_plane.terms import TermHasher
from frostbyte.kernel.records import DocumentRow, State
from frostbyte.kernel.tenancy import config_from
from frostbyte.kernel.vault import TenantKeys, Vault

SETS: Final = Path(__file__).parents[1] / "sets" / "retrieval"
COLLECTIONS: Final = (("tuning", "check", "held_back"), ("strangers",))
"""What is asked together."""
HALVES: Final = tuple(half for halves in COLLECTIONS for half in halves)
TOP_K: Final = 5
ENOUGH: Final = 0.8
WINDOW, OVERLAP = 1000, 200
DISTRACTORS: Final = 100
TARGET: Final = 0.9
_SPACE: Final = UUID(int=55)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question and the words that answer it."""

    question: str
    document: str
    answer: str
    kind: str = ""
    half: str = ""

    @property
    def name(self) -> str:
        """Its document within both halves."""
        return f"{self.half}/{self.document}"


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A passage of the shelf, ours or a window."""

    chunk_id: UUID
    doc_id: UUID
    generation: str
    page: int
    start: int
    end: int
    text: str
    headings: tuple[str, ...] = ()
    injection_score: float = 0.0
    pii: tuple[str, ...] = ()
    config_version: int = 0


class Whole(E5):
    """The same model, each text as one vector: what is usually done."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(self.spec, pieces=False)


class Shelf:
    """One collection of documents with its search; `cut` makes the passages of a document."""

    def __init__(self, folder: Path, embedder: E5) -> None:
        self.rows = MemoryStore()
        self.vault = Vault(MemoryBlobs(), TenantKeys(os.urandom(32), b"bench" * 6, {1: os.urandom(32)}))
        self.vectors = EdgeVectors(folder)
        self.embedder = embedder
        self.terms = TermHasher(b"bench" * 6)  # fixed: no figure may depend on which terms happen to meet
        self.names: dict[UUID, str] = {}
        self.texts: dict[UUID, str] = {}
        self.count = 0
        self.search = Search(
            unit_of_work=self.rows.unit_of_work,
            vectors=TwoCollections(lambda _: self.vectors, lambda _: None),
            embedder=embedder,
            terms=self.terms,
            load=Artefacts(self.vault).chunk,
        )

    def add(self, name: str, chunks: Sequence[policy.ClearedChunk | Passage], mime: str) -> None:
        """Index a document's passages as the flow does."""
        doc_id = uuid5(_SPACE, name)
        vectors = embed.run(chunks, self.embedder)
        index.run(chunks, vectors, store=self.vectors, spec=self.embedder.spec, terms=self.terms)
        rows, data = lay_out(chunks, [])
        row = DocumentRow(
            doc_id=doc_id,
            incarnation=1,
            state=State.INDEXED,
            mime=mime,
            size=len(data),
            received_at=datetime(2026, 1, 1, tzinfo=UTC),
            raw_object=f"raw/{doc_id}.1",
            key_object=f"keys/{doc_id}.1",
            sealed_name=b"",
            config_version=0,
            generation="g",
            active_generation="g",
        )
        key = self.vault.new_key()
        self.vault.store_key(row.key_object, key)
        Artefacts(self.vault).put(row, "g", CHUNKS, key, data)
        with self.rows.unit_of_work() as uow:
            uow.documents.put(row)
            uow.chunks.put_generation(doc_id, "g", rows)
            uow.commit()
        self.names[doc_id] = name
        self.texts |= {chunk.chunk_id: chunk.text for chunk in chunks}
        self.count += len(chunks)

    def ask(self, question: Question, mode: Mode) -> list[tuple[str, str]]:
        """(document, text) of the first passages."""
        found = self.search.find(question.question, top_k=TOP_K, filters=Filters(), mode=mode)
        return [(self.names[item.document.doc_id], item.shown.text) for item in found]


def load(half: str) -> tuple[dict[str, str], list[Question]]:
    """Markdown by name and the questions of one half; both empty where it is not there."""
    folder = SETS / half
    if not (folder / "questions.json").exists():
        return {}, []
    texts = {f"{half}/{path.stem}": path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    asked = msgspec.json.decode((folder / "questions.json").read_bytes(), type=list[Question])
    return texts, [replace(item, half=half, document=item.document.removesuffix(".md")) for item in asked]


def windows(name: str, document: Document) -> list[Passage]:
    """The document's text in fixed windows."""
    text = "\n".join(page.reading(0, len(page.text)) for page in document.pages)
    doc_id = uuid5(_SPACE, name)
    starts = range(0, max(len(text) - OVERLAP, 1), WINDOW - OVERLAP)
    return [
        Passage(
            chunk_id=uuid5(doc_id, str(start)),
            doc_id=doc_id,
            generation="g",
            page=1,
            start=start,
            end=min(start + WINDOW, len(text)),
            text=text[start : start + WINDOW],
        )
        for start in starts
        if text[start : start + WINDOW].strip()
    ]


def holds(text: str, answer: str) -> bool:
    """Whether the passage holds the answer or enough of it in one run, white space and cell borders aside."""
    inside, wanted = (re.sub(r"[\s|]+", "", part) for part in (text, answer))
    if wanted in inside:
        return True
    run = SequenceMatcher(None, inside, wanted, autojunk=False).find_longest_match().size
    return run >= ENOUGH * len(wanted)


def fill(ours: Shelf, fixed: Shelf, plain: Shelf, texts: dict[str, str]) -> None:
    """Render, parse, judge and index every document, in our passages and in windows."""
    reader, rules, config = DirectReader(), policy.RuleSet.load(), config_from({"pii_policy": "flag"})
    for number, (name, text) in enumerate(texts.items()):
        file = render(text, number)
        document = reader.parse(
            [file.data], sha256=hashlib.sha256(file.data).hexdigest(), mime=file.mime, size=len(file.data)
        )
        cleared = policy.clear(
            document,
            doc_id=uuid5(_SPACE, name),
            generation="g",
            config=config,
            config_version=0,
            rules=rules,
            names=None,
        )
        ours.add(name, cleared.chunks, file.mime)
        for shelf in (fixed, plain):
            shelf.add(name, windows(name, document), file.mime)
    for shelf in (ours, fixed, plain):
        shelf.vectors.compact()


Ask = Callable[[Question], list[tuple[str, str]]]


def recall(asked: list[Question], ask: Ask) -> tuple[float, list[tuple[Question, list[tuple[str, str]]]]]:
    """The share of questions answered in the first five, and what was found for the others."""
    missed = []
    for question in asked:
        found = ask(question)
        if not any(name == question.name and holds(text, question.answer) for name, text in found):
            missed.append((question, found))
    return 1 - len(missed) / len(asked), missed


def lines(asked: list[Question], half: str, ways: dict[str, Ask]) -> list[Line]:
    """Ours beside each other way, for one half."""
    own, missed = recall(asked, ways["ours"])
    note = f"{len(asked)} questions, {len(asked) - len(missed)} answered"
    made = [
        Line(
            measure=f"recall@5 of the answer, {half}",
            ours=own,
            unit="",
            target=f">= {TARGET}",
            met=own >= TARGET,
            note=note,
        )
    ]
    for name, ask in ways.items():
        if name != "ours":
            other, _ = recall(asked, ask)
            made.append(
                Line(
                    measure=f"recall@5, {half}, beside {name}",
                    ours=own,
                    reference=other,
                    unit="",
                    target="above" if "vectors" in name or "words" in name else "",
                    met=own > other if "vectors" in name or "words" in name else None,
                )
            )
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=HALVES)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    embedder = E5()
    for halves in COLLECTIONS if options.half is None else ((options.half,),):
        measure(halves, embedder, misses=options.misses)


def measure(halves: Sequence[str], embedder: E5, *, misses: bool) -> None:
    """Fill a collection with these parts, ask their questions and print."""
    texts: dict[str, str] = {}
    asked: list[Question] = []
    for half in halves:
        found, questions = load(half)
        texts |= found
        asked += questions
    texts |= distractors(DISTRACTORS)
    with tempfile.TemporaryDirectory() as name:
        ours, fixed = Shelf(Path(name) / "ours", embedder), Shelf(Path(name) / "fixed", embedder)
        plain = Shelf(Path(name) / "plain", Whole())
        began = time.process_time()
        fill(ours, fixed, plain, texts)
        seconds = time.process_time() - began
        print(f"{len(texts)} documents, {ours.count} passages, {fixed.count} windows, {seconds:.0f} CPU-s")
        ways: dict[str, Ask] = {
            "ours": lambda question: ours.ask(question, Mode.HYBRID),
            "fixed windows by vectors": lambda question: plain.ask(question, Mode.DENSE),
            "fixed windows in our search": lambda question: fixed.ask(question, Mode.HYBRID),
            "our passages by words alone": lambda question: ours.ask(question, Mode.LEXICAL),
            "our passages by meaning alone": lambda question: ours.ask(question, Mode.DENSE),
        }
        for half in halves:
            part = [question for question in asked if question.half == half]
            if part:
                show(lines(part, half, ways))
        if misses:
            for question, shown in recall([q for q in asked if q.half == "tuning"], ways["ours"])[1]:
                print(json.dumps([question.question, question.answer, question.name], ensure_ascii=False))
                for title, text in shown:
                    if not title.startswith("held_back"):  # nobody who tunes may read it
                        print("    ", title, "|", " ".join(text.split())[:110])
        for shelf in (ours, fixed, plain):
            shelf.vectors.close()


if __name__ == "__main__":
    main()
