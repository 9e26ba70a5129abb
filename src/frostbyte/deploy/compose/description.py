"""The words in which a plane's services are described. Pure; no engine is known here.

A description says what every service is and may use, once. `render` makes a compose file of it; whatever else must know
the services (images to pack, what starts when, what may be reached) reads the same description.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from frostbyte.deploy.compose.options import SECRETS_GROUP


class Role(StrEnum):
    """What a service is for."""

    STORE = "store"
    """Keeps or looks at what others give it."""
    TASK = "task"
    """Does one thing and ends."""
    WORK = "work"
    """Does the stages."""
    DOOR = "door"
    """Answers people, or lets them in."""
    READING = "reading"
    """Answers what the door passes on."""


class Ready(StrEnum):
    """What another service waits for."""

    HEALTHY = "service_healthy"
    DONE = "service_completed_successfully"


@dataclass(frozen=True, kw_only=True)
class Check:
    """How an engine finds out whether a service is well.

    Attributes:
        command: run in the container, without a shell.
        start_seconds: time to start, in which a failure does not count.
    """

    command: tuple[str, ...]
    start_seconds: int = 60


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a service may use of its host.

    Attributes:
        memory_mb: mebibytes; past it the service is ended, and started again.
        cpus: processors.
        pids: processes and threads.
    """

    memory_mb: int
    cpus: float
    pids: int


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service of a plane. It has no rights but those of its user, and its file system cannot be written to."""

    name: str
    image: str
    role: Role
    user: str
    """uid:gid."""
    limits: Limits
    check: Check | None
    """None for the image's own, and for tasks."""
    networks: tuple[str, ...]
    address: str = ""
    """A fixed one in the first network, for who must know it before this service runs; '' for the engine's choice."""
    entrypoint: tuple[str, ...] = ()
    """() for the image's own."""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Never a secret."""
    secrets: tuple[str, ...] = ()
    """Files that it finds below /run/secrets."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Volume: where it is mounted; `:ro` behind the place if it may only be read."""
    scratch: Mapping[str, int] = field(default_factory=dict)
    """Folder in memory: mebibytes."""
    needs: Mapping[str, Ready] = field(default_factory=dict)
    given: str = ""
    """A digest of what its secrets' files hold: another one is another container at the next `up`. '' for none."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Where a secret lies that is wanted somewhere else: its name, and the path."""
    publishes: Mapping[int | str, int] = field(default_factory=dict)
    """Port of the host, as the file says it: port of the service."""
    published_at: str = "127.0.0.1"
    """The host's address at which they are published; `0.0.0.0` for all that it has."""
    stop_seconds: int = 30
    """Time to finish what it does before it is killed."""
    resolver: str = ""
    """A name server of its own; '' for the engine's."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of a plane.

    Attributes:
        internal: the engine's rules let nothing out of it.
        gateway: the bridge's address; '' for the engine's choice.
        dead_end: an address of the subnet that nobody has and that is the default route, so that nothing leaves. ''
            leaves it to the engine: some give an internal network none, others the bridge.
        bridge: its name on the host, for a packet filter that knows it; '' for the engine's choice. Then the engine
            masquerades nothing.
    """

    name: str
    subnet: str
    internal: bool
    gateway: str = ""
    dead_end: str = ""
    bridge: str = ""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A tenant's plane on one host."""

    project: str
    services: tuple[Service, ...]
    networks: tuple[Network, ...]
    volumes: tuple[str, ...]
    folders: Mapping[str, str] = field(default_factory=dict)
    """Volumes that are folders of the host, which somebody else made: volume, and path."""
    in_memory: Mapping[str, int] = field(default_factory=dict)
    """Volumes that are kept in memory, for Frostbyte's own user alone: volume, and KiB."""
    secrets_group: str = str(SECRETS_GROUP)
    """The group of the secrets' files, which every service joins to read those that it is given."""
    by_environment: bool = False
    """Whether what differs between hosts is in .env, as in a bundle, whose images are never fetched."""
    by_hand: bool = False
    """Whether tasks run when somebody says so, rather than before what waits for them; and every image is there."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of all secrets, sorted."""
        return tuple(sorted({name for service in self.services for name in service.secrets}))

    def service(self, name: str) -> Service:
        """One of the services. Raises KeyError."""
        return {service.name: service for service in self.services}[name]

    def order(self) -> list[str]:
        """Services in an order in which each comes after what it needs.

        Raises:
            ValueError: a service needs one that is not there, or they wait for each other.
        """
        done: list[str] = []
        waiting = {service.name: set(service.needs) for service in self.services}
        while waiting:
            free = sorted(name for name, needs in waiting.items() if needs <= set(done))
            if not free:
                raise ValueError(f"these wait for each other or for nobody: {', '.join(sorted(waiting))}")
            done += free
            for name in free:
                del waiting[name]
        return done
