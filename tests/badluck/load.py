"""What goes on while bad luck happens: somebody sends documents, somebody searches, both write down what they were
told.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from badluck.stack import Stack
from servers.clamd import EICAR

_SYLLABLES = "ba de fi go hu ja ke li mo nu pa re si to vu wa xe zi".split()
_WORDS = (
    "the parties agree that each delivery is checked on arrival and entered into the register within two working days "
    "unless a holiday falls between them in which case the period ends on the next working day after it and notice of "
    "any damage is given in writing to the warehouse which keeps the goods at the agreed temperature until then"
).split()

OUTAGES = ("objects_unavailable", "disk_full", "database_unavailable")
"""Codes of rejections that a fault may cause."""


@dataclass(frozen=True)
class Story:
    """A document of several passages with a word of its own in the first and in the last."""

    name: str
    first: str
    last: str
    content: bytes
    virus: bool = False


def story(rng: random.Random, number: int) -> Story:
    """One of a kind: about 5,000 characters in six sections; each twentieth carries the test virus."""
    first, last = (f"{mark}{''.join(rng.choices(_SYLLABLES, k=5))}{number}" for mark in ("q", "y"))
    sections = [
        f"{at + 1}. Section {at + 1} of {number}\n\n{' '.join(rng.choices(_WORDS, k=130))}.\n" for at in range(6)
    ]
    sections[0] += f"\nThe first mark is {first}.\n"
    sections[-1] += f"\nThe last mark is {last}.\n"
    virus = number % 20 == 7
    text = "\n".join(sections).encode()
    return Story(f"story-{number}.txt", first, last, EICAR + b"\n" + text if virus else text, virus)


@dataclass
class Sent:
    """What the plane gave a receipt for."""

    story: Story
    receipt_id: str
    doc_id: str


@dataclass
class Load:
    """Two threads beside the faults. `stop()` waits until everything that was sent has its receipt."""

    stack: Stack
    seed: int
    sent: list[Sent] = field(default_factory=list)
    halves: list[str] = field(default_factory=list)
    """Documents of which a search showed one end without the other."""
    searches: int = 0
    refusals: int = 0
    unexpected: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> Load:
        """Begin to send and to search."""
        for target in (self._send, self._search):
            self._threads.append(threading.Thread(target=target, name=target.__name__, daemon=True))
            self._threads[-1].start()
        return self

    def stop(self) -> None:
        """Stop sending; what is under way is sent until it has its receipt."""
        self._over.set()
        for thread in self._threads:
            thread.join(180)
            assert not thread.is_alive(), f"{thread.name} hangs"

    # -- sending --------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        rng = random.Random(self.seed)
        number = 0
        while not self._over.is_set():
            batch = [story(rng, number + at) for at in range(3)]
            number += len(batch)
            self._until_receipted(batch, f"load-{self.seed}-{number}")
            self._over.wait(1.0)

    def _until_receipted(self, batch: list[Story], key: str) -> None:
        """Send as a careful client does: the same key until a 202 comes, a new one for what an outage rejected."""
        left = {one.name: one for one in batch}
        deadline = time.monotonic() + 170
        attempt = 0
        while left and time.monotonic() < deadline:
            files = [("files", (one.name, one.content, "text/plain")) for one in left.values()]
            headers = {"Idempotency-Key": f"{key}-{attempt}"}
            told = self._ask("POST", "/api/v1/ingest", files=files, headers=headers, timeout=60)
            if told is None:
                time.sleep(0.5)
                continue
            attempt += 1
            for item in told["accepted"]:
                self.sent.append(Sent(left.pop(item["filename"]), item["receipt_id"], item["doc_id"]))
            self.unexpected += [f"rejected: {item}" for item in told["rejected"] if item["code"] not in OUTAGES]
            self.refusals += len(told["rejected"])
        if left:
            self.unexpected.append(f"no receipt within 170 s for {sorted(left)}")

    # -- searching ------------------------------------------------------------------------------------------------

    def _search(self) -> None:
        rng = random.Random(self.seed + 1)
        while not self._over.is_set():
            self._over.wait(0.2)
            if not self.sent:
                continue
            # The newest are the ones that may be half done.
            one = rng.choice(self.sent[-30:])
            found = self.ends_of(one)
            if found is None:
                continue
            self.searches += 1
            if found not in (set(), {"first", "last"}):
                self.halves.append(f"{one.story.name}: only {found}")

    def ends_of(self, one: Sent) -> set[str] | None:
        """Which ends of the document a search by their words shows; None where there was no answer."""
        question = {"query": f"{one.story.first} {one.story.last}", "mode": "lexical", "top_k": 10}
        told = self._ask("POST", "/api/v1/query", json=question, timeout=30)
        if told is None:
            return None
        shown = " ".join(str(item["text"]) for item in told["results"] if item["doc_id"] == one.doc_id)
        ends = {"first": one.story.first, "last": one.story.last}
        return {name for name, word in ends.items() if word in shown}

    def _ask(self, method: str, path: str, **given: Any) -> dict[str, Any] | None:
        """The answer, or None for what a fault may cause: no connection, 503, 429, a token of the gateway before."""
        try:
            headers = {"Authorization": f"Bearer {self.stack.token}"} | given.pop("headers", {})
            answer = httpx.request(method, self.stack.url + path, headers=headers, **given)
        except (httpx.HTTPError, OSError):
            self.refusals += 1
            return None
        if answer.status_code in (200, 202):
            told: dict[str, Any] = answer.json()
            return told
        self.refusals += 1
        if answer.status_code not in (401, 409, 429, 503):
            self.unexpected.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return None
