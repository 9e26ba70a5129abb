"""Celery on the tenant's Redis, told to do no more than we use (see acl.py for what that leaves).

A message is a task's name, which is a stage, and a job's id. Nothing of it is believed: the job's row decides. There
are no results, events, gossip, mingling or remote control; nobody can stop a worker or make it run anything else
through Redis.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from kombu import Exchange, Queue

from frostbyte.adapters.redis.acl import key_prefix
from frostbyte.adapters.redis.wire import EXCHANGE, NETWORK_SECONDS, secured, task_name, time_limit
from frostbyte.data_plane.flow import ORDER
from frostbyte.data_plane.patience import LIMIT_SECONDS
from frostbyte.kernel.records import Stage

VISIBILITY_SECONDS: Final = max(LIMIT_SECONDS.values()) + 3600
"""When Redis gives an unacknowledged message to another worker: above the longest job, so that none is told twice.

Nothing waits for it: what a killed worker held is announced again by the relay once the job's lease has run out.
"""

PREFETCH: Final = 4
"""Messages a process of a worker has waiting beside the one it works on (docs/adr/0061: measured)."""


def task_options(stage: Stage) -> dict[str, Any]:
    """What Celery is told of the stage's task."""
    return {
        "name": task_name(stage),
        "time_limit": time_limit(stage),
        "ignore_result": True,
        "acks_late": True,
    }


def celery_app(url: str, tenant_id: str, *, ca_file: str = "", processes: int = 1) -> Celery:
    """The application that workers run; it connects when it is used.

    Args:
        url: `redis[s]://user:password@host:port/db`.
        tenant_id: whose keys are used.
        ca_file: certificates that the server is trusted by.
        processes: how many a worker has.
    """
    app = Celery("frostbyte", set_as_current=False)
    exchange = Exchange(EXCHANGE, type="direct")
    app.conf.update(
        broker_url=url,
        broker_use_ssl=secured(url, ca_file) or None,
        broker_transport_options={
            "global_keyprefix": key_prefix(tenant_id),
            "visibility_timeout": VISIBILITY_SECONDS,
            "priority_steps": [0],
            # What is begun is finished before more is begun: the last stage's queue is asked first.
            "queue_order_strategy": "priority",
            "socket_timeout": NETWORK_SECONDS,
            "socket_connect_timeout": NETWORK_SECONDS,
            "socket_keepalive": True,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_queues=[Queue(stage.value, exchange, routing_key=stage.value) for stage in reversed(ORDER)],
        task_create_missing_queues=False,
        task_default_queue=ORDER[0].value,
        task_default_exchange=EXCHANGE,
        task_default_routing_key=ORDER[0].value,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=False,  # the lease runs out, and the relay announces the job again
        task_acks_on_failure_or_timeout=True,
        task_send_sent_event=False,
        task_serializer="json",
        accept_content=["json"],
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_pool="prefork",
        worker_concurrency=processes,
        worker_prefetch_multiplier=PREFETCH,
        worker_proc_alive_timeout=60.0,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        enable_utc=True,
        timezone="UTC",
    )
    return app
