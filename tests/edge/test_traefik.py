"""What a real Traefik does with the edge's files."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import pytest

from edge.rows import endpoints, tenant
from edge.upstreams import Upstream
from edge.world import World
from frostbyte.bootstrap.edge import MEND_SECONDS, file_pair
from frostbyte.control_plane.edge.routes import Gate, Site, Tls
from frostbyte.deploy.authority import Authority
from frostbyte.deploy.traefik import Traefik
from servers.traefik import Answer, answered, until

pytestmark = pytest.mark.slow
Start = Callable[[str], Upstream]
SHUT = {"x-frostbyte-code": "tenant_suspended", "retry-after": "60"}


def ready(world: World, tenant_id: str, *wanted: int, seconds: float = 10.0) -> float:
    """Wait for a status (200), asking less often than a tenant may; seconds that it took."""
    return until(lambda: world.status(tenant_id) in (wanted or (200,)), seconds, pause=0.065)


def test_each_tenant_is_led_to_its_own_gateway(world: World, upstream: Start) -> None:
    gateways = {name: upstream(name) for name in ("acme", "globex", "initech")}
    for name, gateway in gateways.items():
        world.open(name, gateway.url)
    for name, gateway in gateways.items():
        ready(world, name)
        spoofed = {"X-Frostbyte-Tenant": "other", "X-Forwarded-For": "198.51.100.1"}
        answer = world.traefik.ask(world.host(name), ca=world.ca, headers=spoofed)
        assert answer.body == name.encode()
        assert "max-age=31536000" in answer.headers["strict-transport-security"]
        assert gateway.seen["x-frostbyte-tenant"] == name
        assert gateway.seen["x-forwarded-for"] == "127.0.0.1"
        assert gateway.seen["host"].startswith(f"{name}.")


def test_plain_requests_are_sent_on_to_tls(world: World, upstream: Start) -> None:
    world.open("acme", upstream("acme").url)
    answer = world.traefik.plain(world.host("acme"), "/a?b=c")
    assert answer.status in (301, 308)
    assert answer.headers["location"].startswith(f"https://{world.host('acme')}")


def test_what_clients_see_is_trusted_by_the_edges_authority_alone(world: World, tmp_path: Path) -> None:
    world.open("acme", "http://127.0.0.1:9")
    ready(world, "acme", 502, 503)
    with pytest.raises(ssl.SSLCertVerificationError):
        world.traefik.ask(world.host("acme"), ca=Authority(tmp_path, "", domain=world.site.domain).ca_file)
    with pytest.raises(ssl.SSLError):
        world.traefik.ask("elsewhere.example")  # no host of ours, no certificate
    assert world.traefik.ask(world.host("nobody"), ca=world.ca).status == 404
    old = ssl._create_unverified_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    connection = world.traefik.connection(world.host("acme"))
    connection._context = old  # type: ignore[attr-defined]
    with pytest.raises(ssl.SSLError):
        connection.connect()


def test_certificates_from_files_take_the_place_of_our_own(world: World, upstream: Start, tmp_path: Path) -> None:
    world.open("acme", upstream("acme").url)
    ready(world, "acme")
    theirs = Authority(tmp_path, "", domain=world.site.domain)
    theirs.server("files", [f"*.{world.site.domain}"])
    pair = file_pair(tmp_path / "files/public.crt", tmp_path / "files/private.key", world.site.domain)
    text = Traefik().shared(Site(domain=world.site.domain, tls=Tls.FILES), pair)["edge.yml"]
    world.traefik.files.write("edge.yml", text)
    until(lambda: _trusts(world, theirs.ca_file))
    assert world.keeper.mend().written == ("edge.yml",)
    until(lambda: _trusts(world, world.ca))


def _trusts(world: World, ca: Path) -> bool:
    try:
        return world.traefik.ask(world.host("acme"), ca=ca).status == 200
    except ssl.SSLError:
        return False


def test_a_suspended_tenant_is_answered_503_within_a_second_and_the_others_are_served(
    world: World, upstream: Start
) -> None:
    acme, globex = upstream("acme"), upstream("globex")
    world.open("acme", acme.url)
    world.open("globex", globex.url)
    ready(world, "acme")
    ready(world, "globex")
    world.suspend("acme", acme.url)
    assert ready(world, "acme", 503) < 1
    answer = world.traefik.ask(world.host("acme"), ca=world.ca)
    assert SHUT.items() <= answer.headers.items()
    assert world.status("globex") == 200
    asked = acme.requests
    assert world.status("acme") == 503
    assert acme.requests == asked, "it does not reach the gateway"
    world.open("acme", acme.url)
    assert ready(world, "acme") < 1
    world.keeper.drop("acme")
    ready(world, "acme", 404)


def test_a_dead_gateway_is_taken_out_and_comes_back(world: World, upstream: Start) -> None:
    acme = upstream("acme")
    world.open("acme", acme.url)
    ready(world, "acme")
    acme.healthy = False
    asked = acme.requests
    ready(world, "acme", 503, seconds=16)
    assert acme.requests > asked, "until its health is asked for, it serves"
    asked = acme.requests
    assert world.status("acme") == 503
    assert acme.requests == asked
    acme.healthy = True
    ready(world, "acme", seconds=16)
    acme.stop()
    ready(world, "acme", 502, 503)
    acme.start()
    ready(world, "acme", seconds=16)


def burst(world: World, count: int) -> list[Answer]:
    """Requests of acme, one after the other."""
    connection = world.traefik.connection(world.host("acme"), world.ca)
    try:
        return [answered(connection, "GET", "/", {"Host": world.host("acme")}, None) for _ in range(count)]
    finally:
        connection.close()


def test_one_tenants_limit_is_not_anothers(world: World, upstream: Start) -> None:
    for name in ("acme", "globex"):
        world.open(name, upstream(name).url)
        ready(world, name)
    time.sleep(2.5)  # until the bucket is full again
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        found = [answer for answers in pool.map(lambda _: burst(world, 40), range(8)) for answer in answers]
    took = time.monotonic() - began
    served = sum(answer.status == 200 for answer in found)
    refused = [answer for answer in found if answer.status == 429]
    assert served + len(refused) == 320
    assert 33 <= served <= 34 + took * 1000 / 60 + 1
    assert all(int(answer.headers["retry-after"]) <= 1 for answer in refused)
    assert world.status("globex") == 200


class Load:
    """Somebody who asks a host without pause, on connections that stay open."""

    def __init__(self, world: World, tenant_id: str) -> None:
        self.statuses: list[int] = []
        self._world, self._host = world, world.host(tenant_id)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = self._world.traefik.connection(self._host, self._world.ca)
        while not self._stop.wait(0.065):  # below the limit of a tenant
            try:
                self.statuses.append(answered(connection, "GET", "/", {"Host": self._host}, None).status)
            except (OSError, http.client.HTTPException):
                self.statuses.append(0)
                connection.close()
        connection.close()


def test_hot_changes_lose_no_request_of_others(world: World, upstream: Start) -> None:
    acme, others = upstream("acme"), [upstream(f"other{n}") for n in range(2)]
    world.open("acme", acme.url)
    for other in others:
        world.open(other.name, other.url)
    for name in ("acme", "other0", "other1"):
        ready(world, name)
    time.sleep(2.5)  # until the buckets are full again
    took: list[float] = []
    with Load(world, "other0") as first, Load(world, "other1") as second:
        for _ in range(4):
            world.suspend("acme", acme.url)
            took.append(ready(world, "acme", 503))
            world.open("acme", acme.url)
            took.append(ready(world, "acme"))
    assert median(took) < 1
    for load in (first, second):
        assert len(load.statuses) > 10
        assert set(load.statuses) == {200}


def test_a_bad_file_keeps_nobody_out_for_longer_than_it_takes_to_remove_it(world: World, upstream: Start) -> None:
    umbra = upstream("umbra")
    world.open("umbra", umbra.url)
    ready(world, "umbra")
    folder = world.traefik.files.folder
    (folder / "broken.yml").write_text("http: {{ nonsense")
    time.sleep(0.3)
    assert world.status("umbra") == 200, "what was read before is served"
    world.suspend("umbra", umbra.url)
    time.sleep(0.6)
    assert world.status("umbra") == 200, "a bad file keeps changes from being read: that is what the keeper is for"
    assert world.keeper.mend().removed == ("broken.yml",)
    assert ready(world, "umbra", 503) < 1
    (folder / "tenant-umbra.yml").write_text("{{")
    (folder / "edge.yml").unlink()
    assert set(world.keeper.mend().written) == {"tenant-umbra.yml", "edge.yml"}
    world.open("umbra", umbra.url)
    assert ready(world, "umbra") < 1
    assert MEND_SECONDS <= 1


def test_a_start_with_a_bad_file_serves_after_it_is_gone(world: World, upstream: Start) -> None:
    umbra = upstream("umbra")
    world.open("umbra", umbra.url)
    ready(world, "umbra")
    (world.traefik.files.folder / "broken.yml").write_text("http: {{ nonsense")
    world.traefik.stop()
    world.traefik.start()
    time.sleep(0.3)
    assert world.status("umbra") != 200
    world.keeper.mend()
    ready(world, "umbra")


def test_the_edge_logs_no_path_no_question_and_no_address(world: World, upstream: Start) -> None:
    world.open("acme", upstream("acme").url)
    ready(world, "acme")
    secret = "canary-7f3a"
    world.traefik.ask(
        world.host("acme"),
        f"/{secret}/x?q={secret}",
        ca=world.ca,
        headers={"Authorization": secret, "User-Agent": secret},
    )
    until(lambda: world.traefik.log.count("DownstreamStatus") > 0)
    assert "tenant-acme" in world.traefik.log
    assert secret not in world.traefik.log
    assert "127.0.0.1:" not in "".join(line for line in world.traefik.log.splitlines() if "DownstreamStatus" in line)
    assert secret not in world.traefik.metrics()


def test_the_status_port_has_no_dashboard(world: World) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", world.traefik.ports["status"], timeout=5)
    for path, status in (("/ping", 200), ("/metrics", 200), ("/api/rawdata", 404), ("/dashboard/", 404)):
        assert answered(connection, "GET", path, {}, None).status == status
    connection.close()


def test_a_route_that_cannot_be_written_is_shut_at_the_edge_too(world: World, upstream: Start) -> None:
    world.open("acme", upstream("acme").url)
    ready(world, "acme")
    with pytest.raises(Exception, match="no such gateway"):
        world.keeper.show(tenant(), endpoints(gateway_url="http://{{x}}:1"), Gate.OPEN)
    ready(world, "acme", 503)
