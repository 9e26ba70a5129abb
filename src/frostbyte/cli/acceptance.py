"""An acceptance test of a plane that runs: its promises are tried with documents of our own, which are erased again.

Everything goes by the plane's own interface, so it is the whole way that is tried: gateway, scanner, parser, policy,
embedder, index, audit. A gate that cannot be tried has failed: nothing here is well because nobody looked.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from frostbyte.cli import verifier
from frostbyte.cli.client import Client
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.findings import Finding, Level
from frostbyte.cli.specimens import FOUND, MALWARE, MIME, ORDERS, PERSONAL, Specimens, body, specimens
from frostbyte.kernel.errors import FrostbyteError

SUBJECT: Final = "acceptance-test"
"""Who the audit says it was."""
SCOPES: Final = ("ingest", "query", "erase", "audit")
JOURNAL: Final = "acceptance-test"
"""File in the data folder with the seed of a run that is under way: from it alone can be told, and erased, what was
sent. One that is left tells of a run that was killed."""
NAMES: Final = (
    "documents_taken",
    "malware_caught",
    "injection_withheld",
    "pii_redacted",
    "answer_found",
    "meaning_found",
    "proof_verifies",
    "documents_erased",
)
"""Findings of a trial; each is always there."""
_SETTLED: Final = frozenset({"indexed", "quarantined", "failed", "erased"})
_SURE_SCORE: Final = 0.85
"""What the injection gate gives the orders in ORDERS at least (policy/rules/injection.toml, ignore_instructions)."""
_POLL_SECONDS: Final = 0.3


class Trial:
    """One run of the test.

    Args:
        client: calls the plane as its administrator.
        access: makes a client of the same plane with another token.
        folder: where the journal lies.
        key: the log's verifier key, from elsewhere than the plane's answers.
        seconds: the longest wait for the stages.
    """

    def __init__(
        self, client: Client, access: Callable[[str], Client], folder: Path, key: str, seconds: float = 180.0
    ) -> None:
        self._admin = client
        self._access = access
        self._journal = folder / JOURNAL
        self._key = key
        self._seconds = seconds
        self._found: dict[str, Finding] = {}
        self._settings: dict[str, Any] = {}
        self._ids: dict[str, str] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._chunk: dict[str, Any] = {}

    def run(self) -> list[Finding]:
        """Try everything; the documents are erased again, whatever happens in between."""
        with self._told("documents_taken"):
            self._settings = dict(self._admin.json("GET", "/config")["values"])
            if MIME not in self._settings["mime_allowlist"]:
                raise CommandFailed(
                    "specimens_refused",
                    "This tenant takes no plain text, which the test's documents are.",
                    f"Let mime_allowlist have {MIME} while the plane is checked.",
                )
            if self._everything_held():
                return [_held(name) for name in NAMES]
            with self._allowed() as client:
                self._left_over(client)
                self._try(client)
        return [self._found.get(name) or _not_tried(name) for name in NAMES]

    def _everything_held(self) -> bool:
        """A hold that covers a document which there is not covers everything, what the test would send too."""
        asked = {"doc_id": str(UUID(int=0)), "limit": 1}
        return bool(self._admin.json("GET", "/holds", params=asked)["holds"])

    @contextmanager
    def _allowed(self) -> Iterator[Client]:
        """A client with a token of its own, which may only what the test needs and ends with it."""
        asked = {"subject": SUBJECT, "scopes": list(SCOPES), "ttl_seconds": int(self._seconds) + 900}
        made = self._admin.json("POST", "/tokens", body=asked)
        try:
            with self._access(made["token"]) as client:
                yield client
        finally:
            self._admin.answer("DELETE", f"/tokens/{made['jti']}")

    def _left_over(self, client: Client) -> None:
        """Erase what a run has left that was killed."""
        try:
            seed = self._journal.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return
        self._send(client, specimens(seed))
        self._erase(client)
        self._journal.unlink()

    def _try(self, client: Client) -> None:
        seed = secrets.token_hex(16)
        own = specimens(seed)
        part = self._journal.with_name(f"{JOURNAL}.part")
        part.write_text(seed, encoding="ascii")
        part.replace(self._journal)
        try:
            refused = self._send(client, own)
            self._settle(client)
            self._judge(client, own, refused)
        finally:
            with self._told("documents_erased"):
                self._send(client, own)  # which may have been cut off; the same batch is never there twice
                self._erase(client)
                self._confirm_erased(client, own)
                self._journal.unlink()

    def _judge(self, client: Client, own: Specimens, refused: list[dict[str, Any]]) -> None:
        waits = [f"{name} {_standing(item)}" for name, item in self._states.items() if item["state"] not in _SETTLED]
        if refused:
            codes = ", ".join(sorted({item["code"] for item in refused}))
            self._say("documents_taken", Level.FAIL, f"The plane refused documents: {codes}.", refused[0]["remedy"])
        elif waits:
            late = f"After {self._seconds:.0f} s not every document was through: {'; '.join(sorted(waits))}."
            self._say("documents_taken", Level.FAIL, late, "See what waits: frostbyte jobs list; frostbyte doctor.")
        else:
            self._say("documents_taken", Level.OK, f"{len(self._ids)} documents went through every stage.")
        for name, judge in (
            ("malware_caught", self._malware),
            ("injection_withheld", self._orders),
            ("pii_redacted", self._personal),
            ("answer_found", self._answer),
            ("meaning_found", self._meaning),
            ("proof_verifies", self._proof),
        ):
            with self._told(name):
                self._say(name, *judge(client, own))

    # ---- sending and erasing

    def _send(self, client: Client, own: Specimens) -> list[dict[str, Any]]:
        """Send them, or find them as they were sent; returns those that the plane refused."""
        sent = body(own.documents)
        headers = {"Content-Type": sent.content_type, "Idempotency-Key": sent.key}
        answer = client.json("POST", "/ingest", content=sent.content, headers=headers)
        self._ids = {item["file_id"]: item["doc_id"] for item in answer["accepted"]}
        self._batch = str(answer["batch_id"])
        return list(answer["rejected"])

    def _settle(self, client: Client) -> None:
        deadline = time.monotonic() + self._seconds
        while True:
            status = client.json("GET", f"/ingest/{self._batch}")
            self._states = {item["file_id"]: item for item in status["documents"]}
            if all(item["state"] in _SETTLED for item in self._states.values()) or time.monotonic() > deadline:
                return
            time.sleep(_POLL_SECONDS)

    def _erase(self, client: Client) -> None:
        for doc_id in self._ids.values():
            receipt = client.json("DELETE", f"/documents/{doc_id}")
            client.json("GET", f"/audit/proof/{receipt['event_id']}")  # which waits until a checkpoint covers it

    def _confirm_erased(self, client: Client, own: Specimens) -> None:
        for doc_id in self._ids.values():
            kept = client.json("GET", f"/documents/{doc_id}")["state"]
            events = [item["type"] for item in client.json("GET", f"/audit/chain/{doc_id}")["events"]]
            if kept != "erased" or events[-1] != "DOCUMENT_ERASED":
                raise CommandFailed("specimens_remain", "A document of the test was not erased.", _REPORT)
        if _passages(client, own.found_word, mode="lexical", doc_ids=self._ids.values()):
            raise CommandFailed("specimens_remain", "A passage of an erased document is still found.", _REPORT)
        self._say(
            "documents_erased",
            Level.OK,
            f"All {len(self._ids)} are erased: keys destroyed, nothing found any more, each erasure in the audit.",
        )

    # ---- what is promised

    def _malware(self, client: Client, own: Specimens) -> _Said:
        item = self._states[MALWARE]
        if item["state"] != "quarantined":
            remedy = "Do not take documents before this is mended: look at the scanner with `frostbyte doctor`."
            return Level.FAIL, f"The EICAR test file was not caught: it is {_standing(item)}.", remedy
        return Level.OK, f"The EICAR test file is quarantined ({item['code']}).", ""

    def _orders(self, client: Client, own: Specimens) -> _Said:
        item, threshold = self._states[ORDERS], float(self._settings["injection_withhold"])
        shown = client.answer("GET", f"/documents/{self._ids[ORDERS]}/content", params={"format": "md"}).text
        found = _passages(client, own.orders_word, mode="lexical", doc_ids=[self._ids[ORDERS]])
        where = [
            name
            for name, out in (
                ("not counted", not item["withheld"]),
                ("shown in the document", own.orders_word in shown),
                ("found by a search", bool(found)),
            )
            if out
        ]
        if item["state"] == "indexed" and not where:
            return Level.OK, "A passage with orders to a language model is withheld: not found, and not shown.", ""
        if item["state"] == "indexed" and threshold > _SURE_SCORE:
            told = f"Orders to a language model are let through: injection_withhold is {threshold}."
            return Level.WARN, told, _DECIDED
        told = ", ".join(where) or _standing(item)
        return Level.FAIL, f"Orders to a language model were not withheld: {told}.", _POLICY

    def _personal(self, client: Client, own: Specimens) -> _Said:
        policy, item = self._settings["pii_policy"], self._states[PERSONAL]
        wanted = {kind: text for kind, text in own.personal.items() if kind in self._settings["pii_types"]}
        kinds = ", ".join(sorted(wanted))
        if not wanted:
            return (
                Level.WARN,
                f"pii_types names none of {', '.join(sorted(own.personal))}: nothing was tried.",
                _DECIDED,
            )
        if policy == "block":
            good = item["state"] == "quarantined"
            told = f"A document with {kinds} is {_standing(item)}; pii_policy is block."
            return (Level.OK, told, "") if good else (Level.FAIL, told, _POLICY)
        events = [found["type"] for found in client.json("GET", f"/audit/chain/{self._ids[PERSONAL]}")["events"]]
        if item["state"] != "indexed" or "PII_DETECTED" not in events:
            return Level.FAIL, f"Personal data ({kinds}) was not noticed ({_standing(item)}).", _POLICY
        if policy == "flag":
            return Level.WARN, f"Personal data ({kinds}) is noticed and shown: pii_policy is flag.", _DECIDED
        shown = client.answer("GET", f"/documents/{self._ids[PERSONAL]}/content", params={"format": "md"}).text
        found = _passages(client, "person on duty", doc_ids=[self._ids[PERSONAL]])
        texts = [shown, *(passage["text"] for passage in found)]
        leaks = sorted(kind for kind, value in wanted.items() if any(value in text for text in texts))
        if leaks or not found or not all(f"[{kind}]" in text for kind in wanted for text in texts):
            return Level.FAIL, f"Personal data is not redacted everywhere ({', '.join(leaks) or kinds}).", _POLICY
        return Level.OK, f"{kinds} are redacted, in the passage and in the document.", ""

    def _answer(self, client: Client, own: Specimens) -> _Said:
        found = _passages(client, own.found_word, mode="lexical")
        # Others may come behind it: words are also found by groups of letters that they share.
        if not found or found[0]["doc_id"] != self._ids[FOUND] or own.found_word not in found[0]["text"]:
            return Level.FAIL, "A word that stands in one document alone does not find it.", _INDEX
        self._chunk = found[0]
        return Level.OK, "Among all documents, a word of one finds it first.", ""

    def _meaning(self, client: Client, own: Specimens) -> _Said:
        found = _passages(client, own.question, mode="dense", doc_ids=[self._ids[FOUND]])
        if not found or "eleven weeks" not in found[0]["text"]:
            return Level.FAIL, "A question does not find the passage that answers it.", _INDEX
        return Level.OK, "A question reaches its passage by way of the embedding model and the vector index.", ""

    def _proof(self, client: Client, own: Specimens) -> _Said:
        if not self._chunk:
            return Level.FAIL, "No passage was found that could be proven.", _INDEX
        proof = client.json("GET", f"/chunks/{self._chunk['chunk_id']}/proof")
        verdict = verifier.verify_proof(proof, self._key)
        changed = proof | {"answer": proof["answer"] | {"text": proof["answer"]["text"].replace("eleven", "twelve")}}
        if not verdict.ok or proof["answer"]["text"] != self._chunk["text"]:
            names = ", ".join(sorted(verdict.names)) or "it proves another text"
            return Level.FAIL, f"The answer's proof does not hold: {names}.", _REPORT
        if verifier.verify_proof(changed, self._key).ok:
            return Level.FAIL, "A changed answer passes as proven.", _REPORT
        return Level.OK, "The answer's proof holds against the signed log, and no longer with a word changed.", ""

    # ---- findings

    def _say(self, name: str, level: Level, message: str, remedy: str = "") -> None:
        self._found[name] = Finding(name, level, message, remedy)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """What goes wrong inside is that finding, and the test goes on: the plane's own sentence is the best one."""
        try:
            yield
        except FrostbyteError as error:
            self._say(name, Level.FAIL, f"{error.message} ({error.code})", error.remedy)
        except (verifier.Unreadable, LookupError, TypeError, ValueError) as error:
            self._say(
                name, Level.FAIL, f"The plane's answer is not what it should be ({type(error).__name__}).", _REPORT
            )


