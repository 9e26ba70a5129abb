"""The services of a tenant's plane: which they are, what each may use, what it waits for.

On one host they meet in a network that nothing leaves. On hosts of their own (`Options.on`) each host has its part of
the same description: services that another host keeps are reached at its address, by TLS.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from frostbyte.deploy.compose import stores
from frostbyte.deploy.compose.description import Network, Plane, Ready, Role, Service
from frostbyte.deploy.compose.options import (
    CHANNEL_PORT,
    DOOR,
    DOOR_FOLDER,
    EDGE,
    EGRESS,
    EGRESS_PORT,
    HOSTS,
    IMAGES,
    INTERNAL,
    KEEPING,
    OURS,
    SECRETS,
    Options,
)
from frostbyte.deploy.compose.stores import limits, pair
from frostbyte.kernel.errors import Invalid

TENANT: Final = "/run/tenant"
"""Where `storage` notes what it has made."""
_GIVEN: Final = "/run/given"
"""Where `storage` finds the passwords that the tenant's users are to have."""
_SIGNING: Final = "/run/signing"
"""Where the keys are that sign: made by the gateway, read by serving, unknown to the worker."""
_OWN: Final = "/tmp/plane"  # noqa: S108 - in the container's memory
"""The data folder of processes that keep nothing."""
_CONFIG: Final = "config"
_CONFIG_FOLDER: Final = "/run/config"
_DOOR_KB: Final = 64
"""Two sockets and their folder."""
_VOLUMES: Final = (
    "pgdata",
    "miniodata",
    "qdrantdata",
    "clamavdata",
    "models",
    "gatewaydata",
    "keys",
    "signing",
    "tenant",
    DOOR,
)


def plane(options: Options) -> Plane:
    """The plane's description, or one host's part of it.

    Raises:
        Invalid: `compose_subnet`, `compose_image`, `compose_channel`.
    """
    if unknown := sorted(set(options.images) - set(IMAGES)):
        raise Invalid("compose_image", f"There is no image {unknown[0]}.", f"Name one of {', '.join(IMAGES)}.")
    if options.mode == "online" and not options.channel_port:
        raise Invalid(
            "compose_channel",
            "An online plane is told by a control plane whether it may work, and this one could not be reached.",
            "Name a folder with --channel, or leave --mode out: the plane is offline then.",
        )
    networks = _networks(options)
    services = tuple(_configured(service, options) for service in _here(options))
    used = {volume for service in services for volume in service.volumes}
    return Plane(
        project=f"frostbyte-{options.tenant}",
        services=services,
        networks=networks,
        volumes=tuple(volume for volume in _VOLUMES if volume in used),
        folders=options.on.folders if options.on is not None else _config_folder(options),
        in_memory={DOOR: _DOOR_KB} if options.on is None else {},
        by_hand=options.on is not None,
        secrets_group=options.told("SECRETS_GROUP"),
        by_environment=options.by_environment,
    )


_CONFIGURED: Final = ("intake-gateway", "serving", "celery-worker")


def _config_folder(options: Options) -> dict[str, str]:
    return {_CONFIG: options.config.folder} if options.config is not None else {}


def _configured(service: Service, options: Options) -> Service:
    """Whoever judges has the rules; the gateway, which begins the plane, its first configuration too."""
    if options.config is None or service.name not in _CONFIGURED:
        return service
    told = dict(service.environment)
    if options.config.tenant and service.name == _CONFIGURED[0]:
        told["FROSTBYTE_TENANT_CONFIG"] = f"{_CONFIG_FOLDER}/tenant.json"
    if options.config.policy:
        told["FROSTBYTE_POLICY_DIR"] = f"{_CONFIG_FOLDER}/policy"
    volumes = {**service.volumes, _CONFIG: f"{_CONFIG_FOLDER}:ro"}
    return replace(service, environment=told, volumes=volumes, given=options.config.digest)


