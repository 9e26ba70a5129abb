"""Checks Frostbyte's audit exports and proofs, away from Frostbyte.

This one file is the verifier: it needs Python 3.11 or newer and the package `cryptography` (for Ed25519), shares no
code with what it judges, and may be handed to an auditor alone. docs/proof-format.md describes what it checks.

    python verifier.py export FOLDER_OR_TAR --key KEY [--since FILE] [--witness KEY] [--keep FILE] [--jobs N] [--json]
    python verifier.py proof PROOF.json --key KEY [--earlier-key KEY] [--source FILE] [--witness KEY] [--json]

KEY is the log's verifier key (name+hash+key) or a file that holds it, received by another way than the thing checked.
A plane that was restored has a new log with a new key; what is older is proven against the log that it came with.
Exit codes: 0 everything holds, 1 something does not, 2 the input cannot be read.
"""

from __future__ import annotations

import argparse
import base64
import bisect
import hashlib
import itertools
import json
import os
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EXPORT_FORMAT, PROOF_FORMATS = "frostbyte-audit-export/1", ("frostbyte-proof/1", "frostbyte-proof/2")
EVENTS, LEAVES, MANIFEST = "audit_export.jsonl", "audit_leaves.bin", "manifest.json"
MAX_LINE = 1 << 20  # bytes of one exported event at most; real ones have under 64 KiB
BATCH = 512  # lines that are decoded at once where all is as it should be
PART = 8 << 20  # bytes of events that one process takes at a time
SHOWN = 20  # failures of one name that are listed one by one; the rest are counted


class Unreadable(Exception):
    """The input is not what it should be: nothing can be said about it."""


@dataclass(frozen=True)
class Failure:
    """One thing that does not hold: its name (docs/proof-format.md lists them), where, and what is wrong."""

    name: str
    where: str
    message: str


@dataclass
class Verdict:
    """What was checked, what is only attested, what failed, and the checkpoint to keep for the next `--since`."""

    subject: str
    checked: list[str] = field(default_factory=list)
    attested: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    not_listed: dict[str, int] = field(default_factory=dict)
    keep: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def names(self) -> set[str]:
        """The kinds of failures."""
        return {failure.name for failure in self.failures}

    def fail(self, name: str, where: str, message: str) -> None:
        """Add a failure, or count it where there are many of its name."""
        if sum(failure.name == name for failure in self.failures) < SHOWN:
            self.failures.append(Failure(name, where, message))
        else:
            self.not_listed[name] = self.not_listed.get(name, 0) + 1

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {"ok": self.ok, **asdict(self)}

    def text(self) -> str:
        """For people."""
        lines = [f"{self.subject}: {'HOLDS' if self.ok else 'DOES NOT HOLD'}"]
        lines += [f"  checked   {item}" for item in self.checked]
        lines += [f"  attested  {item} (stated by the plane, not computed here)" for item in self.attested]
        lines += [f"  FAILED    {item.name} at {item.where}: {item.message}" for item in self.failures]
        lines += [f"  FAILED    {name}: {count} more" for name, count in self.not_listed.items()]
        keep = ["Keep this checkpoint for the next check (--since):", self.keep.rstrip("\n")]
        return "\n".join(lines + keep if self.ok and self.keep else lines)


def canonical(value: Any) -> bytes:
    """The bytes of a JSON value that are hashed: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A growing RFC 6962 tree that keeps only its right edge; `prefix` is the edge it begins with."""

    def __init__(self, size: int, prefix: Sequence[bytes]) -> None:
        levels = [bit for bit in range(size.bit_length() - 1, -1, -1) if size >> bit & 1]
        self.size, self._edge = size, list(zip(levels, prefix, strict=True))

    def add(self, leaf: bytes) -> None:
        """Append a leaf hash."""
        level, value = 0, leaf
        while self._edge and self._edge[-1][0] == level:
            level, value = level + 1, node_hash(self._edge.pop()[1], value)
        self._edge.append((level, value))
        self.size += 1

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append many: level by level, a pair at a time."""
        edge = dict(self._edge)
        found: list[tuple[int, bytes]] = []
        row, level = list(leaves), 0
        while row:
            if level in edge:
                row.insert(0, edge.pop(level))
            if len(row) % 2:
                found.append((level, row.pop()))
            row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
            level += 1
        self._edge = [*edge.items(), *found[::-1]]
        self.size += len(leaves)

    def root(self) -> bytes:
        """The root as it stands, of a tree that is not empty."""
        value = self._edge[-1][1]
        for _, left in reversed(self._edge[:-1]):
            value = node_hash(left, value)
        return value


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an audit path leads to (RFC 6962, section 2.1.1); empty where path and place do not fit."""
    if size <= 1 or not path:
        return leaf if (index, size) == (0, 1) and not path else b""
    half = 1 << ((size - 1).bit_length() - 1)
    if index < half:
        return node_hash(root_from_path(leaf, index, half, path[:-1]), path[-1])
    return node_hash(path[-1], root_from_path(leaf, index - half, size - half, path[:-1]))


