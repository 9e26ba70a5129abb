"""Passwords that a control plane made: they are taken, over those that were made here before."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostbyte.deploy.storage import SecretFolder
from frostbyte.kernel.errors import Invalid


def test_a_given_secret_takes_the_place_of_a_made_one_and_others_are_made(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    first = SecretFolder(tmp_path / "secrets", "acme", given)
    made, other = first.made("word"), first.made("other")
    (given / "word").write_text("g" * 43 + "\n")
    again = SecretFolder(tmp_path / "secrets", "acme", given)
    assert again.made("word") == "g" * 43 != made
    assert again.made("other") == other
    assert SecretFolder(tmp_path / "secrets", "acme").found("word") == "g" * 43
    (given / "word").write_text("h" * 43)  # rotated
    assert again.made("word") == again.found("word") == "h" * 43


@pytest.mark.parametrize("text", ["", "short", "x" * 43 + "\ny", "x" * 40 + " OR 1", "ü" * 43])
def test_a_given_secret_that_is_none_is_refused_and_nothing_is_made_in_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "word").write_text(text)
    folder = SecretFolder(tmp_path / "secrets", "acme", tmp_path)
    with pytest.raises(Invalid) as refused:
        folder.made("word")
    assert refused.value.code == "secret_given_invalid"
    assert not (tmp_path / "secrets" / "word").exists()
