"""What every command does and answers: an operation that is begun, on the tenant as it was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from fastapi import Response
from fastapi.responses import JSONResponse

from frostbyte.api.control import shown
from frostbyte.api.http.problems import Refused
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.provisioning.asking import Asked
from frostbyte.control_plane.registry.records import OperationKind, OperationRow
from frostbyte.control_plane.registry.states import Move
from frostbyte.kernel.errors import Conflict, FrostbyteError, Unavailable

_OF_HOSTS: Final = frozenset({Move.RETRY, Move.ABANDON, Move.DEPROVISION})


def moving(
    control: ControlPlane, tenant_id: str, move: Move, *, destroy_data: bool = False, **how: Any
) -> OperationRow:
    """Begin the operation of a move, with the hosts that it needs.

    Args:
        destroy_data: also the volume that held the tenant's data.
        how: as registry.operations.Operations.begin has it: who, why, as it was seen, once.

    Raises:
        FrostbyteError: what `begin` raises; Unavailable("provisioning_missing").
    """
    if destroy_data:
        return provisioning_of(control).begin(tenant_id, move, {"destroy_data": True}, **how)
    if control.provisioning is not None and move in _OF_HOSTS:
        return control.provisioning.begin(tenant_id, move, **how)
    return control.operations.begin(tenant_id, move, **how)


def working(
    control: ControlPlane, tenant_id: str, kind: OperationKind, request: Mapping[str, Any], **how: Any
) -> OperationRow:
    """Begin a duty.

    Args:
        request: as the duty reads it.
        how: as upkeep.foreman.Foreman.begin has it: who, why, as it was seen, once.

    Raises:
        FrostbyteError: what `Foreman.begin` raises; Unavailable as `missing`.
    """
    if control.foreman is None or kind not in control.foreman.kinds:
        raise missing(control)
    return control.foreman.begin(tenant_id, kind, request, **how)


def provisioning_of(control: ControlPlane) -> Asked:
    """What makes hosts.

    Raises:
        Unavailable: `provisioning_missing`.
    """
    if control.provisioning is None:
        raise missing(control)
    return control.provisioning


def missing(control: ControlPlane) -> Unavailable:
    """What is missing here for making hosts and working on them.

    Returns:
        `sops_missing` or `recovery_recipient_missing` where secrets cannot be sealed, else `provisioning_missing`.
    """
    if control.hosting is not None and control.hosting.lacking is not None:
        return control.hosting.lacking
    return Unavailable(
        "provisioning_missing",
        "This control plane makes no hosts: it knows no cloud.",
        "Set FROSTBYTE_HCLOUD_TOKEN_FILE and start it again, or take a plane that stands into service: "
        "frostbyte tenant attach.",
    )


@contextmanager
def as_seen() -> Iterator[None]:
    """Another version than the one in If-Match is 412 (RFC 9110, section 15.5.13)."""
    try:
        yield
    except Conflict as error:
        if error.code != "tenant_changed":
            raise
        raise Refused(error, status=412) from error


def carried(control: ControlPlane, operation: OperationRow) -> Response:
    """202: it goes on by itself, and this is how far it is. It was decided: nothing that fails now makes it undone."""
    control.carry(operation)
    try:
        row = control.operations.show(operation.operation_id)
    except FrostbyteError:  # the registry went away; the answer is what it wrote down
        row = operation
    location = f"/api/v1/admin/operations/{row.operation_id}"
    return JSONResponse(shown.operation(row), 202, {"Location": location})
