"""What a receiver checks: docs/webhooks.md's own check against its own vectors and against what the code signs."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.kernel.ids import new_id
from frostbyte.kernel.sealing import SealBroken
from frostbyte.kernel.webhooks.keys import WebhookKeys, shown
from frostbyte.kernel.webhooks.signing import headers
from servers.receiver import PAGE, documented_check

[_TEXT] = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
VECTORS: dict[str, Any] = json.loads(_TEXT)
NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_the_documented_check_takes_what_it_should(case: dict[str, Any]) -> None:
    body = case.get("body", VECTORS["body"]).encode()
    given = (case["headers"], body, [VECTORS["secret"]], case["now"])
    if case["good"]:
        assert documented_check()(*given) == case["headers"]["webhook-id"]
    else:
        with pytest.raises(ValueError, match=r"too old|not signed"):
            documented_check()(*given)


def test_the_vectors_are_what_the_code_signs() -> None:
    good = VECTORS["cases"][0]["headers"]
    at = datetime.fromtimestamp(int(good["webhook-timestamp"]), UTC)
    secret = base64.b64decode(VECTORS["secret"].removeprefix("whsec_"))
    made = headers([secret], good["webhook-id"], at, VECTORS["body"].encode())
    assert {name: made[name] for name in good} == good


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_whatever_is_signed_is_taken_with_its_secret_and_with_no_other(
    body: bytes, secret: bytes, other: bytes
) -> None:
    made = headers([secret], new_id(), NOW, body)
    check = CHECK
    assert check(made, body, [shown(secret)], NOW.timestamp()) == made["webhook-id"]
    for wrong_body, wrong_secret in ((body + b" ", secret), (body, other)):
        if (wrong_body, wrong_secret) != (body, secret):
            with pytest.raises(ValueError, match="not signed"):
                check(made, wrong_body, [shown(wrong_secret)], NOW.timestamp())


CHECK = documented_check()


def test_a_secret_is_one_webhooks_and_one_salts_and_an_address_opens_for_its_own_alone() -> None:
    keys, others = WebhookKeys(b"k" * 32), WebhookKeys(b"o" * 32)
    mine, theirs, salt = new_id(), new_id(), keys.new_salt()
    made = {
        keys.secret(mine, salt),
        keys.secret(theirs, salt),
        keys.secret(mine, keys.new_salt()),
        others.secret(mine, salt),
    }
    assert len(made) == 4
    assert keys.secret(mine, salt) in made
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", shown(keys.secret(mine, salt)))
    sealed = keys.seal(mine, "https://hooks.example/secret-path")
    assert b"hooks" not in sealed
    assert keys.open(mine, sealed) == "https://hooks.example/secret-path"
    for keyring, webhook, bytes_ in ((others, mine, sealed), (keys, theirs, sealed), (keys, mine, sealed[:-1])):
        with pytest.raises(SealBroken):
            keyring.open(webhook, bytes_)
