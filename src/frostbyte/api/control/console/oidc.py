"""Signing in at the control plane by an issuer's word."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from frostbyte.api.control.access import ControlDep
from frostbyte.api.http import oidc
from frostbyte.api.http.people import HOME
from frostbyte.kernel.oidc.settings import RETURN_PATH
from frostbyte.kernel.oidc.sign_in import Returned

router = APIRouter(include_in_schema=False)


@router.get(oidc.OUT)
def out(request: Request, control: ControlDep, to: oidc.To = HOME) -> Response:
    """Send a browser to the issuer."""
    return oidc.sent_out(request, control.settings.environment, control.oidc, to)


@router.get(RETURN_PATH)
def back(request: Request, control: ControlDep, returned: Annotated[Returned, Depends(oidc.returned)]) -> Response:
    """Begin the session of somebody whom the issuer sent back."""
    return oidc.came_back(request, control.settings.environment, control.oidc, control.sessions, returned)
