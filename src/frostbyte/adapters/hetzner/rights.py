"""What a token may do, found out without making anything."""

from __future__ import annotations

from frostbyte.adapters.hetzner.calls import Calls
from frostbyte.control_plane.provisioning.ports import CloudError


def may_write(calls: Calls) -> bool:
    """Whether the token may change its project: an SSH key without name and content is asked for.

    A token that may only read is refused for that; for any other the request is invalid, and nothing comes of it.

    Raises:
        CloudError: anything else that came instead.
    """
    try:
        calls.ask("POST", "/ssh_keys", body={"name": "", "public_key": ""})
    except CloudError as error:
        if error.code == "cloud_refused":
            return False
        if error.code != "cloud_invalid":
            raise
    return True
