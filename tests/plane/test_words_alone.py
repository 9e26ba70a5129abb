"""A plane without an embedding model says so, and answers by words."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from frostbyte.bootstrap.data import build
from frostbyte.data_plane.serve.search import Filters, Mode
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import load

pytestmark = pytest.mark.slow


def test_a_plane_without_a_model_says_so_and_finds_words(tmp_path: Path) -> None:
    plane = build(load({"FROSTBYTE_DATA_DIR": str(tmp_path / "plane"), "FROSTBYTE_EMBEDDING_ENDPOINT": "none"}))
    try:
        assert "lexical only" in plane.health()["embedding"]
        session = plane.intake.open_batch("tester")
        sink = session.file("note.txt")
        sink.write(b"The thermostat of freezer K-17 was replaced in March.\n")
        sink.finish()
        session.close()
        while plane.runner.run_one():
            pass
        ask = partial(plane.answers.answer, "freezer K-17", top_k=None, filters=Filters(), actor="tester")
        given = ask(mode=Mode.HYBRID)
        assert given["embedding"]["label"] == plane.health()["embedding"]
        assert [item["filename"] for item in given["results"]] == ["note.txt"]
        with pytest.raises(Invalid) as caught:
            ask(mode=Mode.DENSE)
        assert caught.value.code == "mode_unavailable"
    finally:
        plane.close()
