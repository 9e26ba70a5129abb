"""A replay computes every passage again, byte for byte, and refuses under other versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from frostbyte.bootstrap.data import Plane
from frostbyte.data_plane import artefacts, parse
from frostbyte.kernel.errors import Conflict

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "samples"
Send = Callable[..., UUID]
Settle = Callable[[], None]


@pytest.mark.parametrize(
    "name", ["services-agreement.pdf", "complaint-letter.png", "laboratory-budget.xlsx", "supplier-note.pdf"]
)
def test_every_passage_comes_out_the_same(plane: Plane, send: Send, settle: Settle, name: str) -> None:
    doc_id = send(name, (SAMPLES / name).read_bytes())
    settle()
    done = plane.replay.document(doc_id, actor="auditor")
    assert done["same"], done
    assert done["passages"] > 0
    settle()
    reads = plane.record.events(type="SOURCE_READ")["events"]
    assert [event["actor"] for event in reads] == ["auditor"]


def test_a_stored_passage_that_was_changed_is_named(plane: Plane, send: Send, settle: Settle) -> None:
    doc_id = send("note.txt", b"Forty boxes of glass arrive at the north gate on Tuesday.\n")
    settle()
    row = plane.documents.row(doc_id)
    key = plane.vault.load_key(row.key_object)
    stored = plane.documents.artefacts.get(row, row.active_generation, artefacts.CHUNKS, key)
    forged = stored.replace(b"Forty", b"Fifty")
    plane.documents.artefacts.put(row, row.active_generation, artefacts.CHUNKS, key, forged)
    done = plane.replay.document(doc_id, actor="auditor")
    assert not done["same"]
    assert len(done["differing"]) == 1


def test_another_parser_version_refuses(
    plane: Plane, send: Send, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc_id = send("note.txt", b"Forty boxes of glass arrive at the north gate on Tuesday.\n")
    settle()
    monkeypatch.setattr(parse, "PARSER_VERSION", "999")
    with pytest.raises(Conflict) as refused:
        plane.replay.document(doc_id, actor="auditor")
    assert refused.value.code == "replay_versions_differ"
