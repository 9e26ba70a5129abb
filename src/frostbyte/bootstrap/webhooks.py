"""A plane's webhooks: what signs, the way out, and who carries."""

from __future__ import annotations

from dataclasses import dataclass

from frostbyte.adapters.webhooks.https import HttpsCourier, Reach
from frostbyte.data_plane.gate import Gate
from frostbyte.data_plane.lifecycle.configuration import Configuration
from frostbyte.data_plane.webhooks.delivery import Delivery
from frostbyte.data_plane.webhooks.desk import WebhookDesk
from frostbyte.data_plane.webhooks.dispatch import Dispatch
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.settings import Mode, Settings
from frostbyte.kernel.vault import Vault
from frostbyte.kernel.webhooks.keys import WebhookKeys


@dataclass(frozen=True, kw_only=True)
class WebhookParts:
    """What the faces ask, and what the gateway's process runs."""

    desk: WebhookDesk
    dispatch: Dispatch


def courier(settings: Settings) -> HttpsCourier:
    """The way to receivers. A plane that is offline reaches those alone that are in networks opened to it."""
    return HttpsCourier(
        reach=Reach(
            networks=settings.webhook_networks,
            outside=settings.mode is not Mode.OFFLINE,
            proxy=settings.egress_proxy,
            ca_file=settings.webhook_ca_file,
        )
    )


def webhooks(
    settings: Settings,
    vault: Vault,
    unit_of_work: UnitOfWorkFactory,
    clock: Clock,
    configuration: Configuration,
    gate: Gate,
) -> WebhookParts:
    """The parts."""
    webhook_keys = WebhookKeys(vault.key_for("webhooks"))
    delivery = Delivery(
        tenant_id=settings.tenant_id,
        unit_of_work=unit_of_work,
        clock=clock,
        keys=webhook_keys,
        courier=courier(settings),
        config=configuration.current,
    )
    desk = WebhookDesk(
        tenant_id=settings.tenant_id,
        unit_of_work=unit_of_work,
        clock=clock,
        webhook_keys=webhook_keys,
        delivery=delivery,
        config=configuration.current,
        waits=lambda: gate.waits,
    )
    return WebhookParts(
        desk=desk, dispatch=Dispatch(unit_of_work, clock, delivery, waits=lambda: gate.waits is not None)
    )
