"""The reader of PDFs as machine code, as the worker's image has it: the same documents, and the same tests."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench.reading import pdf_made
from bench.reading.table_pages import KINDS, draw_page
from reportlab.pdfgen.canvas import Canvas

from draws import SOAK
from parse.conftest import SAMPLES
from servers.lanes import ROOT, need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TOOL = ROOT / "tools/compiled.py"
ANSWERS = Path(__file__).with_name("answers.py")
READERS = ("pdf", "pdf_account", "pdf_layout", "pdf_tables", "docx", "office", "xlsx", "plain")
TESTS = (*READERS, "wellformed", "account", "hostile")
"""What reads PDFs, and what else builds its pages with the same modules."""


def built(out: Path, **environment: str) -> Path:
    """A tree of the package with what is compiled."""
    done = subprocess.run(
        [sys.executable, str(TOOL), str(out)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("compiler")
    return built(tmp_path_factory.mktemp("compiled") / "tree")


def tables(kind: str) -> bytes:
    """Pages of tables, the same each time."""
    target = io.BytesIO()
    canvas = Canvas(target, invariant=1)
    for number in range(6):
        draw_page(canvas, random.Random(f"compiled {kind} {number}"), kind)
        canvas.showPage()
    canvas.save()
    return target.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PDFs of every kind that we have or make."""
    found = tmp_path_factory.mktemp("pdfs")
    for path in SAMPLES.glob("*.pdf"):
        (found / path.name).write_bytes(path.read_bytes())
    for layout in pdf_made.LAYOUTS:
        (found / f"{layout.__name__}.pdf").write_bytes(pdf_made.page(layout))
    for kind in KINDS:
        (found / f"{kind}.pdf").write_bytes(tables(kind))
    return found


def answers(tree: Path, folder: Path, *words: str) -> Any:
    """What the tree's reader makes of the folder."""
    done = subprocess.run(
        [sys.executable, str(ANSWERS), str(folder), *words],
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_machine_code_gives_the_same_documents_and_the_same_failures(tree: Path, folder: Path) -> None:
    compiled, plain = answers(tree, folder), answers(tree, folder, "plain")
    assert len(plain["answers"]) > 150
    assert compiled["answers"] == plain["answers"]
    assert {name for name, file in plain["modules"].items() if not file.endswith(".py")} == set()
    inside = {name for name in plain["modules"] if name.startswith("pdf.")} - {"pdf.tables"}
    native = {name for name, file in compiled["modules"].items() if file.endswith(".so")}
    assert native == {*inside, "building", "wellformed"}
    assert [name for name in native if not Path(compiled["modules"][name]).exists()] == []


def test_machine_code_passes_the_tests_of_what_it_was_made_of(tree: Path) -> None:
    files = [f"tests/parse/test_{name}.py" for name in TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", *files],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]


if SOAK:  # another minute; in CI equal inputs make equal images

    def test_the_same_sources_make_the_same_bytes(tree: Path, tmp_path: Path) -> None:
        again = built(tmp_path / "elsewhere", PYTHONHASHSEED="7")
        before, after = ({str(path.relative_to(one)): path for path in one.rglob("*.so")} for one in (tree, again))
        assert before.keys() == after.keys()
        assert [name for name in before if before[name].read_bytes() != after[name].read_bytes()] == []
