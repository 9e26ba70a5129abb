"""Networks, firewalls, addresses and keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from frostbyte.control_plane.provisioning.doing.owned import Owned, different, not_ours
from frostbyte.control_plane.provisioning.doing.told import Told, base_of
from frostbyte.control_plane.provisioning.ports import Cloud
from frostbyte.control_plane.provisioning.resources import (
    Found,
    Kind,
    Rule,
    WantedFirewall,
    WantedNetwork,
    WantedPrimaryIp,
    WantedSshKey,
)
from frostbyte.control_plane.provisioning.steps import Context, Outcome, Step
from frostbyte.kernel.errors import Conflict


class Network(Owned):
    """A private network with its subnet. Verified: the cloud shows both ranges."""

    kind = Kind.NETWORK
    kept = ("cidr",)

    def make(self, step: Step, context: Context) -> Found:
        return self._cloud.create_network(
            WantedNetwork(
                name=step.name,
                labels=context.owner.labels(context.run_id, step.key),
                cidr=step.spec["cidr"],
                subnet=step.spec["subnet"],
                zone=step.spec["zone"],
            )
        )

    def fits(self, step: Step, found: Found, context: Context) -> None:
        if found.facts.get("cidr") != step.spec["cidr"]:
            raise different(step, "range")
        if step.spec["subnet"] not in [subnet["cidr"] for subnet in found.facts.get("subnets", ())]:
            raise different(step, "subnet")


def rules(step: Step, told: Told, context: Context) -> tuple[Rule, ...]:
    """The rules of a step's spec."""
    return tuple(
        Rule(**{**rule, "addresses": told.networks(rule["addresses"], context)}) for rule in step.spec["rules"]
    )


def alike(found: object, wanted: tuple[Rule, ...]) -> bool:
    """Whether the rules that a cloud tells let through the same as those that are wanted."""
    shown = [dict(asdict(rule) if is_dataclass(rule) and not isinstance(rule, type) else rule) for rule in _list(found)]
    return sorted(map(_rule, shown)) == sorted(_rule(asdict(rule)) for rule in wanted)


def _list(found: object) -> list[Any]:
    return list(found) if isinstance(found, list | tuple) else []


def _rule(rule: Mapping[str, Any]) -> tuple[str, str, str, tuple[str, ...]]:
    return rule["direction"], rule["protocol"], str(rule["port"] or ""), tuple(sorted(rule["addresses"]))


class Firewall(Owned):
    """Rules that all servers of a role share. Verified: the cloud shows these rules and their selector.

    One with other rules, of an older version of ours, is given the new ones; it is never made twice.
    """

    kind = Kind.FIREWALL

    def __init__(self, cloud: Cloud, told: Told) -> None:
        super().__init__(cloud)
        self._told = told

    def facts(self, step: Step, found: Found, context: Context) -> Mapping[str, Any]:
        return {"firewall": found.name}

    def make(self, step: Step, context: Context) -> Found:
        wanted = self._wanted(step, context)
        found = self._cloud.find(self.kind, step.name)
        if found is None:
            return self._cloud.create_firewall(wanted)
        if not self.ours(found, context):
            raise not_ours(step)
        self._cloud.set_rules(found.resource_id, wanted)
        return found

    def find(self, step: Step, context: Context) -> Outcome | None:
        found = self._cloud.find(self.kind, step.name)
        if found is not None and self.ours(found, context) and not self._current(step, found, context):
            return None  # `do` gives it the new rules
        return super().find(step, context)

    def _current(self, step: Step, found: Found, context: Context) -> bool:
        return alike(found.facts.get("rules"), rules(step, self._told, context))

    def change(self, step: Step, outcome: Outcome, context: Context) -> Outcome | None:
        """It is given the new rules."""
        self._cloud.set_rules(outcome.resource_id, self._wanted(step, context))
        return outcome

    def fits(self, step: Step, found: Found, context: Context) -> None:
        if not self._current(step, found, context):
            raise different(step, "set of rules")
        if step.spec["selector"] not in found.facts.get("selectors", ()):
            raise different(step, "selector")

    def _wanted(self, step: Step, context: Context) -> WantedFirewall:
        return WantedFirewall(
            name=step.name,
            labels=context.owner.labels(context.run_id, step.key),
            rules=rules(step, self._told, context),
            selector=step.spec["selector"],
        )


class FirewallSeen:
    """A tenant's look at the base's firewall: it is there, and it applies to the role. Nothing is made or undone."""

    def __init__(self, cloud: Cloud, told: Told) -> None:
        self._cloud, self._told = cloud, told

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None

    def do(self, step: Step, context: Context) -> Outcome:
        found = self._cloud.find(Kind.FIREWALL, step.name)
        base = base_of(context.owner)
        if found is None:
            raise Conflict(
                "base_incomplete",
                f"The project has no firewall {step.name}, and no server may stand without one.",
                "Run `frostbyte control up` for the project, then try again.",
            )
        if not base.owns(found.labels):
            raise not_ours(step)
        if step.spec["selector"] not in found.facts.get("selectors", ()):
            raise different(step, "selector")
        if not alike(found.facts.get("rules"), rules(step, self._told, context)):
            raise different(step, "set of rules")
        return Outcome(resource_id=found.resource_id, facts={"firewall": step.name})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        return  # what `do` returned is the look itself; that it applies to the server is seen when that one runs

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        return


class SshKey(Owned):
    """A public key for new servers."""

    kind = Kind.SSH_KEY
    kept = ("fingerprint",)

    def make(self, step: Step, context: Context) -> Found:
        labels = context.owner.labels(context.run_id, step.key)
        return self._cloud.create_ssh_key(
            WantedSshKey(name=step.name, labels=labels, public_key=step.spec["public_key"])
        )

    def fits(self, step: Step, found: Found, context: Context) -> None:
        if str(found.facts.get("public_key", "")).split()[:2] != str(step.spec["public_key"]).split()[:2]:
            raise different(step, "key")

    def change(self, step: Step, outcome: Outcome, context: Context) -> Outcome | None:
        """A key cannot be changed, and nothing depends on the old one: it is made anew."""
        return None


class PrimaryIp(Owned):
    """A public address that outlives its server."""

    kind = Kind.PRIMARY_IP
    kept = ("address", "location")

    def make(self, step: Step, context: Context) -> Found:
        labels = context.owner.labels(context.run_id, step.key)
        return self._cloud.create_primary_ip(
            WantedPrimaryIp(name=step.name, labels=labels, location=step.spec["location"])
        )

    def fits(self, step: Step, found: Found, context: Context) -> None:
        if found.facts.get("location") not in (None, "", step.spec["location"]):
            raise different(step, "location")
