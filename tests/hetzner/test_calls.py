"""One request is one request, its error is ours, and the token stays where it belongs."""

from __future__ import annotations

import logging
import socket
import threading
import tomllib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frostbyte.adapters.hetzner import calls as calls_module
from frostbyte.adapters.hetzner.calls import HcloudCalls
from frostbyte.adapters.hetzner.errors import of_action
from frostbyte.adapters.hetzner.pace import Pace
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.api.hetzner.serving import Serving
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.deploy.authority import Authority
from frostbyte.kernel.errors import Invalid
from hetzner.wire import Said, answering

TOKEN = "t0ken" * 12
CASES = tomllib.loads((Path(__file__).parent / "error_cases.toml").read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['status']}-{case['vendor']}")
def test_errors_are_translated(case: dict[str, Any]) -> None:
    if not case["status"]:
        action = {"command": "create_server", "error": {"code": case["vendor"], "message": "it broke"}}
        assert of_action(action).code == case["code"]
        assert of_action(action).vendor_code == case["vendor"]
        return
    body: Any = {"error": {"code": case["vendor"], "message": "so it is"}} if case["vendor"] else b"<html>"
    with answering(lambda *_: Said(case["status"], body)) as wire, pytest.raises(CloudError) as caught:
        HcloudCalls(TOKEN, wire.endpoint).ask("POST", "/servers", body={})
    assert (caught.value.code, caught.value.vendor_code) == (case["code"], case["vendor"])
    assert len(wire.asked) == 1, "nothing is sent twice"
    assert caught.value.remedy


@pytest.mark.parametrize("code", ["conflict", "timeout", "rate_limit_exceeded", "bad_gateway"])
def test_what_hcloud_would_send_again_is_sent_once(code: str) -> None:
    with (
        answering(lambda *_: Said(504, {"error": {"code": code, "message": ""}})) as wire,
        pytest.raises(CloudError),
    ):
        HcloudCalls(TOKEN, wire.endpoint).ask("POST", "/servers", body={})
    assert len(wire.asked) == 1


def test_a_lost_reply_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda *_: Said(0)) as wire, pytest.raises(CloudError, match="no answer") as caught:
        HcloudCalls(TOKEN, wire.endpoint).ask("POST", "/servers", body={})
    assert (caught.value.code, len(wire.asked)) == ("cloud_unreachable", 1)
    monkeypatch.setattr(calls_module, "READ_SECONDS", 0.05)
    silent = threading.Event()

    def wait(*_: str) -> Said:
        silent.wait(0.4)
        return Said()

    with answering(wait) as wire:
        with pytest.raises(CloudError) as caught:
            HcloudCalls(TOKEN, wire.endpoint).ask("POST", "/servers", body={})
        silent.set()
    assert (caught.value.code, len(wire.asked)) == ("cloud_unreachable", 1)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b'{"error": 7}', b'{"error": {}}'])
@pytest.mark.parametrize("status", [200, 302, 400, 500])
def test_an_odd_reply_is_an_error_of_ours(status: int, body: bytes) -> None:
    headers = {"Location": "http://127.0.0.1:1/elsewhere"} if status == 302 else {}
    with answering(lambda *_: Said(status, body, headers)) as wire:
        calls = HcloudCalls(TOKEN, wire.endpoint)
        if (status, body) in ((200, b""), (200, b'{"error": 7}'), (200, b'{"error": {}}')):
            assert isinstance(calls.ask("DELETE", "/servers/1"), dict)
            return
        with pytest.raises(CloudError) as caught:
            calls.ask("GET", "/servers/1")
    assert caught.value.code.startswith("cloud_")
    assert len(wire.asked) == 1, "a redirect is not followed: it would carry the token away"


def _everything(error: BaseException) -> Iterator[str]:
    yield "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen is not None:
        yield repr(seen) + str(seen) + repr(vars(seen))
        seen = seen.__context__


