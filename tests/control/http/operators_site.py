"""A control plane in memory with tenants in every state, as operators see its pages: with sessions and a cloud."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from control.killswitch.planes import MemoryEdge
from control.memory_plane import Admin, memory_plane, nowhere
from control.provisioned import Provisioned
from frostbyte.bootstrap.switching import Around, Switching
from frostbyte.control_plane.provisioning.notes import Notes
from frostbyte.control_plane.provisioning.steps import Action, Outcome, Plan, Step
from frostbyte.control_plane.registry.records import OperationRow
from frostbyte.kernel.audit.events import EventType

HERE = {"sec-fetch-site": "same-origin"}


class Operator:
    """Somebody with a session, without a browser's good manners."""

    def __init__(self, site: OperatorsSite, role: str, subject: str = "ann") -> None:
        control = site.control
        self._client, self._cookie = site.client, control.sessions.begin(subject, role)
        self.csrf = control.sessions.visit(self._cookie).csrf
        self._name = f"frostbyte-{control.settings.environment}"

    @property
    def cookie(self) -> dict[str, str]:
        """As a header."""
        return {"cookie": f"{self._name}={self._cookie}"}

    def get(self, path: str) -> Any:
        """A page."""
        return self._client.get(path, headers=self.cookie, follow_redirects=False)

    def post(self, path: str, *, csrf: str | None = None, **fields: Any) -> Any:
        """A form of a page, sent."""
        sent = {"csrf": self.csrf if csrf is None else csrf, **fields}
        return self._client.post(path, headers=self.cookie | HERE, data=sent, follow_redirects=False)

    def form(self, page: str, action: str) -> dict[str, str]:
        """The hidden fields that a page's form would send."""
        text = self.get(page).text
        found = re.search(rf'<form method="post" action="{re.escape(action)}">(.*?)</form>', text, re.DOTALL)
        assert found is not None, f"{page} has no form for {action}"
        return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', found[1]))


class OperatorsSite(Admin):
    """The control plane."""

    def __init__(self, folder: Path) -> None:
        super().__init__(memory_plane(folder))
        self.provisioned = Provisioned(self)

    def look(self) -> None:
        """Have every tenant looked at: no plane answers."""
        control = self.control
        around = Around(
            edge=MemoryEdge(),
            channels=nowhere,
            sign=lambda *_: "",
            last_pull=lambda _: True,
            through_edge=lambda _: 503,
            lags=dict,
            findings=dict,
        )
        control.switching = Switching(control.store.unit_of_work, control.operations, control.clock, around)
        with ThreadPoolExecutor(1) as threads:
            control.switching.watch.look(threads)

    def ordered(self, tenant_id: str, **values: Any) -> OperationRow:
        """A tenant whose hosts are ordered; `work` goes on with them."""
        self.hands.at_once = False
        made = self.made(f"/tenants/{tenant_id}/provision", values)
        return self.control.operations.show(UUID(made["operation_id"]))

    def work(self, operation: OperationRow, *, until: str = "") -> Work:
        """Carries its run out by hand, as a provisioner notes it, up to a step."""
        work = Work(self, operation)
        for step in work.plan.steps:
            if step.key == until:
                break
            work.do(step)
        return work


class Work:
    """A run under way."""

    def __init__(self, site: OperatorsSite, operation: OperationRow) -> None:
        store, clock = site.control.store, site.control.clock
        self.plan: Plan = site.provisioned.plan(operation.tenant_id).plan
        now = clock.now()
        with store.unit_of_work() as uow:
            run: Any = uow.journal  # type: ignore[attr-defined]
            taken = run.take(operation.operation_id, "test", now, now + timedelta(minutes=5))
            uow.commit()
        self.notes = Notes(store.unit_of_work, clock, taken)  # type: ignore[arg-type]
        self.notes.planned(self.plan)

    def begin(self, key: str) -> Step:
        """Begin a step, and leave it there."""
        step = next(each for each in self.plan.steps if each.key == key)
        self.notes.intend(step, self.plan.steps.index(step))
        return step

    def do(self, step: Step) -> None:
        """Begin it and have it made."""
        self.begin(step.key)
        facts: Mapping[str, Any] = {}
        if step.action is Action.SERVER:
            facts = {**step.spec["candidates"][0], "address": ""}
        number = self.plan.steps.index(step)
        outcome = Outcome(resource_id=str(4700 + number) if step.kind else "", facts=facts)
        self.notes.done(step, outcome, EventType.RESOURCE_CREATED)
