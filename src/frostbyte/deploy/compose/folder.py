"""Writes a plane's compose project: the file, its secrets, what an operator may set."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from frostbyte.deploy.compose.description import Plane
from frostbyte.deploy.compose.plane import CHANNEL_FILES
from frostbyte.deploy.compose.render import env_example, render
from frostbyte.kernel.errors import Invalid

_FILE_MODE: Final = 0o640
_FOLDER_MODE: Final = 0o750
_ENTROPY: Final = 32
"""Random bytes of a password: 43 characters."""
Made = Callable[[str], str]
"""The password of a name, the same at each call."""

_CLAMD: Final = """\
# clamd of a plane: limits as in Frostbyte's config/clamd.conf. What exceeds one is reported, never called clean.
Foreground yes
TCPSocket 3310
TCPAddr 0.0.0.0
DatabaseDirectory /var/lib/clamav
TemporaryDirectory /tmp
LogTime yes
SelfCheck 600
ConcurrentDatabaseReload no
StreamMaxLength 1000M
MaxFileSize 1000M
MaxScanSize 3000M
MaxScanTime 240000
MaxRecursion 17
MaxFiles 20000
AlertExceedsMax yes
AlertEncrypted no
MaxThreads 4
ReadTimeout 300
CommandReadTimeout 30
"""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written.

    Attributes:
        made: names of the secrets that are new; those that were there stay as they are.
    """

    compose: Path
    made: tuple[str, ...]
    kept: tuple[str, ...]


def write(
    folder: Path,
    plane: Plane,
    *,
    tenant: str,
    queue_rights: Sequence[str],
    group: int,
    given: Mapping[str, str] | None = None,
) -> Written:
    """Write the project into `folder`. Doing it again keeps every secret, so a plane can be described anew.

    Args:
        queue_rights: what the tenant's user may do on Redis, as words of its access list.
        given: secrets that somebody else made, by name (see `channel_files`).
        group: the group that may read the secrets, which every service joins.

    Raises:
        Invalid: `compose_folder`: it cannot be written, or its secrets are open to others.
    """
    place = folder / "secrets"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        if place.stat().st_mode & 0o007:
            raise Invalid("compose_folder", "The folder for the secrets is open to others.", "Run chmod o-rwx on it.")
        passwords = _Passwords(folder / "passwords")
        texts = {**_texts(passwords, tenant, queue_rights), **(given or {})}
        made = tuple(name for name in plane.secrets if not (place / name).exists())
        for name in plane.secrets:
            _write(place / name, texts[name], group)
        os.chown(place, -1, group)
        _write(folder / "docker-compose.yml", render(plane, group), None, 0o644)
        _write(folder / ".env.example", env_example(plane), None, 0o644)
    except OSError as error:
        raise Invalid(
            "compose_folder", f"The project cannot be written ({error.strerror}).", "Name a folder of your own."
        ) from error
    kept = tuple(name for name in plane.secrets if name not in made)
    return Written(compose=folder / "docker-compose.yml", made=made, kept=kept)


def channel_files(folder: Path) -> dict[str, str]:
    """The files of the control channel, as the tenant's authority and the control plane make them.

    Raises:
        Invalid: `compose_channel`.
    """
    found = {}
    for name, source in zip(CHANNEL_FILES, ("channel.crt", "channel.key", "ca.pem", "control.keys"), strict=True):
        try:
            found[name] = (folder / source).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            raise Invalid(
                "compose_channel",
                f"The folder of the control channel has no readable {source}.",
                "Have the control plane's host write it: frostbyte tenant credentials.",
            ) from None
    return found


class _Passwords:
    """Generated passwords, a file each that only the owner reads; what services are given is made of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True, mode=0o700)

    def __call__(self, name: str) -> str:
        path = self._folder / name
        if not path.exists():
            _write(path, secrets.token_urlsafe(_ENTROPY), None, 0o600)
        return path.read_text(encoding="ascii").strip()


def _texts(password: Made, tenant: str, queue_rights: Sequence[str]) -> Mapping[str, str]:
    """The content of every secret that a plane may have. Pure but for the passwords."""
    user = f"tenant_{tenant}"
    return {
        "postgres-password": password("postgres"),
        "postgres-url": f"postgresql://frostbyte_admin:{password('postgres')}@postgres:5432/postgres",
        "minio-password": password("minio"),
        "qdrant-api-key": password("qdrant"),
        "qdrant.yaml": f"service:\n  host: 0.0.0.0\n  api_key: {password('qdrant')}\n  jwt_rbac: true\n"
        "storage:\n  storage_path: /qdrant/storage\n  snapshots_path: /qdrant/storage/snapshots\n"
        "telemetry_disabled: true\n",
        "embedder-key": password("embedder"),
        "queue-url": f"redis://{user}:{password('redis')}@redis:6379/0",
        "redis.conf": _redis_conf(user, password("redis"), queue_rights),
        "clamd.conf": _CLAMD,
    }


def _redis_conf(user: str, password: str, rights: Sequence[str]) -> str:
    """No default user, no administrator, nothing on disk: the tenant's user and its rights are all there is."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    return (
        "bind 0.0.0.0\nport 6379\nprotected-mode no\n"  # users are asked for a password instead
        'dir /data\nsave ""\nappendonly no\nmaxmemory-policy noeviction\n'
        f"user default off\nuser {user} on #{digest} {' '.join(rights)}\n"
    )


def _write(path: Path, text: str, group: int | None, mode: int = _FILE_MODE) -> None:
    """Replace a file in one step, never wider than `mode`."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        if group is not None:
            os.fchown(file.fileno(), -1, group)
        file.write(text if text.endswith("\n") else text + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
