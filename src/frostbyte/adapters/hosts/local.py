"""Hosts that are processes of this machine: a stand-in for demonstrations and tests, where no machine is to be had.

Keys and files are kept as in `MemoryHosts`. What compose would start is started here, as far as it is Frostbyte itself
or the edge: a plane with its stores in its own process, the control plane, Traefik. Each listens on its host's address,
so that host needs one of the loopback network (127.0.0.0/8). What else a project has (stores, scanner, embedder) runs
nowhere.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final

import yaml

from frostbyte.adapters.hosts import troubles
from frostbyte.adapters.hosts.memory import Machine, MemoryHosts
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.told_log import told

LOOPBACK: Final = ip_network("127.0.0.0/8")
STOP_SECONDS: Final = 20.0
STAND_INS: Final = "scanner,vectors,database,objects,queue,embedder,tls,secrets"
"""What a plane does without when its stores are in its own process."""
_TOLD: Final = (
    "FROSTBYTE_MODE",
    "FROSTBYTE_TENANT_ID",
    "FROSTBYTE_TLS_",
    "FROSTBYTE_CHANNEL_",
    "FROSTBYTE_CONTROL_",
    "FROSTBYTE_HCLOUD_",
    "FROSTBYTE_DNS_",
    "FROSTBYTE_RECOVERY_",
    "FROSTBYTE_BACKUP_",
    "FROSTBYTE_LISTEN",
)
"""Beginnings of settings that mean the same in a process as in a container."""
TASKS: Final = frozenset({"adopt", "operator"})
"""Tasks that are Frostbyte's own commands beside a control plane; others have nothing to do here."""
DESTROY: Final = "storage-destroy"
"""The task that empties a tenant's stores."""
_EMPTIED: Final = ("postgres", "objects", "vectors*")
"""Of a plane's data folder, what stands for its stores. Keys and what the gateway keeps for itself lie on other disks
than the stores, so they stay: a plane that is put back from its backup is opened with them."""
BACKUP: Final = "plane-backup"
"""The task that backs the plane up and puts it back; here beside the plane's own stores."""
STORAGE: Final = "storage"
"""The task of the stores' administrator; told other words than its own, it says them to the plane's own stores."""
PLANE: Final = "intake-gateway"
"""The service that stands for a tenant's whole plane."""
READY: Final = "url"
"""What our servers write into their data folder when they answer, for commands beside them (cli/announcing.py)."""
_STORES: Final = ("FROSTBYTE_CONTROL_DATABASE_",)
"""Of those, what names a server that does not run here."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What stands for a service.

    Attributes:
        command: what is run.
        stand_ins: FROSTBYTE_STANDINS of it.
        data: the setting that names its folder.
        words: whether the service's own command follows.
        usual: settings that its image has by itself.
        instead: settings that replace the project's.
    """

    command: tuple[str, ...]
    stand_ins: str = ""
    data: str = ""
    words: bool = False
    usual: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)


def programs(traefik: str) -> dict[str, Program]:
    """By the service's name, what runs for it. Without the path of a Traefik there is no edge."""
    ours = (sys.executable, "-m", "frostbyte", "serve")
    known = {
        PLANE: Program(
            command=(*ours, "data"),
            stand_ins=STAND_INS,
            data="FROSTBYTE_DATA_DIR",
            usual={"FROSTBYTE_LISTEN": "0.0.0.0:8080"},
            # Without a scanner nothing passes in any other mode; in this one documents say `unscanned`.
            instead={"FROSTBYTE_MODE": "development"},
        ),
        "control": Program(command=(*ours, "control"), stand_ins="database,hosts", data="FROSTBYTE_CONTROL_DATA_DIR"),
    }
    return known | ({"traefik": Program(command=(traefik,), words=True)} if traefik else {})