@dataclass(frozen=True)
class Key:
    """A C2SP verifier key: type 1 signs a log's checkpoints, type 4 a witness's cosignatures."""

    name: str
    type: int
    raw: bytes
    id: bytes

    @classmethod
    def read(cls, text: str) -> Key:
        """From name+hash+key."""
        try:
            name, key_id, encoded = text.strip().split("+", 2)
            data = base64.b64decode(encoded, validate=True)
            expected = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
            if len(data) != 33 or data[0] not in (1, 4) or expected.hex() != key_id:
                raise ValueError("another kind of key")
        except ValueError as error:
            raise Unreadable("the key is damaged, or not of the form name+hash+key") from error
        return cls(name, data[0], data[1:], expected)


@dataclass(frozen=True)
class Note:
    """A checkpoint note, taken apart."""

    note: str
    text: str
    signatures: list[tuple[str, bytes]]
    origin: str
    size: int
    root: bytes

    @classmethod
    def read(cls, note: str) -> Note:
        """Raises Unreadable where it is no signed checkpoint."""
        try:
            text, _, lines = note.rpartition("\n\n")
            origin, size, root = text.split("\n")[:3]
            parts = [line.split(" ") for line in lines.rstrip("\n").split("\n")]
            signatures = [(name, base64.b64decode(raw, validate=True)) for _, name, raw in parts]
            decoded = base64.b64decode(root, validate=True)
            if len(decoded) != 32 or not re.fullmatch("[1-9][0-9]{0,18}", size, re.ASCII):
                raise ValueError("no checkpoint")
        except ValueError as error:
            raise Unreadable("a checkpoint is not a signed note") from error
        return cls(note, text + "\n", signatures, origin, int(size), decoded)

    def signed_by(self, key: Key) -> bool:
        """Whether the log's key signed it, or the witness's key cosigned it."""
        for name, raw in self.signatures:
            if (name, raw[:4]) != (key.name, key.id) or (key.type == 1 and self.origin != key.name):
                continue
            cosigned = f"cosignature/v1\ntime {int.from_bytes(raw[4:12], 'big')}\n" if key.type == 4 else ""
            try:
                signer = Ed25519PublicKey.from_public_bytes(key.raw)
                signer.verify(raw[12:] if cosigned else raw[4:], (cosigned + self.text).encode())
            except InvalidSignature:
                continue
            return True
        return False


def check_witnesses(verdict: Verdict, note: Note, witnesses: Sequence[Key]) -> None:
    """Each of them must have cosigned the note."""
    for key in witnesses:
        if note.signed_by(key):
            verdict.checked.append(f"witness {key.name} cosigned the checkpoint of {note.size} events")
        else:
            verdict.fail("cosignature_missing", f"witness {key.name}", "did not sign the newest checkpoint")


class Chains:
    """Follows the chains of events: each names the newest one before, and begins with the hash that one ended with."""

    def __init__(self, verdict: Verdict, tenant: str, *, partial: bool) -> None:
        self._verdict, self._tenant, self._partial = verdict, tenant, partial
        self._newest: dict[str, tuple[str, str]] = {}
        self._early: list[dict[str, Any]] = []

    def add(self, event: dict[str, Any]) -> None:
        """The next event of the log."""
        if event["tenant_id"] != self._tenant:
            self._verdict.fail("wrong_tenant", f"event {event['event_id']}", "belongs to another tenant")
        self._follow(event, self._early)
        self._newest[event["event_id"]] = (event["resource_id"], event["details"].get("output_hash", ""))

    def open(self) -> tuple[list[dict[str, Any]], dict[str, tuple[str, str]]]:
        """What the next part has to know: events whose predecessor did not come, and the newest of the chains."""
        return self._early, self._newest

    def join(self, early: list[dict[str, Any]], newest: dict[str, tuple[str, str]]) -> None:
        """Go on with what a part found."""
        for event in early:
            self._follow(event, self._early)
        self._newest.update(newest)

    def end(self) -> None:
        """All were added: judge those that got a smaller number than the one before (hosts' clocks may differ)."""
        for event in self._early:
            self._follow(event, None)

    def _follow(self, event: dict[str, Any], later: list[dict[str, Any]] | None) -> None:
        previous, mine = event["previous_event_id"], (event["resource_id"], event["details"].get("input_hash", ""))
        if previous is None or previous in self._newest:
            fits = mine == self._newest.pop(previous, (event["resource_id"], ""))
        elif later is not None:
            return later.append(event)
        else:
            fits = self._partial  # it may lie before the part that was exported
        if not fits:
            where, message = (
                f"event {event['event_id']}",
                "does not begin with what the newest of its chain ended with",
            )
            self._verdict.fail("chain_inconsistent", where, message)
        return None


