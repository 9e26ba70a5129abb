"""`frostbyte demo-operations`: the days after on a simulated cloud, with the very commands of docs/operations.md."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte import __version__
from frostbyte.cli.demo import say, step
from frostbyte.cli.demo_sky import TENANT, Sky, document, failed, read, sky

if TYPE_CHECKING:
    import httpx

OLDER: Final = "0.0.9"
"""What the tenant begins with: on hosts that are processes every version is the code of this machine."""
EVERY_SECONDS: Final = 0.25
"""Between two documents of the load."""


def demo_operations(
    samples: Annotated[Path, typer.Option("--samples", help="A folder with a document to send.")] = Path("samples"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder with all logs.")] = False,
) -> None:
    """The days after, on a simulated cloud: scaled under load, updated, repaired, backed up, restored, forgotten.

    Servers are processes of this machine; everything else is what runs for real.
    """
    sent = document(samples)
    with sky("frostbyte-operations-", keep=keep) as above:
        Story(above, sent).tell()


class Story:
    """What happens, in order.

    Args:
        document: what is sent, and forgotten at the end.
    """

    def __init__(self, above: Sky, document: Path) -> None:
        self._sky, self._document = above, document
        self._question = " ".join(document.read_text(encoding="utf-8").split()[:12])

    def tell(self) -> None:
        """All of it. Raises CommandFailed where something does not go as it should."""
        step(1, "A tenant that stands, and a document of it")
        self._sky.base()
        self._sky.type("tenant", "create", TENANT, "--project", "main")
        self._sky.type("tenant", "provision", TENANT, "--release", OLDER, "--yes")
        doc_id = self._sky.ingest(self._document)
        step(2, "It is scaled while documents come in")
        with Load(self._sky) as load:
            self._sky.type("tenant", "scale", TENANT, "--workers", "2", "--yes")
        load.tell()
        step(3, "It is updated while documents come in")
        with Load(self._sky) as load:
            self._sky.type("tenant", "update", TENANT, "--to", __version__)
        load.tell()
        step(4, "Its database's server is destroyed, and replaced around its volume")
        self._sky.destroy(f"fb-{TENANT}-db")
        self._sky.type("tenant", "drift", TENANT, fails=True)
        self._sky.type("tenant", "repair", TENANT, "--yes")
        self._sky.type("tenant", "drift", TENANT)
        self._found(doc_id)
        step(5, "It is backed up")
        self._sky.type("tenant", "backup", TENANT)
        step(6, "The document is erased, the plane is restored from before, and nothing of it comes back")
        self._erase(doc_id)
        self._sky.type("tenant", "restore", TENANT, "--confirm", TENANT)
        self._forgotten(doc_id)
        step(7, "What happened, in sentences")
        self._sky.type("tenant", "history", TENANT)

    def _found(self, doc_id: str) -> None:
        with self._sky.edge() as client:
            self._sky.until(lambda: self._doc_ids(client) == {doc_id}, "the document is not found any more")
        say("The document is found as before.")

    def _doc_ids(self, client: httpx.Client) -> set[str]:
        return {str(one["doc_id"]) for one in self._sky.ask(client, self._question)}

    def _erase(self, doc_id: str) -> None:
        with self._sky.edge() as client:
            receipt = read(client.delete(f"/api/v1/documents/{doc_id}"), 200)
        say(f"Its key is destroyed, says receipt {receipt['erasure_id']}.")

    def _forgotten(self, doc_id: str) -> None:
        with self._sky.edge() as client:
            self._sky.until(partial(self._gone, client, doc_id), "it came back")
            if doc_id in self._doc_ids(client):
                raise failed("a document that was erased is found", self._sky.folder)
            say("The restored plane says that it was erased, shows no content of it, and no search finds it.")

    @staticmethod
    def _gone(client: httpx.Client, doc_id: str) -> bool:
        shown: dict[str, Any] = read(client.get(f"/api/v1/documents/{doc_id}"), 200)
        return shown["state"] == "erased" and client.get(f"/api/v1/documents/{doc_id}/content").status_code == 409


class Load:
    """Documents that come in all the time, each other than the ones before, and what was answered.

    Every one that was taken has to be found in the end: `tell` waits for it.
    """

    def __init__(self, above: Sky) -> None:
        self._sky, self._stop = above, threading.Event()
        self._answers: Counter[int] = Counter()
        self._batches: list[str] = []
        self._refused: list[float] = []
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(60)

    def _send(self) -> None:
        with self._sky.edge() as client:
            number = 0
            while not self._stop.wait(EVERY_SECONDS):
                number += 1
                self._sent(
                    client, f"note-{number}.txt", f"Note {number} of {time.time_ns()}: the boiler was looked at."
                )

    def _sent(self, client: httpx.Client, name: str, words: str) -> None:
        import httpx

        try:
            answer = client.post("/api/v1/ingest", files={"files": (name, words.encode())})
        except httpx.HTTPError:  # as for a client whose connection is cut: it sends it again
            self._answers[0] += 1
            self._refused.append(time.monotonic())
            return
        self._answers[answer.status_code] += 1
        if answer.status_code == 202:
            self._batches.append(str(answer.json()["batch_id"]))
        else:
            self._refused.append(time.monotonic())

    def tell(self) -> None:
        """Say what became of them. Raises CommandFailed where one that was taken is lost."""
        with self._sky.edge() as client:
            for batch in self._batches:
                self._sky.until(partial(self._indexed, client, batch), f"batch {batch} was lost")
        span = self._refused[-1] - self._refused[0] if self._refused else 0.0
        said = f"{len(self._batches)} documents were taken while it happened, and every one is indexed"
        others = sum(count for status, count in self._answers.items() if status != 202)
        say(f"{said}; {others} were refused, within {span:.1f} s.")

    def _indexed(self, client: httpx.Client, batch: str) -> bool:
        shown: dict[str, Any] = read(client.get(f"/api/v1/ingest/{batch}"), 200)
        return all(one["state"] == "indexed" for one in shown["documents"])
