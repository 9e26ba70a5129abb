"""A tenant's user on Redis: its own keys, and no command that Celery does not need."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from frostbyte.adapters.redis.acl import LATER_COMMANDS, key_prefix, rules
from frostbyte.kernel.errors import Invalid, Unavailable
from frostbyte.kernel.ports.tenant_stores import Attempt, Refused, Secrets

WORD: Final = "queue_password"
_URL: Final = "queue_url"
_SECONDS: Final = 5.0
_BATCH: Final = 500
_NEW_SUBCOMMANDS: Final = (7, 2)
"""The version of Redis that knows `acl.LATER_COMMANDS`."""

_DANGEROUS: Final = (
    ("list all keys", "KEYS", "*"),
    ("walk through all keys", "SCAN", "0"),
    ("take a random key", "RANDOMKEY"),
    ("count all keys", "DBSIZE"),
    ("empty the server", "FLUSHALL", "NOSUCHMODE"),
    ("empty the database", "FLUSHDB", "NOSUCHMODE"),
    ("swap databases", "SWAPDB", "x", "y"),
    ("read the configuration", "CONFIG", "GET", "requirepass"),
    ("change the configuration", "CONFIG", "SET", "no-such-parameter", "1"),
    ("list users", "ACL", "LIST"),
    ("make a user", "ACL", "SETUSER", "intruder", "no-such-rule"),
    ("list clients", "CLIENT", "LIST"),
    ("end other clients", "CLIENT", "KILL", "ID", "0"),
    ("watch other clients", "CLIENT", "TRACKING", "no-such-mode"),
    ("run a script of its own", "EVAL", "return 1", "0"),
    ("load functions", "FUNCTION", "LIST"),
    ("load a module", "MODULE", "LIST"),
    ("make it a copy of another server", "REPLICAOF", "127.0.0.1", "no-port"),
    ("shut it down", "SHUTDOWN", "NOSUCHMODE"),
    ("read what it does", "INFO"),
    ("read slow commands", "SLOWLOG", "GET"),
    ("publish to others", "PUBLISH", "verify", "x"),
)
"""Commands in a form that does nothing where it is allowed: Redis judges the right before the words."""


class RedisTenants:
    """See kernel.ports.tenant_stores.TenantStore.

    Args:
        url: `redis[s]://user:password@host:port/db` of the administrator.
        ca_file: certificates that the server's must be signed by.
    """

    name = "queue"

    def __init__(self, url: str, *, ca_file: Path | None = None) -> None:
        self._place = urlsplit(url)
        self._ca_file = ca_file
        if self._place.scheme not in ("redis", "rediss") or not self._place.hostname:
            raise Invalid(
                "settings_invalid",
                "FROSTBYTE_STORAGE_QUEUE_URL is not usable: it is written redis[s]://user:password@host:port/0.",
                "Correct FROSTBYTE_STORAGE_QUEUE_URL and start again.",
            )
        self._url = url

    def provision(self, tenant: str, secrets: Secrets) -> Iterator[str]:
        """The user, and the server told to keep it over a restart."""
        password = secrets.made(WORD)
        with self._administrator() as redis:
            version = str(redis.info("server")["redis_version"]).split(".")
            later = LATER_COMMANDS if (int(version[0]), int(version[1])) >= _NEW_SUBCOMMANDS else ()
            # The hash, not the password: commands can be seen by MONITOR and in the slow log.
            word = "#" + hashlib.sha256(password.encode()).hexdigest()
            more = (f"+{one}" for one in later)
            _command(redis, "ACL", "SETUSER", user_of(tenant), "reset", "on", word, *rules(tenant), *more)
            yield f"user {user_of(tenant)} for keys {key_prefix(tenant)}*"
            yield _keep(redis)
        secrets.note(_URL, self._address(user_of(tenant), password))

    def settings(self, tenant: str, secrets: Secrets) -> dict[str, str]:
        """The address, which holds the password."""
        return {"FROSTBYTE_QUEUE_URL_FILE": _URL}

    def plant(self, tenant: str, secrets: Secrets) -> Iterator[str]:
        """A key."""
        with self._as(secrets) as redis:
            redis.set(f"{key_prefix(tenant)}verify", "planted")
        yield "a key"

    def uses(self, tenant: str, secrets: Secrets) -> Sequence[Attempt]:
        """Write, read and remove keys as Celery does."""
        own = f"{key_prefix(tenant)}verify-own"
        return [
            Attempt("add to its own queue", lambda: self._try(secrets, "LPUSH", own, "x")),
            Attempt("count its own queue", lambda: self._try(secrets, "LLEN", own)),
            Attempt("take from its own queue", lambda: self._try(secrets, "BRPOP", own, "1")),
            Attempt("delete its own queue", lambda: self._try(secrets, "DEL", own)),
        ]

    def crossings(self, tenant: str, secrets: Secrets, other: str) -> Sequence[Attempt]:
        """The other's keys, keys of nobody, the server's administration, and coming without a password."""
        theirs = f"{key_prefix(other)}verify"
        tries: list[tuple[str, ...]] = [
            ("read the other's key", "GET", theirs),
            ("write the other's key", "SET", f"{theirs}-intruder", "x"),
            ("add to the other's queue", "LPUSH", f"{theirs}-intruder", "x"),
            ("take from the other's queue", "BRPOP", f"{theirs}-intruder", "1"),
            ("delete the other's key", "DEL", f"{theirs}-intruder"),
            ("read a key without a tenant", "GET", "celery"),
            ("read another database's key", "GET", f"x{key_prefix(tenant)}verify"),
            *_DANGEROUS,
        ]
        return [
            *(Attempt(what, _bound(self._try, secrets, command)) for what, *command in tries),
            Attempt("come without a password", lambda: self._nobody("PING")),
            Attempt("come as the other without a password", lambda: self._nobody("AUTH", user_of(other), "")),
        ]

    def destroy(self, tenant: str) -> Iterator[str]:
        """The user first, so that nothing is written any more; then its keys in every database."""
        with self._administrator() as redis:
            if _command(redis, "ACL", "DELUSER", user_of(tenant)):
                yield f"removed user {user_of(tenant)}"
                yield _keep(redis)
            if count := sum(int(redis.unlink(*keys)) for keys in _keys(redis, tenant)):
                yield f"removed {count} keys"

    def remains(self, tenant: str) -> Sequence[str]:
        """Its user or keys."""
        with self._administrator() as redis:
            rest = [f"user {user_of(tenant)}"] if user_of(tenant) in redis.acl_users() else []
            if any(_keys(redis, tenant)):
                rest.append("keys")
        return rest

    def _address(self, user: str, password: str) -> str:
        place = self._place
        host = place.netloc.rpartition("@")[2]
        return urlunsplit((place.scheme, f"{user}:{quote(password, safe='')}@{host}", place.path or "/0", "", ""))

    def _open(self, url: str) -> Redis:
        trust: dict[str, Any] = {"ssl_ca_certs": str(self._ca_file)} if self._ca_file and "rediss" in url[:6] else {}
        return Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, **trust)

    @contextmanager
    def _administrator(self) -> Iterator[Redis]:
        try:
            with closing(self._open(self._url)) as redis:
                yield redis
        except (AuthenticationError, NoPermissionError):
            raise Unavailable(
                "storage_admin_refused",
                "The queue's server does not let the administrator do this.",
                "Name in FROSTBYTE_STORAGE_QUEUE_URL a user with every right.",
            ) from None
        except (RedisError, OSError) as error:
            raise _unavailable(error) from None

    @contextmanager
    def _as(self, secrets: Secrets) -> Iterator[Redis]:
        try:
            with closing(self._open(secrets.found(_URL))) as redis:
                yield redis
        except (RedisError, OSError) as error:
            raise _unavailable(error) from None

    def _try(self, secrets: Secrets, *command: str) -> None:
        with closing(self._open(secrets.found(_URL))) as redis:
            _judged(redis, command)

    def _nobody(self, *command: str) -> None:
        place = self._place
        bare = urlunsplit((place.scheme, place.netloc.rpartition("@")[2], place.path or "/0", "", ""))
        with closing(self._open(bare)) as redis:
            _judged(redis, command)


def user_of(tenant: str) -> str:
    """The tenant's user."""
    return f"tenant_{tenant}"