class Line(NamedTuple):
    """A line of the export: its bytes, leaf hash, the number it claims, and the event, None if it is not one."""

    raw: bytes
    leaf: bytes
    sequence: int
    event: dict[str, Any] | None


class Part(NamedTuple):
    """What a part of the events came to, all of whose lines are as they were written and follow each other."""

    first: int
    length: int
    last_time: str
    leaves: bytes
    early: list[dict[str, Any]]
    """Events whose predecessor lies before the part."""
    newest: dict[str, tuple[str, str]]
    """The newest events of the chains, as `Chains` keeps them."""


def judge_part(path: str, start: int, end: int, tenant: str) -> Part | None:
    """Judge the lines between two offsets of the events' file; None where anything at all is not as it should be.

    Many lines are decoded in one call and encoded in one call. Where the result is those lines again, each begins with
    the only object that begins with "event" and there are as many as lines, every line is one canonical event line: the
    bytes of its event can be cut out of it.
    """
    with open(path, "rb") as file:
        file.seek(start)
        lines = file.read(end - start).split(b"\n")
    if lines.pop() != b"" or not lines:
        return None
    verdict, encoder = (
        Verdict("part"),
        json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False),
    )
    chains, leaves, first, count, last_time = Chains(verdict, tenant, partial=False), list[bytes](), -1, 0, ""
    try:
        for at in range(0, len(lines), BATCH):
            raws = lines[at : at + BATCH]
            joined = b"[%b]" % b",".join(raws)
            values = json.loads(joined)
            if encoder.encode(values).encode() != joined or joined.count(b'{"event":') != len(raws):
                return None
            first = values[0]["sequence"] if first < 0 else first
            for value, raw in zip(values, raws, strict=True):
                closing = b',"sequence":%d}' % (first + count)
                event = value["event"]
                texts = [event[name] for name in ("event_id", "resource_id", "timestamp", "tenant_id")]
                if (
                    not (raw.startswith(b'{"event":') and raw.endswith(closing) and len(value) == 2)
                    or len(raw) >= MAX_LINE
                ):
                    return None
                "".join([*texts, event["previous_event_id"] or ""])
                chains.add(event)
                leaves.append(leaf_hash(raw[9 : -len(closing)]))
                last_time = max(last_time, texts[2])
                count += 1
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return Part(first, count, last_time, b"".join(leaves), *chains.open()) if verdict.ok else None


