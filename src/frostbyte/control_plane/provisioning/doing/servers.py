"""Servers and volumes: made switched off, joined to their network, then started; none is destroyed to make another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from frostbyte.control_plane.provisioning.doing.first_key import first_key
from frostbyte.control_plane.provisioning.doing.owned import Owned, different, missing, not_ours
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import HostKey
from frostbyte.control_plane.provisioning.ports import Cloud, CloudError
from frostbyte.control_plane.provisioning.resources import (
    RUN,
    Found,
    HostRole,
    Kind,
    WantedServer,
    WantedVolume,
)
from frostbyte.control_plane.provisioning.steps import Context, Outcome, Step
from frostbyte.kernel.errors import Conflict, Unavailable

UserData = Callable[[Step, Context, HostKey], str]
"""cloud-init's user data of a server."""
Known = Callable[[UUID, Context], bool]
"""Whether the journal knows a run as one of this owner."""
Quiet = Callable[[Step, Context], None]
"""Ends what runs on a server well. Raises as Hosts."""
SHUT_SECONDS: Final = 90.0
"""For a system to end by itself before its power is cut: as long as systemd waits for a unit."""
WAS: Final = "was"
"""The fact of a server that a run has made into another type: which run, and the type before."""
RUNNING: Final = "running"
OFF: Final = "off"


class Server(Owned):
    """A server, switched off. Where its first choice is out of stock it is the next one of its list, never another.

    That it runs and what holds it is verified by its `start` step: until then there is nothing to see.

    Args:
        seed: 32 secret bytes for first host keys.
        told: of other steps.
        user_data: what it is told to become.
        quiet: ends what runs on a server, before that is switched off to be changed.
    """

    kind = Kind.SERVER

    def __init__(
        self,
        cloud: Cloud,
        seed: bytes,
        told: Told,
        user_data: UserData,
        quiet: Quiet = lambda step, context: None,
    ) -> None:
        super().__init__(cloud)
        self._seed, self._told, self._user_data, self._quiet = seed, told, user_data, quiet

    def make(self, step: Step, context: Context) -> Found:
        key = first_key(self._seed, context.owner, step.name, context.run_id)
        told = self._user_data(step, context, key)
        refused: CloudError | None = None
        for candidate in step.spec["candidates"]:
            try:
                return self._cloud.create_server(self._wanted(step, context, candidate, told))
            except CloudError as error:
                if error.code != "cloud_out_of_stock":
                    raise
                refused = error
        raise refused or Conflict(
            "no_candidate", f"Nothing may be ordered for {step.name}.", "Allow another type or another place."
        )

    def _wanted(self, step: Step, context: Context, candidate: Mapping[str, str], told: str) -> WantedServer:
        spec = step.spec
        return WantedServer(
            name=step.name,
            labels=context.owner.labels(context.run_id, step.key, HostRole(spec["role"])),
            type=candidate["type"],
            location=candidate["location"],
            image=spec["images"][candidate["architecture"]],
            user_data=told,
            ssh_keys=tuple(spec["ssh_keys"]),
            firewalls=tuple(self._firewall(name, step, context) for name in spec["firewalls"]),
            public=spec["public"],
            primary_ip=context.outcome(spec["primary_ip"]).resource_id if spec["primary_ip"] else "",
        )

    def _firewall(self, name: str, step: Step, context: Context) -> str:
        """Its id: a step that was needed has seen or made it."""
        for need in step.needs:
            outcome = context.outcome(need)
            if outcome.facts.get("firewall") == name:
                return outcome.resource_id
        found = self._cloud.find(Kind.FIREWALL, name)
        if found is None:
            raise Conflict(
                "base_incomplete",
                f"The project has no firewall {name}, and no server may stand without one.",
                "Run `frostbyte control up` for the project, then try again.",
            )
        return found.resource_id

    def fits(self, step: Step, found: Found, context: Context) -> None:
        allowed = {(one["type"], one["location"]) for one in step.spec["candidates"]}
        if (found.facts.get("type"), found.facts.get("location")) not in allowed:
            raise different(step, "type or place")
        if bool(found.facts.get("public_address")) is not step.spec["public"]:
            raise different(step, "public address")

    def facts(self, step: Step, found: Found, context: Context) -> Mapping[str, Any]:
        chosen = (found.facts["type"], found.facts["location"])
        architectures = {(one["type"], one["location"]): one["architecture"] for one in step.spec["candidates"]}
        key = first_key(self._seed, context.owner, step.name, found.labels.get(RUN, ""))
        return {
            "type": chosen[0],
            "location": chosen[1],
            "architecture": architectures[chosen],
            "address": found.facts.get("public_address") or "",
            "first_key": key.public,
        }

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        return

    def change(self, step: Step, outcome: Outcome, context: Context) -> Outcome | None:
        """What it was told at its first boot is sent to it whenever it changes (`files`). Another type it becomes where
        it is, switched off, and its `start` switches it on; everything else has to fit.

        Which type it was before this run is kept: on the way back it becomes that one again, also where the way back
        would allow what it is now.
        """
        found = self._cloud.show(self.kind, outcome.resource_id)
        if found is None:
            raise missing(step)
        if not self.ours(found, context):
            raise not_ours(step)
        types = self._becoming(step, outcome, found, context)
        if types:
            self._become(step, found, context, types)
            found = self._cloud.show(self.kind, outcome.resource_id) or found
        self.fits(step, found, context)
        after = self._outcome(step, found, context)
        was = {"run": str(context.run_id), "type": outcome.facts.get("type", "")}
        moved = after.facts["type"] != outcome.facts.get("type")
        kept = {WAS: was} if moved else {WAS: outcome.facts[WAS]} if WAS in outcome.facts else {}
        return replace(after, facts={**after.facts, **kept})

    def _becoming(self, step: Step, outcome: Outcome, found: Found, context: Context) -> list[str]:
        """The types that it may become, best first; [] where it stays what it is."""
        here = [one for one in step.spec["candidates"] if one["location"] == found.facts.get("location")]
        was = outcome.facts.get(WAS, {})
        if was.get("run") == str(context.run_id) and was.get("type") in {one["type"] for one in here}:
            return [] if was["type"] == found.facts.get("type") else [was["type"]]
        if not here or found.facts.get("type") in {one["type"] for one in here}:
            return []
        own = outcome.facts.get("architecture")
        fitting = [one["type"] for one in here if one["architecture"] == own]
        if not fitting:
            raise different(step, "architecture")
        return fitting

    def _become(self, step: Step, found: Found, context: Context, types: Sequence[str]) -> None:
        if found.facts.get("status") != OFF:
            self._quiet(step, context)
            self._cloud.shut_down(found.resource_id, seconds=SHUT_SECONDS)
        for number, one in enumerate(types):
            try:
                self._cloud.change_type(found.resource_id, one)
                return
            except CloudError as error:
                if error.code != "cloud_out_of_stock" or number == len(types) - 1:
                    raise


