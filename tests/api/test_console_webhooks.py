"""Pages of webhooks: added, tried, replaced and removed by forms without a script, and a secret that is shown once."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.test_console_uploads import Visitor
from frostbyte.adapters.memory.webhooks import MemoryCourier
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.ports.webhooks import Answer

ROOT = "/console/webhooks"


@pytest.fixture
def courier(api: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryCourier]:
    courier = MemoryCourier()
    monkeypatch.setattr(api.plane.webhooks.desk._delivery, "_courier", courier)
    yield courier
    for item in api.call("GET", "/webhooks").json()["webhooks"]:
        assert api.call("DELETE", f"/webhooks/{item['webhook_id']}").status_code == 204


@pytest.fixture
def admin(api: Any) -> Visitor:
    return Visitor(api, "admin", "ann")


def posted(admin: Visitor, path: str, status: int = 303, **fields: str) -> Any:
    answer = admin.call("POST", path, data={"csrf": admin.csrf} | fields)
    assert answer.status_code == status, answer.text
    return answer


def test_from_a_server_s_name_to_its_removal(admin: Visitor, courier: MemoryCourier) -> None:
    posted(admin, f"{ROOT}/hosts", hosts="")
    assert "First name the server" in admin.page(ROOT)
    assert 'name="url"' not in admin.page(ROOT)
    assert (
        posted(admin, f"{ROOT}/hosts", hosts=" Hooks.example\r\nother.example:8443 ")
        .headers["location"]
        .startswith(ROOT)
    )
    shown = posted(admin, ROOT, 201, url=" https://hooks.example/a?b=c ").text
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/]{43}=", html.unescape(shown))
    [path] = set(re.findall(rf"{ROOT}/[0-9a-f-]{{36}}", shown))
    for other in (ROOT, path):
        assert secret not in html.unescape(admin.page(other))
        assert "https://hooks.example/a?b=c" in admin.page(other)
    led = posted(admin, f"{path}/test").headers["location"]
    assert "took the test (HTTP 200)" in admin.page(led)
    courier.answers.append(Answer(code="webhook_certificate"))
    page = admin.page(posted(admin, f"{path}/test").headers["location"])
    assert "The test did not arrive. The server&#39;s certificate is not trusted here." in page
    [again] = re.findall(rf"{path}/deliveries/[0-9a-f-]{{36}}/retry", page)
    assert "said=webhook_sent_again" in posted(admin, again).headers["location"]
    rotated = html.unescape(posted(admin, f"{path}/secret", 201).text)
    assert secret not in rotated
    assert "signs too until" in rotated
    assert "signs nothing any more" in posted(admin, f"{path}/secret", 201, stolen="yes").text
    posted(admin, f"{ROOT}/hosts", hosts="other.example:8443")
    assert "Told nothing" in admin.page(ROOT)
    assert "so it is told nothing" in admin.page(path)
    assert posted(admin, f"{path}/removal").headers["location"] == f"{ROOT}?said=webhook_removed"
    assert admin.call("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("url", "status", "word"),
    [
        ("https://elsewhere.example/", 403, "does not name this server"),
        ("https://10.0.0.1/", 422, "no address that a webhook can have"),
        ('https://hooks.example/"><img src=x onerror=alert(1)>', 422, "no address"),
    ],
)
def test_what_is_refused_is_said_beside_the_form_with_what_was_typed(
    admin: Visitor, courier: MemoryCourier, url: str, status: int, word: str
) -> None:
    posted(admin, f"{ROOT}/hosts", hosts="hooks.example")
    page = posted(admin, ROOT, status, url=url).text
    assert word in page
    assert f'value="{html.escape(url)}"'.replace("&quot;", "&#34;") in page
    assert "<img src=x" not in page
    assert 'aria-invalid="true"' in page
    wrong = posted(admin, f"{ROOT}/hosts", 422, hosts="10.0.0.1").text
    assert "no server&#39;s name" in wrong
    assert ">10.0.0.1</textarea>" in wrong


def test_many_messages_are_pages_and_states_narrow_them(api: Any, admin: Visitor, courier: MemoryCourier) -> None:
    posted(admin, f"{ROOT}/hosts", hosts="hooks.example")
    shown = posted(admin, ROOT, 201, url="https://hooks.example/many").text
    path = re.findall(rf"{ROOT}/[0-9a-f-]{{36}}", shown)[0]
    webhook_id = path.rpartition("/")[2]
    courier.answers += [Answer(code="webhook_refused", status=500)] * 3
    for _ in range(5):
        assert api.call("POST", f"/webhooks/{webhook_id}/test").status_code == 200
    first = admin.page(f"{path}?limit=3")
    [older] = re.findall(r"before=[0-9a-f-]{36}", first)
    assert first.count("<tr>") == 4
    assert admin.page(f"{path}?limit=3&{older}").count("<tr>") == 3
    assert admin.page(f"{path}?state=dead").count("Given up</span>") == 3
    assert "Nothing waits" in admin.page(f"{path}?state=waiting")


@pytest.mark.slow
def test_what_was_given_up_is_said_above_all_and_gone_when_somebody_has_decided(
    api: Any, admin: Visitor, courier: MemoryCourier
) -> None:
    posted(admin, f"{ROOT}/hosts", hosts="hooks.example")
    shown = posted(admin, ROOT, 201, url="https://hooks.example/gone").text
    path = re.findall(rf"{ROOT}/[0-9a-f-]{{36}}", shown)[0]
    assert "given up: a server" not in admin.page(ROOT)
    courier.answers.append(Answer(code="webhook_gone", status=410))
    api.indexed("gone.txt", f"Notice of termination {new_id()}".encode())
    deadline = time.monotonic() + 20
    while "1 message was given up: a server of yours" not in admin.page(ROOT):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [removal] = re.findall(rf"{path}/deliveries/[0-9a-f-]{{36}}/removal", admin.page(f"{path}?state=dead"))
    led = posted(admin, removal).headers["location"]
    assert "The message is off the list." in admin.page(led)
    assert "given up: a server" not in admin.page(ROOT)
    assert "/removal" in admin.page(path), "that of the webhook itself"
    assert f"{path}/deliveries" not in admin.page(path)