class Export:
    """The judge of one export. `jobs` are the processes that share the work."""

    def __init__(self, path: Path, key: Key | None, held: Note | None, held_time: str, jobs: int) -> None:
        self.verdict = Verdict("audit export")
        self._root = path
        self._manifest = json.loads(b"".join(self._read(MANIFEST)))
        if self._manifest["format"] != EXPORT_FORMAT:
            raise Unreadable(f"{MANIFEST} is not of the format {EXPORT_FORMAT}")
        self._key = key or Key.read(self._manifest["public_key"])
        if key is None:
            self.verdict.attested.append("the log's key: none was given, so the export's own was used")
        self._first, self._prefix = self._manifest["range"]["first"], self._manifest["prefix"]
        self._restored = self._begins_with_restore()
        self._held, self._held_time, self._last_time, self._jobs = held, held_time, "", jobs
        self._points: dict[int, Note] = {}
        self._roots: dict[int, bytes] = {}

    def _read(self, name: str, *, block: int = 0) -> Iterator[bytes]:
        """Blocks of a file, or its lines; nothing where the leaves are not there: then the events have to tell."""
        if name == LEAVES and not (self._root / name).exists():
            return
        with (self._root / name).open("rb") as file:
            while part := file.read(block) if block else file.readline(MAX_LINE):
                yield part

    def _begins_with_restore(self) -> dict[str, Any]:
        """What the first event says of the log before, if the plane was restored; whether it is true shows later."""
        try:
            event = json.loads(next(self._read(EVENTS)))["event"] if self._first == 0 else {}
            return dict(event["details"]) if event["type"] == "PLANE_RESTORED" else {}
        except (ValueError, LookupError, TypeError, StopIteration, RecursionError):
            return {}

    def _lines(self) -> Iterator[Line]:
        for raw in self._read(EVENTS):
            try:
                value = json.loads(raw)
                event, sequence = value["event"], value["sequence"]
                names = [event[name] for name in ("event_id", "resource_id", "timestamp", "tenant_id")]
                linked = event["previous_event_id"] is None or isinstance(event["previous_event_id"], str)
                if canonical(value) + b"\n" != raw or type(sequence) is not int or not linked:
                    raise ValueError("not as it was written")
                event["details"].get("")
                "".join(names)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                yield Line(raw, leaf_hash(raw), -1, None)
            else:
                yield Line(raw, leaf_hash(canonical(event)), sequence, event)

    def run(self, witnesses: Sequence[Key]) -> Verdict:
        """Check everything."""
        for place, text in enumerate(self._manifest["checkpoints"]):
            note = Note.read(text)
            if not note.signed_by(self._key) or note.size <= self._first:
                self.verdict.fail("checkpoint_signature_wrong", f"checkpoint {place}", "not signed by the log's key")
            elif self._points.setdefault(note.size, note).root != note.root:
                self.verdict.fail("forked", f"checkpoint {place}", "the log signed two roots for one size")
        if not self._points:
            self.verdict.fail("checkpoint_signature_wrong", MANIFEST, "no checkpoint of the log's key is there")
            return self.verdict
        signed = max(self._points)
        check_witnesses(self.verdict, self._points[signed], witnesses)
        vouched = self._grow(self._read(LEAVES, block=32), signed)
        exact, count, digest = (self._compare_at_once() if vouched else None) or self._compare()
        if not vouched:
            self._judge_without_leaves(signed)
        elif not exact or self._first + count != signed:
            self._name_differences(signed - self._first)
        tree = {"size": signed, "root": self._points[signed].root.hex()}
        if self.verdict.ok and [self._manifest[key] for key in ("count", "sha256", "tree")] != [count, digest, tree]:
            self.verdict.fail("manifest_wrong", MANIFEST, "count, sha256 or tree are not those of the events")
        if self.verdict.ok:
            self.verdict.checked += [
                f"{count} events, numbers {self._first} to {signed - 1}, each as it was written",
                f"{len(self._points)} checkpoints of {self._key.name}: signatures and roots",
                "each event's link to the one before, and its input_hash to that one's output_hash",
            ]
        if self.verdict.ok and self._restored:
            before = "{old_origin} of {old_size} events".format_map(self._restored)
            self.verdict.attested.append(f"that the plane was restored from the log {before}, where links may lead to")
        if self._held:
            self._check_held(self._held, self._first + count, signed, trusted=vouched or self.verdict.ok)
        self.verdict.keep = f"# last event: {self._last_time}\n{self._points[signed].note}"
        self.verdict.attested.append("what each event says happened: the log proves only that it was said, and when")
        return self.verdict

    def _grow(self, leaves: Iterable[bytes], signed: int) -> bool:
        """Compute the roots of all sizes that matter; whether each checkpoint's is as signed."""
        wanted = set(self._points) | ({self._held.size} if self._held else set())
        tree, self._roots = Tree(self._first, [bytes.fromhex(value) for value in self._prefix]), {}
        if self._first in wanted:
            self._roots[self._first] = tree.root()
        source, ends = itertools.islice(leaves, signed - self._first), sorted(wanted)
        while some := list(
            itertools.islice(source, min(BATCH, next((e - tree.size for e in ends if e > tree.size), BATCH)))
        ):
            tree.extend(some)
            if tree.size in wanted:
                self._roots[tree.size] = tree.root()
        return all(self._roots.get(size) == note.root for size, note in self._points.items())

    def _compare_at_once(self) -> tuple[bool, int, str] | None:
        """As `_compare`, by parts and in several processes; None where it does not all hold: `_compare` says what."""
        path, tenant = self._root / EVENTS, self._manifest["tenant_id"]
        bounds, digest = [0], hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(PART):
                rest = file.readline(MAX_LINE)
                digest.update(block)
                digest.update(rest)
                bounds.append(bounds[-1] + len(block) + len(rest))
        spans = list(itertools.pairwise(bounds))
        scratch, count, last_time = Verdict("parts"), 0, ""
        chains = Chains(scratch, tenant, partial=self._first > 0 or bool(self._restored))
        try:
            with (self._root / LEAVES).open("rb") as leaves:
                for part in self._parts(str(path), spans, tenant):
                    fits = part and part.first == self._first + count and leaves.read(32 * part.length) == part.leaves
                    if part is None or not fits:
                        return None
                    chains.join(part.early, part.newest)
                    count, last_time = count + part.length, max(last_time, part.last_time)
        except BrokenExecutor:  # no processes here, or too little memory for them
            return None
        chains.end()
        self._last_time = last_time
        return (True, count, digest.hexdigest()) if scratch.ok else None

    def _parts(self, path: str, spans: list[tuple[int, int]], tenant: str) -> Iterator[Part | None]:
        """The parts in their order, each judged by whichever process is free."""
        starts, ends = [start for start, _ in spans], [end for _, end in spans]
        if self._jobs < 2 or len(spans) < 2:
            yield from map(judge_part, itertools.repeat(path), starts, ends, itertools.repeat(tenant))
            return
        with ProcessPoolExecutor(min(self._jobs, len(spans))) as pool:
            yield from pool.map(judge_part, itertools.repeat(path), starts, ends, itertools.repeat(tenant))

    def _compare(self) -> tuple[bool, int, str]:
        """One pass over the events, chains too: do all match their leaves, how many are there, their sha256."""
        partial = self._first > 0 or bool(self._restored)
        chains = Chains(self.verdict, self._manifest["tenant_id"], partial=partial)
        exact, count, digest, leaves = True, 0, hashlib.sha256(), self._read(LEAVES, block=32)
        for line in self._lines():
            exact = exact and line.leaf == next(leaves, b"") and line.sequence == self._first + count
            count += 1
            digest.update(line.raw)
            if line.event:
                chains.add(line.event)
                self._last_time = max(self._last_time, line.event["timestamp"])
        chains.end()
        return exact, count, digest.hexdigest()

    def _name_differences(self, signed: int) -> None:
        """Say what was done to the lines, measured against the leaves that the checkpoints vouch for."""
        place = {leaf: index for index, leaf in zip(range(signed), self._read(LEAVES, block=32), strict=False)}
        found: list[int] = []
        seen: set[int] = {-1}
        lines = list(self._lines())
        for line in lines:
            index = place.get(line.leaf, -1)
            found.append(-1 if index in seen else index)
            seen.add(index)
        anchors = sorted(_longest_rise(found))
        for at in set(range(len(lines))).difference(anchors):
            if found[at] >= 0:
                self._fail("reordered", found[at], f"stands in line {at + 1}, not in its place")
        for at in anchors if len(anchors) == len(lines) == signed else []:
            if lines[at].sequence != self._first + at:
                self._fail("reordered", at, "bears another number")
        bounds = [(-1, -1), *((at, found[at]) for at in anchors), (len(lines), signed)]
        for (low_line, low), (high_line, high) in itertools.pairwise(bounds):
            missing = [index for index in range(low + 1, high) if index not in seen]
            foreign = [at for at in range(low_line + 1, high_line) if found[at] < 0]
            for index, at in zip(missing, foreign, strict=False):
                self._fail("edited", index, f"line {at + 1} is not what was signed")
            for index in missing[len(foreign) :]:
                self._fail("deleted", index, "its line is missing")
            for at in foreign[len(missing) :]:
                self._fail("inserted", low + 1, f"line {at + 1} is not in the log")

    def _judge_without_leaves(self, signed: int) -> None:
        """Without leaves that can be trusted, the number and the order of the events have to tell."""
        lines, sizes = list(self._lines()), sorted(self._points)
        missing = signed - self._first - len(lines)
        if self._grow((line.leaf for line in lines), signed) and not missing:
            self.verdict.fail("leaves_wrong", LEAVES, "the events are as signed, this file is not")
            return
        good = max((size for size, note in self._points.items() if self._roots.get(size) == note.root), default=0)
        name = "deleted" if missing > 0 else "inserted"
        if missing == 0:
            lines.sort(key=lambda line: (bisect.bisect(sizes, line.sequence), str((line.event or {}).get("event_id"))))
            name = "reordered" if self._grow((line.leaf for line in lines), signed) else "edited"
        self._fail(name, max(0, good - self._first), "from here on the events are not those that were signed")

    def _fail(self, name: str, index: int, message: str) -> None:
        self.verdict.fail(name, f"event {self._first + index}", message)

    def _check_held(self, held: Note, reached: int, signed: int, *, trusted: bool) -> None:
        """Compare with the checkpoint that the verifier already holds."""
        where = f"the held checkpoint of {held.size} events"
        if held.origin == self._restored.get("old_origin") != self._key.name:
            self._check_held_of_log_before(held, where)
        elif not held.signed_by(self._key):
            self.verdict.fail("checkpoint_signature_wrong", where, "not signed by the log's key")
        elif held.size > signed and self._last_time > self._held_time:
            self.verdict.fail("rolled_back", where, f"the log was set back and went on: it has {signed} events now")
        elif held.size > min(reached, signed):
            self.verdict.fail("truncated", where, f"the export ends after {min(reached, signed)} events")
        elif held.size < self._first:
            self.verdict.fail("since_unproven", where, "the export must begin at or before it")
        elif trusted and self._roots.get(held.size) != held.root:
            self.verdict.fail("forked", where, "the log had other events when it was signed")
        elif trusted:
            self.verdict.checked.append(f"the log continues {where}")

    def _check_held_of_log_before(self, held: Note, where: str) -> None:
        """Compare a held checkpoint of the log that the plane was restored from with what the new log says of it."""
        said = self._restored
        told = [item["public_key"] for item in self._manifest.get("earlier", [])]
        keys = [text for text in told if key_digest(text) == said["old_key"]]
        if not keys or not held.signed_by(Key.read(keys[0])):
            self.verdict.fail("checkpoint_signature_wrong", where, "not signed by the key that the new log names")
        elif held.size > said["old_size"]:
            lost = f"the plane was restored to {said['old_size']} events of its old log: those after are not there"
            self.verdict.fail("rolled_back", where, lost)
        elif held.size < said["old_size"]:
            self.verdict.fail("since_unproven", where, "it is of the log before: check the export of that one with it")
        elif held.root.hex() != said["old_root"]:
            self.verdict.fail("forked", where, "the new log names another state of the log before")
        elif self.verdict.ok:
            self.verdict.checked.append(f"the log began where {where} of the log before ends")


