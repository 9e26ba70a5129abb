"""Everything about tenants' hosts in one place: runs that make them, duties that work on them, and their loops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from frostbyte.adapters.shelf import FolderShelf
from frostbyte.bootstrap.duties import Parts, duties
from frostbyte.bootstrap.provisioning import Clouds
from frostbyte.control_plane.backup import daily
from frostbyte.control_plane.backup.daily import Daily
from frostbyte.control_plane.killswitch.holding import Holding
from frostbyte.control_plane.provisioning.apply import Engine
from frostbyte.control_plane.provisioning.desk import Desk
from frostbyte.control_plane.provisioning.lease import LONGEST_CALL_SECONDS, Pace
from frostbyte.control_plane.provisioning.planner import Planner
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.control_plane.provisioning.provisioner import Provisioner
from frostbyte.control_plane.provisioning.regiving import Regiving
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.runs import Provisioning, Receipt
from frostbyte.control_plane.provisioning.sweeping import Sweeper
from frostbyte.control_plane.registry.operations import Hook, Operations
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.control_plane.upkeep.duty import Duty
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.control_plane.upkeep.rounds import Rounds
from frostbyte.control_plane.upkeep.unlocking import Reach, Unlocking
from frostbyte.control_plane.watch.view import TenantHealth, critical
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Unavailable


class Hosting:
    """Everything that makes tenants' hosts: what faces ask, what the kill-switch asks, and the loop that does it.

    Args:
        clouds: what is opened of each project.
        environment: whose provisioner this is: one control plane of an environment works at a time.
        receipt: issues the receipt of an operation that took a tenant down.
        pace: how long things are waited for.
    """

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        clock: Clock,
        clouds: Clouds,
        *,
        environment: str,
        receipt: Receipt | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.clouds, self._unit_of_work, self._environment = clouds, unit_of_work, environment
        self.shelf = FolderShelf(clouds.supplies)
        self.runs = Provisioning(unit_of_work, clock, receipt)
        self.operations = Operations(unit_of_work, clock, self.runs, Holding(unit_of_work, clouds.channels))
        place = clouds.place
        self._planner = Planner(
            unit_of_work, clouds.cloud, clouds.dns, lambda _, base: place.ground(base), clock, place.locations
        )
        self.desk = Desk(unit_of_work, self._planner, self.runs, self.operations)
        self.sweeper = Sweeper(unit_of_work, environment, clock, clouds.site)
        self._regiving = Regiving(unit_of_work, environment, clouds.workshop, clouds.certificates)
        self.lacking: Unavailable | None = None
        """Why nothing is done on hosts: secrets cannot be sealed. None where they can be."""
        self._unlocking = Unlocking(unit_of_work, clock, self._regiving.standing, self._reach)
        self.foreman = Foreman(unit_of_work, self.operations, clock, tuple(self._duties(unit_of_work, clock)))
        self.look: Callable[[str], TenantHealth | None] = lambda _: None
        """How a tenant was last seen; set by whoever watches them."""
        trouble = lambda tenant_id: critical(self.look, tenant_id)  # noqa: E731
        self.rounds = Rounds(unit_of_work, self.foreman, self.there, trouble, clock)
        engine = Engine(unit_of_work, clock, clouds.workshop, holder=f"control/{environment}", pace=pace)
        self._provisioner = Provisioner(self.runs, engine)

    def _reach(self, owner: Owner) -> Reach:
        """Raises as `Clouds.world`."""
        world = self.clouds.world(owner.project_id)
        return Reach(hosts=world.hosts, vault=world.vault, renderer=world.renderer)

    def _duties(self, unit_of_work: ProvisioningFactory, clock: Clock) -> Iterable[Duty]:
        """None where nothing can be sealed: then no tenant has hosts of ours that could be worked on."""
        try:
            vault = self.clouds.vault
        except Unavailable as error:
            if error.code not in ("sops_missing", "recovery_recipient_missing"):
                raise
            self.lacking = error
            return ()
        return duties(
            Parts(
                unit_of_work=unit_of_work,
                clock=clock,
                clouds=self.clouds,
                vault=vault,
                planner=self._planner,
                runs=self.runs,
                regiving=self._regiving,
                shelf=self.shelf,
            )
        )

    def halt(self) -> bool:
        """Make nothing more, for good; whether what was under way has come to a stop."""
        return self._provisioner.halt(LONGEST_CALL_SECONDS)

    def there(self) -> list[str]:
        """Tenants with hosts of ours that stand, by name."""
        return [owner.tenant_id for owner in self._regiving.standing()]

    def daily(self, clock: Clock) -> Daily:
        """What begins tenants' backups, as far as anybody can take any."""
        plan, kind = self.clouds.backups.plan, OperationKind.BACKUP

        def begin(tenant_id: str) -> object:
            return self.foreman.begin(tenant_id, kind, {}, actor=daily.ACTOR, reason=daily.REASON)

        able = bool(plan.url) and kind in self.foreman.kinds
        return Daily(self._unit_of_work, self._environment, clock, begin if able else None, plan.hours)

    @property
    def hooks(self) -> dict[OperationKind, Hook]:
        """Who carries on what is no matter of the kill-switch."""
        return dict.fromkeys(self.foreman.kinds, self.foreman.carry)

    @property
    def loops(self) -> dict[str, Callable[[threading.Event], None]]:
        """What runs all the time, by name."""
        return {
            "provisioner": self._provisioner.run,
            "certificates": self._regiving.run,
            "upkeep": self.foreman.run,
            "rounds": self.rounds.run,
            "volumes": self._unlocking.run,
        }
