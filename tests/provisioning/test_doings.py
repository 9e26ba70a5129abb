"""How actions are found, done, verified and undone, where no engine stands between: what is ours, and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from frostbyte.control_plane.provisioning.doing.first_key import first_key
from frostbyte.control_plane.provisioning.doing.networks import Firewall, FirewallSeen, Network
from frostbyte.control_plane.provisioning.doing.servers import Attach, Join, Server, Start, Volume
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.control_plane.provisioning.resources import Found, HostRole, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action, Outcome, Step
from frostbyte.kernel.errors import Conflict, FrostbyteError

ACME = Owner(environment="test", project_id="eu-1", tenant_id="acme")
BASE = Owner(environment="test", project_id="eu-1")
SEED = bytes(range(32))
RULE = {"direction": "in", "protocol": "tcp", "port": "8080", "addresses": ["198.51.100.7/32"], "description": "edge"}


@dataclass
class Shelf:
    """A cloud that keeps what it is asked for, and refuses what it is told to."""

    there: dict[tuple[Kind, str], Found] = field(default_factory=dict)
    stock: set[tuple[str, str]] = field(default_factory=set)
    said: list[str] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    def _made(self, kind: Kind, wanted: Any, facts: Mapping[str, Any]) -> Found:
        self.asked.append(wanted)
        if any(found.name == wanted.name and found.kind is kind for found in self.there.values()):
            raise CloudError("cloud_name_taken", "Taken.")
        found = Found(kind=kind, resource_id=str(len(self.asked)), name=wanted.name, labels=wanted.labels, facts=facts)
        self.there[kind, found.resource_id] = found
        return found

    def find(self, kind: Kind, name: str) -> Found | None:
        return next((one for (of, _), one in self.there.items() if of is kind and one.name == name), None)

    def show(self, kind: Kind, resource_id: str) -> Found | None:
        return self.there.get((kind, resource_id))

    def create_network(self, wanted: Any) -> Found:
        return self._made(Kind.NETWORK, wanted, {"cidr": wanted.cidr, "subnets": [{"cidr": wanted.subnet}]})

    def create_firewall(self, wanted: Any) -> Found:
        return self._made(Kind.FIREWALL, wanted, {"rules": wanted.rules, "selectors": [wanted.selector]})

    def set_rules(self, firewall_id: str, wanted: Any) -> None:
        one = self.there[Kind.FIREWALL, firewall_id]
        self.there[Kind.FIREWALL, firewall_id] = replace(one, facts={**one.facts, "rules": wanted.rules})

    def create_server(self, wanted: Any) -> Found:
        if (wanted.type, wanted.location) not in self.stock:
            self.asked.append(wanted)
            raise CloudError("cloud_out_of_stock", "None is left.")
        facts = {
            "type": wanted.type,
            "location": wanted.location,
            "status": "off",
            "public_address": "198.51.100.9" * wanted.public,
        }
        return self._made(Kind.SERVER, wanted, facts)

    def create_volume(self, wanted: Any) -> Found:
        return self._made(Kind.VOLUME, wanted, {"size_gb": wanted.size_gb, "location": wanted.location, "server": ""})

    def change(self, kind: Kind, resource_id: str, **facts: Any) -> None:
        one = self.there[kind, resource_id]
        self.there[kind, resource_id] = replace(one, facts={**one.facts, **facts})

    def join(self, server_id: str, network_id: str, address: str) -> None:
        self.change(Kind.SERVER, server_id, private_address=address)

    def attach(self, volume_id: str, server_id: str) -> None:
        self.change(Kind.VOLUME, volume_id, server=server_id)
        self.change(Kind.SERVER, server_id, volumes=[volume_id])

    def detach(self, volume_id: str) -> None:
        self.said.append(f"detach {volume_id}")
        self.change(Kind.VOLUME, volume_id, server="")

    def start(self, server_id: str) -> None:
        self.change(Kind.SERVER, server_id, status="running")

    def stop(self, server_id: str) -> None:
        self.change(Kind.SERVER, server_id, status="off")

    def delete(self, kind: Kind, resource_id: str) -> None:
        self.said.append(f"delete {kind} {resource_id}")
        self.there.pop((kind, resource_id), None)


@dataclass
class Doc:
    """A run of acme's, and what of it is done."""

    owner: Owner = ACME
    run_id: UUID = field(default_factory=uuid4)
    done: dict[str, Outcome] = field(default_factory=dict)

    def outcome(self, key: str) -> Outcome:
        return self.done[key]

    def stopped(self) -> bool:
        return False


