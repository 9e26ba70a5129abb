"""`frostbyte demo-online`: a tenant's whole life on a simulated cloud, with the very commands of the runbook."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.demo import end, say, step
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.output import out, text

if TYPE_CHECKING:
    import httpx

    from frostbyte.adapters.hosts.local import Process

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
        self._question = " ".join(document.read_text(encoding="utf-8").split()[:12])
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("FROSTBYTE_")}
        self._environment = inherited | dict(told)

    def tell(self) -> None:
        """All of it. Raises CommandFailed where something does not go as it should."""
        step(1, "An empty cloud: the bill is empty")
        self._type("simulate", "bill", "--empty")
        step(2, "The snapshot that all hosts start from")
        self._type("hosts", "build")
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
        listens = self._process("control").listen
        self._environment |= {"FROSTBYTE_CONTROL_URL": f"http://{listens}", "FROSTBYTE_CONTROL_TOKEN": token}
        say(f"The control plane on the edge's host is this machine's http://{listens}.")

    def _record(self, name: str) -> Path:
        """Of the process that stands for a service."""
        (record,) = sorted((self._folder / "hosts").glob(f"*/{name}.process.json"))
        return record

    def _process(self, name: str) -> Process:
        from frostbyte.adapters.hosts.local import Process

        return Process.read(self._record(name))

    def _crash(self) -> None:
        self._type("tenant", "provision", TENANT, "--yes", "--no-wait")
        self._until(lambda: self._begun(CRASH_STEP), f"{CRASH_STEP} did not begin")
        known = self._process("control")
        os.kill(known.pid, signal.SIGKILL)
        say(f"kill -9 {known.pid}: the control plane is gone, in the middle of {CRASH_STEP}.")
        self._type("simulate", "bill")
        say("It is started again, as its host would do.")
        known.start(self._record("control"))
        self._until(lambda: _status(known.listen) == 200, "the control plane did not come back")

    def _operation(self) -> str:
        (newest, *_) = self._asked("tenant", "operations", TENANT)["operations"]
        return str(newest["operation_id"])

    def _begun(self, key: str) -> bool:
        shown = self._asked("tenant", "operations", TENANT, self._operation(), "--no-wait")
        return key in {row["step"] for row in shown["steps"]}

    def _follow(self) -> None:
        self._type("tenant", "operations", TENANT, self._operation())
        self._type("tenant", "show", TENANT)

    def _until(self, true: Callable[[], object], what: str, seconds: float = 180.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(CommandFailed):
                if true():
                    return
            time.sleep(0.3)
        raise _failed(what, self._folder)

    # -- through the edge ----------------------------------------------------------------------------------------------

    def _ingest(self) -> None:
        with self._edge() as client:
            with self._document.open("rb") as file:
                sent = client.post("/api/v1/ingest", files={"files": (self._document.name, file)})
            batch = _read(sent, 202)["batch_id"]
            say(f"{self._document.name} is taken: batch {batch}.")
            self._until(lambda: self._indexed(client, batch), "the document was not indexed")
            found = _read(client.post("/api/v1/query", json={"query": self._question, "top_k": 1}), 200)["results"]
            out().print(text(f"? {self._question}", "bold magenta"))
            out().print(text(found[0]["text"][:400]))

    def _indexed(self, client: httpx.Client, batch: str) -> bool:
        documents = _read(client.get(f"/api/v1/ingest/{batch}"), 200)["documents"]
        return all(one["state"] == "indexed" for one in documents)

    def _expect(self, status: int) -> None:
        """What people get through the edge."""
        began = time.monotonic()
        with self._edge() as client:
            self._until(lambda: self._answer(client) == status, f"the edge did not come to answer {status}")
        say(f"Through the edge: {status} after {time.monotonic() - began:.1f} s.")

    @staticmethod
    def _answer(client: httpx.Client) -> int:
        return client.post("/api/v1/query", json={"query": "anything", "top_k": 1}).status_code

    @contextmanager
    def _edge(self) -> Iterator[httpx.Client]:
        """As a client of the tenant: its name, the edge's address, the edge's own authority, the tenant's token.

        Where no Traefik is installed the gateway is asked as the edge would ask it, by the edge's certificate.
        """
        import httpx

        control = Path(self._process("control").environment["FROSTBYTE_CONTROL_DATA_DIR"])
        plane = self._process("intake-gateway")
        host, token = (
            f"{TENANT}.{DOMAIN}",
            (Path(plane.environment["FROSTBYTE_DATA_DIR"]) / "token").read_text().strip(),
        )
        if self._record_of("traefik") is not None:
            address = f"https://{self._process('control').listen.rpartition(':')[0]}:{EDGE_PORT}"
            trusted = ssl.create_default_context(cafile=control / "edge-ca" / "ca.pem")
        else:
            address = f"https://{plane.listen}"
            folder = control / "authorities" / TENANT
            trusted = ssl.create_default_context(cafile=folder / "ca.pem")
            trusted.load_cert_chain(folder / "client-edge" / "public.crt", folder / "client-edge" / "private.key")
            host = plane.listen.rpartition(":")[0]
        headers = {"Authorization": f"Bearer {token}", "Host": host}
        with httpx.Client(base_url=address, verify=trusted, headers=headers, timeout=30, trust_env=False) as client:
            client.event_hooks["request"] = [lambda request: request.extensions.update(sni_hostname=host)]
            yield client

    def _record_of(self, name: str) -> Path | None:
        return next(iter(sorted((self._folder / "hosts").glob(f"*/{name}.process.json"))), None)


@contextmanager
def _simulator(folder: Path) -> Iterator[dict[str, str]]:
    """A cloud of our own; yields the settings of everything that works with it."""
    told = folder / "cloud.env"
    command = [sys.executable, "-m", "frostbyte", "simulate", "hetzner", "--listen", "127.0.0.1:0"]
    command += ["--addresses", ADDRESSES, "--zone", ZONE, "--env-file", str(told)]
    command += ["--latency", "realistic", "--scale", str(SCALE)]
    with (folder / "cloud.log").open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while not (told.exists() and "HCLOUD_TOKEN" in told.read_text(encoding="utf-8")):
            if process.poll() is not None or time.monotonic() > deadline:
                raise _failed("the simulated cloud did not start", folder)
            time.sleep(0.05)
        values = dict(line.split("=", 1) for line in told.read_text(encoding="utf-8").splitlines())
        yield _settings(folder, values)
    finally:
        end(process)


def _settings(folder: Path, cloud: Mapping[str, str]) -> dict[str, str]:
    from frostbyte.adapters.vault.age import fresh

    token = folder / "hcloud-token"
    token.write_text(cloud["HCLOUD_TOKEN"], encoding="ascii")
    token.chmod(0o600)
    _, recipient = fresh()
    return {
        "HCLOUD_ENDPOINT": cloud["HCLOUD_ENDPOINT"],
        "FROSTBYTE_MODE": "development",
        "FROSTBYTE_CONTROL_DATA_DIR": str(folder / "operator"),
        "FROSTBYTE_CONTROL_DOMAIN": DOMAIN,
        "FROSTBYTE_CONTROL_ENVIRONMENT": "demo",
        "FROSTBYTE_HCLOUD_ENDPOINT": cloud["HCLOUD_ENDPOINT"],
        "FROSTBYTE_HCLOUD_TOKEN_FILE": str(token),
        "FROSTBYTE_DNS_ZONE": ZONE,
        "FROSTBYTE_OPERATORS": "127.0.0.0/8",
        "FROSTBYTE_RECOVERY_RECIPIENT": recipient,
        "FROSTBYTE_HOSTS_DIR": str(folder / "hosts"),
        "FROSTBYTE_TRAEFIK": os.environ.get("FROSTBYTE_TRAEFIK", "") or shutil.which("traefik") or "",
        "FROSTBYTE_SOPS": os.environ.get("FROSTBYTE_SOPS", "") or shutil.which("sops") or "sops",
    }


def _document(samples: Path) -> Path:
    for path in sorted(samples.glob("*.txt")):
        return path
    raise CommandFailed(
        "samples_missing",
        f"There is no text document in {samples}.",
        "Run it in Frostbyte's own folder, or name theirs with --samples.",
        exit_code=Exit.NOT_FOUND,
    )


def _ended(folder: Path) -> None:
    """End every process of every host."""
    from frostbyte.adapters.hosts.local import LocalHosts

    LocalHosts(lambda host: None, folder=folder / "hosts", programs={}).end()


def _read(reply: httpx.Response, status: int) -> Any:
    if reply.status_code != status:
        raise CommandFailed(
            "demo_refused", f"The plane answered {reply.status_code} in place of {status}.", "Report this."
        )
    return reply.json()


def _status(listen: str) -> int:
    host, _, port = listen.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def _failed(what: str, folder: Path) -> CommandFailed:
    """Shows the last lines of the hosts' logs, for the folder goes away."""
    for log in sorted(folder.glob("hosts/*/*.log")):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-4:]:
            say(f"{log.parent.name}/{log.stem}: {line[:200]}")
    return CommandFailed("demo_online_failed", f"It stopped here: {what}.", "Report this.", exit_code=Exit.PROBLEMS)
