"""Hetzner's error codes in our words. Source of the codes: the public API reference (errors; each resource's page)."""

from __future__ import annotations

from typing import Any, Final

from frostbyte.control_plane.provisioning.ports import CloudError
from frostbyte.kernel.errors import Kind

_SAYS: Final = (
    (
        "cloud_unreachable",
        "The cloud gave no answer, or one that was cut.",
        "Look at the way to the internet and at the cloud's status page; it is tried again.",
        Kind.UNAVAILABLE,
    ),
    (
        "cloud_server_error",
        "The cloud could not do it because of a fault of its own.",
        "It is tried again; if it stays so, look at the cloud's status page.",
        Kind.UNAVAILABLE,
    ),
    (
        "cloud_out_of_stock",
        "The cloud has none of these left in this place.",
        "Another type or place may do: allow more of them, or try again later.",
        Kind.UNAVAILABLE,
    ),
    (
        "cloud_locked",
        "Another action runs on it.",
        "It is tried again; if it stays so, look at the resource in the cloud's console.",
        Kind.CONFLICT,
    ),
    (
        "cloud_protected",
        "Somebody has protected it against this.",
        "If it may go, take its protection away in the cloud's console and try again.",
        Kind.CONFLICT,
    ),
    (
        "cloud_in_use",
        "Something still uses it.",
        "It is tried again while that is being taken away; if it stays so, see what uses it in the cloud's console.",
        Kind.CONFLICT,
    ),
    (
        "cloud_name_taken",
        "There is one of that name, or one with the same key, already.",
        "See whose it is in the cloud's console; one that is not ours is left alone.",
        Kind.CONFLICT,
    ),
    ("cloud_not_found", "It is not there.", "See whether somebody has removed it by hand.", Kind.NOT_FOUND),
    (
        "cloud_quota",
        "The project's limit for this kind of resource is reached.",
        "Ask the cloud for a higher limit in its console, or remove what is not needed.",
        Kind.CONFLICT,
    ),
    (
        "cloud_refused",
        "The cloud does not let this token do that.",
        "Give a token of this project with the right to read and write.",
        Kind.FORBIDDEN,
    ),
    (
        "cloud_type_unfit",
        "The server cannot become one of that type: its architecture differs, or its disk is larger.",
        "Ask for a type of the same architecture whose disk is not smaller.",
        Kind.CONFLICT,
    ),
    (
        "cloud_invalid",
        "The cloud does not take this request.",
        "This is a defect in Frostbyte, or the cloud has changed; report it with the cloud's own code.",
        Kind.INVALID,
    ),
    (
        "cloud_action_failed",
        "An action of the cloud ended with an error.",
        "It is tried again where that may help; else look at the resource in the cloud's console.",
        Kind.UNAVAILABLE,
    ),
    (
        "cloud_action_slow",
        "An action of the cloud did not end in time.",
        "Look at the resource in the cloud's console and at the cloud's status page.",
        Kind.UNAVAILABLE,
    ),
)
_BY_CODE: Final = {code: (sentence, remedy, kind) for code, sentence, remedy, kind in _SAYS}

_CODES: Final = {
    "unauthorized": "cloud_refused",
    "forbidden": "cloud_refused",
    "token_readonly": "cloud_refused",
    "resource_limit_exceeded": "cloud_quota",
    "not_found": "cloud_not_found",
    "uniqueness_error": "cloud_name_taken",
    "conflict": "cloud_locked",
    "locked": "cloud_locked",
    "protected": "cloud_protected",
    "resource_in_use": "cloud_in_use",
    "primary_ip_assigned": "cloud_in_use",
    "server_not_stopped": "cloud_in_use",
    "volume_attached": "cloud_in_use",
    "invalid_server_type": "cloud_type_unfit",
    "resource_unavailable": "cloud_out_of_stock",
    "placement_error": "cloud_out_of_stock",
    "no_space_left_in_location": "cloud_out_of_stock",
    "rate_limit_exceeded": "cloud_rate_limited",
    "server_error": "cloud_server_error",
    "service_error": "cloud_server_error",
    "unavailable": "cloud_server_error",
    "maintenance": "cloud_server_error",
    "bad_gateway": "cloud_server_error",
    "timeout": "cloud_server_error",
}
_STATUSES: Final = {
    401: "cloud_refused",
    403: "cloud_refused",
    404: "cloud_not_found",
    409: "cloud_locked",
    412: "cloud_out_of_stock",
    423: "cloud_locked",
    429: "cloud_rate_limited",
}
"""For a code that we do not know, or none."""
_DETAIL: Final = 200
"""Characters of the cloud's own sentence that are shown."""


def code_of(vendor_code: str, status: int) -> str:
    """Our code for one of Hetzner's.

    Args:
        status: of HTTP; 0 where there is none.
    """
    if vendor_code in _CODES:
        return _CODES[vendor_code]
    if status >= 500:
        return "cloud_server_error"
    if status < 400:
        return "cloud_unreachable" if status else "cloud_action_failed"
    return _STATUSES.get(status, "cloud_invalid")


def failure(code: str, vendor_code: str = "", detail: str = "", *, retry_after: float = 0.0) -> CloudError:
    """An error of ours.

    Args:
        detail: the cloud's own words. Control characters are taken out, and it is cut.
    """
    sentence, remedy, kind = _BY_CODE[code]
    words = "".join(character if character.isprintable() else " " for character in detail)[:_DETAIL].strip()
    own = ": ".join(part for part in (vendor_code, words) if part)
    message = f"{sentence} ({own})" if own else sentence
    return CloudError(code, message, remedy, kind=kind, retry_after=retry_after, vendor_code=vendor_code)


def odd_reply(what: str) -> CloudError:
    """A reply of another form than the reference describes: what was asked may have happened."""
    return failure("cloud_server_error", detail=f"its reply has no {what}")


def of_action(action: dict[str, Any]) -> CloudError:
    """An action that ended with an error."""
    error = action.get("error") or {}
    vendor, words = str(error.get("code") or ""), str(error.get("message") or "")
    command = str(action.get("command") or "action")
    code = _CODES.get(vendor, "cloud_action_failed")
    if code == "cloud_server_error":
        code = "cloud_action_failed"
    return failure(code, vendor, f"{command}: {words}")
