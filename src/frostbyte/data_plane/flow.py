"""The order of the stages, written once, and what each commits.

Every caller (the embedded runner, a queue's worker, a test) hands a leased job to `Flow.run`. A stage first computes,
holding nothing; then `_commit` takes the content's lock, checks that the lease and the incarnation still hold and
writes the outcome, its audit events and the next job in one transaction. Whatever is killed in between is simply done
again, with the same ids and the same result (promises 3 and 4).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from frostbyte.data_plane import artefacts, embed, index, parse, policy, scan
from frostbyte.data_plane.artefacts import Artefacts
from frostbyte.data_plane.chunking import Cutting
from frostbyte.data_plane.document import encode
from frostbyte.data_plane.outcomes import Note, Outcome, drops, tell
from frostbyte.data_plane.patience import attempts, backoff
from frostbyte.data_plane.pieces import PIECES_VERSION
from frostbyte.data_plane.terms import TERMS_VERSION, TermHasher
from frostbyte.kernel.audit.events import EventType, chain
from frostbyte.kernel.batches import complete_batches_of
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError, LeaseLost, StageFailed, Unavailable
from frostbyte.kernel.ids import generation_id, new_id
from frostbyte.kernel.ports.embedder import Embedder
from frostbyte.kernel.ports.hints import Hints
from frostbyte.kernel.ports.scanner import Scanner
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.ports.vectors import Collections
from frostbyte.kernel.records import DocumentRow, JobRow, Stage, State
from frostbyte.kernel.tenancy import TenantConfig, Versions, config_from
from frostbyte.kernel.vault import DocumentKey, Vault

ORDER: Final = (Stage.SCAN, Stage.PARSE, Stage.POLICY, Stage.EMBED, Stage.INDEX)

_FAILURE_EVENT: Final = {
    Stage.SCAN: EventType.DOCUMENT_SCANNED,
    Stage.PARSE: EventType.PARSE_FAILED,
    Stage.POLICY: EventType.POLICY_GATE_FAILED,
    Stage.EMBED: EventType.EMBEDDING_FAILED,
    Stage.INDEX: EventType.EMBEDDING_FAILED,
}


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything the stages need; the composition root fills it."""

    tenant_id: str
    unit_of_work: UnitOfWorkFactory
    vault: Vault
    scanner: Scanner
    reader: parse.Reader
    judge: policy.Judge
    rules: Callable[[], policy.RuleSet]
    """What the judge judges by; part of the generation."""
    names: policy.NameFinder | None
    embedder: Embedder
    vectors: Collections
    terms: TermHasher
    clock: Clock
    hints: Hints
    """Told of every job that a commit leaves to be done."""
    allow_unscanned: bool
    retry_scale: float = 1.0
    """Factor on the waits between attempts; tests shorten waits with it."""


def restarts(row: DocumentRow, stage: Stage, generation: str) -> bool:
    """Whether the stage's input was made by other versions than those that run now: then parse again."""
    return bool(row.generation) and row.generation != generation and stage not in (Stage.SCAN, Stage.PARSE)


