"""What the real client shows of a tenant that stands is no drift; what somebody does to it behind our back is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec.structs import replace as row

from frostbyte.adapters.dns.memory import MemoryDns
from frostbyte.adapters.hetzner.memory import memory_cloud
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.control_plane.provisioning.drift import Difference, drift
from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.resources import (
    Found,
    HostRole,
    Kind,
    Rule,
    WantedFirewall,
    WantedNetwork,
    WantedRecord,
    WantedServer,
    WantedVolume,
)
from frostbyte.control_plane.provisioning.steps import Action, Step
from provisioning.planning import BASE, GROUND, NOW, RUN, carried_out, wanted


class Standing:
    """A tenant whose resources stand in a simulated project."""

    def __init__(self) -> None:
        world = World()
        self.cloud = memory_cloud(world, world.token(), "production")
        self.dns = MemoryDns([GROUND.zone])
        self.desired = wanted({"volume_gb": 10}, on=replace(GROUND, images={"x86": "debian-13"}))
        made = plan(self.desired, [], [], self.cloud.catalogue(), NOW)
        assert not made.problems
        self.ids: dict[str, str] = {}
        self.facts: dict[str, Any] = {}
        for step in made.steps:
            found = self._made(step)
            if found is not None:
                self.ids[step.key], self.facts[step.key] = found.resource_id, found.facts
        self.entries = [self._entry(entry) for entry in carried_out(made)]

    def _entry(self, entry: EntryRow) -> EntryRow:
        facts = {**entry.facts}
        if entry.kind == Kind.SERVER:
            facts["address"] = self.facts[entry.key]["public_address"]
        return row(entry, resource_id=self.ids.get(entry.key, ""), facts=facts)

    def drift(self) -> list[Difference]:
        """As the planner looks: the owner's resources, its records, and the firewall that its step has seen."""
        guard = self.cloud.find(Kind.FIREWALL, "fb-gateway")
        seen = [*self.cloud.observe(self.desired.owner), *self.dns.observe(), *([guard] if guard else [])]
        return drift(self.desired.owner, self.entries, seen)

    def _made(self, step: Step) -> Found | None:
        spec, cloud, owner = step.spec, self.cloud, self.desired.owner
        labels = owner.labels(RUN, step.key)
        match step.action:
            case Action.NETWORK:
                return cloud.create_network(WantedNetwork(name=step.name, labels=labels, **spec))
            case Action.FIREWALL_SEEN:
                rules = tuple(Rule(**{**rule, "addresses": tuple(rule["addresses"])}) for rule in spec["rules"])
                told = {"name": step.name, "labels": BASE.labels(RUN, "firewall.gateway"), "rules": rules}
                return cloud.create_firewall(WantedFirewall(**told, selector=spec["selector"]))
            case Action.SERVER:
                first = spec["candidates"][0]
                server = WantedServer(
                    name=step.name,
                    labels=owner.labels(RUN, step.key, HostRole(spec["role"])),
                    type=first["type"],
                    location=first["location"],
                    image=spec["images"][first["architecture"]],
                    user_data="",
                    firewalls=(self.ids["firewall"],) if spec["public"] else (),
                    public=spec["public"],
                )
                return cloud.create_server(server)
            case Action.VOLUME:
                volume = WantedVolume(name=step.name, labels=labels, size_gb=spec["size_gb"], location="nbg1")
                return cloud.create_volume(volume)
            case Action.JOIN:
                cloud.join(self.ids[spec["server"]], self.ids["network"], spec["address"])
            case Action.ATTACH:
                cloud.attach(self.ids[spec["volume"]], self.ids[spec["server"]])
            case Action.START:
                cloud.start(self.ids[spec["server"]])
            case Action.RECORD:
                record = {**spec, "values": tuple(spec["values"])}
                return self.dns.put(WantedRecord(**record, labels=labels))
        return None


def test_what_stands_as_it_was_made_is_no_drift() -> None:
    assert Standing().drift() == []


def test_what_somebody_does_behind_our_back_is_told() -> None:
    site = Standing()
    site.cloud.stop(site.ids["server.worker-1"])
    site.cloud.detach(site.ids["volume"])
    wider = Rule(direction="in", protocol="tcp", port="5432", addresses=("0.0.0.0/0",), description="")
    labels = BASE.labels(RUN, "firewall.gateway")
    step = next(entry for entry in site.entries if entry.key == "firewall")
    firewall = WantedFirewall(name=step.name, labels=labels, rules=(wider,), selector=step.spec["selector"])
    site.cloud.set_rules(site.ids["firewall"], firewall)
    record = next(entry for entry in site.entries if entry.key == "record")
    site.dns.remove(record.spec["zone"], record.spec["name"], "A")
    stranger = WantedServer(
        name="fb-acme-more",
        labels=site.desired.owner.labels(RUN, "x"),
        type="cx43",
        location="nbg1",
        image="debian-13",
        user_data="",
    )
    site.cloud.join(site.cloud.create_server(stranger).resource_id, site.ids["network"], "10.7.1.99")
    told = {(one.what.value, one.kind.value, one.field) for one in site.drift()}
    assert told == {
        ("off", "server", "status"),
        ("changed", "volume", "server"),
        ("extra", "firewall", "rules"),
        ("changed", "firewall", "rules"),
        ("missing", "record", ""),
        ("unknown", "server", ""),
    }
