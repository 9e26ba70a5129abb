"""Rooms that both consoles have alike: signing in and out, setting an account up, one's own account, all people.

Who comes in is asked for name, password and code in one form, which works without a script. A set-up link's secret
stands behind the `#` of its address, where no server sees it; the page's script puts it into the form, or somebody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from frostbyte.api.http.problems import STATUS
from frostbyte.api.http.visiting import check_from_here, cookie_name, cookie_of, forget, keep, secure
from frostbyte.bootstrap.people import People
from frostbyte.console.pictures import qr_path
from frostbyte.kernel.accounts import sessions
from frostbyte.kernel.accounts.records import By
from frostbyte.kernel.accounts.sessions import Visit
from frostbyte.kernel.accounts.signing_in import SignedIn
from frostbyte.kernel.errors import FrostbyteError, Invalid, Kind
from frostbyte.kernel.limits import TooMany
from frostbyte.kernel.oidc.sign_in import OidcSignIn

HOME: Final = "/console/"
SIGN_IN: Final = "/console/sign-in"
SET_UP: Final = "/console/set-up"
ACCOUNT: Final = "/console/account"
PEOPLE: Final = "/console/people"
OPEN: Final = frozenset({SIGN_IN, SET_UP, f"{SET_UP}/finish"})
"""Pages for who is not signed in."""
_KNOWN_SECONDS: Final = 365 * 86_400
"""A browser is known for a year after somebody signed in with it."""
_SHORT: Final = 200
_LONG: Final = 2000
"""Characters that a field takes; what is longer was not typed by a person."""
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)

Typed = Annotated[str, Form(max_length=_SHORT)]
Secret = Annotated[str, Form(max_length=_LONG)]


@dataclass(frozen=True, kw_only=True)
class House:
    """Whose rooms they are: a plane's or the control plane's."""

    people: Callable[[Request], People]
    place: Callable[[Request], str]
    """The name of its cookies."""
    oidc: Callable[[Request], OidcSignIn | None]
    """What signs people in by an issuer's word."""
    page: Callable[..., Response]
    """(request, visit or None, template, status=..., **view)"""
    anybody: Any
    """A dependency: the visit of whoever signed in."""
    administrator: Any
    """A dependency: that of an administrator."""


def rooms(house: House) -> APIRouter:
    """The rooms of a house."""
    router = APIRouter(include_in_schema=False)
    for add in (_entrance, _set_up, _own, _register):
        add(router, house)
    return router


def _entrance(router: APIRouter, house: House) -> None:
    def form(request: Request, name: str, to: str, trouble: FrostbyteError | None = None) -> Response:
        nobody = not house.people(request).register.list(limit=1)["accounts"]
        way = house.oidc(request)
        issuer = "" if way is None else way.settings.host
        view = {"name": name, "to": to, "trouble": trouble, "nobody": nobody, "issuer": issuer}
        return _said(house.page(request, None, "both/sign_in.html", status=_status(trouble), **view), trouble)

    @router.get(SIGN_IN)
    def sign_in_page(request: Request, to: str = HOME) -> Response:
        """The form; who has a session already is led on."""
        cookie = cookie_of(request, house.place(request))
        if cookie is not None:
            try:
                house.people(request).sessions.visit(cookie)
            except FrostbyteError:  # it is over, or nothing of ours
                pass
            else:
                return RedirectResponse(within(to), status_code=303)
        return form(request, "", within(to))

    @router.post(SIGN_IN)
    def sign_in(
        request: Request, name: Typed = "", password: Secret = "", code: Typed = "", to: Secret = ""
    ) -> Response:
        """Begin a session."""
        check_from_here(request)
        door, place = house.people(request).door, house.place(request)
        known = request.cookies.get(_known(request, place), "")
        try:
            signed = door.sign_in(name, password, code, known_by=known, device=device_of(request))
        except FrostbyteError as error:
            return form(request, name, within(to), error)
        return _let_in(request, place, signed, within(to))

    @router.post("/console/sign-out")
    def sign_out(request: Request, visit: Visit = house.anybody) -> Response:
        """End the session."""
        house.people(request).sessions.end_one(visit.session_id, actor=visit.caller.subject)
        answer = RedirectResponse(f"{SIGN_IN}?said=signed_out", status_code=303)
        forget(answer, request, house.place(request))
        return answer


