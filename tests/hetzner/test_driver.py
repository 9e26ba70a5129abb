"""A driver is told what happens, in order; the world waits for it, and believes it when it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import pytest

from frostbyte.adapters.hetzner.world.clock import HandClock
from frostbyte.adapters.hetzner.world.driver import Disk, Driver, Machine, OnPaper
from frostbyte.adapters.hetzner.world.faults import Fault
from frostbyte.adapters.hetzner.world.latency import Latency
from frostbyte.adapters.hetzner.world.world import Saved, World
from hetzner.asking import KEY, OFF, Asking, asking


@dataclass
class Diary:
    """A driver that writes down what it is told, fails where it should, and waits until it may go on."""

    told: list[str] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    failing: str = ""
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def note(self, what: str, machine: Machine | None = None) -> None:
        self.may_go_on.wait(10)
        self.told.append(what)
        if machine is not None:
            self.machines.append(machine)
        if what.startswith(self.failing or "\0"):
            raise RuntimeError

    def created(self, machine: Machine) -> None:
        self.note(f"created {machine.name}", machine)

    def started(self, machine: Machine) -> None:
        self.note(f"started {machine.name}", machine)

    def stopped(self, machine: Machine, *, graceful: bool) -> None:
        self.note(f"stopped {machine.name} {graceful}", machine)

    def joined(self, machine: Machine) -> None:
        self.note(f"joined {machine.name} {[net.address for net in machine.interfaces]}", machine)

    def attached(self, machine: Machine, disk: Disk) -> None:
        self.note(f"attached {disk.name} to {machine.name}")

    def detached(self, machine: Machine, disk: Disk) -> None:
        self.note(f"detached {disk.name} from {machine.name}")

    def imaged(self, machine: Machine, image_id: int) -> None:
        self.note(f"imaged {machine.name}")

    def filtered(self, machine: Machine) -> None:
        self.note(f"filtered {machine.name} {len(machine.rules)}")

    def deleted(self, machine: Machine) -> None:
        self.note(f"deleted {machine.name}")

    def destroyed(self, disk: Disk) -> None:
        self.note(f"destroyed {disk.name}")

    def unimaged(self, image_id: int) -> None:
        self.note("unimaged")


@pytest.fixture
def diary() -> Diary:
    diary = Diary()
    diary.may_go_on.set()
    return diary


@pytest.fixture
def ask(diary: Diary) -> Iterator[Asking]:
    driver: Driver = diary
    world = World(driver=driver)
    yield asking(world)
    diary.may_go_on.set()
    world.close()


def settled(ask: Asking, answer_id: int, status: str = "success") -> None:
    """Look until an action is over."""
    for _ in range(2000):
        if (seen := ask.got(f"/actions/{answer_id}")["status"]) != "running":
            assert seen == status
            return
        threading.Event().wait(0.002)
    raise AssertionError("the action does not end")


def done(ask: Asking, method: str, path: str, body: object = None, status: str = "success") -> None:
    """Ask and wait for all that it begins."""
    answer = ask(method, path, body).body
    assert answer is not None
    for action in [*([answer["action"]] if "action" in answer else []), *answer.get("next_actions", [])]:
        settled(ask, action["id"], status)


def test_a_life(ask: Asking, diary: Diary) -> None:
    network, key = ask.network(), ask.made("/ssh_keys", {"name": "k", "public_key": KEY})
    body = {"name": "db", "server_type": "cx33", "image": "debian-13", "location": "fsn1", "public_net": OFF}
    body |= {"start_after_create": False, "user_data": "#cloud-config", "ssh_keys": [key["id"]], "labels": {"a": "b"}}
    done(ask, "POST", "/servers", body)
    server = ask.got("/servers", name="db")[0]
    path = f"/servers/{server['id']}"
    done(ask, "POST", f"{path}/actions/attach_to_network", {"network": network["id"], "ip": "10.7.1.20"})
    volume = ask.volume(format="ext4")
    done(ask, "POST", f"/volumes/{volume['id']}/actions/attach", {"server": server["id"]})
    done(ask, "POST", f"{path}/actions/poweron")
    done(ask, "POST", f"{path}/actions/shutdown")
    image = ask(
        "POST", f"{path}/actions/create_image", {"type": "snapshot", "description": "fb-host", "labels": {}}
    ).body
    assert image is not None
    settled(ask, image["action"]["id"])
    done(ask, "POST", f"/volumes/{volume['id']}/actions/detach", {})
    ask("DELETE", f"/images/{image['image']['id']}")
    done(ask, "DELETE", path)
    ask("DELETE", f"/volumes/{volume['id']}")
    ask.world.close()
    aside = {"unimaged", "destroyed v"}
    assert [what for what in diary.told if what not in aside] == [
        "created db",
        "joined db ['10.7.1.20']",
        "attached v to db",
        "started db",
        "stopped db True",
        "imaged db",
        "detached v from db",
        "deleted db",
    ]
    assert aside <= set(diary.told)
    started = diary.machines[2]
    assert (started.cores, started.memory_gb, started.image, started.public_ipv4) == (4, 8, "debian-13", "")
    assert (started.user_data, started.ssh_keys, started.labels) == ("#cloud-config", (KEY,), {"a": "b"})
    assert [(disk.name, disk.format, disk.size_gb) for disk in started.disks] == [("v", "ext4", 10)]
    assert started.interfaces[0].gateway == "10.7.0.1"
    assert "cloud-config" not in repr(started), "user data is not for logs"


def test_the_world_waits_for_its_driver(ask: Asking, diary: Diary) -> None:
    diary.may_go_on.clear()
    body = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
    made = ask("POST", "/servers", body).body
    assert made is not None
    assert ask.got(f"/actions/{made['action']['id']}")["status"] == "running"
    assert ask.got(f"/servers/{made['server']['id']}")["status"] == "initializing"
    diary.may_go_on.set()
    settled(ask, made["next_actions"][0]["id"])
    assert diary.told == ["created a", "started a"]


def test_what_fails_there_fails_here(ask: Asking, diary: Diary) -> None:
    diary.failing = "started"
    body = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
    made = ask("POST", "/servers", body).body
    assert made is not None
    settled(ask, made["action"]["id"])
    settled(ask, made["next_actions"][0]["id"], "error")
    assert ask.got(f"/servers/{made['server']['id']}")["status"] == "off"
    diary.failing = ""
    done(ask, "POST", f"/servers/{made['server']['id']}/actions/poweron")
    assert ask.got(f"/servers/{made['server']['id']}")["status"] == "running"


def test_a_fault_in_an_action_keeps_the_driver_out_of_it(ask: Asking, diary: Diary) -> None:
    ask.world.fault(Fault(name="failing_action", match="POST /servers"))
    body = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
    made = ask("POST", "/servers", body).body
    assert made is not None
    settled(ask, made["next_actions"][0]["id"], "error")
    assert diary.told == []
    ask.world.fault(Fault(name="never_boots", match="POST /servers"))
    done(ask, "POST", "/servers", body | {"name": "b"})
    assert [machine.boots for machine in diary.machines] == [True, False] or not diary.machines[-1].boots


def test_rules_reach_the_driver(ask: Asking, diary: Diary) -> None:
    wall = ask.firewall(apply_to=[{"type": "label_selector", "label_selector": {"selector": "role"}}])
    body = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1", "labels": {"role": "edge"}}
    done(ask, "POST", "/servers", body)
    ask.world.settle()
    ask("POST", f"/firewalls/{wall['id']}/actions/set_rules", {"rules": []})
    ask.world.settle()
    ask.world.close()
    assert [what for what in diary.told if what.startswith("filtered")] == ["filtered a 1", "filtered a 0"]


def test_after_a_restart_a_call_under_way_is_made_again() -> None:
    clock = HandClock()
    ask = asking(World(clock=clock, latency=Latency(create_server=10)))
    body = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
    made = ask("POST", "/servers", body).body
    assert made is not None
    diary = Diary()
    diary.may_go_on.set()
    world = World(clock=clock, latency=Latency(create_server=10), driver=diary)
    world.restore(msgspec.json.decode(ask.world.save(), type=Saved))
    again = Asking(world, ask.token)
    clock.advance(11)
    settled(again, made["next_actions"][0]["id"])
    world.close()
    assert diary.told == ["created a", "started a"]


def test_a_driver_that_does_nothing_is_one() -> None:
    driver: Driver = OnPaper()
    ask = asking(World(driver=driver))
    server = ask.server()
    done(ask, "DELETE", f"/servers/{server['id']}")
    ask.world.close()
    assert ask.world.bill().empty
