"""Keys of machines and of the plane itself, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from frostbyte.kernel.tokens import Scope

Refused = Callable[[Any, int, str], dict[str, Any]]


@pytest.fixture
def rotated(api: Any) -> Iterator[Any]:
    """The plane, with one key again afterwards."""
    yield api
    api.call("POST", "/keys/retire", token=api.token(*Scope))
    api.everything = api.token(*Scope)


def test_a_machine_comes_in_by_its_key(api: Any, refused: Refused) -> None:
    made = api.call("POST", "/api-keys", json={"name": "scanner", "scopes": ["query"]})
    assert made.status_code == 201
    body = made.json()
    key = body["key"]
    assert api.call("GET", "/documents", token=key).status_code == 200
    refused(api.call("GET", "/config", token=key), 403, "scope_missing")
    listed = {row["key_id"]: row for row in api.call("GET", "/api-keys?limit=500").json()["api_keys"]}
    assert listed[body["key_id"]]["last_used_at"]
    assert key not in str(listed)
    for _ in range(2):
        assert api.call("DELETE", f"/api-keys/{body['key_id']}").status_code == 204
    answer = api.call("GET", "/documents", token=key)
    refused(answer, 401, "api_key_revoked")
    assert answer.headers["www-authenticate"] == "Bearer"
    refused(api.call("GET", "/documents", token=key[:-1] + ("0" if key[-1] != "0" else "1")), 401, "api_key_wrong")
    refused(api.call("DELETE", "/api-keys/000000000000"), 404, "api_key_not_found")


def test_machines_of_one_name_see_each_others_uploads_and_nobody_elses(api: Any, refused: Refused) -> None:
    keys = [
        api.call("POST", "/api-keys", json={"name": name, "scopes": ["ingest"]}).json()["key"]
        for name in ("feeder", "feeder", "tester")
    ]
    batch = api.call(
        "POST", "/ingest", token=keys[0], files=[("files", ("a.txt", b"Words of a machine.", "text/plain"))]
    ).json()["batch_id"]
    assert api.call("GET", f"/ingest/{batch}", token=keys[1]).status_code == 200
    for other in (keys[2], api.token(Scope.INGEST, subject="feeder")):
        refused(api.call("GET", f"/ingest/{batch}", token=other), 404, "batch_not_found")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["operator"]},
        {"name": "key:x", "scopes": ["query"]},
        {"name": "x", "scopes": ["query"], "ttl_seconds": 0},
        {"name": "x", "scopes": ["query"], "key": "mine"},
    ],
)
def test_requests_for_keys_that_are_refused(wrong: dict[str, Any], api: Any, refused: Refused) -> None:
    refused(api.call("POST", "/api-keys", json=wrong), 422, "request_invalid")


def test_keys_rotate_while_the_plane_answers(rotated: Any, refused: Refused) -> None:
    old = rotated.token(*Scope)
    before = rotated.call("GET", "/keys", token=old).json()["keys"]
    assert [key["state"] for key in before] == ["current"]
    after = rotated.call("POST", "/keys/rotate", token=old).json()["keys"]
    assert [key["state"] for key in after] == ["current", "previous"]
    assert after[1]["kid"] == before[0]["kid"]
    assert rotated.call("GET", "/documents", token=old).status_code == 200
    refused(rotated.call("POST", "/keys/rotate", token=old), 409, "key_previous_accepted")
    new = rotated.token(*Scope)
    assert rotated.call("POST", "/keys/retire", token=new).json()["keys"] == after[:1]
    refused(rotated.call("GET", "/documents", token=old), 401, "token_signature_wrong")
    assert rotated.call("POST", "/keys/rotate", token=new, json={"retire_old": True}).status_code == 200
    refused(rotated.call("GET", "/documents", token=new), 401, "token_signature_wrong")
    rotated.everything = rotated.token(*Scope)
    while rotated.plane.sequencer.run_once():
        pass
    said = [
        rotated.call("GET", f"/audit/events?type={kind}&limit=1000").json()["events"]
        for kind in ("KEY_ROTATED", "KEY_RETIRED")
    ]
    keys = [[event["resource_id"] for event in events] for events in said]
    assert after[0]["kid"] in keys[0]
    assert {before[0]["kid"], after[0]["kid"]} <= set(keys[1])
