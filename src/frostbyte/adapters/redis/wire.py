"""What those who publish hints and those who take them agree on."""

from __future__ import annotations

import ssl
from typing import Any, Final
from urllib.parse import urlsplit

from frostbyte.data_plane.patience import LIMIT_SECONDS
from frostbyte.kernel.records import Stage

EXCHANGE: Final = "frostbyte"

NETWORK_SECONDS: Final = 5.0
"""For connecting to Redis, and for any answer of it."""

KILL_AFTER_SECONDS: Final = 60
"""How long above its stage's limit a task's process is ended: its lease has run out by then."""


def task_name(stage: Stage) -> str:
    """The Celery task that does jobs of a stage."""
    return f"frostbyte.{stage.value}"


def time_limit(stage: Stage) -> int:
    """Seconds after which the process is ended that does such a task."""
    return LIMIT_SECONDS[stage] + KILL_AFTER_SECONDS


def secured(url: str, ca_file: str) -> dict[str, Any]:
    """How the wire is encrypted, for redis-py and kombu; {} where the address says that it is not."""
    if urlsplit(url).scheme != "rediss":
        return {}
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True} | (
        {"ssl_ca_certs": ca_file} if ca_file else {}
    )
