"""What readers note of a document is explained, name by name, and docs/notes.md says the same."""

from __future__ import annotations

import ast
import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from frostbyte.data_plane.noted import NOTES, meaning_of, told
from frostbyte.kernel.formats import FORMATS

ROOT: Final = Path(__file__).parents[2]
READERS: Final = ROOT / "src" / "frostbyte" / "data_plane" / "parse"
NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
WORD: Final = re.compile(r"[a-z]+")
STEM: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*_")
NOTED: Final = frozenset({"notes", "_notes", "remarks"})
"""What a list of notes is called; a name of one word is known as a note by that alone."""
TAKES: Final = frozenset({"append", "add", "extend", "update", "insert"})
OTHERS: Final = frozenset(
    "control_character hyphen_joined soft_hyphen list_mark separator_line table_rule repeated_…"  # why text is dropped
    " alternative_text field_code field_value moved_away off_page text_layer under_text"  # why nobody sees it
    " no_text not_decodable not_legible not_read too_large too_small"  # what became of a picture
    " even_pages first_pages hidden_column hidden_row moved_here text_box"  # marks
    " column_span row_span row_height document_name page_name n_frames".split()  # fields and tags
)
"""Names in the readers that are none of a note. Another such name is one more here."""


def written(tree: ast.AST) -> set[str]:
    """Names that the code may note: all that look like one, and each word that is put where notes are gathered."""
    asked = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in ast.walk(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in asked:
            continue
        if isinstance(node, ast.JoinedStr):
            first = node.values[0]
            if isinstance(first, ast.Constant) and STEM.fullmatch(str(first.value)):
                found.add(f"{first.value}…")
        elif NAME.fullmatch(text_of(node)):
            found.add(text_of(node))
        for value in gathered(node):
            found.update(text for part in ast.walk(value) if WORD.fullmatch(text := text_of(part)))
    return found


def text_of(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def gathered(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement or a call puts into notes."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(called(target) in NOTED for target in targets):
            yield node.value
    elif isinstance(node, ast.Call):
        yield from (given.value for given in node.keywords if given.arg in NOTED)
        if isinstance(node.func, ast.Attribute) and node.func.attr in TAKES and called(node.func.value) in NOTED:
            yield from node.args


def called(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def in_readers() -> set[str]:
    """Names in all readers that are no codes of errors and no encodings."""
    listed = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "errors.md").read_text("utf-8"), re.MULTILINE))
    found: set[str] = set()
    for path in sorted(READERS.rglob("*.py")):
        found |= written(ast.parse(path.read_text("utf-8")))
    return {name for name in found - listed if not is_codec(name)}


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ('notes.append("hastily_read")', {"hastily_read"}),
        ('self._out.notes.append("upside")', {"upside"}),
        ('reading.remarks.add("upside")', {"upside"}),
        ('notes += ["upside"] if odd else []', {"upside"}),
        ('return Result(pages, notes=("upside", *more))', {"upside"}),
        ('return text, ("hastily_read",)', {"hastily_read"}),
        ('KINDS = {"macro": "macros_not_read"}', {"macros_not_read"}),
        ('return (f"guessed_{name}",)', {"guessed_…"}),
        ('if "hastily_read" in notes: pass', set()),
    ],
)
def test_a_note_is_found_however_it_is_made(code: str, names: set[str]) -> None:
    assert written(ast.parse(code)) == names


def test_every_note_is_explained_and_nothing_else_is() -> None:
    found = in_readers()
    assert found >= OTHERS, f"no longer in the readers: {sorted(OTHERS - found)}"
    unsaid = sorted(found - NOTES.keys() - OTHERS)
    assert not unsaid, f"say in data_plane/noted.py what a note means, or in OTHERS here that it is none: {unsaid}"
    gone = sorted(NOTES.keys() - found)
    assert not gone, f"explained, but no reader notes it: {gone}"


def test_the_page_says_what_the_code_says() -> None:
    page = (ROOT / "docs" / "notes.md").read_text("utf-8")
    shown: list[str] = []
    wanted: list[str] = []
    for name, note in NOTES.items():
        heading = f"## {note.formats}"
        wanted += [heading] if heading not in wanted else []
        wanted.append(f"| `{name}` | {note.meaning} | {note.remedy} |")
    for line in page.splitlines():
        if line.startswith(("## ", "| `")):
            shown.append(line)
    assert shown == wanted


@pytest.mark.parametrize("name", NOTES)
def test_a_note_is_said_in_sentences(name: str) -> None:
    note = NOTES[name]
    assert re.fullmatch(r"[A-Z][^|\n]+[^.]\.", note.meaning.replace("….", "x."))
    assert re.fullmatch(r"([A-Z][^|\n]+[^.]\.)?", note.remedy)
    assert ("…" in note.meaning) == name.endswith("…")
    assert set(note.formats.split(", ")) <= set(FORMATS.values())


def test_a_family_says_how_its_name_ends() -> None:
    assert meaning_of("encoding_guessed_cp1252").meaning.endswith("it was read as cp1252.")


def test_what_another_version_noted_is_told_by_its_name() -> None:
    (note,) = told(["sails_not_read"])
    assert note.line() == "Sails not read. (sails_not_read)"


def test_what_is_noted_often_is_told_once() -> None:
    notes = told(["embedded_document_not_read", "ocr_poor", *["embedded_document_not_read"] * 2])
    assert [(note.name, note.times) for note in notes] == [("embedded_document_not_read", 3), ("ocr_poor", 1)]
    assert notes[0].line().endswith("send it as a file of its own. (embedded_document_not_read, 3 times)")
