"""What a request is refused with."""

from __future__ import annotations


class Refused(Exception):
    """An answer other than success, in Qdrant's shape. Its text never repeats what was sent but names of ours.

    Args:
        status: HTTP's.
        why: for a person.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def no_such(name: str) -> Refused:
    """404 for a collection."""
    return Refused(404, f"Not found: Collection `{name}` doesn't exist!")


def wrong(why: str) -> Refused:
    """400 for what cannot work as it is."""
    return Refused(400, f"Wrong input: {why}")