def _here(options: Options) -> tuple[Service, ...]:
    """All services, or a host's; what waits for one of another host waits for nobody: the steps have an order."""
    services: tuple[Service, ...] = (
        stores.postgres(options),
        stores.redis(options),
        stores.minio(options),
        stores.qdrant(options),
        stores.clamav(options),
        stores.embedder(options),
        _storage(options),
        *([_storage_destroy(options)] if options.on is not None else []),
        _gateway(options),
        _serving(options),
        _worker(options),
        *([_keeping(options)] if options.on is not None and options.on.keeping else []),
    )
    if options.on is None:
        # Docker's own resolver forwards what it does not know, on some hosts in the host's name: so it is told to ask
        # an address that nobody has.
        inside = (replace(service, resolver=options.told("DEAD_END")) for service in services)
        return (*inside, _door(options))
    wanted = set(options.on.services) - ({"nomic-embed"} if options.remote else set())
    if options.on.ways_out:
        services = (_egress(options), *services)
    here = [service for service in services if service.name in wanted]
    running = {service.name for service in here if service.role is not Role.TASK}
    return tuple(
        replace(service, needs={name: ready for name, ready in service.needs.items() if name in running})
        for service in here
    )


def _networks(options: Options) -> tuple[Network, ...]:
    on, (inside, outer) = options.on, options.networks
    if on is not None:
        plane_bridge, hosts_bridge = on.bridges
        return (
            Network(name=INTERNAL, subnet=str(inside), internal=True, bridge=plane_bridge),
            Network(name=HOSTS, subnet=str(outer), internal=False, bridge=hosts_bridge),
        )
    return (
        # Engines (20.10) have the bridge for the default route of an internal network as well, and their rules on the
        # host alone stop what is sent there.
        Network(name=INTERNAL, subnet=options.told("SUBNET"), internal=True, dead_end=options.told("DEAD_END")),
        # A bridge must not be internal to publish a port. This one leads nowhere: its default route is an address that
        # nobody has.
        Network(
            name=EDGE,
            subnet=options.told("EDGE_SUBNET"),
            internal=False,
            gateway=options.told("EDGE_GATEWAY"),
            dead_end=options.told("EDGE_DEAD_END"),
        ),
    )


def _storage(options: Options) -> Service:
    """Makes the tenant's part of database, objects and vectors. Administrators' passwords stay here."""
    words = ("database-owner-password", "database-writer-password", "objects-secret-key")
    return Service(
        name="storage",
        image=options.image("api"),
        role=Role.TASK,
        user=OURS,
        limits=limits(options, "storage", 512, 1, 64),
        command=("storage", "provision", options.tenant, "--secrets", TENANT, "--given", _GIVEN),
        check=None,
        networks=(INTERNAL,),
        environment={
            "FROSTBYTE_STORAGE_DATABASE_URL_FILE": f"{SECRETS}/postgres-url",
            "FROSTBYTE_STORAGE_OBJECTS_URL": f"{options.http}://minio:9000",
            "FROSTBYTE_STORAGE_OBJECTS_ACCESS_KEY": "frostbyte-admin",
            "FROSTBYTE_STORAGE_OBJECTS_SECRET_KEY_FILE": f"{SECRETS}/minio-password",
            "FROSTBYTE_STORAGE_VECTORS_URL": f"{options.http}://qdrant:6333",
            "FROSTBYTE_STORAGE_VECTORS_API_KEY_FILE": f"{SECRETS}/qdrant-api-key",
            **_trust(options),
            **_embedding(options),
        },
        secrets=("postgres-url", "minio-password", "qdrant-api-key", *words, *_authority(options)),
        places={word: f"{_GIVEN}/{word.replace('-', '_')}" for word in words},
        volumes={"tenant": TENANT},
        scratch={"/tmp": 64},  # noqa: S108
        needs={"postgres": Ready.HEALTHY, "minio": Ready.HEALTHY, "qdrant": Ready.HEALTHY},
    )


def _storage_destroy(options: Options) -> Service:
    """Empties the tenant's part of them and looks again: the last that is asked of a host that goes."""
    made = _storage(options)
    command = ("storage", "destroy", options.tenant, "--secrets", TENANT, "--yes", "--json")
    admin = tuple(name for name in made.secrets if name not in made.places)
    return replace(made, name="storage-destroy", command=command, secrets=admin, places={})


