"""A simulated cloud with everything of Frostbyte on it, for demonstrations: commands typed as an operator does."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frostbyte.cli.demo import end, say
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


@contextmanager
def sky(prefix: str, *, keep: bool) -> Iterator[Sky]:
    """An empty simulated cloud; everything that ran on it is ended at the end.

    Args:
        prefix: of the folder in which everything is.
        keep: whether the folder stays.
    """
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        with _simulator(folder) as told:
            yield Sky(folder, told)
    finally:
        ended(folder)
        if keep:
            say(f"All logs are in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    out().print()
    out().rule(text(f"done in {time.monotonic() - started:.0f} s", "bold green"), align="left", style="green")


class Sky:
    """What runs there, and how it is spoken to.

    Args:
        told: settings of every command.
    """

    def __init__(self, folder: Path, told: Mapping[str, str]) -> None:
        self.folder = folder
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("FROSTBYTE_")}
        self.environment = inherited | dict(told)

    # -- commands ----------------------------------------------------------------------------------------------------

    def type(self, *words: str, fails: bool = False) -> None:
        """A command as an operator types it, on this very screen.

        Args:
            fails: whether it finds something, and says so with its exit code.
        """
        out().print(text(f"$ frostbyte {' '.join(words)}", "green"), soft_wrap=True)
        done = subprocess.run(  # noqa: S603 - our own command line
            [sys.executable, "-m", "frostbyte", *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if (done.returncode != 0) is not fails:
            raise failed(f"`frostbyte {' '.join(words)}` ended with {done.returncode}", self.folder)

    def asked(self, *words: str) -> Any:
        """What a command answers as JSON; nothing is shown."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "frostbyte", *words, "--json"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise failed(f"`frostbyte {' '.join(words)}` ended with {done.returncode}", self.folder)
        return json.loads(done.stdout)

    # -- what the commands alone do not show ---------------------------------------------------------------------------

    def meet(self) -> None:
        """From now on commands go to the control plane that runs on the edge's host."""
        data = Path(self.environment["FROSTBYTE_CONTROL_DATA_DIR"])
        token = (data / "edge-token").read_text(encoding="ascii").strip()
        listens = self.process("control").listen
        self.environment |= {"FROSTBYTE_CONTROL_URL": f"http://{listens}", "FROSTBYTE_CONTROL_TOKEN": token}
        say(f"The control plane on the edge's host is this machine's http://{listens}.")

    def base(self) -> None:
        """The snapshot of hosts and the base, and from then on the control plane that runs there."""
        self.type("hosts", "build")
        self.type("control", "up", "--yes")
        self.meet()

    def record(self, name: str) -> Path:
        """Of the process that stands for a service."""
        (record,) = sorted((self.folder / "hosts").glob(f"*/{name}.process.json"))
        return record

    def process(self, name: str) -> Process:
        from frostbyte.adapters.hosts.local import Process

        return Process.read(self.record(name))

    def until(self, true: Callable[[], object], what: str, seconds: float = 180.0) -> None:
        """Until it is true. Raises CommandFailed, saying what did not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(CommandFailed):
                if true():
                    return
            time.sleep(0.3)
        raise failed(what, self.folder)

    def destroy(self, server: str) -> None:
        """Destroy a server at the cloud, behind Frostbyte's back."""
        import httpx

        token = Path(self.environment["FROSTBYTE_HCLOUD_TOKEN_FILE"]).read_text(encoding="ascii").strip()
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=self.environment["HCLOUD_ENDPOINT"], headers=headers, trust_env=False) as cloud:
            (found,) = read(cloud.get("/servers", params={"name": server}), 200)["servers"]
            read(cloud.delete(f"/servers/{found['id']}"), 200)
        say(f"{server} is gone: somebody deleted it at the cloud.")

    # -- through the edge ----------------------------------------------------------------------------------------------

    def ingest(self, document: Path) -> str:
        """Send a document, and wait until it is found; returns its id."""
        question = " ".join(document.read_text(encoding="utf-8").split()[:12])
        with self.edge() as client:
            with document.open("rb") as file:
                sent = client.post("/api/v1/ingest", files={"files": (document.name, file)})
            batch = read(sent, 202)["batch_id"]
            say(f"{document.name} is taken: batch {batch}.")
            self.until(lambda: self._indexed(client, batch), "the document was not indexed")
            found = self.ask(client, question)
        out().print(text(f"? {question}", "bold magenta"))
        out().print(text(found[0]["text"][:400]))
        return str(found[0]["doc_id"])

    @staticmethod
    def ask(client: httpx.Client, question: str) -> list[dict[str, Any]]:
        """The best answer, or nothing."""
        results: list[dict[str, Any]] = read(client.post("/api/v1/query", json={"query": question, "top_k": 1}), 200)[
            "results"
        ]
        return results

    def _indexed(self, client: httpx.Client, batch: str) -> bool:
        documents = read(client.get(f"/api/v1/ingest/{batch}"), 200)["documents"]
        return all(one["state"] == "indexed" for one in documents)

    def expect(self, status: int) -> None:
        """What people get through the edge."""
        began = time.monotonic()
        with self.edge() as client:
            self.until(lambda: self._answer(client) == status, f"the edge did not come to answer {status}")
        say(f"Through the edge: {status} after {time.monotonic() - began:.1f} s.")

    @staticmethod
    def _answer(client: httpx.Client) -> int:
        return client.post("/api/v1/query", json={"query": "anything", "top_k": 1}).status_code

    @contextmanager
    def edge(self) -> Iterator[httpx.Client]:
        """As a client of the tenant: its name, the edge's address, the edge's own authority, the tenant's token.

        Where no Traefik is installed the gateway is asked as the edge would ask it, by the edge's certificate.
        """
        import httpx

        control = Path(self.process("control").environment["FROSTBYTE_CONTROL_DATA_DIR"])
        plane = self.process("intake-gateway")
        host, token = (
            f"{TENANT}.{self.environment['FROSTBYTE_CONTROL_DOMAIN']}",
            (Path(plane.environment["FROSTBYTE_DATA_DIR"]) / "token").read_text().strip(),
        )
        if self._record_of("traefik") is not None:
            address = f"https://{self.process('control').listen.rpartition(':')[0]}:{EDGE_PORT}"
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
        return next(iter(sorted((self.folder / "hosts").glob(f"*/{name}.process.json"))), None)


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
                raise failed("the simulated cloud did not start", folder)
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
    backups = folder / "backups"
    backups.mkdir(mode=0o700)
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
        "FROSTBYTE_BACKUP_URL": backups.as_uri(),
        "FROSTBYTE_BACKUP_LOCATION": "hel1",
        "FROSTBYTE_BACKUP_HOURS": "0",  # when the demonstration asks for one, and not in the midst of something else
        "FROSTBYTE_HOSTS_DIR": str(folder / "hosts"),
        "FROSTBYTE_TRAEFIK": os.environ.get("FROSTBYTE_TRAEFIK", "") or shutil.which("traefik") or "",
        "FROSTBYTE_SOPS": os.environ.get("FROSTBYTE_SOPS", "") or shutil.which("sops") or "sops",
    }


