"""age keys and files (C2SP age): what of them a vault needs, in its own words."""

from __future__ import annotations

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