_Said = tuple[Level, str, str]
_REPORT: Final = "Keep this report and what support.sh collects, and report it: this should never happen."
_POLICY: Final = "Do not take documents before this is mended: see `frostbyte config show` and the rules of the plane."
_INDEX: Final = "Look at `frostbyte index status` and `frostbyte jobs list`."
_DECIDED: Final = "If this was decided, have it written down; else change it: frostbyte config set."


def _passages(client: Client, query: str, *, mode: str = "hybrid", doc_ids: Iterable[str] = ()) -> list[dict[str, Any]]:
    asked: dict[str, Any] = {"query": query, "mode": mode, "top_k": 5}
    if ids := list(doc_ids):
        asked["filters"] = {"doc_ids": ids}
    return list(client.json("POST", "/query", body=asked)["results"])


def _standing(item: dict[str, Any]) -> str:
    return f"{item['state']}, {item['code']}" if item.get("code") else str(item["state"])


def _held(name: str) -> Finding:
    return Finding(
        name,
        Level.WARN,
        "Not tried: all that the plane takes in is under a legal hold, so what is sent could not be erased again.",
        "Check again when the hold is released: `frostbyte hold list`.",
    )


def _not_tried(name: str) -> Finding:
    return Finding(name, Level.FAIL, "This could not be tried.", "Mend what is said above, then check again.")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the test's place: two at once would erase each other's journal.

    Raises:
        CommandFailed: `check_running`, or `data_dir_unwritable`.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(folder / f"{JOURNAL}.lock", timeout=0)
        with lock:
            yield
    except Timeout:
        raise CommandFailed(
            "check_running",
            "Another acceptance test of this plane is under way.",
            "Wait for its end; it takes a few minutes at most.",
            exit_code=Exit.REFUSED,
        ) from None