def test_the_token_is_in_no_repr_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        calls = HcloudCalls(TOKEN, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(CloudError) as refused:
            calls.ask("GET", "/servers")
    shouting = Said(401, {"error": {"code": "unauthorized", "message": "unable to authenticate"}})
    with answering(lambda *_: shouting) as wire:
        calls = HcloudCalls(TOKEN, wire.endpoint)
        with pytest.raises(CloudError) as unauthorized:
            calls.ask("GET", "/servers")
    assert wire.asked[0][2]["Authorization"] == f"Bearer {TOKEN}"
    shown = [repr(calls), caplog.text, *_everything(refused.value), *_everything(unauthorized.value)]
    assert not any(TOKEN in text for text in shown)
    assert refused.value.__context__ is None, "the exception of requests holds the request, and that the token"


def test_a_netrc_does_not_replace_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with answering(lambda *_: Said()) as wire:
        calls = HcloudCalls(TOKEN, wire.endpoint)
        calls._client._client._session.trust_env = True  # as it is for an address outside of this host
        calls.ask("GET", "/servers")
    assert wire.asked[0][2]["Authorization"] == f"Bearer {TOKEN}"


def test_the_token_does_not_cross_a_network_in_plain_text() -> None:
    with pytest.raises(Invalid) as caught:
        HcloudCalls(TOKEN, "http://api.example.com/v1")
    assert caught.value.code == "cloud_endpoint_plain"
    HcloudCalls(TOKEN, "https://api.example.com/v1")


def test_taps_stand_around_every_request_and_it_is_counted() -> None:
    heard: list[tuple[str, str, str]] = []
    with answering(lambda method, _: Said(200 if method == "GET" else 500)) as wire:
        calls = HcloudCalls(TOKEN, wire.endpoint, tap=lambda *what: heard.append(what))
        calls.ask("GET", "/servers", params={"name": "a b", "id": [1, 2]})
        with pytest.raises(CloudError):
            calls.ask("POST", "/servers", body={"name": "x"})
    assert heard == [
        ("before", "GET", "/servers"),
        ("after", "GET", "/servers"),
        ("before", "POST", "/servers"),
        ("after", "POST", "/servers"),
    ]
    assert calls.requests == 2
    assert wire.asked[0][1] == "/v1/servers?name=a+b&id=1&id=2"
    assert wire.asked[1][3] == {"name": "x"}


class Hours:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _left(count: int, limit: int = 3600) -> dict[str, str]:
    return {"RateLimit-Limit": str(limit), "RateLimit-Remaining": str(count), "RateLimit-Reset": "1800000000"}


def test_the_pace_keeps_to_what_is_left() -> None:
    hours = Hours()
    pace = Pace(hours, hours.sleep)
    for left in range(3599, 3, -1):
        pace.turn()
        pace.heard(_left(left))
    assert hours.now == 0, "what may be asked at once is not slowed down"
    assert pace.stretch > 4.9
    for _ in range(4 + 30):
        pace.turn()
        pace.heard({})
    assert hours.now == pytest.approx(30, abs=1.1), "then one a second"


def test_the_pace_counts_what_is_under_way() -> None:
    hours = Hours()
    pace = Pace(hours, hours.sleep)
    for _ in range(3):
        pace.turn()
    pace.heard(_left(2))
    assert hours.now == 0
    pace.turn()
    assert hours.now == pytest.approx(1), "two are under way, so none of the two is free"


def test_a_refused_project_is_left_alone_by_everybody() -> None:
    limited = Said(429, {"error": {"code": "rate_limit_exceeded", "message": ""}}, {**_left(0), "Retry-After": "7"})
    hours = Hours()
    pace = Pace(hours, hours.sleep)
    answers = [limited, Said()]
    with answering(lambda *_: answers.pop(0)) as wire:
        calls = [HcloudCalls(TOKEN, wire.endpoint, pace=pace) for _ in range(2)]
        with pytest.raises(CloudError) as caught:
            calls[0].ask("GET", "/servers")
        assert (caught.value.code, caught.value.retry_after) == ("cloud_rate_limited", 7.0)
        calls[1].ask("GET", "/servers")
    assert hours.now >= 7
    pace.refused({"Retry-After": "3000"})
    with pytest.raises(CloudError) as caught:
        pace.turn()
    assert caught.value.code == "cloud_rate_limited"
    assert caught.value.retry_after == pytest.approx(3000)


def test_a_cloud_is_trusted_by_the_certificates_that_were_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the environment names others, as many machines' do."""
    authority = Authority(tmp_path / "cloud", "cloud")
    authority.server("api", ["127.0.0.1"])
    place, others = tmp_path / "cloud/api", Authority(tmp_path / "others", "others").ca_file
    monkeypatch.setattr(calls_module, "on_this_host", lambda _: False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(others))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Serving(World(), shown=(place / "public.crt", place / "private.key")) as served:
        assert served.endpoint.startswith("https://")
        trusting = HcloudCalls(served.token, served.endpoint, ca_file=str(authority.ca_file))
        assert trusting.ask("GET", "/locations")["locations"]
        with pytest.raises(CloudError, match="no answer"):
            HcloudCalls(served.token, served.endpoint).ask("GET", "/locations")
