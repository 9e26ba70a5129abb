"""Hosts without machines: what was put there, what runs there, and what may go wrong with them.

A host is there exactly while its server runs, which the caller tells (`machine`, from a simulated cloud). With a folder
its disk outlives the process, so a killed provisioner finds hosts as it left them; a server that was made anew under an
old name is another machine and starts empty.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from frostbyte.adapters.hosts import troubles
from frostbyte.adapters.hosts.volumes import Attached, MemoryVolumes, Refused
from frostbyte.control_plane.provisioning.hosting import VOLUME_PROGRAM
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile
from frostbyte.kernel.errors import FrostbyteError

T = TypeVar("T")
SINCE: Final = "2026-01-01T00:00:00Z"
"""Since when a service runs that runs nowhere."""
ROOM: Final = f"Avail\n{1 << 40}\n"
"""What `df` says of a disk in memory, which nothing fills: bytes."""
COMPOSE_NAMES: Final = ("docker-compose.yml", "compose.yaml")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A server that runs.

    Attributes:
        machine_id: the cloud's id of it: another one is another machine.
        user_data: what cloud-init got: it holds the throwaway host key.
        images: ids of the images that its snapshot brought.
        boot: another one for each time that it was started.
        volume: what is attached to it; None for nothing.
    """

    machine_id: str
    user_data: str = ""
    images: frozenset[str] = frozenset()
    boot: str = ""
    volume: Attached | None = None


