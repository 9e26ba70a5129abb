"""The end of a try: when its time is over, the control plane takes everything away (provisioning.ending)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from frostbyte.control_plane.provisioning.ending import end_everything
from frostbyte.control_plane.provisioning.journal import EntryState
from frostbyte.control_plane.provisioning.ports import Cloud, Dns, ProvisioningFactory
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError

LOOK_SECONDS: Final = 10.0
RELEASE_SECONDS: Final = 15.0
"""Between two turns: a firewall and a volume are released some seconds after their server."""
OWN_SERVER: Final = "server.edge"
_log = structlog.get_logger("frostbyte.expiry")


class Expiry:
    """Waits for the end and carries it out, project by project.

    Args:
        ends_at: when.
        owners: bases of the environment.
        cloud, dns: of a project.
        halt: keeps whoever makes things from making more; called before anything is taken away.
    """

    def __init__(
        self,
        ends_at: datetime,
        clock: Clock,
        unit_of_work: ProvisioningFactory,
        owners: Callable[[], list[Owner]],
        cloud: Callable[[str], Cloud],
        dns: Callable[[str], Dns],
        halt: Callable[[], object],
    ) -> None:
        self._ends_at, self._clock, self._unit_of_work = ends_at, clock, unit_of_work
        self._halt = halt
        self._owners, self._cloud, self._dns = owners, cloud, dns

    def run(self, stop: threading.Event) -> None:
        """Until the event is set, or all is gone."""
        while not stop.wait(LOOK_SECONDS):
            if self._clock.now() < self._ends_at:
                continue
            if self.end(lambda: stop.wait(RELEASE_SECONDS)):
                return

    def end(self, pause: Callable[[], object]) -> bool:
        """Take everything away now; whether nothing is left that could not be."""
        self._halt()
        left: list[str] = []
        for owner in self._owners():
            try:
                left += end_everything(
                    self._cloud(owner.project_id),
                    self._dns(owner.project_id),
                    environment=owner.environment,
                    own_server=self._own_server(owner),
                    pause=pause,
                )
            except FrostbyteError as error:  # tried again with the next look
                _log.error("expiry_waits", code=error.code)
                left.append(owner.project_id)
        if left:
            _log.error("expiry_incomplete", remaining=len(left))
        return not left

    def _own_server(self, owner: Owner) -> str:
        with self._unit_of_work() as uow:
            entries = uow.journal.entries(owner)
        found = [row for row in entries if row.key == OWN_SERVER and row.state is EntryState.DONE]
        return found[0].resource_id if found else ""
