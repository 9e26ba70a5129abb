"""What a plane's user may do on Redis: exactly what Celery needs when it is told to do no more than we use.

Found by running workers under a user with these rights alone and reading `ACL LOG` and `INFO commandstats`, through
publishing, fetching, acknowledging, a worker that was killed, and the redelivery of what it had held;
tests/worker/test_redis_acl.py does it again. Events, gossip, mingle, remote control and results are off, so there is no
channel and no KEYS, SCAN, INFO, CONFIG, FLUSHALL, EVAL or SHUTDOWN. EVALSHA releases kombu's lock around redelivery;
a script runs under the same rights as its caller.
"""

from __future__ import annotations

from typing import Final

COMMANDS: Final = (
    "hello",
    "ping",
    "select",
    "multi",
    "exec",
    "discard",
    "watch",
    "unwatch",
    "lpush",
    "rpush",
    "brpop",
    "llen",
    "zadd",
    "zrem",
    "zrange",
    "hset",
    "hget",
    "hdel",
    "sadd",
    "set",
    "get",
    "del",
    "evalsha",
    "script|load",
)
"""Commands that are allowed; all others are not."""

LATER_COMMANDS: Final = ("client|setinfo",)
"""Said by the client on each connection, and only known to Redis 7.2 and later; refusing it does no harm."""


def key_prefix(tenant_id: str) -> str:
    """What every key of a tenant begins with."""
    return f"tenant_{tenant_id}:"


def rules(tenant_id: str) -> tuple[str, ...]:
    """The rights as words of ACL SETUSER: the tenant's keys, no channel, and nothing but `COMMANDS`."""
    return (f"~{key_prefix(tenant_id)}*", "resetchannels", "-@all", *(f"+{command}" for command in COMMANDS))