class _OnServer:
    """What the steps on a server share: they make no resource, so there is nothing to find."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None

    def _there(self, step: Step, context: Context) -> Found:
        """The server that a step is about. Raises Unavailable("resource_missing"), Conflict("resource_not_ours")."""
        found = self._left(step, context)
        if found is None:
            raise missing(step)
        return found

    def _left(self, step: Step, context: Context) -> Found | None:
        """The same while it is taken away: None where it is gone, or was never made."""
        try:
            server_id = context.outcome(step.spec["server"]).resource_id
        except KeyError:
            return None
        found = self._cloud.show(Kind.SERVER, server_id)
        if found is not None and not context.owner.owns(found.labels):
            raise not_ours(step)
        return found


class Join(_OnServer):
    """A server's address in the network, of our choice. Verified with the start: a server shows it from then on."""

    def find(self, step: Step, context: Context) -> Outcome | None:
        address = self._there(step, context).facts.get("private_address")
        if not address:
            return None
        if address != step.spec["address"]:
            raise different(step, "address")
        return Outcome(facts={"address": address}, adopted=True)

    def do(self, step: Step, context: Context) -> Outcome:
        spec = step.spec
        server, network = context.outcome(spec["server"]), context.outcome(spec["network"])
        self._cloud.join(server.resource_id, network.resource_id, spec["address"])
        return Outcome(facts={"address": spec["address"]})

    def lasts(self, step: Step, outcome: Outcome, context: Context) -> bool:
        found = self._left(step, context)
        return found is not None and found.facts.get("private_address") == step.spec["address"]

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        return

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        return  # it ends with the server, which is undone after this


class Start(_OnServer):
    """A server runs. Verified by one look at everything that was done to it: it runs, is at its address, is guarded."""

    def do(self, step: Step, context: Context) -> Outcome:
        self._cloud.start(context.outcome(step.spec["server"]).resource_id)
        return Outcome()

    def lasts(self, step: Step, outcome: Outcome, context: Context) -> bool:
        found = self._left(step, context)
        return found is not None and found.facts.get("status") == RUNNING

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        found = self._there(step, context)
        if found.facts.get("status") != RUNNING:
            raise Unavailable("server_not_running", f"{found.name} does not run yet.", "It is looked at again.")
        for need in step.needs:
            done = context.outcome(need)
            if need.startswith("join.") and found.facts.get("private_address") != done.facts["address"]:
                raise different(step, "address in the network")
            if need.startswith("attach") and done.facts["volume"] not in found.facts.get("volumes", ()):
                raise different(step, "volume")

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        found = self._left(step, context)
        if found is not None and found.facts.get("status") != OFF:
            self._cloud.stop(found.resource_id)  # what it has written is on its volume before that is taken away


