"""`POST /policy/test`: other rules on stored documents, in numbers only; nothing is stored, the reading is audited."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SHIPPED = files("frostbyte.data_plane.policy.rules")
RULE = """
[[rule]]
id = "ninety_days"
score = 0.9
pattern = 'ninety days'
positive = ["ninety days"]
negative = ["nine days"]
"""


def _everything(api: Any, body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    while True:
        answer = api.call("POST", "/policy/test", json=body | {"after": after, "limit": 50})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["skipped"] == []
        assert page["old"] != page["new"]
        found += page["documents"]
        after = page["next"]
        if after is None:
            return found


def test_a_new_rule_shows_what_it_would_withhold(api: Any, contract: dict[str, Any]) -> None:
    before = api.call("GET", f"/documents/{contract['doc_id']}").json()
    text = SHIPPED.joinpath("injection.toml").read_text("utf-8") + RULE
    documents = {item["doc_id"]: item for item in _everything(api, {"files": {"injection.toml": text}})}
    difference = documents[contract["doc_id"]]
    assert difference["suspected"] == {"ninety_days": 1}
    assert difference["withheld"] == 1
    assert "termination" not in str(documents).lower()
    assert api.call("GET", f"/documents/{contract['doc_id']}").json() == before
    events = api.call("GET", f"/audit/events?resource_id={contract['doc_id']}&type=SOURCE_READ&limit=1000")
    read = [event for event in events.json()["events"] if event["details"].get("trigger") == "test"]
    assert read or not events.json()["events"]  # numbered within a second


def test_rules_that_are_not_valid_are_named_with_their_line(api: Any, refused: Any) -> None:
    text = SHIPPED.joinpath("injection.toml").read_text("utf-8") + RULE.replace("nine days", "over ninety days")
    answer = api.call("POST", "/policy/test", json={"files": {"injection.toml": text}})
    body = refused(answer, 422, "rules_invalid")
    line = text.splitlines().index('id = "ninety_days"') + 1
    assert f"injection.toml, rule ninety_days (line {line})" in body["detail"]
    refused(api.call("POST", "/policy/test", json={"files": {"other.toml": ""}}), 422, "rules_unknown")