class Flow:
    """Runs leased jobs."""

    def __init__(self, ports: Ports) -> None:
        self._p = ports
        self._artefacts = Artefacts(ports.vault)
        self._configs = Versions()
        self._stages: dict[Stage, Callable[[_Work], Outcome]] = {
            Stage.SCAN: self._scan,
            Stage.PARSE: self._parse,
            Stage.POLICY: self._policy,
            Stage.EMBED: self._embed,
            Stage.INDEX: self._index,
        }

    def generation(self, row: DocumentRow) -> str:
        """The generation that today's versions would make of this document."""
        spec = self._p.embedder.spec
        pieces = f"/{PIECES_VERSION}" if spec.pieces else ""
        return generation_id(
            parser=parse.PARSER_VERSION,
            policy=policy.policy_version(self._p.rules(), self._p.names),
            config_version=row.config_version,
            embedding=f"{spec.model}@{spec.version}/{spec.dimensions}/{spec.window}{pieces}+{TERMS_VERSION}",
            incarnation=row.incarnation,
        )

    def run(self, job: JobRow) -> None:
        """Do the job's stage and commit what came of it, or say why not.

        Never raises for anything a document can do; errors of the database itself do come out, because without it
        nothing can be said.
        """
        started = time.monotonic()
        try:
            work = self._begin(job)
            if work is None:
                return
            if job.attempt > attempts(job.stage):
                self._fail(job, _exhausted(job), started, dead=True)
                return
            if restarts(work.row, job.stage, work.generation):
                outcome = Outcome(notes=(), following=Stage.PARSE)
            else:
                outcome = self._stages[job.stage](work)
            self._commit(job, outcome, started)
        except LeaseLost:
            tell(job, None)
        except StageFailed as error:
            self._fail(job, error, started)
        except Unavailable as error:
            self._wait(job, error, refund=True)
        except FrostbyteError as error:
            self._retry_or_fail(job, error, started)
        except (
            OSError,
            ValueError,
            TypeError,
            LookupError,
            ArithmeticError,
            RuntimeError,
            msgspec.MsgspecError,
        ) as error:
            # An unforeseen error is ours, not the document's: try again, then end visibly. Its text may hold content.
            hidden = Unavailable("internal_error", f"The {job.stage} stage broke ({type(error).__name__}).", _REPORT)
            self._retry_or_fail(job, hidden, started)

    # -- stages ---------------------------------------------------------------------------------------------------

    def _scan(self, work: _Work) -> Outcome:
        content = self._p.vault.stream(work.row.raw_object, work.key)
        how = scan.Terms(self._p.allow_unscanned, self._p.clock.now(), work.max_age_days)
        result, decision = scan.run(self._p.scanner, content, how)
        note = Note(type=EventType.DOCUMENT_SCANNED, details={"verdict": result.verdict.value, "engine": result.engine})
        changes: dict[str, Any] = {"scan_verdict": result.verdict.value, "generation": work.generation}
        if decision.quarantine:
            end = {"state": State.QUARANTINED, "code": decision.code, "message": decision.message}
            return Outcome(
                notes=(note, Note(type=EventType.DOCUMENT_QUARANTINED, details={"code": decision.code})),
                changes=changes | end | {"remedy": decision.remedy, "active_generation": ""},
                after=lambda: self._p.vectors.delete_document(work.row.doc_id),
            )
        if not decision.proceed:
            raise Unavailable(decision.code, decision.message, decision.remedy)
        return Outcome(notes=(note,), changes=changes, following=Stage.PARSE)

    def _parse(self, work: _Work) -> Outcome:
        row = work.row
        document = self._p.reader.parse(
            self._p.vault.stream(row.raw_object, work.key),
            sha256=work.sha256(self._p.vault),
            mime=row.mime,
            size=row.size,
        )
        data = encode(document)
        self._artefacts.put(row, work.generation, artefacts.DOCUMENT, work.key, data)
        output = work.commit_to("document", hashlib.sha256(data).digest())
        details = {"pages": document.pages_found, "pipeline_version": parse.PARSER_VERSION}
        return Outcome(
            notes=(Note(type=EventType.DOCUMENT_PARSED, details=details, output=output), *drops(document)),
            changes={"generation": work.generation, "pages": document.pages_found, "notes": document.notes},
            following=Stage.POLICY,
        )

    def _policy(self, work: _Work) -> Outcome:
        row = work.row
        document = self._artefacts.get(row, work.generation, artefacts.DOCUMENT, work.key)
        verdict = self._p.judge.judge(document, work.case)
        cleared = policy.load_cleared(verdict)
        self._artefacts.put(row, work.generation, artefacts.CLEARED, work.key, verdict)
        found = tuple(
            Note(
                type=EventType.PII_DETECTED,
                details={"pii_type": kind, "count": count, "action": work.config.pii_policy.value},
            )
            for kind, count in sorted(policy.pii_counts(cleared).items())
        )
        judged = {
            "classification": cleared.classification,
            "class_confidence": cleared.class_confidence,
            "class_second": cleared.class_second,
            "class_second_confidence": cleared.class_second_confidence,
            "class_reasons": cleared.class_reasons,
            "needs_review": cleared.needs_review,
        }
        if row.classification and row.class_confidence == 1.0 and not row.needs_review:
            judged = {}  # a reviewer set the class: that holds when the index is rebuilt
        judged |= {
            "account": msgspec.to_builtins(cleared.account),
        }
        if cleared.blocked:
            return self._blocked(row, found, judged)
        self._artefacts.put(row, work.generation, artefacts.VIEW, work.key, encode(_view(cleared)))
        rows, text = artefacts.lay_out(cleared.chunks, cleared.withheld)
        self._artefacts.put(row, work.generation, artefacts.CHUNKS, work.key, text)
        root = artefacts.chunk_root(cleared.chunks, cleared.withheld)
        passed = Note(
            type=EventType.POLICY_GATE_PASSED,
            details={
                "chunks": len(cleared.chunks),
                "config_version": row.config_version,
                "pipeline_version": cleared.policy,
                "classification": cleared.classification,
            },
            output=work.commit_to(artefacts.CHUNK_TREE, root),
        )
        withheld = tuple(
            Note(type=EventType.CONTENT_WITHHELD, details={"chunk_id": str(chunk.chunk_id), "reason": "injection"})
            for chunk in cleared.withheld
        )
        return Outcome(
            notes=(*found, passed, *withheld),
            changes=judged | {"chunks": len(cleared.chunks), "withheld": len(cleared.withheld)},
            following=Stage.EMBED,
            write=lambda uow: uow.chunks.put_generation(row.doc_id, work.generation, rows),
        )

    def _blocked(self, row: DocumentRow, found: tuple[Note, ...], judged: dict[str, Any]) -> Outcome:
        code = "pii_blocked"
        return Outcome(
            notes=(
                *found,
                Note(type=EventType.POLICY_GATE_FAILED, details={"code": code}),
                Note(type=EventType.DOCUMENT_QUARANTINED, details={"code": code}),
            ),
            changes=judged
            | {
                "state": State.QUARANTINED,
                "code": code,
                "message": "The document holds personal data of a type that this tenant blocks.",
                "remedy": "Remove the personal data and send the file again, or have the policy changed.",
                "active_generation": "",  # what older rules let pass is not shown any more
            },
            after=lambda: self._p.vectors.delete_document(row.doc_id),
        )

    def _embed(self, work: _Work) -> Outcome:
        cleared = policy.load_cleared(self._artefacts.get(work.row, work.generation, artefacts.CLEARED, work.key))
        self._fitting()
        vectors = embed.run(cleared.chunks, self._p.embedder)
        data = embed.encode(vectors)
        self._artefacts.put(work.row, work.generation, artefacts.VECTORS, work.key, data)
        note = Note(
            type=EventType.DOCUMENT_EMBEDDED,
            details={"chunks": len(cleared.chunks), "model": self._p.embedder.spec.model},
            output=work.commit_to("vectors", hashlib.sha256(data).digest()),
        )
        return Outcome(notes=(note,), changes={"embedding": self._p.embedder.label}, following=Stage.INDEX)

    def _fitting(self) -> None:
        """See that the index is of the embedder's model; else the document waits for a rebuild."""
        try:
            self._p.vectors.ensure(self._p.embedder.spec)
        except Conflict as error:
            raise Unavailable(
                error.code, error.message, "Run `frostbyte index rebuild`, or set the embedder back; it goes on then."
            ) from None

    def _index(self, work: _Work) -> Outcome:
        row = work.row
        names = self._p.vectors.names
        self._fitting()
        beside = self._p.vectors.building and bool(row.active_generation)  # one switch for all that answers already
        cleared = policy.load_cleared(self._artefacts.get(row, work.generation, artefacts.CLEARED, work.key))
        vectors = embed.decode(self._artefacts.get(row, work.generation, artefacts.VECTORS, work.key))
        index.run(
            cleared.chunks,
            vectors,
            store=self._p.vectors,
            spec=self._p.embedder.spec,
            terms=self._p.terms,
            labels=[row.classification],
            received=row.received_at.timestamp(),
            # A new document is found by its words until the collection that it is in serves.
            also=self._p.vectors.words if self._p.vectors.building and not beside else None,
        )
        note = Note(
            type=EventType.INDEX_WRITTEN,
            details={"chunks": len(cleared.chunks), "generation": work.generation},
            output=work.commit_to(artefacts.CHUNK_TREE, artefacts.chunk_root(cleared.chunks, cleared.withheld)),
        )
        return Outcome(
            notes=(note,),
            changes={"state": State.INDEXED}
            | ({"generation": work.generation} if beside else {"active_generation": work.generation}),
            write=lambda uow: _unswitched(uow, names),
            after=None if beside else lambda: self._indexed(row, work.generation),
        )

    def _indexed(self, written: DocumentRow, generation: str) -> None:
        """Remove the points of older generations; a class that a reviewer set meanwhile is given to the new ones."""
        self._p.vectors.delete_document(written.doc_id, except_generation=generation)
        with self._p.unit_of_work() as uow:
            row = uow.documents.get(written.doc_id)
        if row is not None and row.classification != written.classification:
            self._p.vectors.label(row.doc_id, [row.classification])

    # -- beginning and ending -------------------------------------------------------------------------------------

    def _begin(self, job: JobRow) -> _Work | None:
        """The row, key and configuration the stage works with; None where the job is out of date."""
        with self._p.unit_of_work() as uow:
            row = uow.documents.get(job.doc_id)
            if row is None or row.state.terminal or row.incarnation != job.incarnation or row.stage != job.stage:
                uow.jobs.finish(job)
                uow.commit()
                return None
            config = self._configs.read(uow.configs, row.config_version)
            latest = uow.configs.latest() if job.stage is Stage.SCAN else None
        key = self._p.vault.load_key(row.key_object)
        return _Work(
            row=row,
            key=key,
            config=config,
            max_age_days=(config_from(latest.values) if latest else config).signatures_max_age_days,
            generation=self.generation(row),
            cutting=Cutting.for_window(self._p.embedder.spec.window),
        )

    def _commit(self, job: JobRow, outcome: Outcome, started: float, *, dead: bool = False) -> None:
        """Write what came of it; `dead` keeps the job for an operator. Raises LeaseLost."""
        following: list[JobRow] = []
        milliseconds = int((time.monotonic() - started) * 1000)
        with self._p.unit_of_work() as uow:
            uow.lock_content(job.doc_id)
            row = uow.documents.get(job.doc_id, lock=True)
            if row is None or row.incarnation != job.incarnation or row.state.terminal:
                raise LeaseLost
            if not (uow.jobs.postpone(job, self._p.clock.now(), dead=True) if dead else uow.jobs.finish(job)):
                raise LeaseLost
            cleaned: dict[str, Any] = {"code": "", "message": "", "remedy": "", "state": State.RECEIVED}
            row = replace(row, **(cleaned | {"stage": outcome.following} | outcome.changes))
            if outcome.write is not None:
                outcome.write(uow)
            for note in outcome.notes:
                event, row = chain(
                    row,
                    tenant_id=self._p.tenant_id,
                    type=note.type,
                    clock=self._p.clock,
                    actor="plane",
                    details={"component": job.stage.value, "duration_ms": milliseconds} | note.details,
                    output=note.output,
                )
                uow.audit.append(event)
            if outcome.following is not None:
                following.append(self._job(row, outcome.following))
                uow.jobs.put(following[0])
                uow.documents.put(row)
            else:
                self._end(uow, replace(row, finished_at=self._p.clock.now()))
            uow.commit()
        tell(job, row, milliseconds)
        self._p.hints.announce(following)
        if outcome.after is not None:
            outcome.after()

    def _end(self, uow: UnitOfWork, row: DocumentRow) -> None:
        uow.documents.put(row)
        complete_batches_of(uow, self._p.clock, self._p.tenant_id, row.doc_id)

    def _job(self, row: DocumentRow, stage: Stage) -> JobRow:
        return JobRow(
            job_id=new_id(),
            doc_id=row.doc_id,
            incarnation=row.incarnation,
            stage=stage,
            not_before=self._p.clock.now(),
        )

    def _fail(self, job: JobRow, error: FrostbyteError, started: float, *, dead: bool = False) -> None:
        details = {"code": error.code, "status": "failed"} | ({"attempts": job.attempt} if dead else {})
        outcome = Outcome(
            notes=(Note(type=_FAILURE_EVENT[job.stage], details=details),),
            changes={
                "state": State.FAILED,
                "code": error.code,
                "message": error.message,
                "remedy": error.remedy,
            },
        )
        try:
            self._commit(job, outcome, started, dead=dead)
        except LeaseLost:
            tell(job, None)

    def _retry_or_fail(self, job: JobRow, error: FrostbyteError, started: float) -> None:
        if job.attempt >= attempts(job.stage):
            self._fail(job, error, started, dead=True)
        else:
            self._wait(job, error, refund=False)

    def _wait(self, job: JobRow, error: FrostbyteError, *, refund: bool) -> None:
        """Say what is waited for and give the job back. An outage is nobody's fault: it costs no attempt."""
        seconds = backoff(job.stage, job.attempt) * self._p.retry_scale
        with self._p.unit_of_work() as uow:
            uow.lock_content(job.doc_id)
            row = uow.documents.get(job.doc_id, lock=True)
            until = self._p.clock.now() + timedelta(seconds=seconds)
            if row is None or row.incarnation != job.incarnation or row.state.terminal:
                return
            if not uow.jobs.postpone(job, until, refund=refund):
                return
            said = {"code": error.code, "message": error.message, "remedy": error.remedy}
            row = replace(row, state=State.WAITING, stage=job.stage, **said)
            uow.documents.put(row)
            uow.commit()
        tell(job, row)


