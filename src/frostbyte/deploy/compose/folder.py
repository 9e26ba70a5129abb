"""Writes a plane's compose project: the file, its secrets, what an operator may set."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from frostbyte.deploy.compose.options import Options
from frostbyte.deploy.compose.plane import CHANNEL_FILES, plane
from frostbyte.deploy.compose.render import env_example, render
from frostbyte.deploy.compose.texts import Token, texts
from frostbyte.kernel.errors import Invalid

COMPOSE: Final = "docker-compose.yml"
ENV_EXAMPLE: Final = ".env.example"
_FILE_MODE: Final = 0o640
_FOLDER_MODE: Final = 0o750
_ENTROPY: Final = 32
"""Random bytes of a password: 43 characters."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """Secrets that were written.

    Attributes:
        made: names of those that are new.
        kept: of those that were there: they stay as they are, but for what another version says in their files.
    """

    made: tuple[str, ...]
    kept: tuple[str, ...]


def write(
    folder: Path, options: Options, *, queue_rights: Sequence[str], token: Token, given: Mapping[str, str] | None = None
) -> Written:
    """Write the project into `folder`. Arguments and errors as for `write_secrets`."""
    project = plane(options)
    written = write_secrets(folder, options, queue_rights=queue_rights, token=token, given=given)
    with _refused():
        _write(folder / COMPOSE, render(project), None, 0o644)
        _write(folder / ENV_EXAMPLE, env_example(project, {}), None, 0o644)
    return written


def write_secrets(
    folder: Path, options: Options, *, queue_rights: Sequence[str], token: Token, given: Mapping[str, str] | None = None
) -> Written:
    """Write the secrets of a project into `folder`, and nothing else: on a bundle's host, where the rest is signed.

    Doing it again keeps every password, so a plane can be described anew.

    Args:
        queue_rights: what the tenant's user may do on Redis, as words of its access list.
        token: makes the tenant's token for the vector store of its key.
        given: secrets that somebody else made, by name (see `channel_files`).

    Raises:
        Invalid: `compose_folder`: it cannot be written, or its secrets are open to others; as `plane`.
    """
    names = plane(options).secrets
    place = folder / "secrets"
    with _refused():
        place.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        if place.stat().st_mode & 0o007:
            raise Invalid("compose_folder", "The folder for the secrets is open to others.", "Run chmod o-rwx on it.")
        contents = {**texts(options, _Passwords(folder / "passwords"), queue_rights, token), **(given or {})}
        made = tuple(name for name in names if not (place / name).exists())
        for name in names:
            _write(place / name, contents[name], options.group)
        os.chown(place, -1, options.group)
    return Written(made=made, kept=tuple(name for name in names if name not in made))


def bundled(options: Options) -> dict[str, str]:
    """The compose project of a bundle: its files by their names, the same for every host; pure.

    What differs between hosts they ask of .env (`Options.values`), and a variable that is not set there is an error of
    compose: no host runs with another's networks by accident. In .env.example the values are those of the options.

    Raises:
        Invalid: as `plane`; `compose_channel` too for a plane with a control channel, which no bundle has.
    """
    if options.on is not None or options.channel_port:
        raise Invalid(
            "compose_channel", "A bundle is for a plane without a control plane.", "Use frostbyte deploy compose."
        )
    project = plane(replace(options, by_environment=True))
    return {COMPOSE: render(project), ENV_EXAMPLE: env_example(project, options.values)}


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Invalid(
            "compose_folder", f"The project cannot be written ({error.strerror}).", "Name a folder of your own."
        ) from error


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
