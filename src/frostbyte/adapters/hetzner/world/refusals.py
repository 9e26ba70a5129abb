"""How the API refuses: status, code, sentence and details as its public reference describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request that is answered with an error.

    Args:
        status: of HTTP.
        code: the API's own: `uniqueness_error`.
        message: for people.
        details: what the reference says for that code; {} for none.
    """

    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def body(self) -> dict[str, Any]:
        """The reply's body."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


def invalid(field: str, why: str) -> Refused:
    """A field that cannot be taken."""
    return Refused(
        422,
        "invalid_input",
        f"invalid input in field '{field}': {why}",
        {"fields": [{"name": field, "messages": [why]}]},
    )


def not_found(what: str, which: object = "") -> Refused:
    """Something that is not there, or belongs to another project."""
    name = f"no {what} with ID '{which}' found" if which != "" else f"no {what} found"
    return Refused(404, "not_found", name)


def taken(what: str, field: str) -> Refused:
    """Something that must be unique and is there already."""
    return Refused(409, "uniqueness_error", f"the {what} is already used", {"fields": [{"name": field}]})


def locked(what: str) -> Refused:
    """Another action runs on it."""
    return Refused(423, "locked", f"the {what} is locked")


def protected(what: str) -> Refused:
    """A person has protected it."""
    return Refused(423, "protected", f"the {what} is protected")


def limit(name: str) -> Refused:
    """A quota of the project is used up."""
    return Refused(403, "resource_limit_exceeded", f"limit of {name} exceeded", {"limits": [{"name": name}]})


def conflict(code: str, message: str) -> Refused:
    """What the state of things does not allow."""
    return Refused(409, code, message)


def unfit(code: str, message: str) -> Refused:
    """What could be read and makes no sense as things are."""
    return Refused(422, code, message)
