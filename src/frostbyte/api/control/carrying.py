"""What every command answers: an operation that was begun, on the tenant as it was seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Response
from fastapi.responses import JSONResponse

from frostbyte.api.control import shown
from frostbyte.api.http.problems import Refused
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.control_plane.registry.records import OperationRow
from frostbyte.kernel.errors import Conflict, FrostbyteError


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
