"""How numbers are said, and that nothing a sender made up becomes markup."""

from __future__ import annotations

import pytest

from frostbyte.console import navigation, rendering, words
from frostbyte.console.rendering import Shell, render


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_940, "99.9 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (5 * 10**9, "5.0 GB"),
        (10**17, "100000 TB"),
    ],
)
def test_sizes(octets: int, said: str) -> None:
    assert words.size(octets) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (60, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(amount: float, said: str) -> None:
    assert words.seconds(amount) == said


def test_counts() -> None:
    assert words.count(1, "document") == "1 document"
    assert words.count(12_340, "document") == "12,340 documents"
    assert words.count(2, "batch", "batches") == "2 batches"


def test_moments() -> None:
    assert words.moment("2026-11-27T10:05:00Z") == (
        '<time datetime="2026-11-27T10:05:00+00:00">27 Nov 2026, 10:05 UTC</time>'
    )
    assert "not yet" in words.moment(None)


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/console/", "/console/"),
        ("/console/batches", "/console/batches"),
        ("/console/batches/019ac0", "/console/batches"),
        ("/console/account", ""),
    ],
)
def test_where_one_is(path: str, entry: str) -> None:
    assert navigation.current(navigation.DATA, path) == entry


def test_what_a_sender_made_up_is_text() -> None:
    hostile = '"><script>alert(1)</script>'
    body = {
        "title": hostile,
        "status": 422,
        "detail": hostile,
        "remedy": hostile,
        "code": hostile,
        "request_id": hostile,
    }
    page = render("both/problem.html", Shell(place=hostile, kind="plane", path=hostile, said=hostile), problem=body)
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") == 8


def test_every_template_can_be_read() -> None:
    rendering.warm()