def _trust(options: Options) -> dict[str, str]:
    return {"FROSTBYTE_CA_FILE": f"{SECRETS}/authority.pem"} if options.across else {}


def _authority(options: Options) -> tuple[str, ...]:
    return ("authority.pem",) if options.across else ()


def _embedding(options: Options) -> dict[str, str]:
    """What the collection is made for."""
    told = {
        "FROSTBYTE_EMBEDDING_ENDPOINT": options.embedder,
        "FROSTBYTE_EMBEDDING_DIMENSIONS": str(options.dimensions),
    }
    if options.on is not None and options.on.remote:
        told |= {"FROSTBYTE_EMBEDDING_REMOTE": "yes", "FROSTBYTE_EMBEDDING_MODEL": options.on.remote[1]}
    return told


def _settings(options: Options) -> dict[str, str]:
    """What gateway, serving and worker are told alike."""
    told = {
        "FROSTBYTE_MODE": options.mode,
        "FROSTBYTE_TENANT_ID": options.tenant,
        "FROSTBYTE_LOCAL_NETWORK": options.told("SUBNET"),
        "FROSTBYTE_SECRETS_DIR": "/run/keys",
        "FROSTBYTE_DATABASE_URL_FILE": f"{SECRETS}/database-url",
        "FROSTBYTE_OBJECTS_URL": f"{options.http}://{options.place('minio')}",
        "FROSTBYTE_OBJECTS_BUCKET": f"tenant-{options.tenant}-bucket",
        "FROSTBYTE_OBJECTS_ACCESS_KEY": f"tenant-{options.tenant}",
        "FROSTBYTE_OBJECTS_SECRET_KEY_FILE": f"{SECRETS}/objects-secret-key",
        "FROSTBYTE_VECTORS_URL": f"{options.http}://{options.place('qdrant')}",
        "FROSTBYTE_VECTORS_API_KEY_FILE": f"{SECRETS}/vectors-api-key",
        "FROSTBYTE_QUEUE_URL_FILE": f"{SECRETS}/queue-url",
        **_trust(options),
        **_embedding(options),
        "FROSTBYTE_EMBEDDING_API_KEY_FILE": f"{SECRETS}/{'embedding-key' if options.remote else 'embedder-key'}",
    }
    if options.stand_in_vectors:
        told["FROSTBYTE_STANDINS"] = "vectors"
    if options.on is not None and options.on.ways_out:
        beside = EGRESS in options.on.services
        told["FROSTBYTE_EGRESS_PROXY"] = f"http://{EGRESS if beside else options.on.gateway}:{EGRESS_PORT}"
    return told


def _scanning() -> dict[str, str]:
    """For those that have clamd beside them."""
    return {"FROSTBYTE_CLAMD_ADDRESS": "clamav:3310", "FROSTBYTE_CLAMD_CONF": f"{SECRETS}/clamd.conf"}


def _clamd(options: Options) -> tuple[dict[str, str], tuple[str, ...]]:
    """What says where clamd is, and the file it needs. On hosts of their own only workers are told: they scan."""
    return (_scanning(), ("clamd.conf",)) if options.on is None else ({}, ())


def _credentials(options: Options) -> tuple[str, ...]:
    return (
        "queue-url",
        "embedding-key" if options.remote else "embedder-key",
        "database-url",
        "objects-secret-key",
        "vectors-api-key",
        *_authority(options),
    )


_STORES: Final = MappingProxyType(
    {
        "postgres": Ready.HEALTHY,
        "redis": Ready.HEALTHY,
        "minio": Ready.HEALTHY,
        "qdrant": Ready.HEALTHY,
        "clamav": Ready.HEALTHY,
        "nomic-embed": Ready.HEALTHY,
        "storage": Ready.DONE,
    }
)


def _waits(options: Options) -> dict[str, Ready]:
    return {**_STORES, **({EGRESS: Ready.HEALTHY} if options.on is not None else {})}


