"""Who asks the control plane, in which role, and how often.

Roles are the scopes of its tokens. A viewer reads, an operator changes tenants, an auditor reads the ledger, an admin
does everything. Every caller has a limit of requests of its own: a script that runs wild stops nobody else.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field

from frostbyte.api.http.access import asking, limiter_of
from frostbyte.api.http.visiting import asked_by_script, visit_at
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.errors import Unauthenticated
from frostbyte.kernel.tokens import Caller, Role

PER_MINUTE: Final = {"admin": 60}
"""Requests that one caller may make in any 60 seconds."""
READ: Final = (Role.VIEWER, Role.OPERATOR, Role.AUDITOR, Role.ADMIN)
"""Whoever is known at all may see tenants and operations."""
CHANGE: Final = (Role.OPERATOR, Role.ADMIN)
LEDGER: Final = (Role.AUDITOR, Role.ADMIN)
ALL: Final = (Role.ADMIN,)
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", examples=["eu-1"])]
"""Of a project."""
TenantId = Annotated[str, Field(pattern=r"^[a-z0-9]{1,32}$", examples=["acme"])]
_bearer = HTTPBearer(auto_error=False, description="A token of this control plane")


def control_of(request: Request) -> ControlPlane:
    """The control plane that this application serves."""
    control = request.app.state.control
    assert isinstance(control, ControlPlane)
    return control


ControlDep = Annotated[ControlPlane, Depends(control_of)]


def visit_of(request: Request, control: ControlPlane) -> Visit | None:
    """The visit of whoever signed in; see visiting.visit_at."""
    return visit_at(request, control.settings.environment, control.sessions)


def caller_of(
    request: Request,
    control: ControlDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The caller that the token or API key proves, or the session of the console, whose scripts ask here too; counted.

    Raises:
        Unauthenticated: `token_missing`, or what `Admission.caller` and `Sessions.visit` raise.
        Forbidden: `request_forged`: with a session alone, what changes something has to come from its own page.
        TooMany: `rate_limited`: this caller's requests of the last minute are too many.
    """
    if credentials is not None:
        caller = control.admission.caller(credentials.credentials)
    elif (visit := visit_of(request, control)) is not None:
        caller = asked_by_script(request, visit)
    else:
        raise Unauthenticated("token_missing", "This route needs a token.", "Send 'Authorization: Bearer TOKEN'.")
    limiter_of(request).take("admin", caller.subject)
    return caller


def needs(roles: tuple[Role, ...]) -> Any:
    """A dependency: the caller, if it has one of the roles."""
    return asking(caller_of, roles)