def nobody() -> Any:
    raise AssertionError("the journal was asked")


TOLD = Told(nobody)
NETWORK = Step(
    key="network",
    action=Action.NETWORK,
    name="fb-acme-network",
    spec={"cidr": "10.7.0.0/16", "subnet": "10.7.1.0/24", "zone": "eu-central"},
)
CANDIDATES = [
    {"type": "cx43", "location": "nbg1", "architecture": "x86"},
    {"type": "cax31", "location": "fsn1", "architecture": "arm"},
]
DB = Step(
    key="server.db",
    action=Action.SERVER,
    name="fb-acme-db",
    spec={
        "host": "db",
        "role": "db",
        "candidates": CANDIDATES,
        "images": {"x86": "11", "arm": "12"},
        "public": False,
        "primary_ip": "",
        "firewalls": [],
        "ssh_keys": ["fb-operators"],
    },
)
VOLUME = Step(key="volume", action=Action.VOLUME, name="fb-acme-data", spec={"size_gb": 50, "server": "server.db"})


def server(cloud: Shelf) -> Server:
    return Server(cloud, SEED, TOLD, lambda _step, _context, key: f"key {key.public}")  # type: ignore[arg-type]


def code_of(error: pytest.ExceptionInfo[FrostbyteError]) -> str:
    return error.value.code


def test_what_an_earlier_attempt_made_is_taken_once() -> None:
    cloud, context = Shelf(), Doc()
    network = Network(cloud)  # type: ignore[arg-type]
    made = network.do(NETWORK, context)
    assert network.do(NETWORK, context) == replace(made, adopted=True)
    found = network.find(NETWORK, Doc())  # another run of the same owner
    assert found is not None
    assert (found.resource_id, found.adopted) == (made.resource_id, True)
    network.verify(NETWORK, made, context)
    assert len(cloud.there) == 1


@pytest.mark.parametrize("owner", [replace(ACME, tenant_id="other"), BASE, replace(ACME, environment="live"), None])
def test_what_is_not_ours_is_neither_taken_nor_deleted(owner: Owner | None) -> None:
    cloud = Shelf()
    labels = owner.labels(uuid4(), "network") if owner else {"team": "red"}
    theirs = Found(kind=Kind.NETWORK, resource_id="7", name=NETWORK.name, labels=labels, facts={})
    cloud.there[Kind.NETWORK, "7"] = theirs
    network = Network(cloud)  # type: ignore[arg-type]
    for attempt in (network.find, network.do):
        with pytest.raises(Conflict) as refused:
            attempt(NETWORK, Doc())
        assert code_of(refused) == "resource_not_ours"
    network.undo(NETWORK, None, Doc())  # nothing of ours was made
    with pytest.raises(Conflict) as taken:  # it was ours by its id, and is no more: people have to know
        network.undo(NETWORK, Outcome(resource_id="7"), Doc())
    assert code_of(taken) == "resource_not_ours"
    assert cloud.there == {(Kind.NETWORK, "7"): theirs}
    assert not cloud.said


def test_what_was_made_though_nobody_heard_of_it_is_undone() -> None:
    cloud, context = Shelf(), Doc()
    network = Network(cloud)  # type: ignore[arg-type]
    network.do(NETWORK, context)
    network.undo(NETWORK, None, context)
    assert not cloud.there
    network.undo(NETWORK, None, context)
    network.undo(NETWORK, Outcome(resource_id="1"), context)


def test_a_leftover_of_another_shape_is_said_and_not_bent() -> None:
    cloud, context = Shelf(), Doc()
    network = Network(cloud)  # type: ignore[arg-type]
    network.do(NETWORK, context)
    with pytest.raises(Conflict) as refused:
        network.find(replace(NETWORK, spec={**NETWORK.spec, "cidr": "10.8.0.0/16"}), context)
    assert code_of(refused) == "resource_differs"


