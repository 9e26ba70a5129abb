"""Each fault does what its name says, at the request that was asked for, and nothing else."""

from __future__ import annotations

import re
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import hcloud
import httpx
import pytest
import requests

from frostbyte.adapters.hetzner.world.clock import HandClock
from frostbyte.adapters.hetzner.world.faults import KINDS, Fault, When
from frostbyte.adapters.hetzner.world.latency import REALISTIC, Latency
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.api.hetzner.serving import Serving
from hetzner.asking import OFF, Asking, asking

SERVER = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
ANSWERED = [name for name, kind in KINDS.items() if kind.status]


@pytest.fixture
def ask(hetzner_world: World) -> Asking:
    return asking(hetzner_world)


@pytest.mark.parametrize("name", ANSWERED)
def test_a_fault_that_is_an_answer(ask: Asking, name: str) -> None:
    wall = ask.firewall()
    path = ("DELETE", f"/firewalls/{wall['id']}") if name == "resource_in_use" else ("POST", "/servers")
    ask.world.fault(Fault(name=name, at=2))
    kind = KINDS[name]
    first = ask("DELETE", "/firewalls/1") if path[0] == "DELETE" else ask(*path, SERVER)
    assert first.status in (201, 404)
    second = ask(*path, SERVER | {"name": "b"})
    assert second.status == kind.status
    if name == "bad_gateway":
        assert second.page.startswith("<html>")
    else:
        assert second.body is not None
        assert second.body["error"]["code"] == kind.code
    assert ("b" in {one["name"] for one in ask.got("/servers")}) == (kind.when is When.COMMITTED)
    third = ask(*path, SERVER | {"name": "c"})
    assert third.status in (201, 204), "it acts once"


def test_faults_count_what_they_match(ask: Asking) -> None:
    fault = ask.world.fault(Fault(name="server_error", match=r"GET /servers/\d+", at=2, times=2))
    server = ask.server()
    seen = [ask("GET", f"/servers/{server['id']}").status for _ in range(5)]
    assert seen == [200, 500, 500, 200, 200]
    assert ask("GET", "/servers").status == 200
    assert (fault.seen, fault.acted, fault.over) == (3, 2, True)
    ask.world.fault(Fault(name="unavailable", match="GET /volumes", times=0))
    assert {ask("GET", "/volumes").status for _ in range(10)} == {503}
    ask.world.clear_faults()
    assert ask("GET", "/volumes").status == 200


def test_faults_of_one_project(ask: Asking) -> None:
    ask.world.fault(Fault(name="server_error", project="other", times=0))
    assert ask("GET", "/servers").status == 200
    assert asking(ask.world, project="other")("GET", "/servers").status == 500


def test_stock_out_by_type_and_location(ask: Asking) -> None:
    ask.world.fault(Fault(name="stock_out", times=0, options={"type": "cx23", "location": "fsn1"}))
    assert ask.code("POST", "/servers", SERVER) == (412, "resource_unavailable")
    assert ask.server(location="nbg1")["location"]["name"] == "nbg1"
    offers = {one["name"]: one["available"] for one in ask.got("/server_types", name="cx23")[0]["locations"]}
    assert offers["fsn1"] is True, "the catalogue does not know yet"
    ask.world.stock("cx33", "hel1", False)
    body = SERVER | {"name": "b", "server_type": "cx33", "location": "hel1"}
    assert ask.code("POST", "/servers", body) == (412, "resource_unavailable")
    offers = {one["name"]: one["available"] for one in ask.got("/server_types", name="cx33")[0]["locations"]}
    assert offers == {"fsn1": True, "nbg1": True, "hel1": False}


def test_actions_that_fare_badly() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock, latency=Latency(create_server=10)))
    ask.world.fault(Fault(name="slow_action", match="POST /servers", options={"seconds": 100}))
    slow = ask("POST", "/servers", SERVER).body
    ask.world.fault(Fault(name="failing_follow_up", match="POST /servers"))
    half = ask("POST", "/servers", SERVER | {"name": "b"}).body
    ask.world.fault(Fault(name="failing_action", match="POST /servers", options={"code": "server_create_failed"}))
    bad = ask("POST", "/servers", SERVER | {"name": "c"}).body
    assert slow
    assert half
    assert bad
    clock.advance(11)

    def fared(made: dict[str, Any]) -> list[str]:
        ids = [made["action"]["id"], *(one["id"] for one in made["next_actions"])]
        return [one["status"] for one in ask.got("/actions", id=[str(which) for which in ids])]

    assert fared(slow) == ["running", "running"]
    assert fared(half) == ["success", "error"]
    assert fared(bad) == ["error", "error"]
    assert ask.got(f"/actions/{bad['action']['id']}")["error"]["code"] == "server_create_failed"
    assert ask.got(f"/servers/{half['server']['id']}")["status"] == "off"
    assert {item.name for item in ask.world.bill().existing if item.kind == "server"} == {"a", "b", "c"}
    clock.advance(100)
    assert fared(slow) == ["success", "success"]


def test_a_join_that_fails_leaves_nothing(ask: Asking) -> None:
    network, server = ask.network(), ask.server(public_net=OFF)
    ask.world.fault(Fault(name="failing_action", match=r"POST /servers/\d+/actions/attach_to_network"))
    joined = {"network": network["id"], "ip": "10.7.1.20"}
    ask("POST", f"/servers/{server['id']}/actions/attach_to_network", joined)
    assert ask.got(f"/servers/{server['id']}")["private_net"] == []
    assert ask("POST", f"/servers/{server['id']}/actions/attach_to_network", joined).status == 201


