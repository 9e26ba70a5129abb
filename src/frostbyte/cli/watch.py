"""Following a batch: by the plane's event stream, and by asking where the stream breaks."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from frostbyte.cli.client import Client, segment
from frostbyte.cli.event_stream import server_events
from frostbyte.cli.output import count_text, err, safe, state_text, table, text
from frostbyte.kernel.errors import FrostbyteError, Kind

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

SETTLED: Final = frozenset({"indexed", "quarantined", "failed", "erased"})
"""States in which a document stays without a person's or a server's doing."""

POLL_SECONDS: Final = 0.5
WAITING_SECONDS: Final = 10.0
"""How long documents that wait for a gate (no scanner, no embedder) are watched."""
LOST_SECONDS: Final = 30.0
"""How long a plane may be away before watching gives up; the batch goes on without us."""
ROWS: Final = 12
"""Documents shown live; the rest are counted."""
STAGES: Final = ("scan", "parse", "policy", "embed", "index")


class Patience:
    """Decides when there is nothing left to watch.

    A document that waits for a gate is tried again by the plane for as long as it takes; a command should not hang on
    it for longer than `WAITING_SECONDS`.
    """

    def __init__(self) -> None:
        self._states: dict[str, tuple[str, str]] = {}
        self._stuck_since: float | None = None

    def see(self, documents: list[dict[str, Any]]) -> None:
        """Take in what is known now."""
        self._states.update({item["doc_id"]: (item["state"], item.get("code") or "") for item in documents})
        open_ones = [(state, code) for state, code in self._states.values() if state not in SETTLED]
        if not open_ones or not all(state == "waiting" and code for state, code in open_ones):
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = time.monotonic()

    @property
    def ended(self) -> bool:
        """Everything is settled, or has waited too long."""
        if all(state in SETTLED for state, _ in self._states.values()):
            return True
        return self._stuck_since is not None and time.monotonic() - self._stuck_since >= WAITING_SECONDS


def updates(client: Client, batch_id: str, *, streaming: bool = True) -> Iterator[list[dict[str, Any]]]:
    """The documents that changed, again and again, until all are settled or only wait for something that is missing.

    Raises:
        FrostbyteError: the batch is not there, or the plane stayed away for `LOST_SECONDS`.
    """
    patience = Patience()
    if streaming:
        try:
            yield from _streamed(client, batch_id, patience)
        except FrostbyteError as error:
            # A stream is a convenience: a proxy may not carry it. Asking always works.
            if error.kind in (Kind.UNAUTHENTICATED, Kind.FORBIDDEN):
                raise
    lost_since: float | None = None
    while True:
        try:
            status = client.json("GET", f"/ingest/{segment(batch_id)}")
        except FrostbyteError as error:
            lost_since = lost_since or time.monotonic()
            if error.kind is not Kind.UNAVAILABLE or time.monotonic() - lost_since > LOST_SECONDS:
                raise
        else:
            lost_since = None
            patience.see(status["documents"])
            yield status["documents"]
            if patience.ended:
                return
        time.sleep(POLL_SECONDS)


def _streamed(client: Client, batch_id: str, patience: Patience) -> Iterator[list[dict[str, Any]]]:
    with client.stream(
        "GET", f"/ingest/{segment(batch_id)}/events", headers={"Accept": "text/event-stream"}
    ) as response:
        for name, data, _ in server_events(response.iter_lines()):
            if name == "document":
                try:
                    changed = [json.loads(data)]
                except ValueError:
                    return
                patience.see(changed)
                yield changed
            elif name == "done" or patience.ended:
                return


class Progress:
    """Shows documents as they go through the stages: a live table on a terminal, a line per document in a log."""

    def __init__(self, documents: list[dict[str, Any]], *, quiet: bool = False) -> None:
        self._items: dict[str, dict[str, Any]] = {item["doc_id"]: dict(item) for item in documents}
        self._told: set[str] = set()
        self._quiet = quiet
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if not self._quiet and err().is_terminal:
            from rich.live import Live

            self._live = Live(self._picture(), console=err(), refresh_per_second=8, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, value, trace)

    def update(self, changed: list[dict[str, Any]]) -> None:
        """Take in what changed."""
        for item in changed:
            self._items.setdefault(item["doc_id"], {}).update(item)
        if self._live:
            self._live.update(self._picture())
        elif not self._quiet:
            for item in self._items.values():
                self._tell(item)

    def _tell(self, item: dict[str, Any]) -> None:
        state = item.get("state", "received")
        told = f"{item['doc_id']} {state}"
        if told in self._told or state == "received":
            return
        self._told.add(told)
        err().print(text(f"  {state:<12}") + text(item.get("filename", "")) + text(_outcome(item), "dim"))

    def _picture(self) -> Group:
        from rich.console import Group

        states = Counter(item.get("state", "received") for item in self._items.values())
        open_first = sorted(self._items.values(), key=lambda item: item.get("state") in SETTLED)
        shown = table("file", "state", "stage", ">pages", ">passages")
        for item in open_first[:ROWS]:
            shown.add_row(
                text(_short(item.get("filename", ""))),
                state_text(item.get("state", "received")),
                text(_stage(item)),
                text(item.get("pages") or ""),
                text(item.get("chunks") or ""),
            )
        line = text("  ").join(text(f"{count} ", "bold") + state_text(state) for state, count in sorted(states.items()))
        more = len(self._items) - ROWS
        return Group(shown, line + text(f"   and {more} more files" if more > 0 else "", "dim"))


def _stage(item: dict[str, Any]) -> str:
    stage = item.get("stage")
    if stage in STAGES and item.get("state") not in SETTLED:
        at = STAGES.index(stage)
        return "●" * at + "○" * (len(STAGES) - at) + f" {stage}"
    return str(item.get("code") or "")


def _outcome(item: dict[str, Any]) -> str:
    if item["state"] == "indexed":
        return f"  {count_text(item.get('pages', 0), 'page')}, {count_text(item.get('chunks', 0), 'passage')}"
    return f"  {safe(item['code'])}" if item.get("code") else ""


def _short(name: str, most: int = 48) -> str:
    return name if len(name) <= most else f"{name[: most - 9]}…{name[-8:]}"