def _longest_rise(values: Sequence[int]) -> set[int]:
    """Positions of a longest rising subsequence of the values that are not negative."""
    tails: list[int] = []
    ends: list[int] = []
    before: dict[int, int] = {}
    for at, value in enumerate(values):
        if value >= 0:
            slot = bisect.bisect_left(tails, value)
            tails[slot : slot + 1], ends[slot : slot + 1] = [value], [at]
            before[at] = ends[slot - 1] if slot else -1
    at, chosen = (ends[-1] if ends else -1), set()
    while at >= 0:
        chosen.add(at)
        at = before[at]
    return chosen


def key_digest(text: str) -> str:
    """By what PLANE_RESTORED names a verifier key."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


def _included(item: dict[str, Any], note: Note) -> bool:
    """Whether an event's audit path leads to the checkpoint's root."""
    path = [bytes.fromhex(value) for value in item["path"]]
    return root_from_path(leaf_hash(canonical(item["event"])), item["sequence"], note.size, path) == note.root


class Proof:
    """The judge of one proof."""

    def __init__(self, proof: dict[str, Any], public_key: str | None, earlier_keys: Sequence[str]) -> None:
        self._proof, self._answer = proof, proof["answer"]
        self.verdict = Verdict(f"proof of passage {self._answer['chunk_id']}")
        self._key = Key.read(public_key or proof["public_key"])
        if public_key is None:
            self.verdict.attested.append("the log's key: none was given, so the proof's own was used")
        self._pinned = [Key.read(text) for text in earlier_keys]
        in_order = sorted(proof["events"], key=lambda item: (item.get("log", 0), item["sequence"]))
        self._events = [item["event"] for item in in_order]

    def _event(self, event_id: str, kind: str) -> dict[str, Any]:
        """The details of the event that binds something; empty where it is not of that kind."""
        found = [item["details"] for item in self._events if (item["event_id"], item["type"]) == (event_id, kind)]
        return dict(found[0]) if found else {}

    def check_log(self, witnesses: Sequence[Key]) -> None:
        """Checkpoint, cosignatures, inclusion of each event, and their chain."""
        note = Note.read(self._proof["checkpoint"])
        if not note.signed_by(self._key):
            self.verdict.fail("checkpoint_signature_wrong", "checkpoint", "not signed by the log's key")
        check_witnesses(self.verdict, note, witnesses)
        logs = self._logs(note)
        chains = Chains(self.verdict, self._proof["tenant_id"], partial=False)
        for item in self._proof["events"]:
            event = item["event"]
            if not _included(item, logs[item.get("log", 0)]):
                self.verdict.fail("edited", f"event {event['event_id']}", "is not in the log that was signed")
            if event["resource_id"] != self._answer["doc_id"]:
                self.verdict.fail("chain_inconsistent", f"event {event['event_id']}", "is of another document")
            chains.add(event)
        chains.end()
        self.verdict.checked += [
            f"checkpoint of {note.size} events, signed by {self._key.name}",
            f"{len(self._events)} events of the document: in that log, and linked to each other"
            if len(logs) == 1
            else f"{len(self._events)} events of the document: in these {len(logs)} logs, and linked to each other",
        ]

    def _logs(self, newest: Note) -> dict[int, Note]:
        """The checkpoints by the numbers of their logs. The log after each but the newest must begin by naming it."""
        earlier = self._proof.get("earlier", [])
        numbers = [item["log"] for item in earlier]
        if any(after != before + 1 for before, after in itertools.pairwise(numbers)):
            raise Unreadable("the logs of the proof do not follow each other")
        found, following = {numbers[-1] + 1 if numbers else 0: newest}, newest
        for item in reversed(earlier):
            note, text = Note.read(item["checkpoint"]), item["public_key"]
            key, where = Key.read(text), f"the log {note.origin} of {note.size} events"
            if not note.signed_by(key) or (self._pinned and key not in self._pinned):
                self.verdict.fail("checkpoint_signature_wrong", where, "not signed by a key given for it")
            event, named = item["named_by"]["event"], (note.origin, note.size, note.root.hex(), key_digest(text))
            said = tuple(event["details"].get(name) for name in ("old_origin", "old_size", "old_root", "old_key"))
            first = (event["type"], event["tenant_id"], item["named_by"]["sequence"])
            if (
                first != ("PLANE_RESTORED", self._proof["tenant_id"], 0)
                or said != named
                or not _included(item["named_by"], following)
            ):
                self.verdict.fail("restore_unbound", where, "the log after it does not begin by naming it")
            elif self._pinned:
                self.verdict.checked.append(f"{where}: signed by a key given for it, named by the first event after it")
            else:
                self.verdict.attested.append(f"that the plane was restored from {where}, as the log after it says")
            found[item["log"]] = following = note
        return found

    def check_answer(self) -> None:
        """Text, leaf, root, commitment, event; and that the passage was not withheld or erased since."""
        answer, verdict = self._answer, self.verdict
        fields = {name: answer[name] for name in ("chunk_id", "page", "start", "end")}
        leaf = leaf_hash(canonical({**fields, "text_sha256": hashlib.sha256(answer["text"].encode()).hexdigest()}))
        root = root_from_path(leaf, answer["index"], answer["chunks"], list(map(bytes.fromhex, answer["path"])))
        whole = hashlib.sha256(answer["chunks"].to_bytes(8, "big") + root).digest()
        bound = hashlib.sha256(bytes.fromhex(answer["nonce"]) + whole).hexdigest()
        details = self._event(answer["event_id"], "INDEX_WRITTEN")
        if details.get("generation") != answer["generation"] or details.get("output_hash") != answer["commitment"]:
            verdict.fail("answer_unbound", "answer", "its event did not write this generation to the index")
        if bound != answer["commitment"]:
            verdict.fail("answer_wrong", "answer", "text, page or place are not those that the log committed to")
        about = [item["type"] for item in self._events if item["details"].get("chunk_id") == answer["chunk_id"]]
        if about[-1:] == ["CONTENT_WITHHELD"]:
            verdict.fail("answer_withheld", "answer", "the passage was withheld and not released")
        if self._events[-1]["type"] == "DOCUMENT_ERASED":
            verdict.fail("answer_erased", "answer", "the document was erased")
        verdict.checked.append("text, page and span of the passage: as committed to when it was indexed")
        logged = {item["type"]: item["details"].get("pipeline_version") for item in self._events}
        for name, kind in (("parser", "DOCUMENT_PARSED"), ("policy", "POLICY_GATE_PASSED")):
            if (logged.get(kind) or self._proof["attested"][name]) != self._proof["attested"][name]:
                verdict.fail("attested_wrong", name, "the log names another version")
        verdict.attested += [f"{name} {value}" for name, value in self._proof["attested"].items()]
        verdict.attested.append(
            "that the parser read this passage in the source: `frostbyte proof replay` recomputes it"
        )

    def check_source(self, file: Path | None) -> None:
        """Commitment and, where it was disclosed, digest and file."""
        source, verdict = self._proof["source"], self.verdict
        if self._event(source["event_id"], "DOCUMENT_INGESTED").get("output_hash") != source["commitment"]:
            verdict.fail("source_unbound", "source", "its commitment is not the one made at intake")
        opened = source["disclosure"] or {"sha256": "", "nonce": ""}
        digest = bytes.fromhex(opened["sha256"])
        if not digest:
            verdict.attested.append("the source file: only the commitment to its sha256 is shown")
        elif hashlib.sha256(bytes.fromhex(opened["nonce"]) + digest).hexdigest() != source["commitment"]:
            verdict.fail("source_wrong", "source", "the disclosed sha256 does not open the commitment")
        else:
            verdict.checked.append(f"the source's sha256 is the one committed to at intake: {opened['sha256']}")
        if file and not digest:
            verdict.fail("source_undisclosed", "source", "the proof does not open the commitment to the file")
        elif file:
            with file.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").digest() != digest:
                    verdict.fail("source_wrong", file.name, "this file is not the source")
            verdict.checked.append(f"the file {file.name} against that sha256")


def unpack(path: str | Path, folder: str) -> None:
    """Unpack an export's three files, also out of the archive of a whole plane, where they lie in `audit/`."""
    wanted = {EVENTS, LEAVES, MANIFEST}
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            name = member.name.removeprefix("./").removeprefix("audit/")
            if member.isreg() and name in wanted:
                archive.extract(member.replace(name=name, deep=False), folder, filter="data")
                wanted.remove(name)
            if not wanted:  # a whole plane has much more behind them
                break


