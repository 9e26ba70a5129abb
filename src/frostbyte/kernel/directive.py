"""What the control plane tells a plane: a signed, versioned directive.

A directive counts only with the newest nonce that the plane gave out, so one that was recorded does nothing later, and
no clock has to be trusted: the lease that it brings runs from when the plane gave that nonce out. `issued_at` is for
people, and a second opinion where documents expire by the plane's own clock (data_plane/lifecycle/trusted_time.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from frostbyte.kernel.errors import Conflict, Forbidden, Invalid
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.signing import SigningKey
from frostbyte.kernel.verifying_keys import MOST, PinnedKeys

LEASE_SECONDS: Final = 60
"""How long a plane may begin work after it was last told to (the design's number); no directive grants more."""
LONGEST: Final = 16 * 1024
"""Characters of a signed directive at most: a few keys, a few words and a configuration."""
KIND: Final = "frostbyte-directive"
"""The `typ` of its header: no token that the same key signs can pass for a directive."""

_Word = Annotated[str, msgspec.Meta(max_length=512)]


class DirectedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The tenant's configuration, as the registry has it."""

    version: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    """The registry's: the plane counts its own versions."""
    values: dict[str, Any]
    """All settings. Who reads them checks them: a plane of another version may know others, and stops all the same."""


class Directive(msgspec.Struct, frozen=True, kw_only=True):
    """What a plane is told."""

    tenant_id: Annotated[str, msgspec.Meta(max_length=32)]
    version: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    """Raised by every change of the tenant's state; a plane takes none that is lower than its last."""
    state: PlaneState
    nonce: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    """The newest that the plane gave out."""
    lease_seconds: Annotated[int, msgspec.Meta(ge=1, le=LEASE_SECONDS)] = LEASE_SECONDS
    """How long the plane may begin work, from when it gave the nonce out."""
    keys: Annotated[tuple[_Word, ...], msgspec.Meta(max_length=MOST)] = ()
    """The control plane's verifying keys from now on, that of the one that signs among them; () leaves them."""
    witness_key: _Word = ""
    """Verifier key of the ledger that cosigns the plane's checkpoints; '' for none."""
    config: DirectedConfig | None = None
    """Where the plane said that it has an older one; None else."""
    issued_at: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
    """Seconds since 1970 by the control plane's clock."""


class NonceOld(Conflict):
    """The directive answers an earlier exchange.

    Args:
        nonce: the newest one: sign again with it.
    """

    def __init__(self, nonce: str) -> None:
        super().__init__(
            "directive_nonce",
            "The directive does not carry the newest nonce of this plane.",
            "Sign it again with the nonce of this answer.",
        )
        self.nonce = nonce

    def __reduce__(self) -> tuple[object, ...]:
        return (NonceOld, (self.nonce,))


def sign_directive(directive: Directive, key: SigningKey) -> str:
    """The directive as a compact JWS of the environment's signing key."""
    return key.sign(msgspec.to_builtins(directive), KIND)


def open_directive(text: str, keys: PinnedKeys, tenant_id: str) -> tuple[Directive, str]:
    """What the directive says, and the id of the key that signed it.

    Args:
        keys: those that the plane believes.
        tenant_id: whose plane opens it.

    Raises:
        Forbidden: `directive_signature_wrong`, `directive_foreign_tenant`.
        Invalid: `directive_malformed`: signed, and yet none.
    """
    if len(text) > LONGEST:
        raise _malformed()
    try:
        payload, kid = keys.open(text, KIND)
    except Forbidden:
        raise Forbidden(
            "directive_signature_wrong",
            "The directive is not signed by a key of the control plane that this plane knows.",
            "Compare the control plane's verifying keys with the file FROSTBYTE_CONTROL_KEYS of the plane.",
        ) from None
    return _read(payload, tenant_id), kid


def _read(payload: dict[str, Any], tenant_id: str) -> Directive:
    try:
        directive = msgspec.convert(payload, Directive)
    except (msgspec.ValidationError, RecursionError):
        raise _malformed() from None
    if directive.tenant_id != tenant_id:
        raise Forbidden(
            "directive_foreign_tenant",
            "The directive is for another tenant's plane.",
            "Compare the address of the channel that the control plane has with this plane's tenant.",
        )
    return directive


def _malformed() -> Invalid:
    return Invalid(
        "directive_malformed",
        "This is not a directive of a control plane.",
        "Run the same version of Frostbyte in the control plane and in the plane.",
    )