CHANNEL_FILES: Final = ("channel-certificate.pem", "channel-key.pem", "channel-authority.pem", "control-keys")
"""What the gateway shows and believes on the control channel."""
_CHANNEL: Final = MappingProxyType(
    {
        "FROSTBYTE_CHANNEL_LISTEN": f"0.0.0.0:{CHANNEL_PORT}",
        "FROSTBYTE_CHANNEL_CERTIFICATE": f"{SECRETS}/{CHANNEL_FILES[0]}",
        "FROSTBYTE_CHANNEL_KEY": f"{SECRETS}/{CHANNEL_FILES[1]}",
        "FROSTBYTE_CHANNEL_CLIENT_CA": f"{SECRETS}/{CHANNEL_FILES[2]}",
        "FROSTBYTE_CONTROL_KEYS": f"{SECRETS}/{CHANNEL_FILES[3]}",
    }
)


def _gateway(options: Options) -> Service:
    on, (certificate, key) = options.on, pair("gateway")
    edge = {
        "FROSTBYTE_TLS_CERTIFICATE": f"{SECRETS}/{certificate}",
        "FROSTBYTE_TLS_KEY": f"{SECRETS}/{key}",
        "FROSTBYTE_TLS_CLIENT_CA": f"{SECRETS}/channel-authority.pem",
    }
    clamd, conf = _clamd(options)
    reached = {} if on is None else _published(options)
    return Service(
        name="intake-gateway",
        image=options.image("api"),
        role=Role.DOOR,
        user=OURS,
        limits=limits(options, "intake-gateway", 3072, 2, 256),
        check=None,
        networks=(INTERNAL,) if on is None else (INTERNAL, HOSTS),
        environment={
            **_settings(options),
            **clamd,
            "FROSTBYTE_DATABASE_OWNER_URL_FILE": f"{SECRETS}/database-owner-url",
            "FROSTBYTE_ROLES": "intake",
            "FROSTBYTE_SIGNING_DIR": _SIGNING,
            "FROSTBYTE_SERVING_URL": f"http://{options.told('SERVING_ADDRESS')}:8080",
            **(_CHANNEL if options.channel_port else {}),
            **(edge if on is not None else _sockets(options)),
        },
        secrets=(
            *_credentials(options),
            *conf,
            "database-owner-url",
            *(CHANNEL_FILES if options.channel_port else ()),
            *((certificate, key) if on is not None else ()),
        ),
        volumes={
            "gatewaydata": "/var/lib/frostbyte",
            "keys": "/run/keys",
            "signing": _SIGNING,
            **({DOOR: DOOR_FOLDER} if on is None else {}),
        },
        scratch={"/tmp": 512},  # noqa: S108
        needs=_waits(options),
        publishes=reached,
        published_at="0.0.0.0",  # noqa: S104 - the host's rules say who comes
    )


def _published(options: Options) -> dict[int | str, int]:
    return {options.told("PORT"): 8080, **({options.channel_port: CHANNEL_PORT} if options.channel_port else {})}


def _sockets(options: Options) -> dict[str, str]:
    """Where the gateway meets the door: nothing else of it can be reached from outside, and it reaches nobody there."""
    told = {"FROSTBYTE_SOCKET": f"{DOOR_FOLDER}/gateway"}
    if options.channel_port:
        told["FROSTBYTE_CHANNEL_SOCKET"] = f"{DOOR_FOLDER}/channel"
    return told


def _door(options: Options) -> Service:
    """The only one with a route. It has no secret, keeps nothing, and shares one folder in memory with the gateway."""
    channel = {"FROSTBYTE_CHANNEL_LISTEN": f"0.0.0.0:{CHANNEL_PORT}"} if options.channel_port else {}
    return Service(
        name=DOOR,
        image=options.image("api"),
        role=Role.DOOR,
        user=OURS,
        limits=limits(options, DOOR, 256, 1, 32),  # see api/door/passing.py
        command=("serve", "door"),
        check=None,
        networks=(EDGE,),
        environment={**_sockets(options), **channel},
        volumes={DOOR: f"{DOOR_FOLDER}:ro"},
        scratch={"/tmp": 16},  # noqa: S108
        needs={"intake-gateway": Ready.HEALTHY},
        publishes=_published(options),
        resolver=options.told("EDGE_DEAD_END"),
    )


