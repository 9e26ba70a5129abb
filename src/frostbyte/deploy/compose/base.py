"""The services of a project's own host: the edge, the control plane that writes its files, and its database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from frostbyte.deploy.compose.description import Check, Limits, Network, Plane, Ready, Role, Service

INSIDE: Final = "control-internal"
OUTSIDE: Final = "control-outside"
OURS: Final = "10001:10001"
POSTGRES_USER: Final = "70:70"
_SECRETS: Final = "/run/secrets"
_DATA: Final = "/var/lib/frostbyte"
EDGE_FOLDER: Final = "/edge"
"""What Traefik watches: one folder for both, at one path, for its start file names the other."""
HANDED: Final = "handed"
"""Folder beside the project: what the control plane is to adopt."""
GIVEN: Final = "given"
"""Folder beside the project: what the control plane begins with: keys, and what versions run on hosts."""
CONTROL_PORT: Final = 8090
WEB_PORT: Final = 8080
WEBSECURE_PORT: Final = 8443
"""Ports inside; nobody in a container may listen below 1,024."""
POSTGRES_PASSWORD: Final = "postgres-password"  # noqa: S105 - a name
SERVICES: Final = ("postgres", "control", "traefik")
IMAGES: Final = SERVICES
"""Each service is called like its image."""
_ALL: Final = ("--scope", "viewer", "--scope", "operator", "--scope", "auditor", "--scope", "admin")
TASKS: Final = ("adopt", "operator")
"""The control plane is told its base; an operator's token is printed."""


@dataclass(frozen=True, kw_only=True)
class BaseOptions:
    """What differs between projects.

    Attributes:
        images: references or ids, by `IMAGES`.
        settings: FROSTBYTE_* of the control plane that are no paths and no secrets.
        operators: networks (CIDR) that may reach the control plane's own API through the edge.
        more_secrets: names of the control plane's secret files: `hcloud-token` is FROSTBYTE_HCLOUD_TOKEN_FILE, and so
            on.
        folder: of the project on its host.
        networks: the two networks and what their bridges are called, for the host's packet filter.
        postgres_user: uid:gid of the database's image.
    """

    images: Mapping[str, str]
    settings: Mapping[str, str]
    operators: tuple[str, ...]
    more_secrets: tuple[str, ...] = ()
    folder: str
    networks: tuple[tuple[str, str], tuple[str, str]]
    postgres_user: str = POSTGRES_USER


def base(options: BaseOptions) -> Plane:
    """The description of the edge's host."""
    (inside, plane_bridge), (outside, hosts_bridge) = options.networks
    control = _control(options)
    return Plane(
        project="frostbyte-base",
        services=(_postgres(options), control, _traefik(options), *(_task(name, control) for name in TASKS)),
        networks=(
            Network(name=INSIDE, subnet=inside, internal=True, bridge=plane_bridge),
            # The control plane asks the cloud's API and planes' channels; Traefik asks planes' gateways.
            Network(name=OUTSIDE, subnet=outside, internal=False, bridge=hosts_bridge),
        ),
        volumes=("pgdata", "controldata", "edge", HANDED, GIVEN),
        folders={name: f"{options.folder}/{name}" for name in (HANDED, GIVEN)},
        by_hand=True,
    )


def _postgres(options: BaseOptions) -> Service:
    return Service(
        name="postgres",
        image=options.images["postgres"],
        role=Role.STORE,
        user=options.postgres_user,
        limits=Limits(memory_mb=1024, cpus=2, pids=256),
        command=("postgres", "-c", "max_connections=100", "-c", "shared_buffers=128MB"),
        check=Check(command=("pg_isready", "--quiet", "--host=127.0.0.1", "--username=frostbyte_admin")),
        networks=(INSIDE,),
        environment={
            "POSTGRES_USER": "frostbyte_admin",
            "POSTGRES_DB": "frostbyte",
            "POSTGRES_PASSWORD_FILE": f"{_SECRETS}/postgres-password",
            "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256",
        },
        secrets=("postgres-password",),
        volumes={"pgdata": "/var/lib/postgresql/data"},
        scratch={"/tmp": 64, "/var/run/postgresql": 16, "/dev/shm": 128},  # noqa: S108 - in the container
        stop_seconds=60,
    )


