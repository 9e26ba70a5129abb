"""Why a message was not taken, in words: what a courier answers by code."""

from __future__ import annotations

from typing import Final

from frostbyte.kernel.errors import Unavailable

_SAID: Final = (
    (
        "webhook_host_closed",
        "The tenant's configuration does not name this server any more.",
        "Name it in webhook_hosts, or remove the webhook.",
    ),
    (
        "webhook_address_inside",
        "The server's name leads to an address inside, where webhooks are not sent.",
        "Correct its DNS records; whoever runs this plane may open a network with FROSTBYTE_WEBHOOK_NETWORKS.",
    ),
    (
        "webhook_address_outside",
        "The server is on the internet, and this plane is offline.",
        "Choose a server in a network that FROSTBYTE_WEBHOOK_NETWORKS opens.",
    ),
    (
        "webhook_unreachable",
        "The server could not be reached.",
        "See that its name can be looked up here and that it answers on its port.",
    ),
    (
        "webhook_way_closed",
        "The way out of this plane does not lead to the server.",
        "See that the list of ways out names it: at the control plane, `frostbyte tenant scale TENANT --ways-out` "
        "brings what webhook_hosts names.",
    ),
    (
        "webhook_certificate",
        "The server's certificate is not trusted here.",
        "Renew it, or name its authority with FROSTBYTE_WEBHOOK_CA_FILE.",
    ),
    (
        "webhook_slow",
        "The server took too long.",
        "Let it answer at once and do its work afterwards.",
    ),
    (
        "webhook_redirected",
        "The server sent the message elsewhere, and no redirection is followed.",
        "Register the address that it leads to.",
    ),
    (
        "webhook_refused",
        "The server did not take the message.",
        "Look into its log at that time: it answers 2xx when it has taken one.",
    ),
    (
        "webhook_gone",
        "The server says that nobody wants these messages any more (410).",
        "Remove the webhook, or correct the server and send again.",
    ),
    (
        "webhook_lost",
        "Nobody knows how the last attempt ended: the plane stopped in the middle of it.",
        "Send it again: the receiver knows its id if it had it.",
    ),
)
WORDS: Final = {code: (message, remedy) for code, message, remedy in _SAID}
"""Code: what is the matter, and what to do."""


def trouble(code: str) -> Unavailable:
    """A failed attempt as an error."""
    message, remedy = WORDS[code]
    return Unavailable(code, message, remedy)
