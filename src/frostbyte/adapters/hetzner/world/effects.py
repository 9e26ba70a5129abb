"""What happens when an action ends, or when something happens by itself: the only place where resources change late.

Three tables by the same names: `begins` when an action begins, `effects` when it ends well, `fails` when it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from frostbyte.adapters.hetzner.world import labels
from frostbyte.adapters.hetzner.world.engine import Effect
from frostbyte.adapters.hetzner.world.records import Charge, Project, Server

if TYPE_CHECKING:
    from frostbyte.adapters.hetzner.world.world import World

Given: TypeAlias = Mapping[str, Any]
SNAPSHOT_SHARE: Final = 0.05
"""How much of a server's disk its snapshot takes here."""


class Effects:
    """The three tables over a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.effects: Mapping[str, Effect] = {
            "nothing": lambda project, given, at: None,
            "server_created": _status("off"),
            "server_started": _started,
            "server_restarted": _started,
            "server_stopped": _status("off"),
            "server_shut": self._shut,
            "server_halted": self._halted,
            "server_deleted": self._deleted,
            "server_joined": lambda project, given, at: None,
            "server_left": self._left,
            "server_aliased": self._aliased,
            "server_typed": self._typed,
            "server_rebuilt": self._rebuilt,
            "server_imaged": self._imaged,
            "protected": self._protected,
            "volume_created": self._volume_created,
            "volume_attached": self._attached,
            "volume_detached": self._detached,
            "volume_resized": self._resized,
            "ip_assigned": self._assigned,
            "ip_unassigned": self._unassigned,
            "firewall_applied": self._applied,
            "firewall_removed": self._removed,
            "filtered": self._filtered,
            "selected": self._selected,
            "released": self._released,
            "published": self._published,
        }
        self.begins: Mapping[str, Effect] = {
            "server_started": _status("starting"),
            "server_stopped": _status("stopping"),
            "server_deleted": _status("deleting"),
            "server_rebuilt": _status("rebuilding"),
            "server_typed": _status("migrating"),
        }
        self.fails: Mapping[str, Effect] = {
            "server_created": _status("off"),
            "server_started": _status("off"),
            "server_stopped": _status("running"),
            "server_deleted": _status("off"),
            "server_rebuilt": _status("off"),
            "server_typed": _status("off"),
            "server_joined": self._left,
            "server_imaged": self._not_imaged,
        }

    # -- servers ------------------------------------------------------------------------------------------------

    def _shut(self, project: Project, given: Given, at: datetime) -> None:
        """The action is over when the machine was told; it is off some time later."""
        self._world.later(project, self._world.latency.halt, "server_halted", given, at)

    def _halted(self, project: Project, given: Given, at: datetime) -> None:
        server = project.servers.get(given["server"])
        if server is not None and server.status == "running":
            server.status = "off"

    def _deleted(self, project: Project, given: Given, at: datetime) -> None:
        """Its own disk goes and so do the addresses that came with it. Volumes stay, and so do other addresses."""
        world = self._world
        server = project.servers.pop(given["server"])
        world.discharge(project, "server", server.id, at)
        for volume in project.volumes.values():
            if volume.server == server.id:
                volume.server = None
        for address in [one for one in project.primary_ips.values() if one.assignee == server.id]:
            address.assignee = None
            if address.auto_delete:
                del project.primary_ips[address.id]
                world.discharge(project, "primary_ip", address.id, at)
        for wall in project.firewalls.values():
            if server.id in wall.servers:
                wall.servers.remove(server.id)
            if wall.applied.pop(server.id, None) is not None:
                wall.lingering += 1
                seconds = given.get("release", world.latency.release)
                world.later(project, seconds, "released", {"firewall": wall.id}, at)

    def _left(self, project: Project, given: Given, at: datetime) -> None:
        server = project.servers[given["server"]]
        server.private = [net for net in server.private if net.network != given["network"]]

    def _aliased(self, project: Project, given: Given, at: datetime) -> None:
        for net in project.servers[given["server"]].private:
            if net.network == given["network"]:
                net.alias_ips = list(given["alias_ips"])

    def _typed(self, project: Project, given: Given, at: datetime) -> None:
        server = project.servers[given["server"]]
        server.type, server.disk, server.status = given["type"], given["disk"], "off"
        self._world.discharge(project, "server", server.id, at)
        self.charge_server(project, server, at)

    def _rebuilt(self, project: Project, given: Given, at: datetime) -> None:
        server = project.servers[given["server"]]
        server.image, server.status = given["image"], "running"

    def charge_server(self, project: Project, server: Server, at: datetime) -> None:
        """From now on a server costs what its type costs."""
        sold = self._world.offers.type(server.type)
        assert sold is not None
        self._world.charge(
            project,
            Charge(
                kind="server",
                id=str(server.id),
                name=server.name,
                since=at,
                hourly=sold.hourly,
                monthly=sold.monthly,
                labels=server.labels,
            ),
        )

    def _imaged(self, project: Project, given: Given, at: datetime) -> None:
        server, image = project.servers[given["server"]], project.images[given["image"]]
        image.status, image.image_size = "available", round(server.disk * SNAPSHOT_SHARE, 2)
        price = self._world.offers.snapshot(image.image_size)
        self._world.discharge(project, "snapshot", image.id, at)
        self._world.charge(
            project,
            Charge(
                kind="snapshot",
                id=str(image.id),
                name=image.description,
                since=at,
                hourly=price.hourly,
                monthly=price.monthly,
                labels=image.labels,
            ),
        )

    def _not_imaged(self, project: Project, given: Given, at: datetime) -> None:
        del project.images[given["image"]]
        self._world.discharge(project, "snapshot", given["image"], at)

    def _protected(self, project: Project, given: Given, at: datetime) -> None:
        one = getattr(project, given["kind"]).get(given["id"])
        if one is not None and given.get("delete") is not None:
            one.protected = given["delete"]
        if one is not None and given.get("rebuild") is not None:
            one.rebuild_protected = given["rebuild"]

    # -- volumes and addresses ----------------------------------------------------------------------------------

    def _volume_created(self, project: Project, given: Given, at: datetime) -> None:
        project.volumes[given["volume"]].status = "available"

    def _attached(self, project: Project, given: Given, at: datetime) -> None:
        project.volumes[given["volume"]].server = given["server"]

    def _detached(self, project: Project, given: Given, at: datetime) -> None:
        project.volumes[given["volume"]].server = None

    def _resized(self, project: Project, given: Given, at: datetime) -> None:
        volume = project.volumes[given["volume"]]
        volume.size = given["size"]
        self._world.discharge(project, "volume", volume.id, at)
        price = self._world.offers.volume(volume.size)
        self._world.charge(
            project,
            Charge(
                kind="volume",
                id=str(volume.id),
                name=volume.name,
                since=at,
                hourly=price.hourly,
                monthly=price.monthly,
                labels=volume.labels,
            ),
        )

    def _assigned(self, project: Project, given: Given, at: datetime) -> None:
        address, server = project.primary_ips[given["address"]], project.servers[given["server"]]
        address.assignee = server.id
        if address.type == "ipv4":
            server.ipv4 = address.id
        else:
            server.ipv6 = address.id

    def _unassigned(self, project: Project, given: Given, at: datetime) -> None:
        address = project.primary_ips[given["address"]]
        server = project.servers.get(given["server"])
        address.assignee = None
        if server is not None and server.ipv4 == address.id:
            server.ipv4 = None
        if server is not None and server.ipv6 == address.id:
            server.ipv6 = None
        if given.get("delete"):
            del project.primary_ips[address.id]
            self._world.discharge(project, "primary_ip", address.id, at)

    # -- firewalls ----------------------------------------------------------------------------------------------

    def _applied(self, project: Project, given: Given, at: datetime) -> None:
        wall = project.firewalls.get(given["firewall"])
        if wall is not None and given["server"] in project.servers:
            wall.applied[given["server"]] = "applied"
            self._world.drives.filtered(project, given["server"])

    def _removed(self, project: Project, given: Given, at: datetime) -> None:
        wall = project.firewalls.get(given["firewall"])
        if wall is not None and wall.applied.pop(given["server"], None) is not None:
            self._world.drives.filtered(project, given["server"])

    def _filtered(self, project: Project, given: Given, at: datetime) -> None:
        wall = project.firewalls.get(given["firewall"])
        if wall is not None:
            self._world.drives.filtered(project, *wall.applied)

    def _selected(self, project: Project, given: Given, at: datetime) -> None:
        """Firewalls come onto the servers that their selectors match now, and leave those that they do not."""
        for wall in project.firewalls.values():
            chosen = {
                server.id
                for text in wall.selectors
                for server in project.servers.values()
                if server.public and labels.selector(text)(server.labels)
            }
            before = set(wall.applied)
            for which in chosen - before:
                wall.applied[which] = "applied"
            for which in before - chosen - set(wall.servers):
                del wall.applied[which]
            self._world.drives.filtered(project, *(before ^ set(wall.applied)))

    def _released(self, project: Project, given: Given, at: datetime) -> None:
        wall = project.firewalls.get(given["firewall"])
        if wall is not None:
            wall.lingering = max(0, wall.lingering - 1)

    # -- names --------------------------------------------------------------------------------------------------

    def _published(self, project: Project, given: Given, at: datetime) -> None:
        zone = project.zones.get(given["zone"])
        if zone is not None and zone.serial == given["serial"]:
            zone.published = dict(zone.sets)


def _started(project: Project, given: Given, at: datetime) -> None:
    server = project.servers.get(given["server"])
    if server is not None:
        server.status = "running"
        server.starts += 1


def _status(name: str) -> Effect:
    def changed(project: Project, given: Given, at: datetime) -> None:
        server = project.servers.get(given["server"])
        if server is not None:
            server.status = name

    return changed