def _set_up(router: APIRouter, house: House) -> None:
    def opened(request: Request, link: str, trouble: FrostbyteError | None = None) -> Response:
        found = house.people(request).door.open(link)
        picture, size = qr_path(found.address)
        view = {"opened": found, "link": link, "picture": picture, "size": size, "trouble": trouble}
        return _said(house.page(request, None, "both/set_up.html", status=_status(trouble), **view), trouble)

    def begin(request: Request, trouble: FrostbyteError | None = None) -> Response:
        return house.page(request, None, "both/set_up_link.html", status=_status(trouble), trouble=trouble)

    @router.get(SET_UP)
    def set_up_page(request: Request) -> Response:
        """What takes a link's secret out of the address, or out of a person's hand."""
        return begin(request)

    @router.post(SET_UP)
    def open_link(request: Request, link: Secret = "") -> Response:
        """Show what the link is for. The page answers at once: its secrets belong into no address."""
        check_from_here(request)
        try:
            return opened(request, _bare(link))
        except FrostbyteError as error:
            return begin(request, error)

    @router.post(f"{SET_UP}/finish")
    def finish(
        request: Request, link: Secret = "", password: Secret = "", again: Secret = "", code: Typed = ""
    ) -> Response:
        """Set the account up, and begin a session."""
        check_from_here(request)
        door, link = house.people(request).door, _bare(link)
        try:
            _see_same(password, again)
            signed = door.set_up(link, password, code, device=device_of(request))
        except FrostbyteError as error:
            if error.kind is not Kind.INVALID:
                return begin(request, error)
            return opened(request, link, error)
        return _let_in(request, house.place(request), signed, f"{ACCOUNT}?said=set_up")


def _own(router: APIRouter, house: House) -> None:
    def own(request: Request, visit: Visit, trouble: FrostbyteError | None = None) -> Response:
        found = house.people(request).sessions.open_ones(visit.caller.subject)
        view = {
            "sessions": [sessions.shown(row, visit.session_id) for row in found],
            "has_password": visit.by is By.PASSWORD,
            "trouble": trouble,
        }
        return _said(house.page(request, visit, "both/account.html", status=_status(trouble), **view), trouble)

    @router.get(ACCOUNT)
    def account(request: Request, visit: Visit = house.anybody) -> Response:
        """The own account, and where it is signed in."""
        return own(request, visit)

    @router.post(f"{ACCOUNT}/password")
    def change_password(
        request: Request,
        visit: Visit = house.anybody,
        present: Secret = "",
        code: Typed = "",
        password: Secret = "",
        again: Secret = "",
    ) -> Response:
        """Another password."""
        known = request.cookies.get(_known(request, house.place(request)), "")
        try:
            _see_same(password, again)
            house.people(request).door.change_password(visit, present, code, password, known_by=known)
        except FrostbyteError as error:
            return own(request, visit, error)
        return RedirectResponse(f"{ACCOUNT}?said=password_changed", status_code=303)

    @router.post(f"{ACCOUNT}/sessions")
    def end_sessions(
        request: Request, visit: Visit = house.anybody, session_id: Annotated[UUID | None, Form()] = None
    ) -> Response:
        """Sign out elsewhere: one session, or all but this one."""
        at = house.people(request).sessions
        if session_id is None:
            at.end_others(visit)
        else:
            at.end_one(session_id, actor=visit.caller.subject, of=visit.caller.subject)
        return RedirectResponse(f"{ACCOUNT}?said=sessions_ended", status_code=303)


