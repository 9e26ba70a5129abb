"""What plans are made from in tests: a catalogue, tenants, and the journal of a plan that was carried out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from frostbyte.control_plane.provisioning.catalogue import Catalogue, Location, Offer, ServerType
from frostbyte.control_plane.provisioning.desired import (
    DesiredBase,
    DesiredTenant,
    Ground,
    desired_tenant,
    request_from,
)
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Action, Plan
from frostbyte.control_plane.registry.records import TenantRow
from frostbyte.control_plane.registry.states import Failed, TenantState
from frostbyte.kernel.tenancy import config_from

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
RUN = UUID("01936a00-0000-7000-8000-000000000001")
GROUND = Ground(
    domain="pipeline.frostbyte.io",
    zone="frostbyte.io",
    release="1.0",
    images={"x86": "1001"},
    edge="198.51.100.7",
    bastion="198.51.100.8",
)
BASE = Owner(environment="production", project_id="main")


@cache
def catalogue() -> Catalogue:
    """Everything in stock."""
    told = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text())
    types = {
        name: ServerType(
            name=name,
            architecture=one["architecture"],
            cores=one["cores"],
            memory_mb=one["memory_gb"] * 1024,
            disk_gb=one["disk_gb"],
            offers={
                place: Offer(
                    location=place,
                    available=True,
                    monthly=Decimal(one["monthly"]),
                    hourly=Decimal(one["monthly"]) / 600,
                )
                for place in one["at"]
            },
        )
        for name, one in told["types"].items()
    }
    return Catalogue(
        types=types,
        locations={name: Location(name=name, **place) for name, place in told["locations"].items()},
        currency=told["currency"],
        volume_gb_month=Decimal(told["volume_gb_month"]),
        primary_ip_month=dict.fromkeys(told["locations"], Decimal(told["primary_ip_month"])),
        snapshot_gb_month=Decimal(told["snapshot_gb_month"]),
    )


def changed(
    sold: Catalogue, *, out: Iterable[str] = (), leaving: Mapping[str, int] | None = None, gone: Iterable[str] = ()
) -> Catalogue:
    """The catalogue on another day.

    Args:
        out: `cx43@nbg1`, out of stock; `cx43` everywhere.
        leaving: type: in how many days it cannot be ordered any more.
        gone: types that are not sold any more at all.
    """
    out, leaving, gone = set(out), leaving or {}, set(gone)
    types = {}
    for name, kind in sold.types.items():
        if name in gone:
            continue
        offers = {
            place: replace(
                offer,
                available=not {name, f"{name}@{place}"} & out,
                deprecated=NOW - timedelta(days=30) if name in leaving else None,
                unavailable_after=NOW + timedelta(days=leaving[name]) if name in leaving else None,
            )
            for place, offer in kind.offers.items()
        }
        types[name] = replace(kind, offers=offers)
    return replace(sold, types=types)


def tenant(tenant_id: str = "acme", octet: int | None = 7) -> TenantRow:
    """A tenant that waits for its plane."""
    return TenantRow(
        tenant_id=tenant_id,
        project_id="main",
        octet=octet,
        state=TenantState.PENDING,
        failed=Failed.NOTHING,
        version=1,
        config_version=1,
        standing_version=0,
        created_at=NOW,
        updated_at=NOW,
    )


def wanted(
    values: Mapping[str, Any] | None = None,
    *,
    tenant_id: str = "acme",
    octet: int = 7,
    on: Ground = GROUND,
    config: Mapping[str, Any] | None = None,
) -> DesiredTenant:
    """A tenant's plane, as asked for and configured."""
    told = config_from(dict(config or {}))
    return desired_tenant(tenant(tenant_id, octet), "production", told, request_from(values or {}), on)


def base(**values: Any) -> DesiredBase:
    """A project's base."""
    return DesiredBase(
        **{
            "owner": BASE,
            "ground": replace(GROUND, edge="", bastion=""),
            "operators": ("203.0.113.0/24",),
            "ssh_public_key": "ssh-ed25519 AAAA control",
            "hostnames": ("pipeline.frostbyte.io", "control.pipeline.frostbyte.io"),
            **values,
        }
    )


def carried_out(plan: Plan, states: Mapping[str, str] | None = None) -> list[EntryRow]:
    """The journal after a plan was carried out: everything done, with the first choice of every server.

    Args:
        states: of steps that stand otherwise, by key; 'none' for one that was never begun.
    """
    states = states or {}
    rows = []
    for position, step in enumerate(plan.steps):
        state = states.get(step.key, "done")
        if state == "none":
            continue
        facts: dict[str, Any] = {}
        if step.action is Action.SERVER:
            facts = {**step.spec["candidates"][0], "address": "198.51.100.20" if step.spec["public"] else ""}
        if step.action is Action.VOLUME:
            server = next(each for each in plan.steps if each.key == step.spec["server"])
            facts = {"size_gb": step.spec["size_gb"], "location": server.spec["candidates"][0]["location"]}
        rows.append(
            EntryRow(
                environment=plan.owner.environment,
                project_id=plan.owner.project_id,
                tenant_id=plan.owner.tenant_id,
                key=step.key,
                run_id=RUN,
                action=step.action.value,
                kind=step.kind.value if step.kind else "",
                name=step.name,
                spec_sha256=step.spec_sha256,
                spec=dict(step.spec),
                needs=list(step.needs),
                position=position,
                state=EntryState(state),
                resource_id=str(1000 + position) if state == "done" else "",
                facts=facts if state == "done" else {},
                attempts=1,
                code="",
                fence=1,
                changed_at=NOW,
            )
        )
    return rows


def keys(plan: Plan) -> Sequence[str]:
    """Of its steps, in order."""
    return [step.key for step in plan.steps]
