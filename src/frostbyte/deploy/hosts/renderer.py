"""What the steps of a tenant ask for, made of descriptions: see the port `Renderer`."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from frostbyte.control_plane.provisioning.hosting import (
    CHANNEL_PORT,
    GATEWAY_PORT,
    Given,
    HostKey,
    Keeping,
    Project,
    Surroundings,
)
from frostbyte.control_plane.provisioning.ports import HostFile
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.compose import PASSWORDS, SECRETS_GROUP, OnHost, Options, plane, render, texts
from frostbyte.deploy.compose.description import Plane, Service
from frostbyte.deploy.compose.options import EGRESS, KEEPING, OURS, QDRANT, SECRETS
from frostbyte.deploy.compose.stores import pair
from frostbyte.deploy.compose.texts import Token
from frostbyte.deploy.hosts import cloud_init, facts, growing, layout
from frostbyte.deploy.hosts.firewall import rules
from frostbyte.kernel.errors import Invalid

SCANNER: Final = "clamav"
STORES: Final = ("postgres", "redis", "minio", "qdrant")
_SERVICES: Final = MappingProxyType(
    {
        HostRole.GATEWAY: (EGRESS, "nomic-embed", "intake-gateway", "serving", KEEPING),
        HostRole.WORKER: ("clamav", "celery-worker"),
        HostRole.DB: (*STORES, "storage", "storage-destroy"),
    }
)
"""Which run where. On one host: all."""
_ENDS: Final = ("intake-gateway", "serving", "celery-worker")
"""What waits for all the others of its host: who starts these starts everything."""
_IMAGES: Final = MappingProxyType(
    {
        "intake-gateway": "api",
        "serving": "api",
        "storage": "api",
        "storage-destroy": "api",
        EGRESS: "api",
        KEEPING: "api",
        "celery-worker": "worker",
    }
)
"""Of services that are not called like their image."""
_SEALING: Final = ("keys-id", "keys-term", "keys-wrapping-1")
"""What seals the tenant's documents: gateway and workers share it, so it cannot be made on one of them."""
_WRAPPING: Final = re.compile(r"keys-wrapping-[1-9][0-9]{0,8}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_KEY_BYTES: Final = 32
_VOLUMES: Final = MappingProxyType(
    {
        HostRole.GATEWAY: {
            "keys": (layout.KEYS, OURS),
            "signing": (layout.SIGNING, OURS),
            "models": (layout.MODELS, OURS),
        },
        HostRole.WORKER: {"keys": (layout.KEYS, OURS), "clamavdata": (layout.CLAMAV, "10003:10003")},
        HostRole.DB: {
            "pgdata": (f"{layout.VOLUME}/pgdata", "70:70"),
            "miniodata": (f"{layout.VOLUME}/miniodata", OURS),
            "qdrantdata": (f"{layout.VOLUME}/qdrantdata", QDRANT),
        },
    }
)
"""Volumes that are folders of a host, and who writes there."""


class HostRenderer:
    """See the port.

    Args:
        queue_rights: what a tenant's user may do on Redis, as words of its access list.
        token: makes a tenant's token for the vector store of the store's key.
    """

    def __init__(self, queue_rights: Callable[[str], Sequence[str]], token: Token) -> None:
        self._queue_rights = queue_rights
        self._token = token

    def user_data(self, host: Surroundings, key: HostKey, people: Sequence[str]) -> str:
        """See Renderer."""
        facts.check(host)
        return cloud_init.user_data(host, key, people, *_folders(host.role))

    def files(self, host: Surroundings, given: Given) -> list[HostFile]:
        """See Renderer."""
        facts.check(host)
        options = _options(host, given)
        project = plane(options)
        contents = self._contents(options, given)
        project = replace(project, services=tuple(_marked(service, contents) for service in project.services))
        found = [
            HostFile(path=layout.RULES, content=rules(host).encode()),
            HostFile(path=f"{layout.FOLDER}/docker-compose.yml", content=render(project).encode(), mode=0o600),
        ]
        for name in project.secrets:
            text = contents.get(name, "")
            if not text and name != "ways-out":
                raise _lacks(f"the secret {name}")
            content = (text if text.endswith("\n") else text + "\n").encode()
            # Services read them as members of one group; nobody writes them.
            path = f"{layout.FOLDER}/secrets/{name}"
            found.append(HostFile(path=path, content=content, mode=0o440, owner=f"0:{SECRETS_GROUP}"))
        return found + _sealing(project, given)

    def project(self, role: HostRole) -> Project:
        """See Renderer."""
        here = _services(role)
        ends = tuple(name for name in _ENDS if name in here)
        stores = tuple(name for name in STORES if name in here)
        across = role is HostRole.DB  # beside each other they speak without certificates
        return Project(
            folder=layout.FOLDER,
            services=ends or stores,
            stores=stores,
            tasks=tuple(name for name in here if name == "storage"),
            backing=next((name for name in here if name == KEEPING), ""),
            erasing=next((name for name in here if name == "storage-destroy"), ""),
            reread=("postgres", "minio") if across else (),
            restart=("redis",) if across else (),
            working=tuple(name for name in here if name == "celery-worker"),
            signing=_volumes(role).get("signing", ("", ""))[0],
            keeping=layout.KEPT_SIGNING if role is HostRole.DB else "",
            **_scanning(here),
        )

    def growing(self, size_gb: int) -> tuple[str, str]:
        """See Renderer."""
        return growing.scripts(size_gb)

    def images(self, role: HostRole) -> tuple[str, ...]:
        """See Renderer."""
        return tuple(sorted({_IMAGES.get(name, name) for name in _services(role)}))

    def secrets(self) -> tuple[str, ...]:
        """See Renderer."""
        return (*PASSWORDS, *_SEALING)

    def certificates(self, hosts: Mapping[str, str], public_address: str) -> dict[str, tuple[str, ...]]:
        """See Renderer. A server is called by its address on other hosts, and by its name on its own."""
        found: dict[str, tuple[str, ...]] = {"gateway": (public_address,), "channel": (public_address,)}
        if "single" not in hosts:
            found["embedder"] = (hosts["gateway"], "nomic-embed")
            found |= {store: (hosts["db"], store) for store in STORES}
        return found

    def _contents(self, options: Options, given: Given) -> dict[str, str]:
        """Of every secret that a host of the tenant may have, by file."""

        def password(name: str) -> str:
            found = given.secrets.get(name, "")
            if not _SECRET.fullmatch(found):
                raise _lacks(f"the secret {name}, 43 url-safe characters")
            return found

        contents = dict(texts(options, password, self._queue_rights(given.tenant), self._token))
        for server, made in given.certificates.items():
            contents |= dict(zip(pair(server), (made.certificate, made.key), strict=True))
        contents |= {
            "authority.pem": given.authority,
            "channel-authority.pem": given.authority,
            "control-keys": given.control_keys,
            "embedding-key": given.secrets.get("embedding-key", ""),
        }
        if given.keeping is not None:
            contents |= {name: text for name, (_, text) in _keys_of(given.keeping).items()}
        return contents


def _marked(service: Service, contents: Mapping[str, str]) -> Service:
    """With a digest of what it is given: a file that is replaced is not seen in a container that runs already."""
    whole = hashlib.sha256()
    for name in sorted(service.secrets):
        whole.update(f"{name}\n{contents.get(name, '')}\n".encode())
    return replace(service, given=whole.hexdigest()[:16]) if service.secrets else service


def _services(role: HostRole) -> tuple[str, ...]:
    if role is HostRole.SINGLE:
        return tuple(name for names in _SERVICES.values() for name in names)
    if role not in _SERVICES:
        raise ValueError(f"no tenant's host is of the role {role.value}")
    return _SERVICES[role]


def _scanning(services: Sequence[str]) -> dict[str, str]:
    if SCANNER not in services:
        return {}
    folder, owner = _VOLUMES[HostRole.WORKER]["clamavdata"]
    return {"scanner": SCANNER, "signatures": folder, "signatures_owner": owner}


def _volumes(role: HostRole) -> dict[str, tuple[str, str]]:
    if role is not HostRole.SINGLE:
        return dict(_VOLUMES[role])
    together = {name: place for places in _VOLUMES.values() for name, place in places.items()}
    # What signs lies on the volume where there is one beside it.
    return together | {"signing": (f"{layout.VOLUME}/signing", OURS)}


def _folders(role: HostRole) -> tuple[dict[str, str], dict[str, str]]:
    """Folders to be made on a host's own disk, and on its volume."""
    if role not in (*_SERVICES, HostRole.SINGLE):
        return {}, {}
    places = dict(_volumes(role).values())
    stored = {path: owner for path, owner in places.items() if path.startswith(layout.VOLUME)}
    own = {layout.FOLDER: "0:0", f"{layout.FOLDER}/secrets": "0:0"}
    return own | {path: owner for path, owner in places.items() if path not in stored}, stored


def _options(host: Surroundings, given: Given) -> Options:
    images = {name: given.images.get(name, "") for name in {_IMAGES.get(s, s) for s in _services(host.role)}}
    missing = sorted(name for name, reference in images.items() if not reference)
    if given.remote is not None:
        missing = [name for name in missing if name != "nomic-embed"]
    if missing:
        raise _lacks(f"the image {missing[0]}")
    return Options(
        tenant=given.tenant,
        version="",
        mode="online",
        port=GATEWAY_PORT,
        channel_port=CHANNEL_PORT,
        subnet=layout.PLANE_NETWORK,
        images=images,
        model_sha256=given.model_sha256,
        dimensions=given.dimensions,
        stand_in_vectors=given.stand_in_vectors,
        memory_mb=given.memory_mb,
        on=OnHost(
            services=_services(host.role),
            address=host.address,
            gateway=host.gateway,
            db=host.db,
            folders={name: path for name, (path, _) in _volumes(host.role).items()},
            bridges=(layout.PLANE_BRIDGE, layout.HOSTS_BRIDGE),
            between=layout.HOSTS_NETWORK,
            egress_address=layout.EGRESS_ADDRESS,
            embedder_address=layout.EMBEDDER_ADDRESS,
            ways_out=host.ways_out,
            keeping=_kept(given.keeping),
            remote=(given.remote.endpoint, given.remote.model) if given.remote is not None else (),
        ),
    )


def _kept(keeping: Keeping | None) -> dict[str, str]:
    if keeping is None:
        return {}
    told = {"FROSTBYTE_BACKUP_URL": keeping.url, "FROSTBYTE_BACKUP_RECIPIENTS": ",".join(keeping.recipients)}
    told |= {variable: f"{SECRETS}/{name}" for name, (variable, _) in _keys_of(keeping).items()}
    return told | ({"FROSTBYTE_BACKUP_REGION": keeping.region} if keeping.region else {})


def _keys_of(keeping: Keeping) -> dict[str, tuple[str, str]]:
    """Files that its place needs: the variable that names each, and what is in it."""
    found = {
        "backup-access-key": ("FROSTBYTE_BACKUP_ACCESS_KEY_FILE", keeping.access_key),
        "backup-secret-key": ("FROSTBYTE_BACKUP_SECRET_KEY_FILE", keeping.secret_key),
        "backup-authority.pem": ("FROSTBYTE_BACKUP_CA_FILE", keeping.authority),
    }
    return {name: each for name, each in found.items() if each[1]}


def _sealing(project: Plane, given: Given) -> list[HostFile]:
    """The keys as files that the plane's user alone may read: 32 bytes each, of 43 characters."""
    if not any("keys" in service.volumes for service in project.services):
        return []
    found = []
    for name in sorted({*_SEALING, *filter(_WRAPPING.fullmatch, given.secrets)}):
        text = given.secrets.get(name, "")
        key = base64.urlsafe_b64decode(text + "=") if _SECRET.fullmatch(text) else b""
        if len(key) != _KEY_BYTES:
            raise _lacks(f"the secret {name}, 43 url-safe characters")
        path = f"{layout.KEYS}/{name.removeprefix('keys-')}.key"
        found.append(HostFile(path=path, content=key, mode=0o400, owner=OURS))
    return found


def _lacks(what: str) -> Invalid:
    return Invalid("host_given", f"A host would lack what it needs: {what}.", "Look at the run; then go on with it.")