@dataclass(kw_only=True)
class Process:
    """A process that stands for a service, as its record on disk tells: it outlives who started it.

    Attributes:
        listen: host:port where it answers; '' for one that is not asked.
        ready: the file that it writes when it does; '' for one that writes none.
        began: see `_began`.
    """

    command: list[str]
    environment: dict[str, str]
    listen: str
    ready: str
    log: str
    pid: int = 0
    began: str = ""

    @classmethod
    def read(cls, record: Path) -> Process:
        """As it was written down."""
        return cls(**json.loads(record.read_text(encoding="utf-8")))

    def start(self, record: Path) -> subprocess.Popen[bytes]:
        """Start it, in a group of its own, and write it down."""
        if self.ready:
            Path(self.ready).unlink(missing_ok=True)
        with Path(self.log).open("ab") as sink:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                self.command,
                env=self.environment,
                cwd=record.parent,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self.pid, self.began = process.pid, _began(process.pid)
        part = record.with_name(f".{record.name}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(vars(self), file)
        part.replace(record)
        return process

    def lives(self) -> bool:
        """Whether it is still the one that was started."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)  # where it is our child: it would stay as a zombie
        return bool(self.began) and _began(self.pid) == self.began

    def end(self) -> None:
        """End it, and nobody else."""
        deadline = time.monotonic() + STOP_SECONDS
        if self.lives():
            os.kill(self.pid, signal.SIGTERM)
        while self.lives():
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
                deadline = time.monotonic() + STOP_SECONDS
            time.sleep(0.05)


class LocalHosts(MemoryHosts):
    """See control_plane.provisioning.ports.Hosts.

    Args:
        machine: as of `MemoryHosts`.
        folder: of disks, files and the processes' data and logs.
        programs: what stands for services; see `programs`.
        inherited: settings of this process that those on hosts are told as well, such as where the simulator is.
    """

    def __init__(
        self,
        machine: Callable[[HostAddress], Machine | None],
        *,
        folder: Path,
        programs: Mapping[str, Program],
        inherited: Mapping[str, str] | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(machine, folder=folder / "disks", answers=answers)
        self._place, self._programs, self._inherited = folder, programs, dict(inherited or {})

    def up(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        super().up(host, folder, services, seconds=seconds)
        project = self._project(host, folder)
        for name in project["services"]:
            if name in self._programs and (not services or name in services):
                self._start(host, folder, project, name, seconds)

    def task(self, host: HostAddress, folder: str, service: str, words: Sequence[str] = (), *, seconds: float) -> str:
        answered = super().task(host, folder, service, words, seconds=seconds)
        if service == DESTROY:
            return self._destroyed(host)
        if service not in TASKS | {BACKUP} and not (service == STORAGE and words):
            return answered
        project = self._project(host, folder)
        described = project["services"][service]
        inside = Inside(self._home(host), folder, project, described)
        if service == BACKUP:
            told = self._told(host, PLANE, described, inside)
        else:
            place = {"FROSTBYTE_DATA_DIR": str(self._stores(host, PLANE) / "data")} if service == STORAGE else {}
            told = self._settings(host, described, inside) | place
        command = [inside.at(str(word)) for word in words or described["command"]]
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "frostbyte", *command],
            env=_plain() | told,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            raise troubles.failed(host.name, f"the task {service}", troubles.last_words(done.stderr))
        return done.stdout

    def _destroyed(self, host: HostAddress) -> str:
        data = self._stores(host, PLANE) / "data"
        removed = sorted(path for pattern in _EMPTIED for path in data.glob(pattern))
        for path in removed:
            shutil.rmtree(path)
        return json.dumps({"removed": [path.name for path in removed], "checked_empty": ["the plane's own stores"]})

    def stop(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        super().stop(host, folder, services, seconds=seconds)
        self._ended(host, services)

    def down(self, host: HostAddress, folder: str, *, volumes: bool, seconds: float) -> None:
        super().down(host, folder, volumes=volumes, seconds=seconds)
        self._ended(host, ())

    def _ended(self, host: HostAddress, services: Sequence[str]) -> None:
        for record in sorted(self._home(host).glob("*.process.json")):
            if not services or record.name.removesuffix(".process.json") in services:
                Process.read(record).end()
                record.unlink()

    def look(self, host: HostAddress, folder: str, *, seconds: float) -> str:
        """What runs nowhere is told as in memory, what is a process as that is."""
        return super().look(host, folder, seconds=seconds) + f"host\tprocessors\t{os.cpu_count()}\n"

    def log(self, host: HostAddress, service: str, image: str, *, lines: int, seconds: float) -> str:
        file = self._home(host) / f"{service}.log"
        if not file.exists():
            return super().log(host, service, image, lines=lines, seconds=seconds)
        with file.open(encoding="utf-8", errors="replace") as log:
            return "".join(f"{line}\n" for line in told(deque(log, lines)))

    def _seen(self, host: HostAddress, service: str) -> list[str]:
        record = self._home(host) / f"{service}.process.json"
        if not record.exists():
            return super()._seen(host, service)
        state, code = ("running", "0") if Process.read(record).lives() else ("exited", "1")
        since = datetime.fromtimestamp(record.stat().st_mtime, UTC)
        return ["service", service, state, "-", code, "0", "false", f"{since:%Y-%m-%dT%H:%M:%SZ}", f"sha256:{'0' * 64}"]

    def end(self) -> None:
        """End every process of every host."""
        for record in sorted(self._place.glob("*/*.process.json")):
            Process.read(record).end()
            record.unlink()

    # -- a host as a folder ------------------------------------------------------------------------------------------

    def _home(self, host: HostAddress) -> Path:
        machine = self._machine(host)
        if machine is None:
            raise troubles.unreachable(host.name)
        return self._place / f"{host.name}-{machine.machine_id}"

    def _project(self, host: HostAddress, folder: str) -> dict[str, Any]:
        """The project as compose reads it, its files written where the processes find them."""
        root, disk = self._home(host) / "root", self.disk(host)
        for path, file in disk.files.items():
            _write(root / path.lstrip("/"), file)
        text = (root / folder.lstrip("/") / "docker-compose.yml").read_text(encoding="utf-8")
        found: dict[str, Any] = yaml.safe_load(text)
        return found

    def _start(self, host: HostAddress, folder: str, project: Mapping[str, Any], name: str, seconds: float) -> None:
        home, program = self._home(host), self._programs[name]
        record = home / f"{name}.process.json"
        if record.exists() and Process.read(record).lives():
            return
        service = project["services"][name]
        inside = Inside(home, folder, project, service)
        words = [inside.at(str(word)) for word in service.get("command") or ()] if program.words else []
        told = self._told(host, name, service, inside)
        listen = told.get("FROSTBYTE_CONTROL_LISTEN") or told.get("FROSTBYTE_LISTEN") or ""
        begun = Process(
            command=[*program.command, *words],
            environment=_plain() | told,
            listen=listen,
            ready=str(Path(told[program.data]) / READY) if program.data else "",
            log=str(home / f"{name}.log"),
        )
        process = begun.start(record)
        _await(host, name, begun, process, seconds)

    def _told(self, host: HostAddress, name: str, service: Mapping[str, Any], inside: Inside) -> dict[str, str]:
        """The service's settings as a process of this machine understands them."""
        if ip_address(host.address) not in LOOPBACK:
            raise Invalid(
                "host_not_local",
                f"The address of {host.name} is none of the loopback network, and nothing can listen there.",
                "Start the simulator with --addresses 127.64.0.0/16.",
            )
        program = self._programs[name]
        told = {name: _here(value, host) for name, value in program.usual.items()}
        told |= self._settings(host, service, inside)
        told |= program.instead
        if program.stand_ins:
            told["FROSTBYTE_STANDINS"] = program.stand_ins
        if program.data:
            told.setdefault(program.data, str(self._stores(host, name) / "data"))
        return told

    def _stores(self, host: HostAddress, name: str) -> Path:
        """A plane's own stores lie where its tenant's volume would be: whichever host runs it, they are the same."""
        return self._place / f"{_tenant(host)}-volume" if name == PLANE else self._home(host)

    def _settings(self, host: HostAddress, service: Mapping[str, Any], inside: Inside) -> dict[str, str]:
        told = dict(self._inherited)
        for key, value in (service.get("environment") or {}).items():
            if key.startswith(_TOLD) and not key.startswith(_STORES):
                told[key] = _here(inside.at(str(value)), host)
        return told


class Inside:
    """Where a container's paths lie on this machine."""

    def __init__(self, home: Path, folder: str, project: Mapping[str, Any], service: Mapping[str, Any]) -> None:
        root = home / "root"
        self._places: dict[str, Path] = {}
        for named in service.get("secrets") or ():
            name, place = (named["source"], named["target"]) if isinstance(named, dict) else (named, named)
            place = place if place.startswith("/") else f"/run/secrets/{place}"
            file = Path(str(project["secrets"][name]["file"]))
            self._places[place] = root / str(Path(folder) / file).lstrip("/")
        for mount in service.get("volumes") or ():
            source, place = (mount["source"], mount["target"]) if isinstance(mount, dict) else str(mount).split(":")[:2]
            if source.startswith(("/", ".")):
                self._places[place] = root / str(Path(folder) / source).lstrip("/")
            else:
                self._places[place] = home / "volumes" / source
                self._places[place].mkdir(parents=True, exist_ok=True, mode=0o700)

    def at(self, text: str) -> str:
        """The text with a path of the container replaced by ours: a whole value, or what follows `=`."""
        before, equals, value = text.rpartition("=")
        for place, ours in self._places.items():
            if value == place or value.startswith(f"{place}/"):
                return f"{before}{equals}{ours}{value[len(place) :]}"
        return text


def _tenant(host: HostAddress) -> str:
    """`fb-acme` of `fb-acme-worker-1`: a tenant's id has no '-'."""
    return "-".join(host.name.split("-")[:2])


def _here(text: str, host: HostAddress) -> str:
    """What listens everywhere in a container does so at its host's address; others of the project find it there."""
    return text.replace("0.0.0.0:", f"{host.address}:").replace("://control:", f"://{host.address}:")


def _plain() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("FROSTBYTE_")}


def _write(place: Path, file: HostFile) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if place.exists() and place.read_bytes() == file.content:
        return
    part = place.with_name(f".{place.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, (file.mode & 0o700) | 0o400), "wb") as sink:
        sink.write(file.content)
    part.replace(place)


def _await(host: HostAddress, name: str, begun: Process, process: subprocess.Popen[bytes], seconds: float) -> None:
    """Until it says that it answers; what does not say so is given a moment in which to fail."""
    deadline = time.monotonic() + (seconds if begun.ready else 1.0)
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = troubles.last_words(Path(begun.log).read_text(encoding="utf-8", errors="replace"))
            raise troubles.failed(host.name, f"to start {name}", said)
        if begun.ready and Path(begun.ready).exists():
            return
        time.sleep(0.05)
    if begun.ready:
        raise troubles.slow(host.name, f"to start {name}", seconds)


def _began(pid: int) -> str:
    """When a process began, in ticks since the boot (proc(5), stat, field 22): who has its number later has other.

    '' for one that has ended, also where its parent has not asked for its end yet (field 3: Z).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