def test_a_server_falls_through_its_list_and_nowhere_else() -> None:
    cloud, context = Shelf(stock={("cax31", "fsn1"), ("cx53", "hel1")}), Doc()
    outcome = server(cloud).do(DB, context)
    assert [(one.type, one.location, one.image) for one in cloud.asked] == [
        ("cx43", "nbg1", "11"),
        ("cax31", "fsn1", "12"),
    ]
    assert (outcome.facts["type"], outcome.facts["architecture"]) == ("cax31", "arm")
    with pytest.raises(CloudError) as refused:
        server(Shelf(stock={("cx53", "hel1")})).do(DB, context)
    assert code_of(refused) == "cloud_out_of_stock"


def test_an_adopted_server_is_known_by_the_key_it_was_given() -> None:
    """The reply was lost and the process died: whoever comes next can say which key the server shows."""
    cloud, context = Shelf(stock={("cx43", "nbg1")}), Doc()
    server(cloud).do(DB, context)
    given = str(cloud.asked[0].user_data).removeprefix("key ")
    adopted = server(cloud).find(DB, Doc(run_id=uuid4()))  # another run: the key is of the one that made it
    assert adopted is not None
    assert adopted.facts["first_key"] == given
    key = first_key(SEED, ACME, DB.name, context.run_id)
    public = load_ssh_private_key(key.private.encode(), None).public_key()
    assert public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() == key.public == given
    others = [
        first_key(bytes(32), ACME, DB.name, context.run_id),
        first_key(SEED, replace(ACME, tenant_id="other"), DB.name, context.run_id),
        first_key(SEED, ACME, "fb-acme-worker-1", context.run_id),
        first_key(SEED, ACME, DB.name, uuid4()),
    ]
    assert len({key.public, *(one.public for one in others)}) == 5
    assert key.private not in repr(key)
    assert key.private not in repr(adopted)


def test_a_volume_of_another_life_is_neither_taken_nor_deleted() -> None:
    """Its labels say that it is acme's, but no run in the journal made it: it may hold what an older journal kept."""
    cloud, context = Shelf(), Doc(done={"server.db": Outcome(resource_id="1", facts={"location": "nbg1"})})
    known = {context.run_id}
    volume = Volume(cloud, lambda run_id, _: run_id in known)  # type: ignore[arg-type]
    volume.do(VOLUME, Doc(run_id=uuid4(), done=context.done))
    with pytest.raises(Conflict) as refused:
        volume.do(VOLUME, context)
    assert code_of(refused) == "resource_not_ours"
    volume.undo(VOLUME, None, context)
    assert len(cloud.there) == 1
    known.add(UUID(cloud.asked[0].labels["frostbyte-run"]))
    assert volume.do(VOLUME, context).adopted
    volume.undo(VOLUME, None, context)
    assert not cloud.there


def test_a_volume_is_detached_before_it_is_deleted_and_attached_once() -> None:
    cloud, context = Shelf(stock={("cx43", "nbg1")}), Doc()
    context.done["server.db"] = server(cloud).do(DB, context)
    volume = Volume(cloud, lambda *_: True)  # type: ignore[arg-type]
    context.done["volume"] = volume.do(VOLUME, context)
    attach, step = (
        Attach(cloud),
        Step(  # type: ignore[arg-type]
            key="attach", action=Action.ATTACH, spec={"volume": "volume", "server": "server.db"}
        ),
    )
    assert attach.find(step, context) is None
    outcome = attach.do(step, context)
    attach.verify(step, outcome, context)
    found = attach.find(step, context)
    assert found is not None
    assert found.adopted
    volume.undo(VOLUME, context.done["volume"], context)
    assert cloud.said == ["detach 2", "delete volume 2"]


def test_a_start_is_verified_by_everything_that_was_done_to_the_server() -> None:
    cloud, context = Shelf(stock={("cx43", "nbg1")}), Doc()
    context.done["server.db"] = server(cloud).do(DB, context)
    context.done["network"] = Network(cloud).do(NETWORK, context)  # type: ignore[arg-type]
    join = Step(
        key="join.db",
        action=Action.JOIN,
        spec={"server": "server.db", "network": "network", "address": "10.7.1.20"},
    )
    start = Step(key="start.db", action=Action.START, needs=("join.db",), spec={"server": "server.db"})
    joins, starts = Join(cloud), Start(cloud)  # type: ignore[arg-type]
    assert joins.find(join, context) is None
    context.done["join.db"] = joins.do(join, context)
    found = joins.find(join, context)
    assert found is not None
    assert found.facts == {"address": "10.7.1.20"}
    outcome = starts.do(start, context)
    starts.verify(start, outcome, context)
    cloud.change(Kind.SERVER, "1", private_address="10.7.1.21")
    with pytest.raises(Conflict) as refused:
        starts.verify(start, outcome, context)
    assert code_of(refused) == "resource_differs"
    starts.undo(start, outcome, context)
    assert cloud.there[Kind.SERVER, "1"].facts["status"] == "off"
    with pytest.raises(FrostbyteError) as down:
        starts.verify(start, outcome, context)
    assert code_of(down) == "server_not_running"


