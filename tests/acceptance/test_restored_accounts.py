"""After a restore people are who they were, and nothing that opened their accounts before opens them now (ADR 137)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from acceptance.test_plane_backup import Site
from frostbyte.bootstrap.vaulting import Vaulting
from frostbyte.kernel.accounts.codes import STEP_SECONDS
from frostbyte.kernel.accounts.signing_in import SignedIn
from frostbyte.kernel.backup.mirror import Mirror
from servers.process import ServerProcess, free_port

pytestmark = pytest.mark.slow

PASSWORD = "four words and a horse"
NEW_PASSWORD = "another horse of four words"


@pytest.fixture
def site(servers_folder: Path) -> Iterator[Site]:
    made = Site(servers_folder)
    yield made
    made.plane.close()


def code(key: str) -> str:
    """What an authenticator shows for the step before now, which is good still."""
    return pyotp.TOTP(key).generate_otp(int(time.time()) // STEP_SECONDS - 1)


def next_code(key: str) -> str:
    """The one after that: each is good once."""
    return pyotp.TOTP(key).generate_otp(int(time.time()) // STEP_SECONDS)


def settled_in(site: Site, name: str, role: str) -> tuple[str, SignedIn]:
    """Somebody who set an account up: their authenticator's key, and their session."""
    people = site.plane.people
    link = people.register.create(name, role, actor="installation")["link"].partition("#")[2]
    key = people.door.open(link).secret
    return key, people.door.set_up(link, PASSWORD, code(key))


class Browser:
    """Somebody at the console: keeps cookies, sends forms, follows nothing."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, headers={"sec-fetch-site": "same-origin"}, trust_env=False, timeout=30)

    def post(self, path: str, **form: str) -> httpx.Response:
        page = self.client.get("/console/account", follow_redirects=False).text
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        return self.client.post(path, data=({"csrf": found[1]} if found else {}) | form)

    def sign_in(self, name: str, password: str, shown: str) -> httpx.Response:
        return self.post("/console/sign-in", name=name, password=password, code=shown, to="/console/")


@contextmanager
def serving(site: Site, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """`frostbyte serve data` on a restored folder: where, and with what environment commands find it."""
    port = free_port()
    given = {name: value for name, value in os.environ.items() if not name.startswith("FROSTBYTE_")} | {
        "FROSTBYTE_DATA_DIR": str(folder),
        "FROSTBYTE_EMBEDDING_ENDPOINT": "none",
        "FROSTBYTE_LISTEN": f"127.0.0.1:{port}",
        "FROSTBYTE_WORKERS": "1",
    }
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    command = [sys.executable, "-m", "frostbyte", "serve", "data"]
    server = ServerProcess("restored", command, folder=site.folder, ready=answers, environment=given)
    server.start()
    try:
        yield url, given
    finally:
        server.stop()


def frostbyte(environment: dict[str, str], *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "frostbyte", *words, "--json"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_restored_account_has_no_way_in_but_a_new_link(site: Site) -> None:
    key, session = settled_in(site, "ann@example.org", "admin")
    old_link = site.plane.people.register.create("bob", "reviewer", actor="ann@example.org")["link"].partition("#")[2]
    with site.plane.store.unit_of_work() as uow:
        held = uow.accounts.credential("ann@example.org")
    assert held is not None
    assert held.password
    taken = site.take()

    def everything(found: Vaulting) -> bytes:
        reader = found.repository.read(found.repository.snapshot(taken.snapshot))
        packs = [reader.body(pack) for pack in reader.snapshot.packs]
        return b"".join((*packs, *Mirror(found.repository.target, found.repository.key).entries().values()))

    opened = site.work(everything)
    digest = held.password.rpartition("$")[2].encode()
    assert digest not in opened, "nobody guesses at leisure"
    assert held.totp not in opened
    site.restore(site.folder / "elsewhere")

    with serving(site, site.folder / "elsewhere") as (url, environment):
        known = frostbyte(environment, "account", "list")["accounts"]
        assert [(row["name"], row["role"], row["state"]) for row in known] == [
            ("ann@example.org", "admin", "invited"),
            ("bob", "reviewer", "invited"),
        ], "who they are travels, and what proves it does not"
        ann = Browser(url)
        refused = ann.sign_in("ann@example.org", PASSWORD, next_code(key))
        assert refused.status_code == 401
        assert "Name, password or code is not right." in refused.text
        kept = Browser(url)
        kept.client.cookies.set("frostbyte-demo", session.cookie)
        assert kept.client.get("/console/").headers["location"].startswith("/console/sign-in"), "the session is over"
        assert ann.post("/console/set-up", link=old_link).status_code == 404

        made = frostbyte(environment, "account", "link", "ann@example.org")
        link = made["link"].partition("#")[2]
        shown = re.search(r'class="key">([A-Z2-7]{32})<', ann.post("/console/set-up", link=link).text)
        assert shown
        assert shown[1] != key
        done = ann.post(
            "/console/set-up/finish", link=link, password=NEW_PASSWORD, again=NEW_PASSWORD, code=code(shown[1])
        )
        assert done.headers["location"] == "/console/account?said=set_up"
        assert ann.client.get("/console/").status_code == 200
        ann.post("/console/sign-out")
        assert ann.sign_in("ann@example.org", PASSWORD, next_code(shown[1])).status_code == 401
        assert ann.sign_in("ann@example.org", NEW_PASSWORD, next_code(shown[1])).headers["location"] == "/console/"
        assert ann.client.get("/console/people").status_code == 200, "as the administrator that she was"