@dataclass
class Disk:
    """What a machine holds, and what runs on it.

    Attributes:
        own_key: '' until it has made one.
        files: by path.
        loaded: ids of images that came later.
        running: services that are up, by folder.
        ran: what was run there, in order: `script`, or folder and service, or program and words.
        boot: that this is a memory of: what was opened then is closed after another one.
        opened: whether its volume is open and mounted.
    """

    own_key: str = ""
    files: dict[str, HostFile] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
    running: dict[str, list[str]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    boot: str = ""
    opened: bool = False

    def dump(self) -> str:
        """As JSON."""
        files = {
            path: [base64.b64encode(file.content).decode(), file.mode, file.owner] for path, file in self.files.items()
        }
        return json.dumps({**vars(self), "files": files, "loaded": sorted(self.loaded)})

    @classmethod
    def parse(cls, text: str) -> Disk:
        """Of `dump`."""
        raw: dict[str, Any] = json.loads(text)
        files = {
            path: HostFile(path=path, content=base64.b64decode(content), mode=mode, owner=owner)
            for path, (content, mode, owner) in raw.pop("files").items()
        }
        return cls(files=files, loaded=set(raw.pop("loaded")), **raw)


@dataclass
class Fault:
    """Something that goes wrong.

    Attributes:
        code: `host_unreachable`, `host_slow`, `host_key_wrong` or `host_command_failed`.
        host: its name; '' for every one.
        operation: `settle`, `put`, `up` ...; '' for every one.
        after: calls that go well before.
        times: calls that fail then; -1 for all.
        done: it happens, and the answer is lost.
    """

    code: str
    host: str = ""
    operation: str = ""
    after: int = 0
    times: int = 1
    done: bool = False

    def strikes(self, host: str, operation: str) -> bool:
        """Whether it happens to this call; counts it."""
        if self.host not in ("", host) or self.operation not in ("", operation) or self.times == 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True

    def error(self, host: str, operation: str) -> FrostbyteError:
        """What the caller sees."""
        made: dict[str, FrostbyteError] = {
            "host_unreachable": troubles.unreachable(host),
            "host_slow": troubles.slow(host, operation, 0),
            "host_key_wrong": troubles.wrong_key(host),
            "host_command_failed": troubles.failed(host, operation, "a fault that a test has set"),
        }
        return made[self.code]


class MemoryHosts:
    """See control_plane.provisioning.ports.Hosts.

    Args:
        machine: the server that runs behind an address; None while there is none.
        folder: where disks are kept; None keeps them in this process.
        answers: what a task prints, by service; a task that is not named prints nothing.

    Attributes:
        faults: what goes wrong; may be changed at any time.
    """

    def __init__(
        self,
        machine: Callable[[HostAddress], Machine | None],
        *,
        folder: Path | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> None:
        self.faults: list[Fault] = []
        self.answers = dict(answers or {})
        self._machine = machine
        self._folder = folder
        self._disks: dict[str, Disk] = {}
        self._volumes = MemoryVolumes(folder)
        self._lock = threading.RLock()

    # -- what tests look at ------------------------------------------------------------------------------------------

    def disk(self, host: HostAddress) -> Disk:
        """What the machine behind an address holds. Raises Unavailable where none runs."""
        found = self._machine(host)
        if found is None:
            raise troubles.unreachable(host.name)
        return self._load(found.machine_id)

    # -- the port ----------------------------------------------------------------------------------------------------

    def settle(self, host: HostAddress, *, seconds: float) -> str:
        """Boots at once or never: a server that does not run is slow without any waiting."""
        machine = self._machine(host)
        if machine is None:
            raise troubles.slow(host.name, "to boot", seconds)

        def make(disk: Disk) -> str:
            if not disk.own_key:
                public = Ed25519PrivateKey.generate().public_key()
                disk.own_key = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
            return disk.own_key

        return self._call(host, "settle", make)

    def put(self, host: HostAddress, files: Sequence[HostFile]) -> None:
        self._call(host, "put", lambda disk: disk.files.update({file.path: file for file in files}))

    def remove(self, host: HostAddress, paths: Sequence[str]) -> None:
        def take(disk: Disk) -> None:
            for path in paths:
                disk.files.pop(path, None)

        self._call(host, "remove", take)

    def read(self, host: HostAddress, folder: str) -> list[HostFile]:
        def found(disk: Disk) -> list[HostFile]:
            inside = f"{folder.rstrip('/')}/"
            here = [path for path in disk.files if path.startswith(inside) and "/" not in path.removeprefix(inside)]
            return [disk.files[path] for path in sorted(here)]

        return self._call(host, "read", found)

    def images(self, host: HostAddress) -> frozenset[str]:
        return self._call(host, "images", lambda disk: self._images(host, disk))

    def load(self, host: HostAddress, archive: Path, sha256: str, *, seconds: float) -> dict[str, str]:
        """Reads which images are in the archive, and keeps nothing of them but their ids."""
        if hashlib.sha256(archive.read_bytes()).hexdigest() != sha256:
            raise troubles.archive_wrong(host.name)
        found = archived(archive)
        if not found:
            raise troubles.image_missing(host.name)
        self._call(host, "load", lambda disk: disk.loaded.update(found.values()))
        return found

    def run(self, host: HostAddress, script: str, *, seconds: float) -> str:
        """Nothing is run: it is noted, and the answer named `script` is given."""
        return self._call(host, "run", lambda disk: self._noted(disk, "script"))

    def ask(self, host: HostAddress, command: Sequence[str], *, given: str = "", seconds: float) -> str:
        """`frostbyte-volume` does what it would do. Nothing else is run: the answer of its name is given."""

        def run(disk: Disk) -> str:
            disk.ran.append(" ".join(command))
            if command[0] != VOLUME_PROGRAM:
                return self.answers.get(command[0], ROOM if command[0] == "df" else "")
            machine = self._machine(host)
            try:
                said, disk.opened = self._volumes.said(
                    machine.volume if machine else None, command[1], given, opened=disk.opened
                )
            except Refused as error:
                raise troubles.failed(host.name, command[0], str(error)) from None
            return f"{said}\n" if said else ""

        return self._call(host, "ask", run)

    def up(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        def start(disk: Disk) -> None:
            self._engine(host, disk)
            described = self._services(host, disk, folder)
            wanted = [*services] or list(described)
            for service in wanted:
                if service not in described:
                    raise troubles.failed(host.name, "docker compose up", f"no such service: {service}")
                self._image_there(host, disk, described[service])
            disk.running[folder] = sorted({*disk.running.get(folder, []), *wanted})

        self._call(host, "up", start)

    def task(self, host: HostAddress, folder: str, service: str, words: Sequence[str] = (), *, seconds: float) -> str:
        """What it prints is the answer of its name with its words, or of its name alone."""

        def run(disk: Disk) -> str:
            self._engine(host, disk)
            described = self._services(host, disk, folder)
            if service not in described:
                raise troubles.failed(host.name, "docker compose run", f"no such service: {service}")
            self._image_there(host, disk, described[service])
            whole = " ".join((service, *words))
            return self._noted(disk, f"{folder} {whole}", whole if whole in self.answers else service)

        return self._call(host, "task", run)

    def stop(self, host: HostAddress, folder: str, services: Sequence[str] = (), *, seconds: float) -> None:
        def end(disk: Disk) -> None:
            left = [name for name in disk.running.get(folder, []) if services and name not in services]
            disk.running[folder] = left

        self._call(host, "stop", end)

    def down(self, host: HostAddress, folder: str, *, volumes: bool, seconds: float) -> None:
        self._call(host, "down", lambda disk: disk.running.pop(folder, None))

    def look(self, host: HostAddress, folder: str, *, seconds: float) -> str:
        def tell(disk: Disk) -> str:
            rows = [["docker", "images", str(len(self._images(host, disk)))]]
            rows += [self._seen(host, name) for names in disk.running.values() for name in names]
            return "".join("\t".join(row) + "\n" for row in rows)

        return self._call(host, "look", tell)

    def log(self, host: HostAddress, service: str, image: str, *, lines: int, seconds: float) -> str:
        """The answer named `log` is given for what runs."""

        def tell(disk: Disk) -> str:
            runs = any(service in names for names in disk.running.values())
            return self.answers.get("log", "") if runs else ""

        return self._call(host, "log", tell)

    def _seen(self, host: HostAddress, service: str) -> list[str]:
        """A service that runs, as `look` tells it."""
        return ["service", service, "running", "healthy", "0", "0", "false", SINCE, f"sha256:{'0' * 64}"]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _call(self, host: HostAddress, operation: str, act: Callable[[Disk], T]) -> T:
        """Every host on the way must run and show its key; faults strike before or after the act."""
        with self._lock:
            fault = next((one for one in self.faults if one.strikes(host.name, operation)), None)
            if fault is not None and not fault.done:
                raise fault.error(host.name, operation)
            for hop in host.via:
                self._recognise(hop, settling=False)
            machine = self._recognise(host, settling=operation == "settle")
            disk = self._load(machine.machine_id)
            self._booted(host, machine, disk)
            result = act(disk)
            self._keep(machine.machine_id, disk)
            if fault is not None:
                raise fault.error(host.name, operation)
            return result

    def _recognise(self, host: HostAddress, *, settling: bool) -> Machine:
        """A host shows its own key once it has one, else the one of its user data. Only `settle` still takes that one
        from a host with its own key: it vouches for it."""
        machine = self._machine(host)
        if machine is None:
            raise troubles.unreachable(host.name)
        own = self._load(machine.machine_id).own_key
        first = first_key(machine.user_data)
        shown = {own, first} if own and settling else {own or first}
        if troubles.bare(host.host_key) not in {troubles.bare(key) for key in shown if key}:
            raise troubles.wrong_key(host.name)
        return machine

    def _booted(self, host: HostAddress, machine: Machine, disk: Disk) -> None:
        """After another boot an encrypted volume is locked, so its engine, and all that it ran, does not come back."""
        if disk.boot != machine.boot:
            disk.boot, disk.opened = machine.boot, False
            if machine.volume is not None and self._volumes.sealed(machine.volume):
                disk.running.clear()

    def _engine(self, host: HostAddress, disk: Disk) -> None:
        """A host whose volume is not there has no engine that answers."""
        machine = self._machine(host)
        volume = machine.volume if machine else None
        if volume is not None and not disk.opened and (self._volumes.sealed(volume) or not volume.plain):
            raise troubles.failed(host.name, "docker compose", "Cannot connect to the Docker daemon")

    def _services(self, host: HostAddress, disk: Disk, folder: str) -> dict[str, Any]:
        for name in COMPOSE_NAMES:
            file = disk.files.get(f"{folder.rstrip('/')}/{name}")
            if file is not None:
                return _described(file.content)
        raise troubles.failed(host.name, "docker compose", "no configuration file provided: not found")

    def _images(self, host: HostAddress, disk: Disk) -> frozenset[str]:
        machine = self._machine(host)
        return (machine.images if machine else frozenset()) | disk.loaded

    def _image_there(self, host: HostAddress, disk: Disk, service: Mapping[str, Any]) -> None:
        """An image that is named by its id has to be there: nothing is fetched."""
        image = str(service.get("image", ""))
        if image.startswith("sha256:") and image not in self._images(host, disk):
            raise troubles.failed(host.name, "docker compose", "No such image")

    def _noted(self, disk: Disk, what: str, name: str = "script") -> str:
        disk.ran.append(what)
        return self.answers.get(name, "")

    def _load(self, machine_id: str) -> Disk:
        with self._lock:
            if self._folder is None:
                return self._disks.setdefault(machine_id, Disk())
            path = self._folder / f"{machine_id}.json"
            return Disk.parse(path.read_text(encoding="utf-8")) if path.exists() else Disk()

    def _keep(self, machine_id: str, disk: Disk) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._folder / f"{machine_id}.json.{os.getpid()}"
        part.write_text(disk.dump(), encoding="utf-8")
        part.replace(self._folder / f"{machine_id}.json")


@lru_cache(maxsize=64)
def _described(compose: bytes) -> dict[str, Any]:
    """The services of a project; read by nobody but this module, which changes nothing of them."""
    found: dict[str, Any] = (yaml.safe_load(compose) or {}).get("services") or {}
    return found


@lru_cache(maxsize=256)
def first_key(user_data: str) -> str:
    """The public half of the throwaway host key in cloud-init's user data; '' where there is none."""
    try:
        read = yaml.safe_load(user_data)
    except yaml.YAMLError:
        return ""
    keys = read.get("ssh_keys") if isinstance(read, dict) else None
    return str(keys.get("ed25519_public", "")) if isinstance(keys, dict) else ""


def archived(archive: Path) -> dict[str, str]:
    """Names and ids of the images in an archive of `docker save`; {} for something else."""
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("manifest.json")
            images = json.load(member) if member else []
    except (tarfile.TarError, KeyError, ValueError):
        return {}
    ids = {f"sha256:{Path(image['Config']).name.removesuffix('.json')}": image["RepoTags"] or [] for image in images}
    return {name: image_id for image_id, names in ids.items() for name in names or [image_id]}