def test_a_firewall_of_older_rules_is_given_the_new_ones_and_a_tenant_only_looks() -> None:
    cloud = Shelf()
    spec = {"role": "gateway", "selector": "frostbyte-role==gateway", "rules": [RULE]}
    made = Step(key="firewall.gateway", action=Action.FIREWALL, name="fb-gateway", spec=spec)
    seen = Step(key="firewall", action=Action.FIREWALL_SEEN, name="fb-gateway", spec=spec)
    firewall, looks = Firewall(cloud, TOLD), FirewallSeen(cloud, TOLD)  # type: ignore[arg-type]
    with pytest.raises(Conflict) as refused:
        looks.do(seen, Doc())
    assert code_of(refused) == "base_incomplete"
    firewall.do(made, Doc(owner=BASE))
    outcome = looks.do(seen, Doc())
    assert outcome.facts["firewall"] == "fb-gateway"
    wider = {**spec, "rules": [{**RULE, "addresses": ["198.51.100.8/32"]}]}
    with pytest.raises(Conflict) as differs:
        looks.do(replace(seen, spec=wider), Doc())
    assert code_of(differs) == "resource_differs"
    newer = replace(made, spec=wider)
    assert firewall.find(newer, Doc(owner=BASE)) is None
    firewall.verify(newer, firewall.do(newer, Doc(owner=BASE)), Doc(owner=BASE))
    assert len(cloud.there) == 1
    looks.undo(seen, outcome, Doc())
    assert len(cloud.there) == 1


def test_a_server_carries_role_and_firewall_from_its_first_moment() -> None:
    cloud, context = Shelf(stock={("cx43", "nbg1")}), Doc()
    context.done["firewall"] = Outcome(resource_id="77", facts={"firewall": "fb-gateway"})
    gateway = replace(
        DB,
        key="server.gateway",
        name="fb-acme-gateway",
        needs=("firewall",),
        spec={**DB.spec, "host": "gateway", "role": "gateway", "public": True, "firewalls": ["fb-gateway"]},
    )
    server(cloud).do(gateway, context)
    assert cloud.asked[0].firewalls == ("77",)
    assert cloud.asked[0].labels["frostbyte-role"] == HostRole.GATEWAY.value


def test_a_server_that_still_fits_its_changed_spec_stays_and_another_is_never_made_in_its_place() -> None:
    cloud, context = Shelf(stock={("cx43", "nbg1")}), Doc()
    servers = server(cloud)
    outcome = servers.do(DB, context)
    more = replace(DB, spec={**DB.spec, "peers": {"db": "10.7.1.20", "worker-2": "10.7.1.32"}})
    assert servers.change(more, outcome, context) == outcome
    for spec in ({"public": True}, {"candidates": CANDIDATES[1:]}):
        with pytest.raises(Conflict) as refused:
            servers.change(replace(DB, spec={**DB.spec, **spec}), outcome, context)
        assert code_of(refused) == "resource_differs"
    assert len(cloud.there) == 1


ELSEWHERE = Outcome(resource_id="9", facts={"location": "fsn1"})


def test_a_network_or_a_volume_that_is_to_be_otherwise_is_said_and_not_destroyed() -> None:
    cloud, context = Shelf(), Doc(done={"server.db": Outcome(resource_id="9", facts={"location": "nbg1"})})
    network, volume = Network(cloud), Volume(cloud, lambda *_: True)  # type: ignore[arg-type]
    made, kept = network.do(NETWORK, context), volume.do(VOLUME, context)
    for change in (
        lambda: network.change(replace(NETWORK, spec={**NETWORK.spec, "cidr": "10.9.0.0/16"}), made, context),
        lambda: volume.change(VOLUME, kept, replace(context, done={"server.db": ELSEWHERE})),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert code_of(refused) == "resource_differs"
    assert len(cloud.there) == 2
