"""Whatever a file is named and a passage says, a terminal shows it and does not obey it."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from cli.fake_plane import BATCH, FakePlane, Run, item, report
from frostbyte.cli.output import safe, size_text

HOSTILE = "\x1b]0;owned\x07\x1b[2J[bold red]x[/]\u202etxt.exe\r\n:smile:"


@given(st.text())
def test_safe_text_holds_nothing_that_a_terminal_obeys(value: str) -> None:
    for lines in (False, True):
        shown = safe(value, lines=lines)
        allowed = {"\n"} if lines else set()
        assert all(unicodedata.category(char)[0] != "C" or char in allowed for char in shown)
        assert not set(shown) & {"\u2028", "\u2029"}


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S"))))
def test_ordinary_text_stays_as_it_is(value: str) -> None:
    assert safe(value) == value


def test_hostile_names_are_shown_not_obeyed(run: Run, plane: FakePlane) -> None:
    documents = [item(1, "failed", filename=HOSTILE, code="damaged", message=HOSTILE, remedy=HOSTILE)]
    plane.on("GET", f"/ingest/{BATCH}/report", report(documents))
    ended = run("report", BATCH)
    assert "\x1b" not in ended.out
    assert "\u202e" not in ended.out
    assert "\r" not in ended.out
    plain = "".join(ended.out.split())
    assert "[boldred]x[/]" in plain  # markup is text
    assert "\\x1b[2J" in plain
    assert ":smile:" in plain


def test_json_escapes_what_a_terminal_would_obey(run: Run, plane: FakePlane) -> None:
    plane.on("GET", f"/ingest/{BATCH}/report", report([item(1, "indexed", filename=HOSTILE)]))
    ended = run("report", BATCH, "--json")
    assert ended.out.isascii()
    assert "\x1b" not in ended.out
    assert ended.json["documents"][0]["filename"] == HOSTILE


def test_an_error_from_a_server_is_safe_too(run: Run, plane: FakePlane) -> None:
    plane.problem("POST", "/query", 422, "query_invalid", HOSTILE, HOSTILE)
    ended = run("search", "x")
    assert "\x1b" not in ended.err
    assert "[bold red]x[/]" in ended.err


def test_sizes_read_as_people_say_them() -> None:
    assert [size_text(n) for n in (0, 1023, 1536, 5 << 20, 3 << 30)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 MiB",
        "3.0 GiB",
    ]