def document(samples: Path) -> Path:
    """The first text document of a folder. Raises CommandFailed("samples_missing")."""
    for path in sorted(samples.glob("*.txt")):
        return path
    raise CommandFailed(
        "samples_missing",
        f"There is no text document in {samples}.",
        "Run it in Frostbyte's own folder, or name theirs with --samples.",
        exit_code=Exit.NOT_FOUND,
    )


def ended(folder: Path) -> None:
    """End every process of every host."""
    from frostbyte.adapters.hosts.local import LocalHosts

    LocalHosts(lambda host: None, folder=folder / "hosts", programs={}).end()


def read(reply: httpx.Response, expected: int) -> Any:
    """The answer's JSON. Raises CommandFailed where it is another answer."""
    if reply.status_code != expected:
        raise CommandFailed(
            "demo_refused", f"The plane answered {reply.status_code} in place of {expected}.", "Report this."
        )
    return reply.json()


def status(listen: str) -> int:
    """What a server answers at /health; 0 where none does."""
    host, _, port = listen.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def failed(what: str, folder: Path) -> CommandFailed:
    """An error that says where it stopped; shows the last lines of the hosts' logs, for the folder goes away."""
    for log in sorted(folder.glob("hosts/*/*.log")):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-4:]:
            say(f"{log.parent.name}/{log.stem}: {line[:200]}")
    return CommandFailed("demo_failed", f"It stopped here: {what}.", "Report this.", exit_code=Exit.PROBLEMS)