def _register(router: APIRouter, house: House) -> None:
    def everybody(request: Request, visit: Visit, after: str, trouble: FrostbyteError | None = None) -> Response:
        people = house.people(request)
        view = people.register.list(after=after) | {
            "roles": people.register.roles,
            "sessions": [sessions.shown(row, visit.session_id) for row in people.sessions.open_ones()],
            "after": after,
            "trouble": trouble,
        }
        return _said(house.page(request, visit, "both/people.html", status=_status(trouble), **view), trouble)

    def handed(request: Request, visit: Visit, made: dict[str, Any]) -> Response:
        """The one page that shows a link: an answer of its own, for no address may lead to it again."""
        origin = f"{'https' if secure(request) else 'http'}://{request.headers.get('host', request.url.netloc)}"
        return house.page(request, visit, "both/link.html", account=made, link=origin + made["link"])

    @router.get(PEOPLE)
    def all_people(request: Request, visit: Visit = house.administrator, after: str = "") -> Response:
        """Who has an account, and who is signed in."""
        return everybody(request, visit, after)

    @router.post(PEOPLE)
    def invite(request: Request, visit: Visit = house.administrator, name: Typed = "", role: Typed = "") -> Response:
        """Make an account."""
        try:
            made = house.people(request).register.create(name, role, actor=visit.caller.subject)
        except FrostbyteError as error:
            return everybody(request, visit, "", error)
        return handed(request, visit, made)

    @router.get(f"{PEOPLE}/{{account_id}}")
    def person(request: Request, account_id: UUID, visit: Visit = house.administrator) -> Response:
        """One account, and what may be done about it."""
        people = house.people(request)
        view = people.register.show(account_id)
        open_ones = people.sessions.open_ones(view["name"])
        theirs = [sessions.shown(row, visit.session_id) for row in open_ones if row.by is By.PASSWORD]
        roles = people.register.roles
        return house.page(request, visit, "both/person.html", account=view, sessions=theirs, roles=roles)

    @router.post(f"{PEOPLE}/{{account_id}}/role")
    def set_role(request: Request, account_id: UUID, visit: Visit = house.administrator, role: Typed = "") -> Response:
        """Give it another role."""
        house.people(request).register.set_role(account_id, role, actor=visit.caller.subject)
        return RedirectResponse(f"{PEOPLE}/{account_id}?said=account_changed", status_code=303)

    @router.post(f"{PEOPLE}/{{account_id}}/link")
    def new_link(request: Request, account_id: UUID, visit: Visit = house.administrator) -> Response:
        """Make a new link."""
        return handed(request, visit, house.people(request).register.link(account_id, actor=visit.caller.subject))

    @router.post(f"{PEOPLE}/{{account_id}}/recover")
    def recover(request: Request, account_id: UUID, visit: Visit = house.administrator) -> Response:
        """Begin anew with it."""
        return handed(request, visit, house.people(request).register.recover(account_id, actor=visit.caller.subject))

    @router.post(f"{PEOPLE}/{{account_id}}/disable")
    def disable(request: Request, account_id: UUID, visit: Visit = house.administrator) -> Response:
        """Let nobody in with it."""
        house.people(request).register.disable(account_id, actor=visit.caller.subject)
        return RedirectResponse(f"{PEOPLE}/{account_id}?said=account_changed", status_code=303)

    @router.post(f"{PEOPLE}/sessions/{{session_id}}")
    def end_session(request: Request, session_id: UUID, visit: Visit = house.administrator) -> Response:
        """Sign somebody out."""
        house.people(request).sessions.end_one(session_id, actor=visit.caller.subject)
        return RedirectResponse(f"{PEOPLE}?said=sessions_ended", status_code=303)


def device_of(request: Request) -> str:
    """Kind of browser and system in words of ours, for a person to know a session by."""
    agent = request.headers.get("user-agent", "")
    browser = next((word for mark, word in _BROWSERS if mark in agent), "A browser")
    system = next((word for mark, word in _SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser


def _let_in(request: Request, place: str, signed: SignedIn, to: str) -> Response:
    answer = RedirectResponse(to, status_code=303)
    keep(answer, request, place, signed.cookie)
    answer.set_cookie(
        _known(request, place),
        signed.device,
        max_age=_KNOWN_SECONDS,
        path="/",
        secure=secure(request),
        httponly=True,
        samesite="lax",
    )
    return answer


def _known(request: Request, place: str) -> str:
    """The cookie's name by which a browser is known."""
    return f"{cookie_name(request, place)}-known"


def within(to: str) -> str:
    """Where to go after signing in: a page of this console, whatever was asked for."""
    inside = to.startswith("/console/") and to.isascii() and to.isprintable() and "\\" not in to
    return to if inside and not to.startswith((SIGN_IN, SET_UP)) else HOME


def _bare(link: str) -> str:
    """The secret of a link, also where the whole address was pasted."""
    return link.strip().rpartition("#")[2]


def _see_same(password: str, again: str) -> None:
    if password != again:
        raise Invalid("passwords_differ", "The two passwords are not the same.", "Type the new one twice.")


def _status(trouble: FrostbyteError | None) -> int:
    return 200 if trouble is None else STATUS[trouble.kind]


def _said(answer: Response, trouble: FrostbyteError | None) -> Response:
    if isinstance(trouble, TooMany):
        answer.headers["Retry-After"] = str(trouble.retry_after)
    return answer