def verify_export(
    path: str | Path,
    public_key: str | None,
    since: str | Path | None = None,
    witnesses: Sequence[str] = (),
    jobs: int = 0,
) -> Verdict:
    """Check an export: a folder, a tar archive of one, or the archive of a whole plane.

    `public_key` is the log's verifier key (None takes the export's own, and the verdict says so), `since` a file with
    a checkpoint kept from before, `witnesses` the keys that must have cosigned the newest, `jobs` the processes that
    share the work of a long export (0: one for each core). Raises Unreadable.
    """
    try:
        text = Path(since).read_text(encoding="utf-8") if since else ""
        said = re.search(r"^# last event: (\S+)", text, re.MULTILINE)
        kept = datetime.fromtimestamp(Path(since).stat().st_mtime, UTC).isoformat() if since else ""
        held = Note.read(re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)) if text else None
        key = Key.read(public_key) if public_key else None
        with tempfile.TemporaryDirectory() as folder:
            if Path(path).is_file():
                unpack(path, folder)
            root = Path(folder if Path(path).is_file() else path)
            judge = Export(root, key, held, said[1] if said else kept, jobs or os.cpu_count() or 1)
            return judge.run([Key.read(item) for item in witnesses])
    except (OSError, ValueError, LookupError, TypeError, tarfile.TarError) as error:
        raise Unreadable(f"the export cannot be read ({type(error).__name__})") from error


