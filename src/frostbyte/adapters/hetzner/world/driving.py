"""Between the world and its driver: what a server looks like to it, and its work beside an action."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING

import structlog

from frostbyte.adapters.hetzner.world import shown
from frostbyte.adapters.hetzner.world.driver import Disk, Driver, Interface, Machine
from frostbyte.adapters.hetzner.world.records import Action, Project, Server, Volume

if TYPE_CHECKING:
    from frostbyte.adapters.hetzner.world.world import World

_log = structlog.get_logger("frostbyte.hetzner.world")


class Drives:
    """The world's side of a driver; without one nothing is done."""

    def __init__(self, world: World, driver: Driver | None) -> None:
        self._world = world
        self._driver = driver
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="hetzner-aside") if driver else None

    def work(self, project: Project, action: Action) -> Callable[[], None] | None:
        """What the driver has to do for an action; it sees things as they are now."""
        driver = self._driver
        if driver is None:
            return None
        given = action.arguments
        machine = self.machine(project, project.servers[given["server"]])
        if action.drives in ("attached", "detached"):
            change = driver.attached if action.drives == "attached" else driver.detached
            disk = disk_of(project.volumes[given["volume"]])
            return lambda: change(machine, disk)
        if action.drives == "stopped":
            return lambda: driver.stopped(machine, graceful=action.command == "shutdown_server")
        if action.drives == "imaged":
            return lambda: driver.imaged(machine, given["image"])
        if action.drives == "restarted":
            return lambda: _restart(driver, machine, graceful=action.command == "reboot_server")
        if action.drives == "rebuilt":
            return lambda: _anew(driver, replace(machine, image_id=given["image"]))
        simple: Callable[[Machine], None] = getattr(driver, action.drives)
        return lambda: simple(machine)

    def filtered(self, project: Project, *servers: int) -> None:
        """Tell that rules have changed."""
        for which in servers:
            if self._driver is not None and which in project.servers:
                self._tell(partial(self._driver.filtered, self.machine(project, project.servers[which])))

    def destroyed(self, volume: Volume) -> None:
        """Tell that a volume is gone."""
        if self._driver is not None:
            self._tell(partial(self._driver.destroyed, disk_of(volume)))

    def unimaged(self, image: int) -> None:
        """Tell that a snapshot is gone."""
        if self._driver is not None:
            self._tell(partial(self._driver.unimaged, image))

    def close(self) -> None:
        """Wait for what was told."""
        if self._aside is not None:
            self._aside.shutdown(wait=True)

    def _tell(self, work: Callable[[], None]) -> None:
        def told() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - nobody waits for it
                _log.warning("driver_failed", action="aside", error=type(error).__name__)

        assert self._aside is not None
        self._aside.submit(told)

    def machine(self, project: Project, server: Server) -> Machine:
        """A server as a driver needs it."""
        sold = self._world.offers.type(server.type)
        assert sold is not None
        image = self._world.image(project, server.image) if server.image is not None else None
        walls = [wall for wall in project.firewalls.values() if server.id in wall.applied]
        networks = [(net, project.networks[net.network]) for net in server.private]
        return Machine(
            server_id=server.id,
            project=project.name,
            name=server.name,
            type=server.type,
            cores=sold.cores,
            memory_gb=sold.memory,
            disk_gb=server.disk,
            image_id=server.image or 0,
            image=(image.name if image.type == "system" else image.description) if image else "",
            user_data=server.user_data,
            ssh_keys=tuple(server.ssh_keys),
            public_ipv4=project.primary_ips[server.ipv4].ip if server.ipv4 is not None else "",
            interfaces=tuple(
                Interface(
                    network_id=network.id,
                    network_name=network.name,
                    network_range=network.ip_range,
                    subnet=net.subnet,
                    address=net.ip,
                    gateway=str(ip_network(network.ip_range)[1]),
                )
                for net, network in networks
            ),
            disks=tuple(disk_of(volume) for volume in project.volumes.values() if volume.server == server.id),
            labels=dict(server.labels),
            rules=tuple(shown.rule(rule) for wall in walls for rule in wall.rules),
            firewalled=bool(walls),
            boots=server.boots,
        )


def _restart(driver: Driver, machine: Machine, *, graceful: bool) -> None:
    driver.stopped(machine, graceful=graceful)
    driver.started(machine)


def _anew(driver: Driver, machine: Machine) -> None:
    """Its own disk from an image, and started."""
    driver.stopped(machine, graceful=False)
    driver.deleted(machine)
    driver.created(machine)
    driver.started(machine)


def disk_of(volume: Volume) -> Disk:
    """A volume as a driver needs it."""
    return Disk(
        volume_id=volume.id,
        name=volume.name,
        size_gb=volume.size,
        device=volume.device,
        format=volume.format or "",
    )
