"""A server that signs people in by an issuer's word, both in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.memory.signing_keys import MemoryTokenKeys
from frostbyte.adapters.memory.unit_of_work import MemoryStore
from frostbyte.adapters.oidc.memory import MemoryIssuer
from frostbyte.kernel.oidc.settings import OidcSettings
from frostbyte.kernel.oidc.sign_in import OidcSignIn
from frostbyte.kernel.ports.issuer import Issuer
from frostbyte.kernel.tokens import plane_realm
from oidc.browsing import told


class Signing:
    """A plane, its issuer, and what a browser does between them."""

    def __init__(self, issuer: Issuer | None = None, **settings: Any) -> None:
        self.clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC))
        self.issuer = MemoryIssuer(self.clock)
        self.issuer.people = {
            "ann": {"sub": "a-1", "groups": ["everybody", "legal"]},
            "bob": {"sub": "b-2", "groups": ["everybody"]},
        }
        values: dict[str, Any] = {
            "issuer": self.issuer.issuer,
            "client_id": self.issuer.client_id,
            "address": "https://acme.example",
            "roles": (("admins", "admin"), ("legal", "reviewer")),
        }
        self.settings = OidcSettings(**values | settings)
        self.store = MemoryStore()
        self.keys = MemoryTokenKeys(self.clock)
        self.here = self.at("acme", issuer)

    def at(self, tenant: str, issuer: Issuer | None = None) -> OidcSignIn:
        """A plane with the same keys and issuer."""
        return OidcSignIn(
            self.settings,
            issuer or self.issuer,
            self.keys.keys,
            plane_realm(tenant),
            self.store.unit_of_work,
            self.clock,
            tenant,
        )

    def returned(self, person: str = "ann", to: str = "/console/") -> dict[str, str]:
        """What a browser comes back with after somebody signed in at the issuer."""
        begun = self.here.begin(to)
        return told(self.issuer.answered(begun.address, person), begun.cookie)


@pytest.fixture
def signing() -> Signing:
    """See Signing."""
    return Signing()
