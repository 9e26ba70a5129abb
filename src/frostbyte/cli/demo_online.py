"""`frostbyte demo-online`: a tenant's whole life on a simulated cloud, with the very commands of the runbook."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from frostbyte.cli.demo import say, step
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.output import out, text

ADDRESSES: Final = "127.64.0.0/16"
"""Public addresses of the simulated cloud: of this machine's own loopback network, so that servers can be processes."""
ZONE: Final = "frostbyte.example"
DOMAIN: Final = f"pipeline.{ZONE}"
TENANT: Final = "acme"
SCALE: Final = 20.0
"""Seconds of the simulated cloud in one of ours."""
EDGE_PORT: Final = 8443
COMMAND_SECONDS: Final = 300.0
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
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="frostbyte-online-"))
    try:
        with _simulator(folder) as told:
            Story(folder, told, _document(samples)).tell()
    finally:
        _ended(folder)
        if keep:
            say(f"All logs are in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    out().print()
    out().rule(text(f"done in {time.monotonic() - started:.0f} s", "bold green"), align="left", style="green")


class Story:
    """What happens, in order.

    Args:
        told: settings of every command.
        document: what is sent.
    """

    def __init__(self, folder: Path, told: Mapping[str, str], document: Path) -> None:
        self._folder, self._document = folder, document
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("FROSTBYTE_")}
        self._environment = inherited | dict(told)

    def tell(self) -> None:
        """All of it. Raises CommandFailed where something does not go as it should."""
        step(1, "An empty cloud: the bill is empty")
        self._type("simulate", "bill", "--empty")
        step(2, "The snapshot that all hosts start from")
        self._type("hosts", "build", "--yes")
        step(3, "The base: edge with the control plane, bastion, firewalls, names")
        self._type("control", "plan")
        self._type("control", "up", "--yes")
        self._meet()
        step(4, "A tenant: its plan, and what it costs")
        self._type("tenant", "create", TENANT, "--project", "main")
        self._type("tenant", "plan", TENANT)
        step(5, "It is provisioned, and the control plane is killed in the middle")
        self._crash()
        self._follow()
        step(6, "A document goes in through the edge, and is found")
        self._ingest()
        step(7, "It is suspended: refused at once. Then it goes on")
        self._type("tenant", "suspend", TENANT, "--reason", "payment")
        self._expect(503)
        self._type("tenant", "resume", TENANT, "--reason", "requested")
        self._expect(200)
        step(8, "It is deprovisioned, with a signed receipt")
        self._type("tenant", "deprovision", TENANT, "--confirm", TENANT, "--destroy-data", "--reason", "requested")
        self._type("tenant", "receipt", TENANT)
        step(9, "The base goes, and the bill is empty")
        self._type("control", "down", "--confirm", "main")
        self._type("simulate", "bill", "--empty")

    # -- commands ----------------------------------------------------------------------------------------------------

    def _type(self, *words: str) -> None:
        """A command as an operator types it, on this very screen."""
        out().print(text(f"$ frostbyte {' '.join(words)}", "green"), soft_wrap=True)
        done = subprocess.run(  # noqa: S603 - our own command line
            [sys.executable, "-m", "frostbyte", *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise _failed(f"`frostbyte {' '.join(words)}` ended with {done.returncode}", self._folder)

    def _asked(self, *words: str) -> Any:
        """What a command answers as JSON; nothing is shown."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "frostbyte", *words, "--json"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise _failed(f"`frostbyte {' '.join(words)}` ended with {done.returncode}", self._folder)
        return json.loads(done.stdout)

    # -- what the commands alone do not show ---------------------------------------------------------------------------

    def _meet(self) -> None:
        """From now on commands go to the control plane that runs on the edge's host."""
        data = Path(self._environment["FROSTBYTE_CONTROL_DATA_DIR"])
        token = (data / "edge-token").read_text(encoding="ascii").strip()
        listens = self._process("control")["listen"]
        self._environment |= {"FROSTBYTE_CONTROL_URL": f"http://{listens}", "FROSTBYTE_CONTROL_TOKEN": token}
        say(f"The control plane on the edge's host is this machine's http://{listens}.")

    def _process(self, name: str) -> dict[str, Any]:
        """A process that stands for a service."""
        (record,) = sorted((self._folder / "hosts").glob(f"*/{name}.process.json"))
        found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        return found

    def _crash(self) -> None:
        self._type("tenant", "provision", TENANT, "--yes", "--no-wait")
        self._until(lambda: self._begun(CRASH_STEP), f"{CRASH_STEP} did not begin")
        known = self._process("control")
        os.kill(known["pid"], signal.SIGKILL)
        say(f"kill -9 {known['pid']}: the control plane is gone, in the middle of {CRASH_STEP}.")
        self._type("simulate", "bill")
        say("It is started again, as its host would do.")
        log = Path(known["log"])
        with log.open("ab") as sink:
            process = subprocess.Popen(  # noqa: S603 - as it was started before
                known["command"],
                env=known["environment"],
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        from frostbyte.adapters.hosts.local import started

        started(log.parent, "control", process.pid, known)
        self._until(lambda: _status(known["listen"]) == 200, "the control plane did not come back")

    def _begun(self, key: str) -> bool:
        (operation, *_) = self._asked("tenant", "operations", TENANT)["operations"]
        return key in {row["step"] for row in self._asked("tenant", "operation", operation["operation_id"])["steps"]}

    def _follow(self) -> None:
        self._type("tenant", "operations", TENANT, "--follow")
        self._until(lambda: self._asked("tenant", "show", TENANT)["state"] == "ACTIVE", "it did not become ACTIVE")
        self._type("tenant", "show", TENANT)

    def _until(self, true: Any, what: str, seconds: float = 180.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(CommandFailed):
                if true():
                    return
            time.sleep(0.3)
        raise _failed(what, self._folder)

    # -- through the edge ----------------------------------------------------------------------------------------------

    def _ingest(self) -> None:
        raise NotImplementedError

    def _expect(self, status: int) -> None:
        raise NotImplementedError