def test_a_deletion_that_fails_leaves_everything(ask: Asking) -> None:
    server = ask.server()
    ask.world.fault(Fault(name="failing_action", match=r"DELETE /servers/\d+"))
    assert ask("DELETE", f"/servers/{server['id']}").status == 200
    assert ask.got(f"/servers/{server['id']}")["status"] == "off"
    assert ask("DELETE", f"/servers/{server['id']}").status == 200
    assert ask("GET", f"/servers/{server['id']}").status == 404


def test_a_firewall_released_late() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock))
    wall = ask.firewall()
    server = ask.server(firewalls=[{"firewall": wall["id"]}])
    ask.world.fault(Fault(name="firewall_released_late", options={"seconds": 30}))
    ask("DELETE", f"/servers/{server['id']}")
    clock.advance(29)
    assert ask.code("DELETE", f"/firewalls/{wall['id']}") == (422, "resource_in_use")
    clock.advance(2)
    assert ask("DELETE", f"/firewalls/{wall['id']}").status == 204


def test_a_server_that_never_boots(ask: Asking) -> None:
    ask.world.fault(Fault(name="never_boots", at=2))
    ask.server("a", start_after_create=True)
    server = ask.server("b", start_after_create=True)
    assert ask.got(f"/servers/{server['id']}")["status"] == "running"
    assert [one.boots for one in ask.world.project().servers.values()] == [True, False]


@pytest.mark.parametrize("wrong", [{"name": "gremlins"}, {"name": "locked", "at": 0}, {"name": "locked", "match": "("}])
def test_a_fault_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Fault(**wrong)


def test_the_page_lists_every_fault_and_every_latency() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    assert [name for name in KINDS if f"`{name}`" not in page] == []
    seconds = {f"{getattr(REALISTIC, one.name):g}" for one in fields(REALISTIC)}
    table = page[page.index("## Latencies") : page.index("## Faults")]
    assert seconds <= set(re.findall(r"[0-9.]*[0-9]", table))


# -- over HTTP, where connections really break ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "made"), [("lost_reply", True), ("connection_reset", False)])
def test_a_broken_connection(hetzner: Serving, name: str, made: bool) -> None:
    hetzner.world.fault(Fault(name=name, match="POST /networks"))
    client = hcloud.Client(token=hetzner.token, api_endpoint=hetzner.endpoint, timeout=5)
    with pytest.raises(requests.exceptions.ConnectionError):
        client.networks.create("n", "10.7.0.0/16")
    assert (client.networks.get_by_name("n") is not None) is made
    assert [seen.status for seen in hetzner.world.requests] == [0, 200]
    assert hetzner.world.counts["POST /networks"] == 1, "the client does not send it again by itself"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "made"), [("stalled", False), ("stalled_after", True)])
def test_silence(hetzner: Serving, name: str, made: bool) -> None:
    hetzner.world.fault(Fault(name=name, match="POST /networks", options={"seconds": 30}))
    with httpx.Client(headers={"Authorization": f"Bearer {hetzner.token}"}) as client:
        began = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            client.post(f"{hetzner.endpoint}/networks", json={"name": "n", "ip_range": "10.7.0.0/16"}, timeout=0.2)
        assert time.monotonic() - began < 5
        found = client.get(f"{hetzner.endpoint}/networks").json()["networks"]
    assert bool(found) is made


def test_silence_ends_with_a_broken_connection(hetzner: Serving) -> None:
    hetzner.world.fault(Fault(name="stalled", options={"seconds": 0.1}))
    assert httpx.get(f"{hetzner.endpoint}/networks", timeout=5).status_code == 401
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{hetzner.endpoint}/networks", headers={"Authorization": f"Bearer {hetzner.token}"}, timeout=5)


def test_faults_are_set_beside_the_api(hetzner: Serving) -> None:
    base = hetzner.base
    said = httpx.post(f"{base}/_simulator/faults", json={"name": "unavailable", "match": "GET /servers", "at": 2})
    assert said.status_code == 200
    assert httpx.post(f"{base}/_simulator/faults", json={"name": "gremlins"}).status_code == 400
    assert httpx.post(f"{base}/_simulator/faults", json={"name": "locked", "att": 2}).status_code == 400
    headers = {"Authorization": f"Bearer {hetzner.token}"}
    assert [httpx.get(f"{hetzner.endpoint}/servers", headers=headers).status_code for _ in "abc"] == [200, 503, 200]
    counted = httpx.get(f"{base}/_simulator/requests").json()
    assert counted["counts"] == {"GET /servers": 3}
    assert [one["faults"] for one in counted["last"]] == [[], ["unavailable"], []]
    assert httpx.delete(f"{base}/_simulator/faults").json() == {"faults": []}
    stock = {"type": "cx23", "location": "fsn1", "available": False}
    assert httpx.put(f"{base}/_simulator/stock", json=stock).status_code == 200
    assert httpx.put(f"{base}/_simulator/stock", json=stock | {"type": "cx99"}).status_code == 400
    assert httpx.post(f"{base}/_simulator/time", json={"seconds": 1}).status_code == 400
    token = httpx.post(f"{base}/_simulator/tokens", json={"project": "p", "quotas": {"networks": 0}}).json()["token"]
    body = {"name": "n", "ip_range": "10.7.0.0/16"}
    refused = httpx.post(f"{hetzner.endpoint}/networks", json=body, headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 403
    assert httpx.get(f"{base}/_simulator/bill", params={"project": "p"}).json()["existing"] == []
    assert set(httpx.get(f"{base}/_simulator").json()["faults"]) == set(KINDS)
    assert set(httpx.get(f"{base}/_simulator/state").json()["projects"]) == {"default", "p"}
