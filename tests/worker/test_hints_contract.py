"""What every queue of hints promises; announcing never fails and never waits."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.exceptions import OperationalError

from frostbyte.adapters.memory.hints import MemoryHints
from frostbyte.adapters.redis.acl import key_prefix, rules
from frostbyte.adapters.redis.broker import celery_app
from frostbyte.adapters.redis.hints import RedisHints
from frostbyte.adapters.redis.wire import NETWORK_SECONDS
from frostbyte.adapters.runner import Bell
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.hints import HintQueue
from frostbyte.kernel.records import Stage
from servers.lanes import need
from servers.redis import RedisServer
from stores.store_rows import job
from worker.cluster import eventually, queue_user

TENANT = "acme"


@pytest.fixture(params=["memory", "redis"])
def queue(request: pytest.FixtureRequest) -> Iterator[HintQueue]:
    if request.param == "memory":
        yield MemoryHints()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    made = RedisHints(queue_user(server, TENANT), TENANT)
    yield made
    made.close()


def test_what_is_published_waits_in_the_queue_of_its_stage(queue: HintQueue) -> None:
    assert set(queue.waiting().values()) == {0}
    queue.publish([job(), job(), job(stage=Stage.INDEX)])
    queue.publish([])
    assert queue.waiting() == {stage: {Stage.SCAN: 2, Stage.INDEX: 1}.get(stage, 0) for stage in Stage}


def test_what_is_announced_waits_there_soon(queue: HintQueue) -> None:
    queue.announce([])
    queue.announce([job(stage=Stage.EMBED)])
    eventually(lambda: queue.waiting()[Stage.EMBED] == 1)


def test_the_bell_wakes_who_sleeps() -> None:
    bell = Bell()
    start = time.monotonic()
    bell.announce([])
    bell.sleep(0.05)
    assert time.monotonic() - start >= 0.05
    bell.announce([job()])


def away(tmp_path: Path) -> RedisHints:
    return RedisHints("redis://user:secret-word@127.0.0.1:1/0", TENANT)


def test_a_server_that_says_nothing_delays_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        hints = RedisHints(f"redis://127.0.0.1:{mute.getsockname()[1]}/0", TENANT)
        start = time.monotonic()
        hints.announce([job() for _ in range(50)])
        assert time.monotonic() - start < NETWORK_SECONDS / 2  # who sends them has waited for longer
    hints.close()


def test_a_server_that_is_away_is_named_without_its_secret(tmp_path: Path) -> None:
    hints = away(tmp_path)
    ask: Callable[[], Any]
    for ask in (hints.waiting, hints.ping, lambda: hints.publish([job()])):
        with pytest.raises(Unavailable) as error:
            ask()
        assert error.value.code == "queue_unavailable"
        assert "secret-word" not in error.value.message + error.value.remedy
    hints.close()


def test_every_key_is_the_tenants_and_the_rights_suffice(redis_server: RedisServer) -> None:
    admin = redis.Redis.from_url(redis_server.url)
    admin.flushall()
    hints = RedisHints(queue_user(redis_server, TENANT), TENANT)
    admin.acl_log_reset()
    hints.publish([job(stage=stage) for stage in Stage])
    hints.close()
    names = [name.decode() for name in admin.keys("*")]
    assert names
    assert all(name.startswith(key_prefix(TENANT)) for name in names)
    assert [entry["object"] for entry in admin.acl_log()] in ([], ["client|setinfo"])
    other = redis.Redis.from_url(queue_user(redis_server, "other"))
    for denied in (
        lambda: other.llen(f"{key_prefix(TENANT)}scan"),
        lambda: other.keys("*"),
        lambda: other.flushall(),
        lambda: other.config_get("*"),
        lambda: other.eval("return 1", 0),
        lambda: other.publish("tenant_other:x", "y"),
        lambda: other.shutdown(),
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            denied()
    assert rules("other")[0] == "~tenant_other:*"


@pytest.fixture
def authority(tmp_path: Path) -> dict[str, Path]:
    """An authority of the tenant's and a certificate of it for the loopback; and an authority of somebody else's."""
    made = {f"{name}.{end}": tmp_path / f"{name}.{end}" for name in ("ca", "server", "other") for end in ("key", "pem")}

    def openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)

    new = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2)
    for name in ("ca", "other"):
        openssl("req", *new, "-subj", f"/CN={name}", "-keyout", made[f"{name}.key"], "-out", made[f"{name}.pem"])
    signed = ("-CA", made["ca.pem"], "-CAkey", made["ca.key"], "-addext", "subjectAltName=IP:127.0.0.1")
    openssl("req", *new, *signed, "-subj", "/CN=redis", "-keyout", made["server.key"], "-out", made["server.pem"])
    return made


@pytest.mark.slow
def test_the_wire_is_encrypted_and_only_the_tenants_authority_is_trusted(
    authority: dict[str, Path], tmp_path: Path
) -> None:
    need("redis")
    options = ["--tls-cert-file", authority["server.pem"], "--tls-key-file", authority["server.key"]]
    options += ["--tls-ca-cert-file", authority["ca.pem"], "--tls-auth-clients", "no"]
    server = RedisServer(tmp_path / "redis", options=("--port", "0", *map(str, options)))
    server.command += ["--tls-port", str(server.port)]
    with server:
        url = server.url.replace("redis://", "rediss://")
        hints = RedisHints(url, TENANT, ca_file=str(authority["ca.pem"]))
        hints.publish([job()])
        assert hints.waiting()[Stage.SCAN] == 1
        hints.close()
        workers = celery_app(url, TENANT, ca_file=str(authority["ca.pem"])).connection_for_read()
        workers.default_channel.client.ping()
        workers.release()
        with pytest.raises((redis.RedisError, OperationalError)):
            celery_app(url, TENANT, ca_file=str(authority["other.pem"])).connection_for_read().connect()
        for wrong in (RedisHints(url, TENANT, ca_file=str(authority["other.pem"])), RedisHints(server.url, TENANT)):
            with pytest.raises(Unavailable):
                wrong.waiting()
            with pytest.raises(Unavailable):
                wrong.publish([job()])
            wrong.close()
