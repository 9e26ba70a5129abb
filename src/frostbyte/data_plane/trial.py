"""What a change of the policy rules would do to stored documents, before it is in force.

Stored canonical documents are judged under the rules in force and under the ones that are tried, both with the
configuration in force. Nothing is stored; that the documents were read is audited. Like the review, it needs several
stages, so it stands beside the flow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from frostbyte.data_plane import artefacts, policy
from frostbyte.data_plane.chunking import Cutting
from frostbyte.data_plane.flow import Ports
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.errors import FrostbyteError, Invalid
from frostbyte.kernel.records import ConfigRow, DocumentRow, State
from frostbyte.kernel.tenancy import config_from

_GENERATION = "trial"


class Trial:
    """Tries rules.

    Args:
        ports: the plane's own; its judge speaks for the rules in force.
        judge_with: a judge for other rules; it is closed after each use.
    """

    def __init__(self, ports: Ports, judge_with: Callable[[policy.RuleSet], policy.Judge]) -> None:
        self._p = ports
        self._judge_with = judge_with
        self._artefacts = artefacts.Artefacts(ports.vault)

    def run(self, files: Mapping[str, str], *, after: UUID | None, limit: int, actor: str) -> dict[str, Any]:
        """Judge a page of indexed documents twice.

        Args:
            files: rule files by name (`pii.toml` ...); the others stay those in force.
            after: the id to go on behind. Ids are keyed hashes, so their order is a sample of all documents.
            limit: how many documents at most.

        Returns:
            The versions of both sets of rules, one difference a document, what could not be judged, and the id to go
            on from, or None behind the last.

        Raises:
            Invalid: `rules_invalid`, naming file, rule and line; `rules_unknown`: no such rule file.
        """
        unknown = sorted(set(files) - set(policy.FILES))
        if unknown or not files:
            raise Invalid("rules_unknown", "There are no such policy rules.", f"Name them {', '.join(policy.FILES)}.")
        with tempfile.TemporaryDirectory(prefix="frostbyte-rules-") as folder:
            rules = policy.RuleSet.load(self._laid_out(Path(folder), files))
            judge = self._judge_with(rules)
            try:
                return self._run(rules, judge, after, limit, actor)
            finally:
                judge.close()

    def _laid_out(self, folder: Path, files: Mapping[str, str]) -> Path:
        """The folder with the rules in force, and the tried ones in their place."""
        present = self._p.rules().folder
        for name in policy.FILES:
            if name in files:
                (folder / name).write_text(files[name], encoding="utf-8")
            elif present is not None and (present / name).is_file():
                (folder / name).write_bytes((present / name).read_bytes())
        return folder

    def _run(
        self, rules: policy.RuleSet, judge: policy.Judge, after: UUID | None, limit: int, actor: str
    ) -> dict[str, Any]:
        with self._p.unit_of_work() as uow:
            rows = uow.documents.page(state=State.INDEXED, after=after, limit=limit)
            config = uow.configs.latest()
        self._audit(rows, actor)
        documents: list[dict[str, Any]] = []
        skipped: list[dict[str, str]] = []
        for row in rows:
            try:
                difference = self._difference(row, config, judge)
            except FrostbyteError as error:
                skipped.append({"doc_id": str(row.doc_id), "code": error.code})
                continue
            documents.append({"doc_id": str(row.doc_id)} | msgspec.to_builtins(difference))
        return {
            "old": self._p.rules().version,
            "new": rules.version,
            "documents": documents,
            "skipped": skipped,
            "next": str(rows[-1].doc_id) if len(rows) == limit else None,
        }

    def _difference(self, row: DocumentRow, config: ConfigRow | None, judge: policy.Judge) -> policy.Difference:
        key = self._p.vault.load_key(row.key_object)
        document = self._artefacts.get(row, row.active_generation, artefacts.DOCUMENT, key)
        case = policy.Case(
            doc_id=row.doc_id,
            generation=_GENERATION,
            config=config_from(config.values if config else {}),
            config_version=config.version if config else 0,
            cutting=Cutting.for_window(self._p.embedder.spec.window),
        )
        old = policy.load_cleared(self._p.judge.judge(document, case))
        return policy.compare(old, policy.load_cleared(judge.judge(document, case)))

    def _audit(self, rows: list[DocumentRow], actor: str) -> None:
        details = {"component": "policy", "artefact": "document", "trigger": "test", "status": "read"}
        with self._p.unit_of_work() as uow:
            for row in rows:
                uow.audit.append(
                    make_event(
                        self._p.tenant_id,
                        EventType.SOURCE_READ,
                        self._p.clock,
                        actor,
                        "document",
                        str(row.doc_id),
                        details,
                    )
                )
            uow.commit()
