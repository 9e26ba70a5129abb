"""Whether a plane's answer may be believed. Pure, but for the memory of nonces, which is its own.

A plane that answers for another tenant, under another log's key, or with something that it said before is not believed:
nothing that it says is noted, and it is told nothing. What remains is a named alarm with what was
expected and what came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from frostbyte.control_plane.registry.records import EndpointsRow, TenantRow
from frostbyte.kernel.channel import PlaneStanding
from frostbyte.kernel.records import PlaneState

NONCES: Final = 64
"""Remembered for each plane: a recording of more than a quarter of an hour ago cannot be told by them alone, but the
directive that answers its nonce will be refused by the plane that did not give it out."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with an answer."""

    code: str
    expected: str
    came: str
    believed: bool
    """Whether the exchange may go on all the same."""


CODES: Final = (
    "plane_foreign_tenant",
    "standing_log_key",
    "standing_replayed",
    "standing_ahead",
    "standing_behind",
    "standing_not_taken",
    "config_not_taken",
)


def asked(
    tenant: TenantRow, endpoints: EndpointsRow, acknowledged: int, answer: PlaneStanding, nonces: deque[str]
) -> list[Finding]:
    """What is wrong with the answer to the question where the plane stands.

    Args:
        tenant: as the registry has it now.
        endpoints: as they were registered.
        acknowledged: the version that the plane acknowledged before.
        answer: what it says.
        nonces: those that it gave out before.
    """
    return list(_identity(tenant, endpoints, answer, nonces)) + list(_version(tenant, acknowledged, answer))


def told(
    tenant: TenantRow,
    endpoints: EndpointsRow,
    version: int,
    order: PlaneState,
    answer: PlaneStanding,
    nonces: deque[str],
    *,
    config_version: int = 0,
) -> list[Finding]:
    """What is wrong with the answer to a directive of this version. Newer than that it may be: another was quicker.

    Args:
        config_version: of the configuration that the directive brought; 0 if it brought none.
    """
    found = list(_identity(tenant, endpoints, answer, nonces)) + list(_version(tenant, 0, answer))
    if answer.version < version or (answer.version == version and str(answer.state) != order.value):
        expected, came = f"{version} {order.value}", f"{answer.version} {answer.state}"
        found.append(Finding(code="standing_not_taken", expected=expected, came=came, believed=False))
    if answer.config_version < config_version:  # it stands as it was told to all the same
        came = str(answer.config_version)
        found.append(Finding(code="config_not_taken", expected=str(config_version), came=came, believed=True))
    return found


def _identity(
    tenant: TenantRow, endpoints: EndpointsRow, answer: PlaneStanding, nonces: deque[str]
) -> Iterator[Finding]:
    if answer.tenant_id != tenant.tenant_id:
        yield _never("plane_foreign_tenant", tenant.tenant_id, answer.tenant_id)
    if answer.log_key != endpoints.log_key:
        yield _never("standing_log_key", endpoints.log_key, answer.log_key)
    if answer.nonce in nonces:
        yield _never("standing_replayed", "a fresh nonce", answer.nonce)


def _version(tenant: TenantRow, acknowledged: int, answer: PlaneStanding) -> Iterator[Finding]:
    if answer.version > tenant.standing_version:  # the registry came from an old copy, or somebody else gives orders
        yield _never("standing_ahead", str(tenant.standing_version), str(answer.version))
    if answer.version < acknowledged:  # the plane came from an old copy: tell it again what it forgot
        came = str(answer.version)
        yield Finding(code="standing_behind", expected=str(acknowledged), came=came, believed=True)


def _never(code: str, expected: str, came: str) -> Finding:
    return Finding(code=code, expected=expected, came=came, believed=False)
