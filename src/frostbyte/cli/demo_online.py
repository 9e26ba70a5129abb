"""`frostbyte demo-online`: a tenant's whole life on a simulated cloud, with the very commands of the runbook."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated, Final

import typer

from frostbyte.cli.demo import say, step
from frostbyte.cli.demo_sky import TENANT, Sky, document, sky, status

CRASH_STEP: Final = "server.db"
"""When this has begun, the control plane is killed."""


def demo_online(
    samples: Annotated[Path, typer.Option("--samples", help="A folder with a document to send.")] = Path("samples"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder with all logs.")] = False,
) -> None:
    """Show a tenant's whole life on a simulated cloud, in some minutes: no account, no cost, nothing stays behind.

    Servers are processes of this machine; everything else is what runs for real: the same commands, plans, journal,
    certificates, kill-switch and receipts.
    """
    sent = document(samples)
    with sky("frostbyte-online-", keep=keep) as above:
        Story(above, sent).tell()


class Story:
    """What happens, in order.

    Args:
        document: what is sent.
    """

    def __init__(self, sky: Sky, document: Path) -> None:
        self._sky, self._document = sky, document

    def tell(self) -> None:
        """All of it. Raises CommandFailed where something does not go as it should."""
        step(1, "An empty cloud: the bill is empty")
        self._sky.type("simulate", "bill", "--empty")
        step(2, "The snapshot that all hosts start from")
        self._sky.type("hosts", "build")
        step(3, "The base: edge with the control plane, bastion, firewalls, names")
        self._sky.type("control", "plan")
        self._sky.type("control", "up", "--yes")
        self._sky.meet()
        step(4, "A tenant: its plan, and what it costs")
        self._sky.type("tenant", "create", TENANT, "--project", "main")
        self._sky.type("tenant", "plan", TENANT)
        step(5, "It is provisioned, and the control plane is killed in the middle")
        self._crash()
        self._follow()
        step(6, "A document goes in through the edge, and is found")
        self._sky.ingest(self._document)
        step(7, "It is suspended: refused at once. Then it goes on")
        self._sky.type("tenant", "suspend", TENANT, "--reason", "payment")
        self._sky.expect(503)
        self._sky.type("tenant", "resume", TENANT, "--reason", "requested")
        self._sky.expect(200)
        step(8, "It is deprovisioned, with a signed receipt")
        self._sky.type("tenant", "deprovision", TENANT, "--confirm", TENANT, "--destroy-data", "--reason", "requested")
        self._sky.type("tenant", "receipt", TENANT)
        step(9, "The base goes, and the bill is empty")
        self._sky.type("control", "down", "--confirm", "main")
        self._sky.type("simulate", "bill", "--empty")

    def _crash(self) -> None:
        self._sky.type("tenant", "provision", TENANT, "--yes", "--no-wait")
        self._sky.until(lambda: self._begun(CRASH_STEP), f"{CRASH_STEP} did not begin")
        known = self._sky.process("control")
        os.kill(known.pid, signal.SIGKILL)
        say(f"kill -9 {known.pid}: the control plane is gone, in the middle of {CRASH_STEP}.")
        self._sky.type("simulate", "bill")
        say("It is started again, as its host would do.")
        known.start(self._sky.record("control"))
        self._sky.until(lambda: status(known.listen) == 200, "the control plane did not come back")

    def _operation(self) -> str:
        (newest, *_) = self._sky.asked("tenant", "operations", TENANT)["operations"]
        return str(newest["operation_id"])

    def _begun(self, key: str) -> bool:
        shown = self._sky.asked("tenant", "operations", TENANT, self._operation(), "--no-wait")
        return key in {row["step"] for row in shown["steps"]}

    def _follow(self) -> None:
        self._sky.type("tenant", "operations", TENANT, self._operation())
        self._sky.type("tenant", "show", TENANT)
