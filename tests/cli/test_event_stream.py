"""Event streams are read as the standard says."""

from __future__ import annotations

from frostbyte.cli.event_stream import server_events


def test_events_comments_data_of_several_lines_and_one_that_was_cut() -> None:
    lines = [": ping", "", "event: document", "data: {", "data:  }", "", "data: x", "", "event: done", "data: {}", ""]
    assert [event[:2] for event in server_events(iter([*lines, "data: cut"]))] == [
        ("comment", " ping"),
        ("document", "{\n }"),
        ("message", "x"),
        ("done", "{}"),
    ]


def test_the_last_id_stays_until_another_one_comes() -> None:
    lines = ["id: 4", "data: a", "", "data: b", "", "id: 5\0", "data: c", "", "id", "data: d", ""]
    assert [event.last_id for event in server_events(iter(lines))] == ["4", "4", "4", ""]
