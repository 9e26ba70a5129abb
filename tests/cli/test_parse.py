"""`frostbyte parse`: what it prints is what a plane would keep."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from frostbyte.adapters.embeddings.e5 import E5
from frostbyte.cli.app import app
from frostbyte.cli.parse import Form, _rendered, read
from frostbyte.data_plane import policy
from frostbyte.data_plane.chunking import Cutting
from frostbyte.data_plane.noted import meaning_of
from frostbyte.kernel.tenancy import config_from

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "samples"
FILES = (
    "besucherdaten-richtlinie.pdf",
    "cold-storage-sop.txt",
    "complaint-letter.png",
    "deliveries.csv",
    "invoice-2026-0417.docx",
    "laboratory-budget.xlsx",
    "services-agreement.pdf",
)


@pytest.mark.parametrize("name", FILES)
def test_passages_are_those_of_a_plane_with_the_embedded_model(name: str) -> None:
    document = read(SAMPLES / name)
    cleared = policy.clear(
        document,
        doc_id=UUID(int=7),
        generation="g",
        config=config_from({"pii_policy": "flag", "pii_types": []}),
        config_version=1,
        rules=policy.RuleSet.load(),
        names=None,
        cutting=Cutting.for_window(E5().spec.window),
    )
    wanted = [
        {"page": c.page, "start": c.start, "end": c.end, "headings": list(c.headings), "text": c.text}
        for c in sorted([*cleared.chunks, *cleared.withheld], key=lambda chunk: (chunk.page, chunk.start))
    ]
    assert [json.loads(line) for line in _rendered(document, Form.JSONL).splitlines()] == wanted
    assert wanted


def test_what_was_not_read_is_said(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pdf"
    cut.write_bytes((SAMPLES / "services-agreement.pdf").read_bytes()[:3000])
    done = CliRunner().invoke(app, ["parse", str(cut)])
    assert done.exit_code == 0
    assert "# Laboratory Services Agreement" in done.stdout
    said = done.stderr.splitlines()
    assert said == [
        "1 of 3 pages read; nothing was redacted",
        f"noted: {meaning_of('truncated').meaning} Ask for the whole file and send that. (truncated)",
        f"noted: {' '.join(meaning_of('recovered_xref')[1:])} (recovered_xref)",
        "not read, damaged: page 2, 3",
    ]
