"""No log line can hold content, whoever writes it and whatever they pass."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbyte.kernel import logging as ours

CANARY = "Müller owes 5000 euros"


@pytest.fixture
def lines() -> Iterator[Any]:
    """Configures logging; returns what was written so far, line by line."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())
    ours.configure(level="debug", tenant="acme", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], level, config = before
    root.setLevel(level)
    structlog.configure(**config)


def test_a_line_says_who_where_and_what(lines: Any) -> None:
    doc = UUID(int=7)
    structlog.get_logger("frostbyte.api").warning("request_failed", code="disk_full", status=503, doc_id=doc)
    [line] = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request_failed",
        "level": "warning",
        "component": "api",
        "tenant": "acme",
        "code": "disk_full",
        "status": 503,
        "doc_id": str(doc),
    }


@settings(max_examples=100, deadline=None)
@given(
    event=st.text(max_size=30),
    fields=st.dictionaries(st.sampled_from([*sorted(ours.FIELDS - {"event"}), "text", "query", "filename"]), st.text()),
)
def test_only_words_of_known_fields_pass(event: str, fields: dict[str, str]) -> None:
    kept = ours.KeepKnown("acme")(None, "info", {"event": event, **fields})
    assert set(kept) <= ours.FIELDS | {"dropped"}
    for name, value in kept.items():
        assert name == "dropped" or value == "withheld" or str(value).isascii()
        assert not set(str(value)) & set(" \t\r\n\"'\\<>")


@pytest.mark.parametrize("value", [CANARY, [CANARY], {"a": CANARY}, CANARY.encode(), ValueError(CANARY), "a" * 129])
def test_values_that_could_be_content_are_withheld(value: Any, lines: Any) -> None:
    structlog.get_logger("frostbyte.x").info("it_happened", code=value, text=value)
    [line] = lines()
    assert line["code"] == "withheld"
    assert line["dropped"] == 1
    assert "text" not in line


def test_a_sentence_is_no_event(lines: Any) -> None:
    structlog.get_logger("frostbyte.x").info(f"could not parse {CANARY}")
    assert lines()[0]["event"] == "withheld"


def test_libraries_are_heard_without_their_words(lines: Any) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception with %s", CANARY)
    logging.getLogger("python_multipart").warning("Consuming a byte %r", CANARY)
    failed, warned = lines()
    assert (failed["component"], failed["error"], failed["level"]) == ("uvicorn.error", "ValueError", "error")
    assert failed["where"].startswith("test_logging.py:")
    assert (warned["component"], warned["event"]) == ("python_multipart", "library_message")
    assert CANARY not in json.dumps(lines(), ensure_ascii=False)


def test_an_exception_is_not_quoted(lines: Any) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        structlog.get_logger("frostbyte.x").exception("it_failed")
    assert CANARY not in json.dumps(lines(), ensure_ascii=False)


def test_where_names_our_innermost_line() -> None:
    from frostbyte.kernel.canonical import canonical

    with pytest.raises(TypeError) as caught:
        canonical({"a": 0.5})
    assert ours.where(caught.value).startswith("kernel/canonical.py:")
    assert ours.where(ValueError()) == "unknown"


@pytest.mark.parametrize(("level", "heard"), [("info", 1), ("warning", 0), ("nonsense", 0)])
def test_levels(level: str, heard: int, lines: Any) -> None:
    stream = io.StringIO()
    ours.configure(level=level, stream=stream)
    structlog.get_logger("frostbyte.x").info("it_happened")
    assert len(stream.getvalue().splitlines()) == heard
