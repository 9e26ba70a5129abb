"""Signs a bundle's sums, and checks the signature, with OpenSSH's `ssh-keygen -Y`: every host has it."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Final

from frostbyte.deploy.bundle.layout import NAMESPACE, SIGNATURE, SUMS
from frostbyte.kernel.errors import Invalid

IDENTITY: Final = "frostbyte"
"""The signer's name in the operator's list of allowed signers."""
_SECONDS: Final = 60
_COLUMNS: Final = 70


def sign(folder: Path, key: Path) -> None:
    """Write the signature beside the sums.

    Args:
        key: a private key of OpenSSH, or a public one whose private half an agent holds.

    Raises:
        Invalid: `bundle_key`: ssh-keygen is missing, or it does not sign with this key.
    """
    (folder / SIGNATURE).unlink(missing_ok=True)
    if _run("sign", "-q", "-n", NAMESPACE, "-f", str(key.absolute()), SUMS, folder=folder) != 0:
        raise Invalid(
            "bundle_key",
            "The bundle could not be signed with this key.",
            "Name a key of OpenSSH that you may read; `ssh-keygen -t ed25519 -f KEY` makes one.",
        )


def verify(folder: Path, signers: Path) -> bool:
    """Whether the sums are signed by one of the allowed signers.

    Args:
        signers: ssh-keygen's list of allowed signers. It must come from elsewhere than the bundle.

    Raises:
        Invalid: `bundle_signers`: it lies in the bundle, or cannot be read.
    """
    place = signers.resolve()
    if place.is_relative_to(folder.resolve()) or not place.is_file():
        raise Invalid(
            "bundle_signers",
            "The list of signers lies in the bundle itself, or cannot be read.",
            "Name the file that you were given by another way than the bundle.",
        )
    words = ("-n", NAMESPACE, "-I", IDENTITY, "-f", str(place), "-s", SIGNATURE)
    return _as_written(folder / SIGNATURE) and _run("verify", *words, folder=folder, said=folder / SUMS) == 0


def _as_written(path: Path) -> bool:
    """Whether a signature is to the byte as ssh-keygen writes it (OpenSSH, PROTOCOL.sshsig): it overlooks what comes
    behind the last line."""
    try:
        lines = path.read_text(encoding="ascii").split("\n")
        body = base64.b64encode(base64.b64decode("".join(lines[1:-2]), validate=True)).decode()
    except (OSError, ValueError):
        return False
    wrapped = [body[at : at + _COLUMNS] for at in range(0, len(body), _COLUMNS)]
    return lines == ["-----BEGIN SSH SIGNATURE-----", *wrapped, "-----END SSH SIGNATURE-----", ""]


def _run(what: str, *words: str, folder: Path, said: Path | None = None) -> int:
    try:
        with (said or Path("/dev/null")).open("rb") as given:
            return subprocess.run(  # noqa: S603 - a program of the host, words of ours
                ["ssh-keygen", "-Y", what, *words],  # noqa: S607
                cwd=folder,
                stdin=given,
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return -1