def _serving(options: Options) -> Service:
    clamd, conf = _clamd(options)
    return Service(
        name="serving",
        image=options.image("api"),
        role=Role.READING,
        user=OURS,
        limits=limits(options, "serving", 3072, 2, 256),
        check=None,
        networks=options.networks_of_stores,
        address=options.told("SERVING_ADDRESS"),
        environment={
            **_settings(options),
            **clamd,
            "FROSTBYTE_ROLES": "serving",
            "FROSTBYTE_DATA_DIR": _OWN,
            "FROSTBYTE_SIGNING_DIR": _SIGNING,
        },
        secrets=(*_credentials(options), *conf),
        volumes={"keys": "/run/keys:ro", "signing": f"{_SIGNING}:ro"},
        scratch={"/tmp": 512},  # noqa: S108
        # The gateway makes the keys and brings the schema up to date.
        needs={**_waits(options), "intake-gateway": Ready.HEALTHY},
    )


def _worker(options: Options) -> Service:
    return Service(
        name="celery-worker",
        image=options.image("worker"),
        role=Role.WORK,
        user=OURS,
        limits=limits(options, "celery-worker", 8192, 2, 512),
        check=None,
        networks=options.networks_of_stores,
        environment={
            **_settings(options),
            **_scanning(),
            "FROSTBYTE_WORKERS": "2",
            "FROSTBYTE_PARSE_MEMORY_MB": "3072",
            "FROSTBYTE_DATA_DIR": _OWN,
        },
        secrets=(*_credentials(options), "clamd.conf"),
        volumes={"keys": "/run/keys:ro"},
        scratch={"/tmp": 2048},  # noqa: S108
        needs={**_waits(options), "intake-gateway": Ready.HEALTHY},
        # A stage under way is finished.
        stop_seconds=180,
    )


def _keeping(options: Options) -> Service:
    """Backs the plane up and puts it back, when somebody says so: beside the gateway, with what that one has."""
    on = options.on
    assert on is not None  # a plane that nobody keeps has none
    files = tuple(value.removeprefix(f"{SECRETS}/") for value in on.keeping.values() if value.startswith(SECRETS))
    return Service(
        name=KEEPING,
        image=options.image("api"),
        role=Role.TASK,
        user=OURS,
        limits=limits(options, KEEPING, 768, 2, 128),
        command=("plane", "backup", "list", "--json"),
        check=None,
        networks=options.networks_of_stores,
        environment={
            **_settings(options),
            "FROSTBYTE_DATABASE_OWNER_URL_FILE": f"{SECRETS}/database-owner-url",
            "FROSTBYTE_DATA_DIR": _OWN,
            "FROSTBYTE_SIGNING_DIR": _SIGNING,
            **on.keeping,
        },
        secrets=(*_credentials(options), "database-owner-url", *files),
        volumes={"keys": "/run/keys", "signing": _SIGNING},
        scratch={"/tmp": 256},  # noqa: S108
    )


def _egress(options: Options) -> Service:
    """The only one that is let out, to what its list names; it holds no secret and sees no content."""
    on = options.on
    return Service(
        name=EGRESS,
        image=options.image("api"),
        role=Role.DOOR,
        user=OURS,
        limits=limits(options, EGRESS, 128, 1, 64),
        command=("serve", "egress"),
        check=None,
        networks=(HOSTS, INTERNAL),
        address=on.egress_address if on is not None else "",
        environment={"FROSTBYTE_LISTEN": f"0.0.0.0:{EGRESS_PORT}", "FROSTBYTE_WAYS_OUT": f"{SECRETS}/ways-out"},
        secrets=("ways-out",),
        scratch={"/tmp": 16},  # noqa: S108
        publishes={EGRESS_PORT: EGRESS_PORT} if options.across else {},
        published_at=options.published_at,
    )
