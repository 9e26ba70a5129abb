"""`frostbyte parse`: one file through the parsers, without a plane; to see what would be read."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.output import hint
from frostbyte.data_plane.noted import told

if TYPE_CHECKING:
    from frostbyte.data_plane.document import Document


class Form(StrEnum):
    """What comes out."""

    MD = "md"
    JSON = "json"
    JSONL = "jsonl"


def parse(
    file: Annotated[Path, typer.Argument(help="The document.", show_default=False)],
    to: Annotated[Form, typer.Option("--to", help="Markdown, structure as JSON, or one passage a line.")] = Form.MD,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it here; else it is printed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --to json.")] = False,
) -> None:
    """Read one file as a plane would, and print what was found.

    Nothing is stored, scanned or redacted: this is for your own files, on your own machine.
    """
    if not file.is_file():
        raise CommandFailed("file_missing", f"{file} is no file.", "Check the path.", exit_code=Exit.NOT_FOUND)
    document = read(file)
    rendered = _rendered(document, Form.JSON if as_json else to)
    if output is None:
        sys.stdout.write(rendered)
    else:
        output.write_text(rendered, encoding="utf-8")
    if output is not None or not sys.stdout.isatty():
        whole = sum(page.unread in ("", "blank") for page in document.pages)
        hint(f"{whole} of {document.pages_found} pages read; nothing was redacted")
    for remark in _remarks(document):
        hint(remark)


def _remarks(document: Document) -> Iterator[str]:
    """What its reader says of the file, and which pages it could not read."""
    for note in told(document.notes):
        yield f"noted: {note.line()}"
    unread: dict[str, list[str]] = {}
    for page in document.pages:
        if page.unread and page.unread != "blank":
            unread.setdefault(page.unread.replace("_", " "), []).append(str(page.number))
    for reason, numbers in unread.items():
        yield f"not read, {reason}: page {', '.join(numbers)}"


def read(file: Path) -> Document:
    """The canonical document of a file, parsed in a child process with limits.

    Raises:
        CommandFailed: what intake would refuse it with.
        StageFailed: what the parser says.
    """
    from frostbyte.adapters.parsing.pool import ParserPool

    mime, digest, size = _identify(file)
    pool = ParserPool(size=1)
    try:
        return pool.parse(_blocks(file), sha256=digest, mime=mime, size=size)
    finally:
        pool.close()


def _identify(file: Path) -> tuple[str, str, int]:
    """(type by content, sha256, bytes)."""
    from frostbyte.data_plane.intake.sniff import Refusal, Sniffer, look_closer

    sniffer, digest = Sniffer(), hashlib.sha256()
    for block in _blocks(file):
        sniffer.feed(block)
        digest.update(block)
    sniffer.finish()
    size = file.stat().st_size
    found: str | Refusal = sniffer.refusal or sniffer.mime
    if not found:
        with file.open("rb") as whole:
            found = look_closer(whole, size)
    if isinstance(found, Refusal):
        raise CommandFailed(found.code, found.message, found.remedy, exit_code=Exit.REFUSED)
    return found, digest.hexdigest(), size


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while block := opened.read(1 << 18):
            yield block


def _rendered(document: Document, form: Form) -> str:
    from frostbyte.data_plane.artefacts import View
    from frostbyte.data_plane.serve.markdown import to_markdown
    from frostbyte.data_plane.serve.shape import to_json

    everything = View(
        title=document.title,
        metadata=document.metadata,
        page_names={page.number: page.name for page in document.pages if page.name},
        redactions=(),
        withheld=(),
    )
    if form is Form.MD:
        return to_markdown(document, everything)
    if form is Form.JSON:
        return json.dumps(to_json(document, everything), indent=2, ensure_ascii=False, default=str) + "\n"
    return "".join(json.dumps(passage, ensure_ascii=False) + "\n" for passage in _passages(document))


def _passages(document: Document) -> Iterator[dict[str, Any]]:
    """The passages that a plane with the embedded model would cut if nothing had to be redacted or withheld."""
    from frostbyte.adapters.embeddings.e5 import MAX_TOKENS
    from frostbyte.data_plane import policy
    from frostbyte.data_plane.artefacts import in_order
    from frostbyte.data_plane.chunking import Cutting
    from frostbyte.kernel.tenancy import config_from

    cleared = policy.clear(
        document,
        doc_id=UUID(int=0),
        generation="",
        config=config_from({"pii_policy": "flag", "pii_types": [], "injection_withhold": 1.0}),
        config_version=0,
        rules=policy.RuleSet.load(),
        names=None,
        cutting=Cutting.for_window(MAX_TOKENS),
    )
    for chunk, _ in in_order(cleared.chunks, cleared.withheld):
        yield {
            "page": chunk.page,
            "start": chunk.start,
            "end": chunk.end,
            "headings": list(chunk.headings),
            "text": chunk.text,
        }
