"""The ledger over HTTP: what is verified can be asked for, an alert shows its evidence, exports go out and in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control.memory_plane import Admin, memory_plane
from frostbyte.adapters.ledger.memory import MemoryLedger
from frostbyte.api.control import examples
from frostbyte.bootstrap.ledger import Ledger
from frostbyte.cli.verifier import verify_export
from frostbyte.control_plane.registry.records import EndpointsRow
from frostbyte.kernel.audit.checkpoint import Cosigner
from frostbyte.kernel.tokens import Role
from ledger.planes import SimulatedPlane

Refused = Callable[[Any, int, str], dict[str, Any]]
START = "2026-03-01T08:00:"


class Followed(Admin):
    """The Admin API over a ledger of simulated planes."""

    def __init__(self, folder: Path) -> None:
        control = memory_plane(folder)
        self.planes: dict[str, SimulatedPlane] = {}
        control.ledger = Ledger(
            MemoryLedger(), control.store.unit_of_work, self._channel, Cosigner(bytes(32), "test/ledger"), control.clock
        )
        super().__init__(control)
        self.ledger = control.ledger
        self.made("/projects", {"project_id": "eu-1"}, 201)

    def _channel(self, endpoints: EndpointsRow) -> Any:
        return self.planes[endpoints.tenant_id]

    def add(self, tenant_id: str, events: int, seed: int = 7) -> SimulatedPlane:
        plane = self.planes[tenant_id] = SimulatedPlane(tenant_id, seed=seed)
        if events:
            plane.grow(events)
        self.made("/tenants", {"tenant_id": tenant_id, "project_id": "eu-1"}, 201)
        urls = {"gateway_url": "http://127.0.0.1:9", "channel_url": "https://127.0.0.1:9"}
        self.made(f"/tenants/{tenant_id}/attach", {**urls, "log_key": plane.signer.verifier_key})
        self.ledger.follower.pull_now(tenant_id)
        return plane

    def get(self, path: str, **params: Any) -> Any:
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    made = Followed(tmp_path)
    made.add("acme", 12)
    made.add("globex", 9, seed=3)
    return made


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(item) for item in value[:1]] if isinstance(value, list) else None


@pytest.mark.slow
def test_events_are_found_by_tenant_document_type_and_time(followed: Followed) -> None:
    found = followed.get("/audit/events")
    assert [(item["log"], item["sequence"]) for item in found["events"]] == [
        *((1, at) for at in range(12)),
        *((2, at) for at in range(9)),
    ]
    assert len(followed.get("/audit/events", tenant_id="globex")["events"]) == 9
    assert followed.get("/audit/events", tenant_id="nobody")["events"] == []
    document = found["events"][0]["event"]["resource_id"]
    assert len(followed.get("/audit/events", resource_id=document)["events"]) == 6
    scanned = followed.get("/audit/events", type="DOCUMENT_SCANNED", since=f"{START}04Z", until=f"{START}07Z")
    assert [item["sequence"] for item in scanned["events"]] == [4, 7, 4, 7]


def test_pages_follow_each_other(followed: Followed) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        page = followed.get("/audit/events", limit=5, cursor=cursor)
        seen += [(item["log"], item["sequence"]) for item in page["events"]]
        cursor = page["cursor"]
    assert seen == sorted(set(seen))
    assert len(seen) == 21


def test_examples_are_what_is_answered(followed: Followed) -> None:
    followed.planes["acme"].page_hook = lambda data, first: data[:-1]
    followed.planes["acme"].grow(3)
    followed.ledger.follower.pull_now("acme")
    alert = followed.get("/audit/alerts")["alerts"][0]["alert_id"]
    event = shape(examples.LEDGER_EVENTS)
    event["events"][0]["event"]["details"] = None
    answered = shape(followed.get("/audit/events", limit=1))
    answered["events"][0]["event"]["details"] = None
    assert answered == event
    assert shape(followed.get("/audit/logs")) == shape(examples.LOGS)
    assert shape(followed.get("/audit/alerts")) == shape(examples.LEDGER_ALERTS)
    assert shape(followed.get(f"/audit/alerts/{alert}")) == shape(examples.LEDGER_ALERT)
    ended = followed.made(f"/audit/alerts/{alert}/acknowledge", {"reason": "looked_into"}, 200)
    assert shape(ended) == shape(examples.ACKNOWLEDGED)


def test_an_alert_is_shown_acknowledged_once_and_tried_again(followed: Followed, refused: Refused) -> None:
    plane = followed.planes["acme"].grow(3)
    plane.page_hook = lambda data, first: b"garbage"
    followed.ledger.follower.pull_now("acme")
    (alert,) = followed.get("/audit/alerts", open=True)["alerts"]
    assert (alert["tenant_id"], alert["finding"], alert["stops"]) == ("acme", "malformed", True)
    assert "garbage" in followed.get(f"/audit/alerts/{alert['alert_id']}")["evidence"]
    (log,) = [row for row in followed.get("/audit/logs")["logs"] if row["finding"]]
    assert (log["tenant_id"], log["size"], log["plane_size"]) == ("acme", 12, 15)

    path = f"/audit/alerts/{alert['alert_id']}/acknowledge"
    first = followed.made(path, {"reason": "proxy_mended"}, 200)
    assert (first["ended_by"], first["reason"]) == ("ann", "proxy_mended")
    assert followed.made(path, {"reason": "proxy_mended"}, 200) == first
    refused(followed.call("POST", path, json={"reason": "another"}), 409, "alert_ended")
    refused(followed.call("POST", path, json={"reason": "Free text"}), 422, "request_invalid")
    plane.page_hook = lambda data, first: data
    followed.ledger.follower.pull_now("acme")
    assert followed.get("/audit/alerts", open=True)["alerts"] == []
    assert followed.get("/audit/logs")["logs"][0]["size"] == 15


def test_an_export_holds_alone_and_comes_back_in_elsewhere(
    followed: Followed, tmp_path: Path, refused: Refused
) -> None:
    key, witness = followed.planes["acme"].signer.verifier_key, followed.ledger.witness_key
    answer = followed.call("GET", "/audit/export", params={"tenant_id": "acme"})
    archive = tmp_path / "export.tar"
    archive.write_bytes(answer.content)
    assert verify_export(archive, key, None, [witness]).ok
    refused(followed.call("GET", "/audit/export", params={"tenant_id": "nobody"}), 404, "log_not_found")

    (tmp_path / "other").mkdir()
    other = Followed(tmp_path / "other")
    other.made("/tenants", {"tenant_id": "acme", "project_id": "eu-1"}, 201)
    asked = {"tenant_id": "acme", "log_key": key}
    for expected in ({"identical": 0, "added": 12}, {"identical": 12, "added": 0}):
        taken = other.call("POST", "/audit/import", params=asked, content=answer.content).json()
        assert taken == {**expected, "size": 12, "finding": None}
    assert shape(taken) == shape(examples.IMPORTED)
    refused(other.call("POST", "/audit/import", params=asked, content=b"no tar"), 422, "export_unreadable")
    nobody = asked | {"tenant_id": "nobody"}
    refused(other.call("POST", "/audit/import", params=nobody, content=answer.content), 404, "tenant_not_found")
    assert list(other.control.settings.data_dir.glob("import-*")) == []


def test_who_may_what(followed: Followed, refused: Refused) -> None:
    viewer, auditor = followed.token(Role.VIEWER), followed.token(Role.AUDITOR)
    assert followed.call("GET", "/audit/logs", token=viewer).status_code == 200
    refused(followed.call("GET", "/audit/events", token=viewer), 403, "scope_missing")
    assert followed.call("GET", "/audit/events", token=auditor).status_code == 200


def test_metrics_name_no_tenant(followed: Followed) -> None:
    followed.planes["acme"].grow(3).page_hook = lambda data, first: b"garbage"
    followed.ledger.follower.pull_now("acme")
    said = followed.client.get("/metrics").text
    assert "frostbyte_ledger_followed_count 2.0" in said
    assert 'frostbyte_ledger_findings_count{finding="malformed"} 1.0' in said
    assert 'frostbyte_ledger_findings_count{finding="fork"} 0.0' in said
    assert "acme" not in said
