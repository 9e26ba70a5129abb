"""The program `sops`, asked without a secret on its command line, in its environment or in a file.

What is to be sealed goes in through its standard input and what was opened comes out of its standard output. It finds
no configuration, no agent and no other key than those it is told: its environment is made here.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from frostbyte.kernel.errors import Unavailable

_SECONDS: Final = 30.0
"""For one call; it takes a tenth of a second."""
NOWHERE: Final = "/nonexistent"


class Sops:
    """One installed program.

    Args:
        program: a path, or a name to be looked for.

    Raises:
        Unavailable: `sops_missing`.
    """

    def __init__(self, program: str = "sops") -> None:
        found = shutil.which(program)
        if found is None:
            raise Unavailable(
                "sops_missing",
                "The program sops is not installed here, so no secret can be sealed.",
                "Install SOPS 3.9 or later (tools/servers.sh sops builds it), or name it: FROSTBYTE_SOPS.",
            )
        self._program = found

    def encrypt(self, plain: bytes, recipients: Sequence[str]) -> bytes:
        """A JSON document, sealed for age recipients. Raises Unavailable("sops_failed")."""
        arguments = ["--age", ",".join(recipients), "--filename-override", "secrets.sops.json"]
        return self._run(["encrypt", *arguments, "--input-type", "json", "--output-type", "json"], plain, None)

    def decrypt(self, sealed: Path, identity: Path) -> bytes:
        """What is sealed in a file, by the identity in another. Raises Unavailable("sops_failed")."""
        return self._run(["decrypt", "--input-type", "json", "--output-type", "json", str(sealed)], b"", identity)

    def _run(self, arguments: Sequence[str], given: bytes, identity: Path | None) -> bytes:
        environment = {"HOME": NOWHERE, "XDG_CONFIG_HOME": NOWHERE, "PATH": NOWHERE}
        if identity is not None:
            environment["SOPS_AGE_KEY_FILE"] = str(identity)
        try:
            done = subprocess.run(  # noqa: S603  # no shell, and no word of it comes from outside
                [self._program, "--config", "/dev/null", *arguments],
                input=given,
                capture_output=True,
                env=environment,
                cwd="/",
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(type(error).__name__) from None
        if done.returncode != 0:
            # Its words may quote what it read: only how it ended is told.
            raise _failed(f"exit status {done.returncode}")
        return done.stdout


def _failed(why: str) -> Unavailable:
    return Unavailable(
        "sops_failed",
        f"sops did not do what it was asked ({why}).",
        "Run `sops --decrypt` on the tenant's file in the vault with SOPS_AGE_KEY_FILE set: it says why.",
    )
