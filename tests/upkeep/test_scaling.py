"""Tenants that stand are given other hosts: workers come and go, servers change, volumes grow, one becomes several."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from draws import SEED, SOAK
from frostbyte.adapters.hosts.memory import Fault
from frostbyte.control_plane.provisioning.journal import Direction, RunState
from frostbyte.control_plane.provisioning.ports import CloudError, HostFile
from frostbyte.control_plane.provisioning.resources import Kind
from frostbyte.control_plane.registry.records import OperationRow, OperationStatus
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.control_plane.upkeep.scaling import Scaling
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import FrostbyteError
from upkeep.standing_site import ACME, Killed, StandingSite

SIGNING = HostFile(path="/srv/frostbyte/signing/log.key", content=b"signs", mode=0o400, owner="10001:10001")
SMALL: dict[str, Any] = {"shape": "small"}
Made = Callable[..., StandingSite]


@pytest.fixture
def standing(tmp_path: Path) -> Made:
    def made(**request: Any) -> StandingSite:
        site = StandingSite(tmp_path)
        site.stand(**request)
        if "single" in site.servers():
            site.disk("single").files[SIGNING.path] = SIGNING
        return site

    return made


def went_well(site: StandingSite, operation: OperationRow, *parts: str) -> None:
    assert (operation.status, operation.code) == (OperationStatus.SUCCEEDED, ""), site.told(operation)
    assert set(site.servers()) == set(parts)
    site.stands()


# -- what it does -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_join_and_everybody_knows_them(standing: Made) -> None:
    site = standing()
    site.stands()
    held, before = site.vault.open(ACME), site.servers()
    went_well(site, site.scale(workers=3), "gateway", "db", "worker-1", "worker-2", "worker-3")
    assert site.vault.open(ACME) == held
    assert {part: site.servers()[part].resource_id for part in before} == {
        part: one.resource_id for part, one in before.items()
    }
    assert not site.taps.before("stop", "shut_down", "down", "delete"), "nobody was disturbed"
    assert site.planner.tenant("acme").request.workers == 3, "the next plan begins from it"
    with site.unit_of_work() as uow:
        told = [event for event in uow.audit.unsequenced(1000) if event.type == EventType.TENANT_SCALED]
    assert [event.details["status"] for event in told] == ["succeeded"]


@pytest.mark.slow
def test_workers_have_ended_what_they_do_before_anybody_shuts_them_out(standing: Made) -> None:
    site = standing(workers=3)
    went_well(site, site.scale(workers=1), "gateway", "db", "worker-1")
    said = site.taps.before("stop", "put", "delete", "down")
    drained = [said.index(f"stop worker-{number}") for number in (2, 3)]
    assert max(drained) < min(said.index(f"put {part}") for part in ("gateway", "db", "worker-1"))
    assert max(said.index(f"put {part}") for part in ("gateway", "db")) < said.index("delete")


@pytest.mark.slow
def test_a_worker_that_does_not_answer_is_not_waited_for(standing: Made) -> None:
    site = standing(workers=2)
    site.cloud.stop(site.servers()["worker-2"].resource_id)
    went_well(site, site.scale(workers=1), "gateway", "db", "worker-1")


def test_a_server_becomes_another_type_where_it_is(standing: Made) -> None:
    site = standing()
    before = site.servers()["db"]
    went_well(site, site.scale(types={"db": ["ccx23"]}), "gateway", "db", "worker-1")
    after = site.servers()["db"]
    assert (after.resource_id, after.facts["type"]) == (before.resource_id, "ccx23")
    assert after.facts["private_address"] == before.facts["private_address"]
    order = [
        one for one in site.taps.before("stop", "shut_down", "change_type", "start", "ask", "up") if one[-2:] != "-1"
    ]
    assert order[:6] == ["stop db", "shut_down", "change_type", "start", "ask db", "ask db"], "and its volume is opened"
    assert order[-2:] == ["up db", "up gateway"]
    went_well(site, site.scale(types={"db": ["cx43"]}), "gateway", "db", "worker-1")
    assert site.servers()["db"].facts["type"] == "cx43"


@pytest.mark.slow
def test_a_type_that_is_sold_out_between_plan_and_change_gives_way_to_the_next(
    standing: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = standing()
    real = site.cloud.change_type

    def sold_out(server_id: str, type: str) -> None:
        if type == "ccx23":
            raise CloudError("cloud_out_of_stock", "None is left.")
        real(server_id, type)

    monkeypatch.setattr(site.cloud, "change_type", sold_out)
    went_well(site, site.scale(types={"db": ["ccx23", "cpx42"]}), "gateway", "db", "worker-1")
    assert site.servers()["db"].facts["type"] == "cpx42"


@pytest.mark.slow
def test_a_volume_grows_under_everybody_and_never_shrinks(standing: Made) -> None:
    site = standing()
    went_well(site, site.scale(volume_gb=300), "gateway", "db", "worker-1")
    assert site.volume().facts["size_gb"] == 300
    assert not site.taps.before("stop", "start", "shut_down", "detach")
    assert site.taps.before("resize_volume") == ["resize_volume"]
    assert site.entries()["grow"].facts == {"size_gb": 300}
    with pytest.raises(FrostbyteError) as refused:
        site.begun(volume_gb=200)
    assert refused.value.code == "volume_kept_large"
    went_well(site, site.scale(workers=2), "gateway", "db", "worker-1", "worker-2")
    assert site.volume().facts["size_gb"] == 300


@pytest.mark.slow
def test_one_server_becomes_several_with_its_data_and_its_log(standing: Made) -> None:
    site = standing(**SMALL)
    site.stands()
    volume = site.volume()
    with site.unit_of_work() as uow:
        old = uow.endpoints.get("acme")
    operation = site.scale(shape="standard", workers=2)
    went_well(site, operation, "gateway", "db", "worker-1", "worker-2")
    assert site.volume().resource_id == volume.resource_id
    assert site.volume().facts["server"] == site.servers()["db"].resource_id
    moved = site.disk("gateway").files["/opt/frostbyte/signing/log.key"]
    assert (moved.content, moved.mode, moved.owner) == (SIGNING.content, SIGNING.mode, SIGNING.owner)
    with site.unit_of_work() as uow:
        new = uow.endpoints.get("acme")
    assert old is not None
    assert new is not None
    assert new.gateway_url != old.gateway_url
    assert site.servers()["gateway"].facts["public_address"] in new.gateway_url
    said = site.taps.before("settle", "stop", "detach", "attach", "delete")
    assert said.index("settle worker-2") < said.index("stop single") < said.index("detach") < said.index("settle db")
    assert said[-1] == "delete"


@pytest.mark.slow
def test_what_the_configuration_names_by_now_is_let_out(standing: Made) -> None:
    site = standing()
    tenants = Tenants(site.unit_of_work, site.clock)
    tenants.configure("acme", {"webhook_hosts": ["hooks.example.org"]}, expected=1, actor="alice")
    went_well(site, site.scale(), "gateway", "db", "worker-1")
    with pytest.raises(FrostbyteError) as refused:
        site.begun()
    assert refused.value.code == "scale_changes_nothing"


# -- what it refuses --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "refusals"),
    [
        (
            {},
            [
                ({"shape": "small"}, "shape_kept"),
                ({"volume_gb": 20}, "volume_kept_large"),
                ({"types": {"single": ["cx53"]}}, "scale_unfit"),
                ({"workers": 1}, "scale_changes_nothing"),
                ({"workers": 0}, "provision_request_invalid"),
            ],
        ),
        (SMALL, [({"workers": 2}, "scale_unfit"), ({"types": {"db": ["cx43"]}}, "scale_unfit")]),
    ],
)
def test_what_cannot_be_is_refused_before_anything_begins(
    standing: Made, before: dict[str, Any], refusals: list[tuple[dict[str, Any], str]]
) -> None:
    site = standing(**before)
    for asked, code in refusals:
        with pytest.raises(FrostbyteError) as refused:
            site.begun(**asked)
        assert refused.value.code == code
        assert refused.value.remedy
    assert site.runs.runs(ACME)[0].state is RunState.SUCCEEDED


@pytest.mark.slow
def test_one_at_a_time_and_never_while_the_tenant_moves(standing: Made) -> None:
    site = standing()
    operation = site.begun(workers=2)
    with pytest.raises(FrostbyteError) as refused:
        site.begun(workers=3)
    assert refused.value.code == "operation_running"
    with pytest.raises(FrostbyteError) as refused:
        site.operations.begin("acme", Move.DEPROVISION, actor="alice", reason="requested", confirmation="acme")
    assert refused.value.code == "operation_running"
    site.operations.begin("acme", Move.SUSPEND, actor="alice", reason="incident")
    assert site.done(operation).code == "", "suspending does not end it"


@pytest.mark.slow
def test_a_plane_that_was_attached_by_hand_has_no_hosts_to_be_scaled(tmp_path: Path) -> None:
    site = StandingSite(tmp_path)
    with site.unit_of_work() as uow:
        tenant = uow.tenants.get("acme")
        assert tenant is not None
        with pytest.raises(FrostbyteError) as refused:
            Scaling(site.runs).asked(uow, tenant, next(iter(Scaling.kinds)), {"workers": 2})
    assert refused.value.code == "tenant_moves"


# -- where it fails ---------------------------------------------------------------------------------------------------


def no_server(site: StandingSite) -> None:
    def refused(*given: Any) -> None:
        raise CloudError("cloud_quota", "The limit is reached.")

    site.cloud.create_server = refused  # type: ignore[method-assign, assignment]


def no_change(site: StandingSite) -> None:
    def refused(*given: Any) -> None:
        raise CloudError("cloud_type_unfit", "It cannot become one.")

    site.cloud.change_type = refused  # type: ignore[method-assign, assignment]


def host(part: str, operation: str, after: int = 0) -> Callable[[StandingSite], None]:
    def fails(site: StandingSite) -> None:
        site.hosts.faults.append(Fault("host_command_failed", f"fb-acme-{part}", operation, after=after))

    return fails


def away(part: str) -> Callable[[StandingSite], None]:
    """A host that never comes back from its boot; what is tried again fails as well, until the way back."""

    def fails(site: StandingSite) -> None:
        site.hosts.faults.append(Fault("host_unreachable", f"fb-acme-{part}", "settle", times=13))

    return fails


FAILS: dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[StandingSite], None], str]] = {
    "no worker is to be had": ({}, {"workers": 3}, no_server, "cloud_quota"),
    "a worker does not start": ({}, {"workers": 2}, host("worker-2", "up"), "host_command_failed"),
    "a host does not take its rules": ({}, {"workers": 2}, host("db", "put"), "host_command_failed"),
    "a draining worker's peers fail": ({"workers": 2}, {"workers": 1}, host("db", "put"), "host_command_failed"),
    "the type is refused": ({}, {"types": {"db": ["ccx23"]}}, no_change, "cloud_type_unfit"),
    "it never boots as the new type": ({}, {"types": {"db": ["ccx23"]}}, away("db"), "host_unreachable"),
    "its stores do not start again": ({}, {"types": {"db": ["ccx23"]}}, host("db", "up"), "host_command_failed"),
    "the gateway does not start again": (
        {},
        {"types": {"gateway": ["ccx23"]}},
        host("gateway", "up"),
        "host_command_failed",
    ),
    "the new database does not start": (SMALL, {"shape": "standard"}, host("db", "up"), "host_command_failed"),
    "the new gateway does not start": (SMALL, {"shape": "standard"}, host("gateway", "up"), "host_command_failed"),
    "keys cannot be carried on": (SMALL, {"shape": "standard"}, host("single", "read"), "host_command_failed"),
}
FAST = ("a worker does not start", "its stores do not start again")


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in FAILS]
)
def test_what_fails_leads_back_to_what_stood(standing: Made, name: str) -> None:
    before, asked, breaks, code = FAILS[name]
    site = standing(**before)
    held, parts = site.vault.open(ACME), {part: one.facts["type"] for part, one in site.servers().items()}
    authority, request = site.certificates.authority(ACME), site.planner.tenant("acme").request
    breaks(site)
    operation = site.scale(**asked)
    assert operation.code == code, site.told(operation)
    assert {part: one.facts["type"] for part, one in site.servers().items()} == parts
    site.stands()
    assert site.vault.open(ACME) == held
    assert site.certificates.authority(ACME) == authority
    assert site.planner.tenant("acme").request == request, "what failed is not asked for again by the next one"
    run = site.runs.runs(ACME)[0]
    assert (run.direction, run.state, run.code) == (Direction.BACK, RunState.FAILED, code)
    assert site.volume().facts["size_gb"] == 150
    if "single" in parts:
        assert site.disk("single").files[SIGNING.path] == SIGNING


@pytest.mark.slow
def test_a_volume_that_grew_in_vain_stays_so_and_its_file_system_follows_with_the_next_change(standing: Made) -> None:
    site = standing()
    host("db", "run", after=1)(site)
    assert site.scale(volume_gb=300).code == "host_command_failed"
    assert site.volume().facts["size_gb"] == 300
    assert site.desk.plan("acme").plan.facts["standings"]["grow"] == "changed"
    went_well(site, site.scale(workers=2), "gateway", "db", "worker-1", "worker-2")
    assert site.entries()["grow"].facts == {"size_gb": 300}


@pytest.mark.slow
def test_what_cannot_be_taken_away_is_told_and_turns_nothing_back(
    standing: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = standing(workers=2)
    with monkeypatch.context() as patched:

        def refused(kind: Kind, resource_id: str) -> None:
            raise CloudError("cloud_protected", "Somebody has protected it.")

        patched.setattr(site.cloud, "delete", refused)
        operation = site.scale(workers=1)
    assert operation.code == "surplus_remains"
    assert site.planner.tenant("acme").request.workers == 1
    assert "server.worker-2" in site.desk.plan("acme").plan.facts["surplus"]
    went_well(site, site.scale(types={"db": ["ccx23"]}), "gateway", "db", "worker-1")


# -- killed -----------------------------------------------------------------------------------------------------------

KILLED: dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[StandingSite], None] | None]] = {
    "join": ({}, {"workers": 2}, None),
    "leave": ({"workers": 2}, {"workers": 1}, None),
    "type": ({}, {"types": {"db": ["ccx23"]}}, None),
    "volume": ({}, {"volume_gb": 300}, None),
    "reshape": (SMALL, {"shape": "standard"}, None),
    "join and back": ({}, {"workers": 2}, host("worker-2", "up")),
    "type and back": ({}, {"types": {"db": ["ccx23"]}}, host("db", "up")),
    "reshape and back": (SMALL, {"shape": "standard"}, host("gateway", "up")),
}
LIVES = 10**6 if SOAK else 2


@pytest.mark.slow
@pytest.mark.parametrize("name", KILLED)
def test_killed_at_any_moment_it_ends_as_asked_or_as_it_stood(tmp_path: Path, name: str) -> None:
    before, asked, breaks = KILLED[name]

    def prepared(folder: Path) -> StandingSite:
        site = StandingSite(folder)
        site.stand(**before)
        if "single" in site.servers():
            site.disk("single").files[SIGNING.path] = SIGNING
        if breaks is not None:
            breaks(site)
        site.taps.journal = True
        return site

    whole = prepared(tmp_path / "whole")
    whole.scale(**asked)
    moments, draw = len(whole.taps.said), random.Random(f"{SEED}/{name}")
    assert moments > 60
    print(f"{name}: {moments} moments (FROSTBYTE_SEED={SEED})")
    for life in sorted(draw.sample(range(1, moments + 1), min(LIVES, moments))):
        site = prepared(tmp_path / str(life))
        parts = {part: one.facts["type"] for part, one in site.servers().items()}
        held = site.vault.open(ACME)
        site.taps.kill_at = life
        operation = None
        try:
            operation = site.begun(**asked)
            site.foreman.turn(threading_never())
        except Killed:
            pass
        site.restart()
        operation = operation or site.operations.page(tenant_id="acme")[0]
        if operation.kind.value != "scale":  # it died before it had begun
            continue
        ended = site.done(operation)
        assert ended.status is not OperationStatus.RUNNING
        site.stands()
        assert site.vault.open(ACME) == held
        if ended.code:
            assert {part: one.facts["type"] for part, one in site.servers().items()} == parts
        else:
            assert {part: one.facts["type"] for part, one in site.servers().items()} == {
                part: one.facts["type"] for part, one in whole.servers().items()
            }


def threading_never() -> Any:
    """An event that is never set."""
    import threading

    return threading.Event()
