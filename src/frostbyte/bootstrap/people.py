"""People who sign in: what lets them in is wired alike for a plane and for the control plane."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.kernel.accounts.codes import Secrets
from frostbyte.kernel.accounts.register import Register
from frostbyte.kernel.accounts.sessions import Sessions
from frostbyte.kernel.accounts.signing_in import SigningIn
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.ports.unit_of_work import AccessUnitOfWorkFactory
from frostbyte.kernel.signing import KeySource
from frostbyte.kernel.tokens import Realm


@dataclass(frozen=True, kw_only=True)
class People:
    """What a person needs to come in, and what an administrator needs for that."""

    sessions: Sessions
    register: Register
    door: SigningIn


def people(
    realm: Realm, keys: KeySource, unit_of_work: AccessUnitOfWorkFactory, clock: Clock, *, owner: str, folder: Path
) -> People:
    """All of it.

    Args:
        realm: where sessions are good, and which roles there are.
        keys: sign and check cookies.
        unit_of_work: a transaction with accounts and the audit log.
        clock: the server's clock.
        owner: what the log calls the tenant or the control plane.
        folder: of the keys that sign. `accounts.key` is made there when it is first needed, by the process that signs
            people in; others only look.
    """
    sessions = Sessions(keys, realm, unit_of_work, clock, owner)
    secrets = Secrets(lambda: FileSecrets(folder).secret("accounts"))
    return People(
        sessions=sessions,
        register=Register(realm, unit_of_work, sessions, clock, owner),
        door=SigningIn(unit_of_work, sessions, secrets, clock, owner, realm.name),
    )
