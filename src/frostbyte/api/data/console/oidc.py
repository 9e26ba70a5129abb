"""Signing in to a plane by an issuer's word."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from frostbyte.api.data.access import PlaneDep
from frostbyte.api.http import oidc
from frostbyte.api.http.people import HOME
from frostbyte.kernel.oidc.settings import RETURN_PATH
from frostbyte.kernel.oidc.sign_in import Returned

router = APIRouter(include_in_schema=False)


@router.get(oidc.OUT)
def out(request: Request, plane: PlaneDep, to: oidc.To = HOME) -> Response:
    """Send a browser to the issuer."""
    return oidc.sent_out(request, plane.settings.tenant_id, plane.oidc, to)


@router.get(RETURN_PATH)
def back(request: Request, plane: PlaneDep, returned: Annotated[Returned, Depends(oidc.returned)]) -> Response:
    """Begin the session of somebody whom the issuer sent back."""
    return oidc.came_back(request, plane.settings.tenant_id, plane.oidc, plane.sessions, returned)