def _control(options: BaseOptions) -> Service:
    return Service(
        name="control",
        image=options.images["control"],
        role=Role.WORK,
        user=OURS,
        limits=Limits(memory_mb=1024, cpus=2, pids=512),
        check=None,
        networks=(INSIDE, OUTSIDE),
        environment={
            **options.settings,
            "FROSTBYTE_MODE": "online",
            "FROSTBYTE_LOCAL_NETWORK": options.networks[0][0],
            "FROSTBYTE_CONTROL_LISTEN": f"0.0.0.0:{CONTROL_PORT}",
            "FROSTBYTE_CONTROL_DATA_DIR": _DATA,
            "FROSTBYTE_CONTROL_DATABASE_URL_FILE": f"{_SECRETS}/database-url",
            "FROSTBYTE_CONTROL_GIVEN": f"/{GIVEN}",
            "FROSTBYTE_CONTROL_EDGE_DIR": EDGE_FOLDER,
            "FROSTBYTE_CONTROL_EDGE_WEB": f"0.0.0.0:{WEB_PORT}",
            "FROSTBYTE_CONTROL_EDGE_WEBSECURE": f"0.0.0.0:{WEBSECURE_PORT}",
            "FROSTBYTE_CONTROL_EDGE_API_URL": f"http://control:{CONTROL_PORT}",
            "FROSTBYTE_CONTROL_EDGE_API_FROM": ",".join(options.operators),
            **{
                f"FROSTBYTE_{name.replace('-', '_').upper()}_FILE": f"{_SECRETS}/{name}"
                for name in options.more_secrets
            },
        },
        secrets=("database-url", *options.more_secrets),
        volumes={"controldata": _DATA, "edge": EDGE_FOLDER, GIVEN: f"/{GIVEN}:ro"},
        scratch={"/tmp": 256},  # noqa: S108
        needs={"postgres": Ready.HEALTHY},
        stop_seconds=60,
    )


def _variable(name: str) -> str:
    return f"FROSTBYTE_{name.replace('-', '_').upper()}_FILE"


def _task(name: str, control: Service) -> Service:
    """Something that is typed beside the control plane, which knows its operator by the token in its folder."""
    words = {
        "adopt": ("control", "adopt", f"/{HANDED}/base.json"),
        "operator": ("token", "mint", "operator", *_ALL, "--control", "--minutes", "720", "--json"),
    }
    return Service(
        name=name,
        image=control.image,
        role=Role.TASK,
        user=OURS,
        limits=Limits(memory_mb=256, cpus=1, pids=64),
        check=None,
        networks=(INSIDE,),
        command=words[name],
        environment={
            "FROSTBYTE_CONTROL_URL": f"http://control:{CONTROL_PORT}",
            "FROSTBYTE_CONTROL_TOKEN_FILE": f"{_DATA}/token",
        },
        volumes={"controldata": f"{_DATA}:ro", HANDED: f"/{HANDED}:ro"},
        scratch={"/tmp": 16},  # noqa: S108
        needs={"control": Ready.HEALTHY},
    )


def _traefik(options: BaseOptions) -> Service:
    return Service(
        name="traefik",
        image=options.images["traefik"],
        role=Role.DOOR,
        user=OURS,  # the control plane's files are for its own group
        limits=Limits(memory_mb=512, cpus=2, pids=256),
        check=None,
        command=(f"--configfile={EDGE_FOLDER}/traefik.yml",),
        networks=(OUTSIDE,),
        volumes={"edge": f"{EDGE_FOLDER}:ro"},
        scratch={"/tmp": 64},  # noqa: S108
        # Its start file is the control plane's work.
        needs={"control": Ready.HEALTHY},
        publishes={80: WEB_PORT, 443: WEBSECURE_PORT},
        published_at="0.0.0.0",  # noqa: S104 - it is the public door
    )
