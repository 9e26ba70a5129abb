"""age keys and files (C2SP age): what of them a vault needs, in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyrage

from frostbyte.kernel.errors import Invalid

SECRET: Final = "AGE-SECRET-KEY-"  # noqa: S105 - what every identity begins with


def fresh() -> tuple[str, str]:
    """A new identity (X25519) and its public key, the recipient."""
    made = pyrage.x25519.Identity.generate()
    return str(made), str(made.to_public())


def public(identity: str) -> str:
    """The recipient that belongs to an identity. Raises ValueError."""
    try:
        return str(pyrage.x25519.Identity.from_str(identity).to_public())
    except pyrage.IdentityError:
        raise ValueError("no identity of age") from None


def sealed(plain: bytes, recipient: str) -> bytes:
    """Sealed for a recipient, as text (armoured)."""
    return bytes(pyrage.encrypt(plain, [pyrage.x25519.Recipient.from_str(checked(recipient))], armored=True))


def sealed_for(plain: bytes, recipients: Sequence[str]) -> bytes:
    """Sealed for several recipients, each of whom can open it, as text (armoured).

    Raises:
        Invalid: `recovery_recipient_invalid`.
    """
    keys = [pyrage.x25519.Recipient.from_str(checked(recipient)) for recipient in recipients]
    return bytes(pyrage.encrypt(plain, keys, armored=True))


def checked(recipient: str) -> str:
    """The recipient. Raises Invalid("recovery_recipient_invalid")."""
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise Invalid(
            "recovery_recipient_invalid",
            "The recovery recipient is no public key of age.",
            "Set FROSTBYTE_RECOVERY_RECIPIENT to a public key (age1...) that `age-keygen` made on another machine.",
        ) from None
    return recipient


def opened(data: bytes, identity: str) -> bytes:
    """What was sealed for an identity's recipient.

    Args:
        identity: the text of the file that `age-keygen` writes.

    Raises:
        Invalid: `export_identity`: it is no identity of age, or another's.
    """
    secret = next((line.strip() for line in identity.splitlines() if line.startswith(SECRET)), "")
    try:
        return bytes(pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(secret)]))
    except (pyrage.IdentityError, pyrage.DecryptError):
        raise Invalid(
            "export_identity",
            "The keys in the archive cannot be opened with this identity.",
            "Give the file that age-keygen wrote for the recipient that the export was made for.",
        ) from None


def recipient(text: str) -> str:
    """Who an export's keys are sealed for. Raises Invalid("export_recipient")."""
    try:
        return checked(text.strip())
    except Invalid:
        raise Invalid(
            "export_recipient",
            "An export needs a public key of age that its keys are sealed for, and this is none.",
            "Run `age-keygen` on another machine, keep the identity there, and name its public key (age1...).",
        ) from None
