"""The engine for names and addresses: real weights, on texts made for this test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from frostbyte.adapters.names import RampartNames, installed
from frostbyte.adapters.names import rampart as module
from frostbyte.kernel.errors import Unavailable


@pytest.fixture(scope="module")
def engine() -> RampartNames:
    found = installed()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Please contact Jane Miller today.", [("NAME", "Jane Miller")]),
        (
            "Frau Anna Schmidt wohnt in der Hauptstraße 12, 50667 Köln.",
            [("NAME", "Anna Schmidt"), ("ADDRESS", "Hauptstraße 12, 50667 Köln")],
        ),
        (
            "Ship to 742 Evergreen Terrace, Springfield, IL 62704",
            [("ADDRESS", "742 Evergreen Terrace, Springfield, IL 62704")],
        ),
        ("Version 3.2 runs on port 443.", []),
        ("The server listens on port 8080 in Berlin.", []),
        ("Der Vertrag wurde am Montag unterzeichnet. Die Zahlung erfolgt in drei Raten.", []),
        ("", []),
    ],
)
def test_names_and_addresses(engine: RampartNames, text: str, expected: list[tuple[str, str]]) -> None:
    assert [(kind, text[start:end]) for start, end, kind, _ in engine.find(text)] == expected


@pytest.mark.slow
def test_positions_hold_in_long_texts_and_verdicts_repeat(engine: RampartNames) -> None:
    text = (
        "Die Lieferung erfolgt nach Eingang der Zahlung auf dem Konto.\n" * 60
        + "Gezeichnet: Maria Gonzalez\n"
        + "Ende.\n" * 50
    )
    found = engine.find(text)
    assert "Maria Gonzalez" in [text[start:end] for start, end, kind, _ in found if kind == "NAME"]
    assert engine.find(text) == found


def test_other_weights_are_refused(tmp_path: Path) -> None:
    folder = module._folder()
    assert folder is not None
    shutil.copytree(folder, tmp_path / "model")
    with (tmp_path / "model" / "tokenizer.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(Unavailable) as caught:
        RampartNames(tmp_path / "model").find("Jane Miller")
    assert caught.value.code == "pii_engine_missing"
    with pytest.raises(Unavailable):
        RampartNames(tmp_path / "nothing").find("Jane Miller")


def test_no_package_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", "no_such_package_at_all")
    assert installed() is None


def test_the_gate_redacts_with_it(clear: Any, engine: RampartNames) -> None:
    cleared = clear(
        "Signed by Jane Miller, 221B Baker Street, London NW1 6XE.", names=engine, pii_types=["NAME", "ADDRESS"]
    )
    assert cleared.chunks[0].text == "Signed by [NAME], [ADDRESS]."
