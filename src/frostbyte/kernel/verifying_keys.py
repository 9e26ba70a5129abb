"""The control plane's keys as a plane knows them: pinned at install, and then only what one of them signed.

A closed plane fetches nothing. It believes the keys of the file FROSTBYTE_CONTROL_KEYS, and a message that one of the
keys it believes has signed may put other keys in their place. The key that signed has to be among them: so the set is
never empty, an unknown key can never change it, and whoever sends keys is still understood afterwards. A key is
therefore retired by its successor, never by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from frostbyte.kernel.errors import Forbidden, Invalid
from frostbyte.kernel.signing import Unreadable, VerifyingKey, WrongSignature, opened, verifying_key

MOST: Final = 8
"""Keys that a set holds at most; two are in use while one replaces another."""


class PinnedKeys(msgspec.Struct, frozen=True):
    """The keys that are believed: between one and `MOST`, each once."""

    keys: tuple[VerifyingKey, ...]

    def open(self, message: str, kind: str) -> tuple[dict[str, Any], str]:
        """(payload, id of the key that signed) of what claims to come from the control plane.

        Args:
            message: a compact JWS.
            kind: what it has to be, such as `frostbyte-directive`.

        Raises:
            Forbidden: `control_signature_wrong`.
        """
        try:
            return opened(message, self.keys, kind)
        except (Unreadable, WrongSignature):
            raise Forbidden(
                "control_signature_wrong",
                "This was not signed by a key of the control plane that this plane knows.",
                "Compare `frostbyte key list --control` with the file FROSTBYTE_CONTROL_KEYS of the plane.",
            ) from None

    def replaced(self, written: Sequence[str], signed_by: str) -> PinnedKeys:
        """The keys that are believed after a message, which `open` gave back, named these.

        Args:
            written: the keys as the message names them.
            signed_by: id of the key that signed the message.

        Raises:
            Forbidden: `control_signature_wrong`: that key is not one of this set.
            Invalid: `control_keys_wrong`: none, too many, one twice, no keys, or without the one that signed.
        """
        if signed_by not in {key.kid for key in self.keys}:
            raise Forbidden(
                "control_signature_wrong",
                "Keys can be changed only by a key that is known already.",
                "Let the control plane sign with a key that this plane knows.",
            )
        after = read(written)
        if signed_by not in {key.kid for key in after.keys}:
            raise _wrong("they leave out the key that signed them")
        return after

    @property
    def written(self) -> list[str]:
        """The keys as they are written for people and sent in messages."""
        return [str(key) for key in self.keys]


def read(written: Sequence[str]) -> PinnedKeys:
    """The set of these keys.

    Raises:
        Invalid: `control_keys_wrong`.
    """
    if not 1 <= len(written) <= MOST:
        raise _wrong(f"there have to be between 1 and {MOST}")
    try:
        keys = tuple(verifying_key(text) for text in written)
    except (ValueError, AttributeError):  # the latter: not a text at all
        raise _wrong("one of them is no key") from None
    if len({key.kid for key in keys}) != len(keys):
        raise _wrong("one is named twice")
    return PinnedKeys(keys)


def read_file(path: Path) -> PinnedKeys:
    """The keys of a file: one a line; empty lines and what follows `#` do not count.

    Raises:
        Invalid: `control_keys_unreadable` or `control_keys_wrong`.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise Invalid(
            "control_keys_unreadable",
            "The file with the control plane's verifying keys cannot be read.",
            "Check FROSTBYTE_CONTROL_KEYS; `frostbyte key list --control` shows what belongs into it.",
        ) from error
    return read([text for line in lines if (text := line.partition("#")[0].strip())])


def _wrong(why: str) -> Invalid:
    return Invalid(
        "control_keys_wrong",
        f"These are not verifying keys of a control plane: {why}.",
        "`frostbyte key list --control` shows them; one a line, each like ed25519:...",
    )