def _unswitched(uow: UnitOfWork, names: tuple[str, str]) -> None:
    """Refuse to show what was written while another process began or ended a rebuild: it may lie in the wrong place."""
    if uow.rebuilds.collections(hold=True) != names:
        raise Unavailable(
            "index_switched", "The index was switched while the document was written.", "It is written again by itself."
        )


def _exhausted(job: JobRow) -> StageFailed:
    return StageFailed(
        "attempts_exhausted",
        f"The {job.stage} stage did not survive this document {job.attempt - 1} times.",
        "Look at the workers' log for this document; then `frostbyte jobs retry` or `discard`, or erase it.",
    )


_REPORT: Final = "It is tried again by itself; if it keeps failing, send `frostbyte doctor --json` to support."


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What a stage works with."""

    row: DocumentRow
    key: DocumentKey
    config: TenantConfig
    max_age_days: int
    """Of signatures, where it is scanned: by the newest configuration, as it is no matter of when a document came."""
    generation: str
    cutting: Cutting

    @property
    def case(self) -> policy.Case:
        """What the policy gates are told."""
        return policy.Case(
            doc_id=self.row.doc_id,
            generation=self.generation,
            config=self.config,
            config_version=self.row.config_version,
            cutting=self.cutting,
        )

    def commit_to(self, artefact: str, digest: bytes) -> str:
        """The commitment to an artefact of this generation, for the audit."""
        return self.key.commitment(f"{artefact}.{self.generation}", digest)

    def sha256(self, vault: Vault) -> str:
        """Hex digest of the raw bytes."""
        return artefacts.raw_sha256(vault, self.row, self.key)


def _view(cleared: policy.Cleared) -> artefacts.View:
    """What may be shown, for serving, which knows nothing of policy."""
    return artefacts.View(
        title=cleared.title,
        metadata=cleared.metadata,
        page_names=cleared.page_names,
        redactions=tuple(
            artefacts.Redaction(page=item.page, start=item.start, end=item.end, placeholder=item.placeholder)
            for item in cleared.redactions
        ),
        withheld=tuple(
            artefacts.Redaction(page=item.page, start=item.start, end=item.end, placeholder="[WITHHELD]")
            for item in cleared.withheld
        ),
    )
