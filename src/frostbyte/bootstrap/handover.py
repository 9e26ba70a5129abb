"""What a tenant's host is given so that its plane can be attached by hand.

    ca.pem                              the tenant's authority: who it vouches for is let in
    gateway.crt, gateway.key            what the edge recognises the gateway by
    channel.crt, channel.key            what the control plane recognises the control channel by
    control.keys                        the control plane's keys, pinned: directives signed by others are refused
    plane.env                           the settings that name these files

The authority's own key stays with the control plane, and so do the keys that sign directives.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Conflict, Invalid
from frostbyte.kernel.settings import tenant_name

SERVERS: Final = ("gateway", "channel")
GATEWAY_PORT: Final = 8080
CHANNEL_PORT: Final = 8091


def hand_over(settings: ControlSettings, tenant: str, hosts: Sequence[str], out: Path, at: Path) -> list[Path]:
    """Write the folder; again after two thirds of the certificates' life, and it holds fresh ones.

    Args:
        settings: of the control plane; this runs on its host, beside its data.
        tenant: whose host it is.
        hosts: names and addresses that edge and control plane reach it by.
        out: where to write; files that are there are replaced, each in one step.
        at: where the folder will lie on the tenant's host.

    Returns:
        the files, in the order of the list above.

    Raises:
        Invalid: `settings_invalid`: no tenant can be called that; `host_invalid`, `handover_impossible`.
        Conflict: `control_plane_absent`: no control plane has started with this data folder yet.
    """
    tenant_name(tenant)
    if not settings.keys_folder.is_dir():
        raise Conflict(
            "control_plane_absent",
            "This data folder holds no control plane's keys.",
            "Start it once (`frostbyte serve control`), and name its folder: FROSTBYTE_CONTROL_DATA_DIR.",
        )
    keys = FileTokenKeys(settings.keys_folder, SystemClock(), create=False).keys()
    authority = Authorities(settings.data_dir / "authorities").of(tenant)
    files = {"ca.pem": authority.ca_file.read_text(encoding="ascii")}
    for name in SERVERS:
        authority.server(name, hosts)
        for ours, theirs in (("public.crt", "crt"), ("private.key", "key")):
            files[f"{name}.{theirs}"] = (authority.ca_file.parent / name / ours).read_text(encoding="ascii")
    files["control.keys"] = "".join(f"{key}\n" for key in keys.accepted)
    files["plane.env"] = "".join(f"{name}={value}\n" for name, value in _environment(tenant, at).items())
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [_write(out / name, text) for name, text in files.items()]
    except OSError as error:
        raise Invalid(
            "handover_impossible",
            f"The folder cannot be written ({error.strerror}).",
            "Name a folder that you may write to.",
        ) from None


def _environment(tenant: str, at: Path) -> dict[str, str]:
    return {
        "FROSTBYTE_MODE": "online",
        "FROSTBYTE_TENANT_ID": tenant,
        "FROSTBYTE_LISTEN": f"0.0.0.0:{GATEWAY_PORT}",
        "FROSTBYTE_TLS_CERTIFICATE": str(at / "gateway.crt"),
        "FROSTBYTE_TLS_KEY": str(at / "gateway.key"),
        "FROSTBYTE_TLS_CLIENT_CA": str(at / "ca.pem"),
        "FROSTBYTE_CHANNEL_LISTEN": f"0.0.0.0:{CHANNEL_PORT}",
        "FROSTBYTE_CHANNEL_CERTIFICATE": str(at / "channel.crt"),
        "FROSTBYTE_CHANNEL_KEY": str(at / "channel.key"),
        "FROSTBYTE_CHANNEL_CLIENT_CA": str(at / "ca.pem"),
        "FROSTBYTE_CONTROL_KEYS": str(at / "control.keys"),
    }


def _write(path: Path, text: str) -> Path:
    """Whole or not at all, and a key for nobody but its owner."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    mode = 0o600 if path.suffix == ".key" else 0o644
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path
