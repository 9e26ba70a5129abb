"""A plane that dies around telling somebody. Run as a program by test_webhook_kills.py.

    doomed_webhooks.py DATA_DIR MOMENT RECEIVER [FILE]

With a FILE the plane first gets a webhook to RECEIVER and that file. MOMENT is `never`, `batch` (the commit that ends
the batch was made), `claimed` (an attempt was counted), `sending` (nothing was sent yet) or `sent` (and not written
down): there this process and its children are killed (SIGKILL). If it lives, it prints a line of JSON: what became of
each message.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from acceptance.doomed_plane import arm_commit, die
from frostbyte.bootstrap.data import Plane, build
from frostbyte.data_plane.flow import ORDER
from frostbyte.data_plane.webhooks.dispatch import Dispatch
from frostbyte.kernel import logging
from frostbyte.kernel.records import SequencedEvent
from frostbyte.kernel.settings import load
from frostbyte.kernel.webhooks.records import Fate

LEASE_SECONDS = 2.0
PATIENCE_SECONDS = 60.0


def arm(plane: Plane, moment: str) -> None:
    """Put the bomb where it belongs."""
    dispatch: Any = plane.webhooks.dispatch
    courier: Any = dispatch._delivery._courier
    claimed, carry = dispatch.claimed, courier.carry

    def doomed_claim() -> Any:
        rows = claimed()
        if rows:
            die()
        return rows

    def doomed_carry(*given: Any) -> None:
        if moment == "sent":
            carry(*given)
        die()

    if moment == "batch":
        dispatch.claimed = list  # none: its own turn might count an attempt between that commit and the kill
        arm_commit(plane, len(ORDER) - 1, "after")
    elif moment == "claimed":
        dispatch.claimed = doomed_claim
    elif moment != "never":
        courier.carry = doomed_carry


def told(plane: Plane) -> dict[str, Any]:
    """Every message, how often it was tried, and what the log says of it."""
    [webhook] = plane.webhooks.desk.list()["webhooks"]
    with plane.store.unit_of_work() as uow:
        events: list[SequencedEvent] = uow.audit.events(resource_id=webhook["webhook_id"], limit=1000)
        [row] = uow.webhooks.all()
        sent = uow.webhooks.page(row.webhook_id)
    return {
        "deliveries": [[str(one.delivery_id), one.state.value, one.attempts] for one in sent],
        "events": [event.event.type for event in events],
    }


def main() -> None:
    logging.configure()  # what this prints is for the test that runs it
    folder, moment, place, *files = sys.argv[1:]
    told_so = {"FROSTBYTE_WORKERS": "1", "FROSTBYTE_WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128"}
    authority = {"FROSTBYTE_WEBHOOK_CA_FILE": str(Path(folder) / "ca.pem"), "FROSTBYTE_DATA_DIR": folder}
    plane = build(load(told_so | authority))
    old = plane.webhooks.dispatch
    quick = Dispatch(
        plane.store.unit_of_work,
        plane.clock,
        old._delivery,
        waits=old._waits,
        lease_seconds=LEASE_SECONDS,
        turn_seconds=0.1,
    )
    plane.webhooks = replace(plane.webhooks, dispatch=quick)
    for name in files:
        plane.configuration.change({"webhook_hosts": [place]}, expected=0, actor="tester")
        print(plane.webhooks.desk.add(f"https://{place}/hook", actor="tester")["secret"], flush=True)
        session = plane.intake.open_batch("tester")
        sink = session.file(Path(name).name)
        sink.write(Path(name).read_bytes())
        sink.finish()
        session.close()
    arm(plane, moment)
    plane.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with plane.store.unit_of_work() as uow:
            states = [tally.state for tally in uow.webhooks.tally()]
        if states and Fate.WAITING not in states:
            break
        time.sleep(0.05)
    time.sleep(1.2)  # a last turn of the sequencer
    print(json.dumps(told(plane)), flush=True)
    plane.close()


if __name__ == "__main__":
    main()
