"""A real plane in its own process, told by a control plane over mutual TLS: suspended under load, killed, resumed, and
left alone until its lease ends."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from channel.plane_cases import KEY, directive
from frostbyte.adapters.channel.http import HttpPlane, context
from frostbyte.deploy.authority import Authority, Client
from frostbyte.kernel.audit.checkpoint import Cosigner, open_cosignature
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import PlaneState
from scan.clamd_servers import FakeClamd
from servers.process import ServerProcess, free_port, listens

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[2]
ENDS = ("DOCUMENT_SCANNED", "DOCUMENT_PARSED", "POLICY_GATE_PASSED", "DOCUMENT_EMBEDDED", "INDEX_WRITTEN")
WORKERS = 2


class Told:
    """An online plane in a process of its own, and both of its doors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clamd = FakeClamd()
        authority = Authority(folder / "authority", "acme")
        authority.server("channel", ["127.0.0.1"])
        held = authority.client(Client.CONTROL)
        (folder / "control-keys").write_text(f"{KEY.public}  # of a test\n")
        port, self.channel_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = ServerProcess(
            "plane",
            [sys.executable, "-m", "frostbyte", "serve", "data"],
            folder=folder,
            ready=lambda: listens(port) and listens(self.channel_port) and (folder / "data" / "token").exists(),
            environment={
                "FROSTBYTE_MODE": "online",
                "FROSTBYTE_STANDINS": "vectors,database,objects,queue,embedder,secrets",
                "FROSTBYTE_TENANT_ID": "acme",
                "FROSTBYTE_DATA_DIR": str(folder / "data"),
                "FROSTBYTE_LISTEN": f"127.0.0.1:{port}",
                "FROSTBYTE_WORKERS": str(WORKERS),
                "FROSTBYTE_CLAMD_ADDRESS": f"127.0.0.1:{self.clamd.address[1]}",
                "FROSTBYTE_CLAMD_CONF": str(ROOT / "config" / "clamd.conf"),
                "FROSTBYTE_CHANNEL_LISTEN": f"127.0.0.1:{self.channel_port}",
                "FROSTBYTE_CHANNEL_CERTIFICATE": str(folder / "authority" / "channel" / "public.crt"),
                "FROSTBYTE_CHANNEL_KEY": str(folder / "authority" / "channel" / "private.key"),
                "FROSTBYTE_CHANNEL_CLIENT_CA": str(authority.ca_file),
                "FROSTBYTE_CONTROL_KEYS": str(folder / "control-keys"),
            },
            seconds=90,
        )
        self.channel = HttpPlane(
            "acme",
            f"https://127.0.0.1:{self.channel_port}",
            context(authority.ca_file.read_text(), held.certificate, held.key),
        )

    def tell(self, version: int, state: PlaneState = PlaneState.ACTIVE, **values: Any) -> Any:
        return self.channel.put(directive(self.channel.standing().nonce, version=version, state=state, **values))

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        token = (self.folder / "data" / "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.request(method, self.url + path, headers=headers, timeout=30, trust_env=False, **more)

    def send(self, name: str, count: int) -> str:
        text = "{0}. Clause {0}\n\nThe supplier of lot {0} in {1} delivers within {0} days of the order.\n"
        files = [("files", (f"{name}-{n}.txt", text.format(n, name).encode(), "text/plain")) for n in range(count)]
        answer = self.ask("POST", "/api/v1/ingest", files=files)
        assert answer.status_code == 202, answer.text
        batch: str = answer.json()["batch_id"]
        return batch

    def events(self) -> list[dict[str, Any]]:
        found, after = [], -1
        while lines := self.channel.events(after, 1000).splitlines():
            found += [json.loads(line) for line in lines]
            after = found[-1]["sequence"]
        return [item["event"] for item in found]

    def restart(self) -> None:
        """After a power cut."""
        self.process.kill()
        (self.folder / "data" / "token").unlink()
        self.process.start()
        until(lambda: httpx.get(self.url + "/health", timeout=30).status_code == 200)

    def close(self) -> None:
        self.channel.close()
        self.process.stop()
        self.clamd.close()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    told = Told(tmp_path_factory.mktemp("told"))
    try:
        told.process.start()
        yield told
    finally:
        told.close()


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_untold_plane_takes_in_and_waits_visibly_and_begins_when_it_is_told(plane: Told) -> None:
    batch = plane.send("untold", 2)
    status = plane.ask("GET", f"/api/v1/ingest/{batch}").json()
    assert {(item["state"], item["code"]) for item in status["documents"]} == {("waiting", "control_plane_unreachable")}
    jobs = plane.ask("GET", "/api/v1/jobs").json()["jobs"]
    assert {(job["state"], job["attempt"], job["code"]) for job in jobs} == {
        ("waiting", 0, "control_plane_unreachable")
    }
    report = plane.ask("GET", f"/api/v1/ingest/{batch}/report").json()
    assert report["totals"]["waiting"] == 2
    assert httpx.get(plane.url + "/ready").json()["dispatch"] == "control_plane_unreachable"
    assert plane.ask("POST", "/api/v1/query", json={"query": "delivery"}).status_code == 200
    assert plane.channel.health().jobs == {"dead": 0, "scan": 2}
    plane.tell(1)
    until(lambda: plane.ask("GET", f"/api/v1/ingest/{batch}").json()["counts"] == {"indexed": 2})


def test_a_lease_that_nobody_renews_ends_by_itself(plane: Told) -> None:
    assert 0 < plane.tell(1, lease_seconds=2).lease_seconds_left <= 2
    time.sleep(2.1)
    batch = plane.send("late", 3)
    time.sleep(1.5)  # more than two looks of each runner
    status = plane.ask("GET", f"/api/v1/ingest/{batch}").json()
    assert {(item["state"], item["code"]) for item in status["documents"]} == {("waiting", "control_plane_unreachable")}
    assert "frostbyte_plane_dispatch_bool 0.0" in httpx.get(plane.url + "/metrics").text
    plane.tell(1)
    until(lambda: plane.ask("GET", f"/api/v1/ingest/{batch}").json()["counts"] == {"indexed": 3})


def test_suspended_under_load_it_begins_nothing_and_goes_on_when_it_is_resumed(plane: Told) -> None:
    plane.tell(1)
    batch = plane.send("load", 60)
    until(lambda: plane.channel.health().jobs.get("index", 0) + len(plane.events()) > 80)
    heard: list[str] = []

    def watch() -> None:
        token = (plane.folder / "data" / "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{plane.url}/api/v1/ingest/{batch}/events"
        with httpx.stream("GET", url, headers=headers, timeout=30, trust_env=False) as stream:
            heard.extend(stream.iter_lines())

    watcher = threading.Thread(target=watch)
    watcher.start()
    until(lambda: bool(heard))
    began = time.monotonic()
    answer = plane.tell(2, PlaneState.SUSPENDED)
    assert (answer.version, answer.state) == (2, PlaneState.SUSPENDED)
    for method, path in (("GET", f"/api/v1/ingest/{batch}"), ("POST", "/api/v1/query"), ("GET", "/docs")):
        refused = plane.ask(method, path)
        assert (refused.status_code, refused.json()["code"]) == (503, "tenant_suspended")
        assert refused.headers["retry-after"] == "60"
    assert httpx.get(plane.url + "/api/v1/jobs", headers={"Authorization": "Bearer x"}).status_code == 503
    watcher.join(5)
    assert not watcher.is_alive()
    assert time.monotonic() - began < 5
    assert "event: suspended" in heard
    assert "tenant_suspended" in heard[heard.index("event: suspended") + 1]

    until(lambda: "TENANT_SUSPENDED" in [event["type"] for event in plane.events()])
    time.sleep(3)  # what was under way ends
    before = plane.channel.health().jobs
    time.sleep(2)
    assert plane.channel.health().jobs == before
    assert sum(before.values()) > 10
    types = [event["type"] for event in plane.events()]
    ended_after = [type for type in types[types.index("TENANT_SUSPENDED") :] if type in ENDS]
    assert len(ended_after) <= WORKERS
    health = httpx.get(plane.url + "/health").json()
    assert (health["standing"], health["dispatch"]) == ("suspended", "tenant_suspended")

    plane.restart()
    again = plane.channel.standing()
    assert (again.state, again.version) == (PlaneState.SUSPENDED, 2)
    assert plane.ask("GET", f"/api/v1/ingest/{batch}").status_code == 503
    assert plane.channel.health().jobs == before

    plane.tell(3)
    until(lambda: plane.ask("GET", f"/api/v1/ingest/{batch}").json()["counts"] == {"indexed": 60})
    assert "TENANT_RESUMED" in [event["type"] for event in plane.events()]


def test_a_restarted_plane_has_to_be_told_again(plane: Told) -> None:
    plane.tell(3)
    recorded = directive(plane.channel.standing().nonce, version=3)
    plane.restart()
    assert plane.channel.standing().lease_seconds_left == 0
    with pytest.raises(FrostbyteError) as caught:
        plane.channel.put(recorded)
    assert caught.value.code == "directive_nonce"
    batch = plane.send("again", 1)
    time.sleep(1.2)
    [item] = plane.ask("GET", f"/api/v1/ingest/{batch}").json()["documents"]
    assert item["code"] == "control_plane_unreachable"
    plane.tell(3)
    until(lambda: plane.ask("GET", f"/api/v1/ingest/{batch}").json()["counts"] == {"indexed": 1})


def test_a_cosignature_is_shown_wherever_the_checkpoint_is(plane: Told) -> None:
    witness = Cosigner(bytes([5]) * 32, "ledger.example")
    plane.tell(3, witness_key=str(witness.public_key))
    latest = plane.channel.checkpoints(-1).latest
    assert latest is not None
    size = int(latest.split("\n")[1])
    plane.channel.cosign(size, witness.cosign(latest, 1_770_000_000))
    shown = plane.ask("GET", "/api/v1/audit/checkpoints", params={"cursor": size - 1}).json()["checkpoints"][0]
    assert shown["size"] == size
    assert open_cosignature(shown["note"], witness.public_key) == 1_770_000_000


def test_health_says_what_an_operator_of_many_planes_looks_at(plane: Told) -> None:
    found = plane.channel.health()
    assert found.ready
    assert found.certificate_not_after is not None
    assert found.signatures_age_seconds is not None
    assert found.quota_bytes == 100_000_000_000
    assert found.stored_bytes > 0
    assert found.log_size > 0
    assert "database" in found.stand_ins
    assert found.model
