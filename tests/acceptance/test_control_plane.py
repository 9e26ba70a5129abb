"""One control plane and three data planes as processes of their own, behind a real Traefik: documents of all three are
served, one is stopped and goes on, and each of the three histories holds in the ledger and away from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.control_cluster import Cluster, eventually
from servers.lanes import need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TENANTS = {
    "acme": (b"The cold store of Acme keeps vaccines between two and eight degrees.", "vaccines"),
    "globex": (b"Globex pays its suppliers within thirty days of the invoice.", "suppliers"),
    "initech": (b"Initech archives every contract for ten years after its end.", "contract"),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    need("traefik")
    need("clamd")
    made = Cluster(tmp_path_factory.mktemp("control"), *TENANTS)
    try:
        made.attach()
        yield made
    finally:
        made.close()


def found(cluster: Cluster, tenant: str) -> str:
    """The first answer to a question about what the tenant sent, through the edge."""
    question = {"query": TENANTS[tenant][1], "mode": "lexical"}
    answers = cluster.edge.json(cluster.planes[tenant], "/query", "POST", question)["results"]
    return str(answers[0]["text"]) if answers else ""


def shut(cluster: Cluster, tenant: str) -> None:
    """It returns when the edge is told and the plane refuses; the edge itself reads its files a moment later."""
    assert cluster.edge.status(tenant, "/api/v1/documents") == 503
    eventually(lambda: cluster.edge.status(tenant) == 503, "the edge leads to it", 1)


def test_documents_of_all_tenants_are_served_through_the_edge(cluster: Cluster) -> None:
    for tenant, (content, _) in TENANTS.items():
        cluster.edge.ingest(cluster.planes[tenant], "note.txt", content)
    for tenant, (content, _) in TENANTS.items():
        eventually(lambda tenant=tenant: found(cluster, tenant), f"{tenant} finds nothing", 60, 0.5)  # type: ignore[misc]
        assert found(cluster, tenant) == content.decode()


def test_one_is_stopped_within_a_second_and_the_others_are_not(cluster: Cluster) -> None:
    began = time.monotonic()
    operation = cluster.control.do("acme", "suspend", {"reason": "payment"})
    eventually(lambda: cluster.edge.status("acme") == 503, "the edge leads to it", 5)
    assert time.monotonic() - began < 1.5, "the target is 1 s; the rest is for a busy machine"
    assert [cluster.edge.status(tenant) for tenant in ("acme", "globex", "initech")] == [503, 200, 200]
    done = cluster.control.finished(operation)
    assert done["status"] == "succeeded"
    assert [step["step"] for step in done["steps"]] == ["registry_committed", "edge_closed", "plane_acknowledged"]
    refused = cluster.edge.ask("acme", "/api/v1/documents")
    assert refused.status == 503
    assert found(cluster, "globex")


def test_it_goes_on_where_it_was(cluster: Cluster) -> None:
    done = cluster.control.finished(cluster.control.do("acme", "resume", {"reason": "payment"}))
    assert done["status"] == "succeeded"
    assert [step["step"] for step in done["steps"]] == ["registry_committed", "plane_acknowledged", "edge_opened"]
    eventually(lambda: cluster.edge.status("acme") == 200, "the edge stays shut", 5)
    assert found(cluster, "acme") == TENANTS["acme"][0].decode()


def test_what_waits_when_it_is_stopped_is_done_when_it_goes_on(cluster: Cluster) -> None:
    plane = cluster.planes["globex"]
    sent = [cluster.edge.ingest(plane, f"{n}.txt", f"Ledger entry number {n} of Globex.".encode()) for n in range(4)]
    cluster.control.finished(cluster.control.do("globex", "suspend", {"reason": "incident"}))
    shut(cluster, "globex")
    cluster.control.finished(cluster.control.do("globex", "resume", {"reason": "incident"}))
    eventually(lambda: cluster.edge.status("globex") == 200, "the edge stays shut", 5)
    for batch in sent:

        def whole(batch: str = batch) -> bool:
            files = cluster.edge.json(plane, f"/ingest/{batch}")["documents"]
            return [file["state"] for file in files] == ["indexed"]

        eventually(whole, "a document that waited is lost", 60, 0.5)


def test_an_operator_types_it(cluster: Cluster) -> None:
    done = cluster.control.typed("tenant", "suspend", "initech", "--reason", "incident")
    assert done.returncode == 0, done.stdout + done.stderr
    shut(cluster, "initech")
    done = cluster.control.typed("tenant", "resume", "initech", "--reason", "incident")
    assert done.returncode == 0, done.stdout + done.stderr
    eventually(lambda: cluster.edge.status("initech") == 200, "the edge stays shut", 5)


def test_a_configuration_reaches_the_plane(cluster: Cluster) -> None:
    done = cluster.control.typed("tenant", "config", "globex", "top_k=7")
    assert done.returncode == 0, done.stdout + done.stderr
    plane = cluster.planes["globex"]

    def configured() -> bool:
        found = cluster.edge.json(plane, "/config")
        return bool(found["actor"] == "control" and found["values"]["top_k"] == 7)

    eventually(configured, "the plane has another configuration", 40, 0.5)


def test_a_tenant_with_a_legal_hold_is_not_removed(cluster: Cluster) -> None:
    """Asked over the channel, in the same moment: the hold was placed after the last lease."""
    plane = cluster.planes["globex"]
    asked = {"matter": "2026-0147", "reason": "regulator", "everything": True}
    hold = cluster.edge.json(plane, "/holds", "POST", asked)["hold_id"]
    try:
        refused = cluster.control.call("POST", "/tenants/globex/deprovision", {"confirm": "globex"})
        assert (refused.status_code, refused.json()["code"]) == (409, "tenant_held")
        assert cluster.control.get("/tenants/globex")["state"] == "ACTIVE"
        held = lambda: cluster.control.get("/tenants/globex")["standing"]["holds"]  # noqa: E731
        eventually(lambda: held() == 1, "no lease brings the hold", 40, 0.5)
        assert "legal" in cluster.control.typed("tenant", "list").stdout  # the column wraps
    finally:
        cluster.edge.json(plane, f"/holds/{hold}?reason=mistake", "DELETE")
    eventually(lambda: held() == 0, "no lease takes it back", 40, 0.5)


def test_each_history_holds_in_the_ledger_and_away_from_it(cluster: Cluster, tmp_path: Path) -> None:
    """Verified by the plane's own key, which its operator read out, and by the ledger's, which cosigned all of it."""
    sizes = {}
    for tenant, plane in cluster.planes.items():
        checkpoint = cluster.edge.json(plane, "/audit/checkpoints")["checkpoints"][-1]
        sizes[tenant] = int(str(checkpoint["note"] if isinstance(checkpoint, dict) else checkpoint).splitlines()[1])

    def followed() -> bool:
        rows = {row["tenant_id"]: row for row in cluster.control.get("/audit/logs")["logs"]}
        return all(rows[name]["size"] >= size and rows[name]["finding"] is None for name, size in sizes.items())

    eventually(followed, "the ledger does not hold all that was signed", 60, 0.5)
    witness = cluster.control.get("/audit/logs")["witness_key"]
    for tenant, plane in cluster.planes.items():
        archive = tmp_path / f"{tenant}.tar"
        done = cluster.control.typed("ledger", "export", "--tenant", tenant, "-o", str(archive))
        assert done.returncode == 0, done.stdout + done.stderr
        checked = ["audit", "verify", str(archive), "--key", plane.log_key, "--witness", witness, "--json"]
        done = cluster.control.typed(*checked)
        assert done.returncode == 0, done.stdout + done.stderr
        data = bytearray(archive.read_bytes())
        at = data.index(b"DOCUMENT_INGESTED")
        data[at : at + 8] = b"DOCUMENX"
        archive.write_bytes(data)
        assert cluster.control.typed(*checked).returncode == 6, "an event that was changed is not found"