def _keys(redis: Redis, tenant: str) -> Iterator[list[Any]]:
    """The tenant's keys of the database that planes use, some at a time."""
    cursor = 0
    while True:
        cursor, keys = redis.scan(cursor, match=f"{key_prefix(tenant)}*", count=_BATCH)
        if keys:
            yield keys
        if not cursor:
            return


def _command(redis: Redis, *words: str) -> Any:
    return redis.execute_command(*words)  # type: ignore[no-untyped-call]  # the package has no type for it


def _bound(call: Callable[..., None], secrets: Secrets, command: list[str]) -> Callable[[], None]:
    return lambda: call(secrets, *command)


def _judged(redis: Redis, command: Sequence[str]) -> None:
    try:
        _command(redis, *command)
    except (NoPermissionError, AuthenticationError):
        raise Refused from None
    except ResponseError as error:
        # Every other complaint of the server is about the words of a command that it would have carried out.
        if str(error).startswith(("NOPERM", "NOAUTH", "WRONGPASS")):
            raise Refused from None
    except (RedisError, OSError) as error:
        raise _unavailable(error) from None


def _keep(redis: Redis) -> str:
    """Have the server remember its users over a restart; what came of it."""
    for what, command in (("its file of users", ("ACL", "SAVE")), ("its configuration", ("CONFIG", "REWRITE"))):
        try:
            _command(redis, *command)
        except ResponseError:
            continue
        return f"users written to {what}"
    return "WARNING: the server has no file for users: provision again after each restart of it"


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(
        "queue_unavailable",
        f"The queue's server cannot be used ({type(error).__name__}).",
        "Start it, or correct its address.",
    )