class Volume(Owned):
    """A volume, where its server is. One of another life of this owner is never taken, and never deleted.

    Args:
        known: whether the journal knows the run that made a volume as one of this owner.
    """

    kind = Kind.VOLUME
    kept = ("size_gb", "location")

    def __init__(self, cloud: Cloud, known: Known) -> None:
        super().__init__(cloud)
        self._known = known

    def make(self, step: Step, context: Context) -> Found:
        server = context.outcome(step.spec["server"])
        return self._cloud.create_volume(
            WantedVolume(
                name=step.name,
                labels=context.owner.labels(context.run_id, step.key),
                size_gb=step.spec["size_gb"],
                location=server.facts["location"],
                empty=bool(step.spec.get("encrypted")),
            )
        )

    def fits(self, step: Step, found: Found, context: Context) -> None:
        if found.facts.get("size_gb", 0) < step.spec["size_gb"]:
            raise different(step, "size")
        if found.facts.get("location") != context.outcome(step.spec["server"]).facts["location"]:
            raise different(step, "place")

    def ours(self, found: Found, context: Context) -> bool:
        return super().ours(found, context) and self._known(UUID(found.labels[RUN]), context)

    def taken(self, step: Step, found: Found, context: Context) -> None:
        if found.facts.get("server"):
            self._cloud.detach(found.resource_id)

    def change(self, step: Step, outcome: Outcome, context: Context) -> Outcome | None:
        """It grows where it is; its host's `grow` step has the file system follow."""
        found = self._cloud.show(self.kind, outcome.resource_id)
        if found is None:
            raise missing(step)
        if not self.ours(found, context):
            raise not_ours(step)
        if found.facts.get("size_gb", 0) < step.spec["size_gb"]:
            self._cloud.resize_volume(found.resource_id, step.spec["size_gb"])
            found = self._cloud.show(self.kind, outcome.resource_id) or found
        self.fits(step, found, context)
        return self._outcome(step, found, context)


class Attach:
    """A volume at its server. Verified by the volume itself; the host mounts it, which its `settle` waits for.

    Where another server of the same owner has it, that one is shut down before it is taken from it.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def find(self, step: Step, context: Context) -> Outcome | None:
        volume, server = self._both(step, context)
        found = self._cloud.show(Kind.VOLUME, volume)
        if found is None or found.facts.get("server") != server:
            return None
        return Outcome(facts={"volume": volume}, adopted=True)

    def do(self, step: Step, context: Context) -> Outcome:
        volume, server = self._both(step, context)
        found = self._cloud.show(Kind.VOLUME, volume)
        holder = str(found.facts.get("server") or "") if found is not None else ""
        if holder != server:
            if holder:
                self._given_up(step, context, volume, holder)
            self._quiet(server)
            self._cloud.attach(volume, server)
        return Outcome(facts={"volume": volume})

    def lasts(self, step: Step, outcome: Outcome, context: Context) -> bool:
        volume, server = self._both(step, context)
        found = self._cloud.show(Kind.VOLUME, volume)
        return found is not None and found.facts.get("server") == server

    def _quiet(self, server: str) -> None:
        """A host that runs lost its volume under its feet: it takes it at a boot, and its `start` step follows."""
        found = self._cloud.show(Kind.SERVER, server)
        if found is not None and found.facts.get("status") == RUNNING:
            self._cloud.shut_down(server, seconds=SHUT_SECONDS)

    def _given_up(self, step: Step, context: Context, volume: str, holder: str) -> None:
        found = self._cloud.show(Kind.SERVER, holder)
        if found is not None and not context.owner.owns(found.labels):
            raise not_ours(step)
        if found is not None and found.facts.get("status") != OFF:
            self._cloud.shut_down(holder, seconds=SHUT_SECONDS)  # it has written everything, and unmounted it
        self._cloud.detach(volume)

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        volume, server = self._both(step, context)
        found = self._cloud.show(Kind.VOLUME, volume)
        if found is None:
            raise missing(step)
        if found.facts.get("server") != server:
            raise different(step, "server")

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        try:
            volume, server = self._both(step, context)
        except KeyError:
            return
        found = self._cloud.show(Kind.VOLUME, volume)
        if found is not None and context.owner.owns(found.labels) and found.facts.get("server") == server:
            self._cloud.detach(volume)

    def _both(self, step: Step, context: Context) -> tuple[str, str]:
        return context.outcome(step.spec["volume"]).resource_id, context.outcome(step.spec["server"]).resource_id


class Snapshot(Owned):
    """A snapshot of a server that is off. Verified: it is available."""

    kind = Kind.SNAPSHOT
    kept = ("architecture", "size_gb")

    def facts(self, step: Step, found: Found, context: Context) -> Mapping[str, Any]:
        """Which images are in it is what its builder was given."""
        brought = [context.outcome(need).facts["images"] for need in step.needs if need.startswith("install.")]
        return {**super().facts(step, found, context), "images": brought[0] if brought else {}}

    def make(self, step: Step, context: Context) -> Found:
        server = context.outcome(step.spec["server"]).resource_id
        self._cloud.stop(server)
        return self._cloud.snapshot(server, step.name, context.owner.labels(context.run_id, step.key))

    def fits(self, step: Step, found: Found, context: Context) -> None:
        if found.facts.get("status") != "available":
            raise Unavailable("snapshot_not_ready", f"{step.name} is still being made.", "It is looked at again.")
