"""The keys that sign a plane's log and tokens, kept a second time on the tenant's own volume.

The gateway makes them, on a disk of its own. If that disk dies nobody else can sign the log on, so their files lie once
more on the volume of the tenant's database's server, where no container sees them: as they do in shape `small`, where
gateway and volume are one host's. A gateway that is made anew gets them from there before anything of it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from frostbyte.control_plane.provisioning.doing import hosts
from frostbyte.control_plane.provisioning.doing.hosts import OnHost
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.ports import HostFile, Hosts, Renderer
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.provisioning.steps import Context, Outcome, Step
from frostbyte.kernel.errors import Conflict

KEY: Final = "signing"
"""Of the step that keeps them."""
LOG_KEY: Final = "log.key"


class Signing(OnHost):
    """A copy of a gateway's signing keys lies on its tenant's volume. None replaces that of another log's key."""

    def __init__(self, at: Hosts, told: Told, renderer: Renderer) -> None:
        super().__init__(at, told)
        self._renderer = renderer

    def do(self, step: Step, context: Context) -> Outcome:
        own = self._renderer.project(HostRole(step.spec["role"])).signing
        kept = self._renderer.project(HostRole.DB).keeping
        if not own or not kept:
            return Outcome(facts={"files": 0})
        keeper = self._way.settled(step.spec["keeper"], ("bastion", step.spec["host"]), context)
        found, before = self._hosts.read(self._way.to(step, context), own), self._hosts.read(keeper, kept)
        if _log_key(before) is not None and _log_key(before) != _log_key(found):
            raise Conflict(
                "signing_keys_differ",
                "The gateway signs with another key of its log than the one that is kept for it.",
                "Find out which of them signed the log last; put that one on the gateway, then repair the tenant.",
            )
        self._hosts.put(keeper, moved(found, own, kept))
        return Outcome(facts={"files": len(found)})


class Deploy(hosts.Deploy):
    """The same; and a gateway without signing keys gets those that are kept for it first."""

    def do(self, step: Step, context: Context) -> Outcome:
        project = self._renderer.project(HostRole(step.spec["role"]))
        if step.spec["role"] == HostRole.GATEWAY and project.signing:
            self._given_back(step, context, project.signing)
        return super().do(step, context)

    def _given_back(self, step: Step, context: Context, own: str) -> None:
        try:
            told: Any = context.outcome(KEY).facts
        except KeyError:
            return  # it never ran
        host = self._way.to(step, context)
        if not told.get("files") or _log_key(self._hosts.read(host, own)) is not None:
            return
        kept = self._renderer.project(HostRole.DB).keeping
        keeper = self._way.settled("db", ("bastion", step.spec["host"]), context)
        self._hosts.put(host, moved(self._hosts.read(keeper, kept), kept, own))


def moved(files: Sequence[HostFile], old: str, new: str) -> list[HostFile]:
    """The files of one folder as files of another."""
    return [replace(file, path=f"{new}{file.path.removeprefix(old)}") for file in files]


def _log_key(files: Sequence[HostFile]) -> bytes | None:
    return next((file.content for file in files if file.path.endswith(f"/{LOG_KEY}")), None)
