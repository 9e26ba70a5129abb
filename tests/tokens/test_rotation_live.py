"""A gateway and a serving process under load while their key rotates, and while the gateway is killed in the middle."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from servers.postgres import PostgresServer
from servers.process import ServerProcess, free_port

pytestmark = pytest.mark.slow
SERVE = [sys.executable, "-m", "frostbyte", "serve", "data"]
ROTATIONS = 5
KILLS = 3
"""Each costs a start of the gateway; test_rotation.py kills at every step, in one process."""
THREADS = 4


class Two:
    """A plane in two processes over one database, which share nothing but it and the folder of keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = PostgresServer(folder / "postgres")
        self.ports = {"gateway": free_port(), "serving": free_port()}
        self.processes: dict[str, ServerProcess] = {}
        self.client = httpx.Client(timeout=30, trust_env=False)

    def start(self) -> Two:
        """The database, the gateway (which makes schema and keys), serving."""
        self.postgres.start()
        database = self.postgres.database("plane")
        for name, roles in (("gateway", "intake"), ("serving", "serving")):
            kept = {key: value for key, value in os.environ.items() if not key.startswith("FROSTBYTE_")}
            own = {
                "FROSTBYTE_ROLES": roles,
                "FROSTBYTE_DATA_DIR": str(self.folder / name),
                "FROSTBYTE_SECRETS_DIR": str(self.folder / "keys"),
                "FROSTBYTE_DATABASE_URL": database,
                "FROSTBYTE_LISTEN": f"127.0.0.1:{self.ports[name]}",
                "FROSTBYTE_WORKERS": "1",
            }
            if name == "gateway":
                own["FROSTBYTE_SERVING_URL"] = f"http://127.0.0.1:{self.ports['serving']}"
            self.processes[name] = ServerProcess(
                name,
                SERVE,
                folder=self.folder / name,
                ready=lambda port=self.ports[name]: self._answers(port),  # type: ignore[misc]
                environment=kept | own,
                seconds=120,
            )
            self.processes[name].start()
        return self

    def _answers(self, port: int) -> bool:
        try:
            return self.client.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """End everything."""
        for process in reversed(self.processes.values()):
            process.stop()
        self.postgres.stop()
        self.client.close()

    def call(self, method: str, path: str, token: str, *, at: str = "gateway", **more: Any) -> httpx.Response:
        """One request."""
        url = f"http://127.0.0.1:{self.ports[at]}/api/v1{path}"
        return self.client.request(method, url, headers={"Authorization": f"Bearer {token}"}, **more)

    def local(self) -> str:
        """The local operator's newest token."""
        return (self.folder / "gateway/token").read_text().strip()

    def minted(self, token: str) -> str:
        """A token for everything that the load needs."""
        made = self.call("POST", "/tokens", token, json={"subject": "load", "scopes": ["query", "admin"]})
        assert made.status_code == 201, made.text
        return str(made.json()["token"])

    def log(self, token: str) -> list[tuple[str, str]]:
        """(type, key) of all that the log says about keys, in order, once everything until now is numbered."""
        made = self.call("POST", "/tokens", token, json={"subject": "auditor", "scopes": ["audit"]}).json()
        auditor, deadline = made["token"], time.monotonic() + 30
        while not self.call("GET", f"/audit/events?resource_id={made['jti']}", auditor).json()["events"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        found: list[tuple[str, str, str]] = []
        for kind in ("KEY_ROTATED", "KEY_RETIRED"):
            page = self.call("GET", f"/audit/events?type={kind}&limit=1000", auditor).json()
            found += [(event["timestamp"], kind, event["resource_id"]) for event in page["events"]]
        return [(kind, kid) for _, kind, kid in sorted(found)]


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    """Both processes. The path is short and open to the database's account."""
    with tempfile.TemporaryDirectory(prefix="fb-keys-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        plane = Two(folder)
        try:
            yield plane.start()
        finally:
            plane.stop()


class Load:
    """Threads that ask both processes all the time, each with a token that is good when it asks."""

    def __init__(self, two: Two, tokens: list[str]) -> None:
        self.two = two
        self.tokens = tokens
        self.answers: Counter[tuple[str, int, str]] = Counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(THREADS)]

    def _run(self, number: int) -> None:
        ways = (("/documents", "gateway"), ("/index", "gateway"), ("/documents", "serving"))
        turn = number
        while not self._stop.is_set():
            turn += 1
            path, at = ways[turn % len(ways)]
            # From the choice of a token to its answer nothing is retired: `changed` waits for that.
            token = random.choice(self.tokens)
            answer = self.two.call("GET", path, token, at=at)
            code = "" if answer.status_code == 200 else answer.json()["code"]
            with self._lock:
                self.answers[at, answer.status_code, code] += 1

    def changed(self, tokens: list[str]) -> None:
        """Ask with other tokens, once nobody asks with the old ones any more."""
        self.tokens = tokens
        with self._lock:
            before = self.answers.total()
        while self.answers.total() < before + 4 * THREADS:
            time.sleep(0.01)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def test_no_good_token_is_refused_while_keys_rotate(two: Two) -> None:
    tokens = [two.minted(two.local())]
    seen = set()
    with Load(two, tokens) as load:
        for _ in range(ROTATIONS):
            rotated = two.call("POST", "/keys/rotate", load.tokens[-1])
            assert rotated.status_code == 200, rotated.text
            seen.add(rotated.json()["keys"][0]["kid"])
            new = two.minted(load.tokens[0])  # asked for with a token of the old key
            assert two.call("GET", "/documents", new, at="serving").status_code == 200
            load.changed([load.tokens[0], new])
            load.changed([new])
            assert two.call("POST", "/keys/retire", new).status_code == 200
        total = load.answers.total()
    assert {(status, code) for _, status, code in load.answers} == {(200, "")}, load.answers
    assert total >= ROTATIONS * 8 * THREADS
    assert len(seen) == ROTATIONS
    first = tokens[0]
    for at in two.ports:
        refused = two.call("GET", "/documents", first, at=at)
        assert (refused.status_code, refused.json()["code"]) == (401, "token_signature_wrong")
    time.sleep(1.5)
    assert two.call("GET", "/keys", two.local()).status_code == 200, "the token in the data folder follows the key"


def test_a_revocation_counts_in_the_other_process_with_the_next_request(two: Two) -> None:
    admin = two.local()
    for _ in range(20):
        made = two.call("POST", "/tokens", admin, json={"subject": "x", "scopes": ["query"]}).json()
        key = two.call("POST", "/api-keys", admin, json={"name": "x", "scopes": ["query"]}).json()
        for credential in (made["token"], key["key"]):
            assert two.call("GET", "/documents", credential, at="serving").status_code == 200
        assert two.call("DELETE", f"/tokens/{made['jti']}", admin).status_code == 204
        assert two.call("DELETE", f"/api-keys/{key['key_id']}", admin).status_code == 204
        codes = [
            two.call("GET", "/documents", credential, at="serving").json()["code"]
            for credential in (made["token"], key["key"])
        ]
        assert codes == ["token_revoked", "api_key_revoked"]


@pytest.mark.timeout(300)
def test_the_gateway_killed_while_it_rotates(two: Two) -> None:
    """Whatever moment it dies in, serving goes on, and afterwards log, folder and both processes agree."""
    gateway = two.processes["gateway"]
    draw = random.Random(7)
    first = two.call("GET", "/keys", two.local()).json()["keys"][0]["kid"]
    for _ in range(KILLS):
        token = two.minted(two.local())

        def rotate(token: str = token) -> None:
            with suppress(httpx.HTTPError):  # it was killed
                two.call("POST", "/keys/rotate", token, json={"retire_old": draw.random() < 0.3})

        asking = threading.Thread(target=rotate)
        asking.start()
        time.sleep(draw.uniform(0.0, 0.08))
        gateway.kill()
        asking.join(60)
        assert two.call("GET", "/documents", token, at="serving").status_code in (200, 401)
        gateway.start()
        token = two.local()
        assert two.call("GET", "/documents", token, at="serving").status_code == 200
        keys = two.call("GET", "/keys", token).json()["keys"]
        if len(keys) == 2:
            assert two.call("POST", "/keys/retire", token).status_code == 200
            keys = keys[:1]
        files = sorted(path.name for path in (two.folder / "keys").iterdir() if "token" in path.name)
        assert len(files) == len(keys) == 1, files
        assert not [path for path in (two.folder / "keys").iterdir() if path.name.startswith("change-")]
        said = two.log(token)
        rotated = [kid for kind, kid in said if kind == "KEY_ROTATED"]
        retired = [kid for kind, kid in said if kind == "KEY_RETIRED"]
        assert len(retired) == len(set(retired)) == len(rotated), "each rotation retires the one before, once"
        assert keys[0]["kid"] == (rotated[-1] if rotated else first)
        assert keys[0]["kid"] not in retired
