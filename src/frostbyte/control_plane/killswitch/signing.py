"""The control plane's word to a plane, signed with its environment's key."""

from __future__ import annotations

from collections.abc import Callable

from frostbyte.control_plane.registry.records import TenantRow
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.directive import DirectedConfig, Directive, sign_directive
from frostbyte.kernel.records import PlaneState
from frostbyte.kernel.signing import SigningKey


class DirectiveSigner:
    """See killswitch.ports.Sign.

    Args:
        key: the key that signs now.
        keys: every key that planes are to believe, as they are written; that one among them.
        witness_key: verifier key of the ledger; '' for none.
        clock: for `issued_at`, which is for people.
    """

    def __init__(
        self, key: Callable[[], SigningKey], keys: Callable[[], tuple[str, ...]], witness_key: str, clock: Clock
    ) -> None:
        self._key, self._keys, self._witness_key, self._clock = key, keys, witness_key, clock

    def __call__(self, tenant: TenantRow, order: PlaneState, nonce: str, config: DirectedConfig | None = None) -> str:
        directive = Directive(
            tenant_id=tenant.tenant_id,
            version=tenant.standing_version,
            state=order,
            nonce=nonce,
            keys=self._keys(),
            witness_key=self._witness_key,
            config=config,
            issued_at=int(self._clock.now().timestamp()),
        )
        return sign_directive(directive, self._key())
