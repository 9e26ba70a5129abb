"""What both adapters say when a host does not do it, and how keys are compared."""

from __future__ import annotations

from frostbyte.kernel.errors import Conflict, Unavailable


def unreachable(name: str) -> Unavailable:
    """No connection, or one that was cut: what was asked may have happened."""
    return Unavailable(
        "host_unreachable",
        f"The host {name} does not answer on its SSH port.",
        "See whether it runs and whether the hosts before it let this one through; it is asked again.",
    )


def slow(name: str, what: str, seconds: float) -> Unavailable:
    """It answers, or should, and the time is over."""
    return Unavailable(
        "host_slow",
        f"The host {name} did not end this within {seconds:.0f} s: {what}.",
        "Look at its console; it is asked again.",
    )


def wrong_key(name: str) -> Conflict:
    """Somebody else answers, or the host was made anew."""
    return Conflict(
        "host_key_wrong",
        f"The host {name} shows another key than the one it is known by. Nothing was sent to it.",
        "Find out whether it was replaced or whether somebody stands between; provision it anew if it was.",
    )


def refused(name: str) -> Conflict:
    """It is the right host, and it does not let us in."""
    return Conflict(
        "host_refused",
        f"The host {name} does not let the control plane's key in.",
        "Check that the user and the key of the control plane are in its cloud-init.",
    )


def failed(name: str, what: str, words: str) -> Conflict:
    """A command ended badly. `words` are its own last ones and hold no secret."""
    return Conflict(
        "host_command_failed",
        f"On the host {name} this failed: {what}. " + (f"It said: {words}" if words else "It said nothing."),
        "Read what it said, put that right, and go on with the run.",
    )


def archive_wrong(name: str) -> Conflict:
    """An archive of an image is not what it should be."""
    return Conflict(
        "image_archive_wrong",
        f"The image archive for {name} is not the one that was named: its SHA-256 differs.",
        "Get it again, and compare its hash with the one in the list of images.",
    )


def image_missing(name: str) -> Conflict:
    """An archive went in, and nothing was in it."""
    return Conflict(
        "image_missing",
        f"The archive brought the engine of {name} no image.",
        "Make the archive anew with `docker save`.",
    )


def bare(public_key: str) -> str:
    """A public key without its comment: `ssh-ed25519 AAAA...`, as keys are compared."""
    return " ".join(public_key.split()[:2])


def last_words(said: str, limit: int = 300) -> str:
    """The end of what a command wrote to its standard error, on one line, printable."""
    words = " ".join("".join(c if c.isprintable() else " " for c in said[-4 * limit :]).split())
    return words if len(words) <= limit else "…" + words[-limit:]
