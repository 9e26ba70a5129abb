"""Webhooks over HTTP, on a real plane with a courier that goes nowhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from frostbyte.adapters.memory.webhooks import MemoryCourier
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.webhooks import Answer
from servers.receiver import documented_check

Refused = Callable[[Any, int, str], dict[str, Any]]
URL = "https://hooks.example/of/a/plane?key=1"


@pytest.fixture
def courier(api: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryCourier]:
    """What the plane's messages are given to; no webhook is left afterwards."""
    courier = MemoryCourier()
    monkeypatch.setattr(api.plane.webhooks.desk._delivery, "_courier", courier)
    if "hooks.example" not in api.plane.configuration.current().webhook_hosts:
        version = api.plane.configuration.show()["version"]
        api.plane.configuration.change({"webhook_hosts": ["hooks.example"]}, expected=version, actor="tester")
    yield courier
    for item in api.call("GET", "/webhooks").json()["webhooks"]:
        assert api.call("DELETE", f"/webhooks/{item['webhook_id']}").status_code == 204


def added(api: Any, url: str = URL) -> dict[str, Any]:
    answer = api.call("POST", "/webhooks", json={"url": url})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.slow
def test_a_batch_that_ends_is_told_of_by_the_plane_itself(api: Any, courier: MemoryCourier) -> None:
    made = added(api)
    path = f"/webhooks/{made['webhook_id']}"
    item = api.indexed("erika-plan.txt", f"Notice of termination {new_id()}".encode())
    deadline = time.monotonic() + 20
    while api.call("GET", path).json()["deliveries"]["delivered"] < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [(url, headers, body)] = courier.carried
    assert url == URL
    delivery_id = documented_check()(headers, body, [made["secret"]], time.time())
    said = json.loads(body)["data"]
    assert (said["batch_id"], said["documents"], said["tenant_id"]) == (item["batch_id"], {"indexed": 1}, "demo")
    assert b"erika" not in body
    [row] = api.call("GET", f"{path}/deliveries").json()["deliveries"]
    assert (row["delivery_id"], row["state"], row["batch_id"]) == (delivery_id, "delivered", item["batch_id"])
    listed = api.call("GET", "/webhooks").json()
    assert listed["hosts"] == ["hooks.example"]
    assert made["secret"] not in str(listed)
    assert listed["webhooks"][0]["url"] == URL
    while api.plane.sequencer.run_once():
        pass
    events = api.call("GET", f"/audit/events?resource_id={made['webhook_id']}").json()["events"]
    assert [event["type"] for event in events] == ["WEBHOOK_ADDED", "WEBHOOK_DELIVERED"]
    assert "key=1" not in str(events)


def test_an_administrator_tries_replaces_and_removes(api: Any, courier: MemoryCourier, refused: Refused) -> None:
    made = added(api)
    path = f"/webhooks/{made['webhook_id']}"
    courier.answers.append(Answer(code="webhook_refused", status=500))
    done = api.call("POST", f"{path}/test").json()
    assert (done["state"], done["status"], done["code"]) == ("dead", 500, "webhook_refused")
    courier.answers.append(Answer(code="webhook_gone", status=410))
    gone = f"{path}/deliveries/{api.call('POST', f'{path}/test').json()['delivery_id']}"
    assert api.call("DELETE", gone).status_code == 204
    refused(api.call("DELETE", gone), 404, "webhook_delivery_not_found")
    # Only now, for the plane itself sends what is tried again, and would have taken the answer before.
    assert api.call("POST", f"{path}/deliveries/{done['delivery_id']}/retry").status_code == 202
    refused(api.call("POST", f"{path}/deliveries/{new_id()}/retry"), 404, "webhook_delivery_not_found")
    rotated = api.call("POST", f"{path}/secret").json()
    assert rotated["secret"] != made["secret"]
    assert rotated["old_secret_until"]
    assert api.call("POST", f"{path}/secret", json={"retire_old": True}).json()["old_secret_until"] is None
    assert api.call("DELETE", path).status_code == 204
    refused(api.call("GET", path), 404, "webhook_not_found")
    refused(api.call("DELETE", path), 404, "webhook_not_found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "https://elsewhere.example/"}, 403, "webhook_host_not_allowed"),
        ({"url": "https://169.254.169.254/latest"}, 422, "webhook_url_invalid"),
        ({"url": "http://hooks.example/"}, 422, "webhook_url_invalid"),
        ({"url": ""}, 422, "request_invalid"),
        ({"url": URL, "secret": "mine"}, 422, "request_invalid"),
        ({}, 422, "request_invalid"),
    ],
)
def test_what_is_no_webhook(
    api: Any, courier: MemoryCourier, refused: Refused, body: dict[str, Any], status: int, code: str
) -> None:
    refused(api.call("POST", "/webhooks", json=body), status, code)
    assert api.call("GET", "/webhooks").json()["webhooks"] == []
