"""Addresses, networks and patience: pure decisions, by data."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.api.egress import ways
from frostbyte.data_plane.webhooks import patience
from frostbyte.kernel.errors import Forbidden, Invalid
from frostbyte.kernel.networks import NOWHERE, nowhere
from frostbyte.kernel.ports.webhooks import Answer
from frostbyte.kernel.tenancy import config_from
from frostbyte.kernel.webhooks import addresses
from frostbyte.kernel.webhooks.records import Fate, Kind
from stores.store_rows import NOW
from stores.test_webhooks_contract import delivery, webhook

HERE = Path(__file__).parent


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of a data file."""
    found: list[dict[str, Any]] = tomllib.loads((HERE / name).read_text(encoding="utf-8"))["case"]
    return found


@pytest.mark.parametrize("case", cases("addresses.toml"), ids=lambda case: case["text"])
def test_what_is_an_address(case: dict[str, Any]) -> None:
    if "url" not in case:
        with pytest.raises(Invalid) as refused:
            addresses.address(case["text"])
        assert refused.value.code == "webhook_url_invalid"
        assert case["text"] not in refused.value.message or not case["text"]
        return
    found = addresses.address(case["text"])
    assert (found.url, str(found.place)) == (case["url"], case["place"])
    assert addresses.address(found.url) == found


@given(st.from_regex(r"https://[a-z0-9.:@\\\[\]/?#%-]{0,40}", fullmatch=True) | st.text(max_size=40))
def test_whatever_is_taken_leads_to_the_server_that_was_read(text: str) -> None:
    import httpx

    try:
        found = addresses.address(text)
    except Invalid:
        return
    asked = httpx.URL(found.url)
    assert (asked.scheme, asked.host, asked.port or 443) == ("https", found.place.host, found.place.port)
    assert asked.userinfo == b""
    assert asked.raw_path.decode() == found.target


def test_only_servers_that_the_configuration_names_are_let_be() -> None:
    config = config_from({"webhook_hosts": ["hooks.example", "other.example:8443"]})
    for url in ("https://hooks.example/a", "https://other.example:8443/"):
        addresses.check(addresses.address(url), config.webhook_hosts)
    for url in (
        "https://other.example/",
        "https://hooks.example:8443/",
        "https://a.hooks.example/",
        "https://example/",
    ):
        with pytest.raises(Forbidden):
            addresses.check(addresses.address(url), config.webhook_hosts)
    for wrong in (
        "Hooks.example",
        "10.0.0.1",
        "hooks.example/path",
        "hooks.example:0",
        "*.example",
        "https://a.example",
        "",
    ):
        with pytest.raises(Invalid, match="webhook_hosts"):
            config_from({"webhook_hosts": [wrong]})
    with pytest.raises(Invalid):
        config_from({"webhook_hosts": [f"h{number}.example" for number in range(addresses.MOST_HOSTS + 1)]})


def test_a_server_of_the_configuration_is_a_way_out_that_the_proxy_knows() -> None:
    [place] = addresses.places(["hooks.example.org"])
    assert ways.read(str(place)) == (place.host, place.port)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        *((network.split("/")[0], True) for network in NOWHERE),
        ("169.254.169.254", True),
        ("::1", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("::ffff:10.0.0.1", True),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::a00:1", True),
        ("2002:a00:1::1", True),
        ("ff02::1", True),
        ("::", True),
        ("93.184.215.14", False),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", False),
    ],
)
def test_what_is_nobodys_on_the_internet(address: str, inside: bool) -> None:
    assert nowhere(address) is inside


@pytest.mark.parametrize("case", cases("patience.toml"), ids=lambda case: case["name"])
def test_what_becomes_of_a_delivery(case: dict[str, Any]) -> None:
    row = delivery(webhook().webhook_id, attempts=case["attempts"], kind=Kind(case.get("kind", "batch.completed")))
    answer = Answer(code=case.get("code", ""), status=case.get("status", 0), retry_after=case.get("retry_after", 0))
    after = patience.after(row, answer, NOW, 7)
    assert (after.code, after.status, after.duration_ms, after.attempts) == (
        answer.code,
        answer.status,
        7,
        row.attempts,
    )
    if "wait" in case:
        assert (after.state, after.ended_at) == (Fate.WAITING, None)
        assert after.not_before == NOW + timedelta(seconds=case["wait"])
    else:
        assert (after.state.value, after.ended_at) == (case["state"], NOW)


def test_a_message_is_tried_for_about_a_day() -> None:
    assert timedelta(hours=23) < timedelta(seconds=sum(patience.WAITS)) < timedelta(hours=25)
    assert sorted(patience.WAITS) == list(patience.WAITS)
