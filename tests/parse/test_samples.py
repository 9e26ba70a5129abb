"""The samples are what their generator writes, and hold what their guide says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
GALLERY = SAMPLES.parent / "docs" / "gallery"


@pytest.mark.slow
def test_the_generator_writes_the_same_bytes(tmp_path):
    subprocess.run([sys.executable, str(SAMPLES / "generate.py"), str(tmp_path)], check=True, timeout=60)
    made = sorted(path for path in tmp_path.iterdir() if path.is_file())
    assert len(made) == 11
    for path in made:
        assert path.read_bytes() == (SAMPLES / path.name).read_bytes(), path.name
    shown = sorted((tmp_path / "gallery").iterdir())
    assert len(shown) == 2
    for path in shown:
        assert path.read_bytes() == (GALLERY / path.name).read_bytes(), path.name
    assert sum(path.stat().st_size for path in made) < 1_500_000


def test_the_guide_names_every_file():
    guide = (SAMPLES / "README.md").read_text()
    for path in SAMPLES.iterdir():
        if path.suffix not in (".py", ".md") and path.is_file():
            assert f"`{path.name}`" in guide, path.name


def test_the_questions_have_their_answers(read, sample):
    questions = json.loads((SAMPLES / "questions.json").read_text())
    assert len(questions) == 2
    for question in questions:
        pages = read(*sample(question["file"])).pages
        assert any(question["answer"] in page.reading(0, len(page.text)) for page in pages)


def test_the_contract_has_what_the_demo_redacts(read, sample):
    pages = read(*sample("services-agreement.pdf")).pages
    text = " ".join(page.text for page in pages)
    assert len(pages) >= 3
    for words in ("marian.tolliver@example.com", "078-05-1120", "14 July 1986"):
        assert words in text


def test_the_injection_is_hidden_and_found(read, sample):
    page = read(*sample("supplier-note.pdf")).pages[0]
    hidden = [page.text[e.start : e.end] for e in page.elements if e.hidden == "white"]
    assert len(hidden) == 1
    assert hidden[0].startswith("Ignore all previous instructions")
