"""Plans for 254 tenants, as many as a project has networks: observe everything, decide.

The tenants stand: 1,270 resources in a simulated project, and their register, configurations, runs and 26 entries each
in a PostgreSQL of its own. A plan of all of them is timed on the wall, median of five: read the register and the
journal, list the cloud (the real client, page by page, over a world in this process), decide. The reference is the same
without deciding: what has to be read and listed whatever one decides. Requests are counted by the client.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID

from bench.control.registry import opened, timed
from bench.table import Line, show
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.memory import WorldCalls, waiting_in
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.adapters.registry.postgres import PostgresRegistry
from frostbyte.control_plane.provisioning.desired import Ground
from frostbyte.control_plane.provisioning.notes import Notes
from frostbyte.control_plane.provisioning.planner import Planner, known
from frostbyte.control_plane.provisioning.ports import Cloud, Dns
from frostbyte.control_plane.provisioning.resources import (
    Found,
    HostRole,
    WantedNetwork,
    WantedServer,
    WantedVolume,
)
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.provisioning.steps import Action, Outcome, Plan, Step
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.clock import SystemClock

TENANTS: Final = 254
ROUNDS: Final = 5
LIMIT_SECONDS: Final = 5.0
RUN: Final = UUID("01936a00-0000-7000-8000-000000000001")
PROJECT: Final = "bench"
GROUND: Final = Ground(
    domain="pipeline.frostbyte.example",
    zone="frostbyte.example",
    release="1",
    images={"x86": "debian-13"},
    edge="198.51.100.7",
    bastion="198.51.100.8",
)


class FullProject:
    """A project full of tenants.

    Args:
        store: an empty registry.
    """

    def __init__(self, store: PostgresRegistry) -> None:
        clock = SystemClock()
        world = World(requests_per_hour=10**9)
        token = world.token()
        for project in world.projects.values():
            project.quotas |= {"servers": 10**6, "networks": 10**6, "volumes": 10**6}
        self.calls = WorldCalls(world, token)
        self.cloud: Cloud = HetznerCloud(self.calls, "production", waiting_in(world, self.calls))
        self.uow = store.unit_of_work
        self.runs = Provisioning(self.uow, clock)
        self.operations = Operations(self.uow, clock, self.runs)
        self.tenants = Tenants(self.uow, clock)
        self.clock = clock
        cloud = self.cloud
        self.planner = Planner(self.uow, lambda _: cloud, no_dns, lambda _, __: GROUND, clock)
        Projects(self.uow, "production", clock).create(PROJECT, actor="bench")

    def stand(self, tenant_id: str) -> None:
        """A tenant whose plan is carried out."""
        self.tenants.create(tenant_id, PROJECT, actor="bench")
        planned = self.planner.tenant(tenant_id)
        request = planned.request.values()
        begun = self.operations.begin(tenant_id, Move.PROVISION, actor="bench", reason="bench", request=request)
        [run] = [run for run in self.runs.due() if run.run_id == begun.operation_id]
        notes = Notes(self.uow, self.clock, run)
        made: dict[str, Found] = {}
        for position, step in enumerate(planned.plan.steps):
            notes.intend(step, position)
            outcome = self._made(planned.plan, step, made)
            notes.done(step, outcome, EventType.RESOURCE_CREATED)
        self.operations.end(begun.operation_id)

    def read(self) -> None:
        """Everything that a plan of all tenants has to know."""
        known(self.uow, PROJECT)
        self.cloud.catalogue()
        self.cloud.observe()

    def _made(self, plan: Plan, step: Step, made: dict[str, Found]) -> Outcome:
        """What of a step the listing shows; hosts and names are not listed."""
        labels = plan.owner.labels(RUN, step.key)
        spec = step.spec
        if step.action is Action.NETWORK:
            wanted = WantedNetwork(
                name=step.name, labels=labels, cidr=spec["cidr"], subnet=spec["subnet"], zone=spec["zone"]
            )
            made[step.key] = self.cloud.create_network(wanted)
        elif step.action is Action.SERVER:
            first = spec["candidates"][0]
            made[step.key] = self.cloud.create_server(
                WantedServer(
                    name=step.name,
                    labels=plan.owner.labels(RUN, step.key, HostRole(spec["role"])),
                    type=first["type"],
                    location=first["location"],
                    image=spec["images"][first["architecture"]],
                    user_data="",
                )
            )
        elif step.action is Action.JOIN:
            self.cloud.join(made[spec["server"]].resource_id, made["network"].resource_id, spec["address"])
        elif step.action is Action.VOLUME:
            place = str(made[spec["server"]].facts["location"])
            volume = WantedVolume(name=step.name, labels=labels, size_gb=spec["size_gb"], location=place)
            made[step.key] = self.cloud.create_volume(volume)
        found = made.get(step.key)
        return Outcome(resource_id=found.resource_id if found else "1", facts=found.facts if found else {})


def no_dns(project_id: str) -> Dns:
    """Plans ask no name server."""
    raise AssertionError(project_id)


def main() -> None:
    """Print the line."""
    with tempfile.TemporaryDirectory(prefix="frostbyte-bench-", ignore_cleanup_errors=True) as folder:
        server, store = opened(Path(folder))
        try:
            full = FullProject(store)
            for number in range(TENANTS):
                full.stand(f"t{number:03}")
            requests = full.calls.requests
            planned = full.planner.tenants(PROJECT)
            requests = full.calls.requests - requests
            if len(planned) != TENANTS or any(one.plan.problems for one in planned):
                raise SystemExit("a tenant has no plan")
            standings = {word for one in planned for word in one.plan.facts["standings"].values()}
            if standings != {"done"}:
                raise SystemExit(f"what stands is to be changed: {standings}")
            ours = median(timed(lambda: full.planner.tenants(PROJECT)) for _ in range(ROUNDS))
            reading = median(timed(full.read) for _ in range(ROUNDS))
        finally:
            store.close()
            server.stop()
    show(
        [
            Line(
                measure="plans for 254 tenants",
                ours=ours,
                reference=reading,
                unit="s",
                target="<= 5 s",
                met=ours <= LIMIT_SECONDS,
                note=f"{requests} requests to the cloud; the reference reads and lists the same and decides nothing",
            )
        ]
    )


if __name__ == "__main__":
    main()
