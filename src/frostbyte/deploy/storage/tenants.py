"""The steps over all stores. Each may be killed at any moment and done again; twice is once.

A refusal proves isolation only if the credentials are good and if there was something to reach. So a verification first
does the tenant's own work, and tries its crossings against a decoy: a second tenant that is provisioned for it, with
something planted in every store, and destroyed after it. The decoy's credentials are tried against the tenant as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from frostbyte.deploy.storage.folder import SecretFolder
from frostbyte.deploy.storage.report import Finding, Outcome, Report
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ports.tenant_stores import Attempt, Refused, TenantStore

Say = Callable[[str, str], None]
"""Hears of each thing that was done: the store's name and a sentence."""


def decoy_of(tenant: str) -> str:
    """The id of a tenant's decoy: always the same, so that what a killed verification left is found by the next."""
    return "decoy" + hashlib.sha256(tenant.encode()).hexdigest()[:20]


def provision(stores: Sequence[TenantStore], tenant: str, folder: SecretFolder, say: Say) -> None:
    """Make the tenant's part of every store, and write the secrets and the settings of its plane.

    Raises:
        Unavailable: a store does not answer, or refuses the administrator. Do it again: it goes on from there.
    """
    settings = {"FROSTBYTE_TENANT_ID": tenant}
    for store in stores:
        for done in store.provision(tenant, folder):
            say(store.name, done)
        settings |= store.settings(tenant, folder)
    folder.settings(settings)


def destroy(stores: Sequence[TenantStore], tenant: str, folder: SecretFolder, say: Say) -> list[str]:
    """Remove the tenant from every store, and then its secrets; what was removed, a sentence each.

    Raises:
        Unavailable: a store does not answer. Do it again: it goes on from there.
        FrostbyteError: `tenant_remains`: a store still holds something of the tenant.
    """
    removed = []
    for store in stores:
        for done in store.destroy(tenant):
            say(store.name, done)
            removed.append(f"{store.name}: {done}")
        if rest := store.remains(tenant):
            raise FrostbyteError(
                "tenant_remains",
                f"The {store.name} still hold of the tenant: {', '.join(rest)}.",
                "Destroy again; if it stays, look at the server.",
            )
    removed += [f"secrets: removed {name}" for name in folder.remove()]
    return removed


def verify(
    stores: Sequence[TenantStore],
    tenant: str,
    folder: SecretFolder,
    other: str,
    other_folder: SecretFolder | None = None,
) -> Report:
    """Try to cross, in every store, from the tenant to the other one; and back where the other's secrets are given."""
    findings: list[Finding] = []
    for store in stores:
        sides = [(tenant, folder, other)]
        if other_folder is not None:
            sides.append((other, other_folder, tenant))
        for acting, secrets, target in sides:
            findings += _tried(store.name, acting, acting, Outcome.ALLOWED, lambda: store.uses(acting, secrets))  # noqa: B023
            findings += _tried(
                store.name,
                acting,
                target,
                Outcome.DENIED,
                lambda: store.crossings(acting, secrets, target),  # noqa: B023
            )
    return Report(tenant=tenant, against=other, at=datetime.now(UTC), findings=tuple(findings))


def with_decoy(
    stores: Sequence[TenantStore], tenant: str, folder: SecretFolder, decoy_folder: SecretFolder, say: Say
) -> Report:
    """`verify` against a decoy that is made for it and destroyed after it, also if something fails."""
    decoy = decoy_of(tenant)
    try:
        provision(stores, decoy, decoy_folder, say)
        for store in stores:
            for done in store.plant(decoy, decoy_folder):
                say(store.name, done)
            for done in store.plant(tenant, folder):
                say(store.name, done)
        return verify(stores, tenant, folder, decoy, decoy_folder)
    finally:
        destroy(stores, decoy, decoy_folder, say)


def _tried(
    store: str, acting: str, target: str, wanted: Outcome, attempts: Callable[[], Sequence[Attempt]]
) -> Iterator[Finding]:
    for attempt in attempts():
        code = ""
        try:
            attempt.run()
            outcome = Outcome.ALLOWED
        except Refused:
            outcome = Outcome.DENIED
        except FrostbyteError as error:
            outcome, code = Outcome.UNANSWERED, error.code
        yield Finding(
            store=store, acting=acting, target=target, what=attempt.what, wanted=wanted, outcome=outcome, code=code
        )
