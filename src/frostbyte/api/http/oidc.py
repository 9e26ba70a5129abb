"""The two requests of a sign-in by an issuer's word: out with a state, and back with a code."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query, Request
from fastapi.responses import RedirectResponse, Response
from msgspec.structs import replace

from frostbyte.api.http.people import SIGN_IN, device_of, within
from frostbyte.api.http.visiting import cookie_name, cookie_of, forget, keep
from frostbyte.kernel.accounts.records import By
from frostbyte.kernel.accounts.sessions import Sessions
from frostbyte.kernel.errors import NotFound
from frostbyte.kernel.oidc.settings import RETURN_PATH
from frostbyte.kernel.oidc.sign_in import OidcSignIn, Returned

To = Annotated[str, Query(max_length=2048, description="the page that is wanted")]
Said = Annotated[str, Query(max_length=4096)]
OUT: Final = f"{SIGN_IN}/oidc"
OPEN: Final = frozenset({OUT, RETURN_PATH})
"""Pages for who is not signed in."""


def sent_out(request: Request, place: str, sign_in: OidcSignIn | None, to: str) -> Response:
    """Send a browser to the issuer.

    Args:
        request: asks for it.
        place: the tenant or the environment.
        sign_in: the way; None where there is none.
        to: the page that is wanted; any but one of the console is the overview.

    Raises:
        NotFound: `oidc_not_set_up`.
        Unavailable: what `OidcSignIn.begin` raises.
    """
    begun = _there(sign_in).begin(within(to))
    answer = RedirectResponse(begun.address, status_code=303)
    keep(answer, request, _pending(place), begun.cookie)
    return answer


def came_back(
    request: Request, place: str, sign_in: OidcSignIn | None, sessions: Sessions, returned: Returned
) -> Response:
    """Begin the session of somebody whom the issuer sent back; whoever was signed in in this browser is not any more.

    Args:
        request: of the browser that came back.
        place: the tenant or the environment.
        sign_in: the way; None where there is none.
        sessions: of this server.
        returned: what stands in the address; the cookie is added here.

    Raises:
        NotFound: `oidc_not_set_up`.
        Unauthenticated, Forbidden, Unavailable: what `OidcSignIn.finish` raises.
    """
    cookie = request.cookies.get(cookie_name(request, _pending(place)), "")
    found = _there(sign_in).finish(replace(returned, cookie=cookie))
    if (before := cookie_of(request, place)) is not None:
        sessions.end(before)
    answer = RedirectResponse(found.to, status_code=303)
    keep(answer, request, place, sessions.begin(found.subject, found.role, by=By.OIDC, device=device_of(request)))
    forget(answer, request, _pending(place))
    return answer


def returned(state: Said = "", code: Said = "", error: Said = "", iss: Said = "") -> Returned:
    """What stands in the address that an issuer sends a browser back to: a dependency."""
    return Returned(state=state, code=code, error=error, issuer=iss)


def _pending(place: str) -> str:
    """Whose cookie it is: of a sign-in that was begun. No place has a dot in its name."""
    return f"{place}.oidc"


def _there(sign_in: OidcSignIn | None) -> OidcSignIn:
    if sign_in is None:
        raise NotFound("oidc_not_set_up", "No issuer signs people in here.", "Sign in with an account of this server.")
    return sign_in