def verify_proof(
    proof: dict[str, Any],
    public_key: str | None,
    source_file: str | Path | None = None,
    witnesses: Sequence[str] = (),
    earlier_keys: Sequence[str] = (),
) -> Verdict:
    """Check the proof of one answer, and the source file if it is at hand. Arguments and errors as `verify_export`.

    `earlier_keys` are the keys of the logs that the plane was restored from; without them, the newer log's word counts.
    """
    try:
        if proof["format"] not in PROOF_FORMATS:
            raise Unreadable(f"this is not a proof of the formats {' and '.join(PROOF_FORMATS)}")
        judge = Proof(proof, public_key, earlier_keys)
        judge.check_log([Key.read(text) for text in witnesses])
        judge.check_answer()
        judge.check_source(Path(source_file) if source_file else None)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise Unreadable(f"the proof cannot be read ({type(error).__name__})") from error
    return judge.verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Check Frostbyte's audit exports and proofs.")
    parser.add_argument("kind", choices=("export", "proof"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--key", help="the log's verifier key, or a file that holds it")
    parser.add_argument("--earlier-key", action="append", default=[], help="key of a log before a restore (proofs)")
    parser.add_argument("--witness", action="append", default=[], help="a witness's verifier key; may be repeated")
    parser.add_argument("--since", type=Path, help="a checkpoint kept from an earlier check (exports)")
    parser.add_argument("--keep", type=Path, help="write the checkpoint to keep to this file (exports)")
    parser.add_argument("--source", type=Path, help="the source file (proofs)")
    parser.add_argument("--jobs", type=int, default=0, help="processes for a long export; 0: one for each core")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    given = parser.parse_args(arguments)
    try:
        keys = [given.key, *given.earlier_key]
        key, *earlier = (Path(k).read_text(encoding="utf-8") if k and Path(k).is_file() else k for k in keys)
        if given.kind == "export":
            verdict = verify_export(given.path, key, given.since, given.witness, given.jobs)
        else:
            verdict = verify_proof(json.loads(given.path.read_bytes()), key, given.source, given.witness, earlier)
        if given.keep and verdict.ok and verdict.keep:
            given.keep.write_text(verdict.keep, encoding="utf-8")
    except (Unreadable, OSError, ValueError) as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return 2
    print(json.dumps(verdict.to_json(), indent=1) if given.json else verdict.text())
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
