"""The edge's files: rendered for all tenants, and brought into the folder.

    python -m bench.control.edge [--rounds 5]

Rendered is from the registry's rows to the text, in processor time of this process, the median of the rounds: 254
tenants (all networks of a project) with gateways beside the edge, the same with gateways over mutual TLS (a file then
holds the tenant's authority, a certificate and a key), and 10,000. The reference is the same description written by
PyYAML's `safe_dump`, in the same rounds. Brought into the folder is what a start of the control plane does: first with
an empty folder, where each file is made durable (wall time: it waits for the disk), then with all files as they must
be.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from bench.table import Line, show
from frostbyte.adapters.edge.files import EdgeFolder
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.bootstrap.edge import credentials_of
from frostbyte.control_plane.edge.keeper import EdgeKeeper, wanted
from frostbyte.control_plane.edge.routes import Credentials, Gate, Site
from frostbyte.control_plane.registry.records import EndpointsRow, TenantRow
from frostbyte.control_plane.registry.states import Failed, TenantState
from frostbyte.deploy.traefik import Traefik

SITE: Final = Site(domain="pipeline.frostbyte.io")
PROJECT: Final = 254
MANY: Final = 10_000
SECONDS: Final = 0.5
"""For the tenants of a project."""
_THEN: Final = datetime(2026, 1, 1, tzinfo=UTC)


def rows(count: int, secure: bool) -> list[tuple[TenantRow, EndpointsRow]]:
    """Tenants with their endpoints."""
    known = TenantRow.__struct_fields__
    found = []
    for number in range(count):
        name, net = f"tenant{number:05d}", f"10.{number % 254 + 1}.{number // 254}.2"
        values: dict[str, Any] = {
            "tenant_id": name, "project_id": "first", "octet": 1, "state": TenantState.ACTIVE,
            "failed": Failed.NOTHING, "version": 1, "config_version": 1, "standing_version": 1,
            "created_at": _THEN, "updated_at": _THEN,
        }  # fmt: skip
        endpoints = EndpointsRow(
            tenant_id=name,
            gateway_url=f"https://{net}:8443" if secure else f"http://{net}:8080",
            channel_url=f"https://{net}:8444",
            ca_pem="",
            log_key="",
            registered_at=_THEN,
        )
        found.append((TenantRow(**{field: values.get(field) for field in known}), endpoints))
    return found


def rendered(tenants: list[tuple[TenantRow, EndpointsRow]], credentials: Callable[[str], Credentials]) -> list[str]:
    """Their files."""
    texts = []
    for tenant, endpoints in tenants:
        route = wanted(tenant, endpoints, Gate.OPEN, SITE.domain, credentials)
        assert route is not None
        texts.append(Traefik().tenant(route, SITE))
    return texts


def took(act: Callable[[], object]) -> float:
    """Processor seconds."""
    began = time.process_time()
    act()
    return time.process_time() - began


def line(measure: str, count: int, secure: bool, credentials: Callable[[str], Credentials], rounds: int) -> Line:
    """Ours beside PyYAML's."""
    tenants = rows(count, secure)
    documents = [yaml.load(text, yaml.CSafeLoader) for text in rendered(tenants, credentials)]
    few = documents[:PROJECT]
    ours = [took(lambda: rendered(tenants, credentials)) for _ in range(rounds)]
    theirs = [took(lambda: [yaml.safe_dump(one, sort_keys=False) for one in few]) for _ in range(min(rounds, 3))]
    median = statistics.median(ours)
    return Line(
        measure=measure,
        ours=median,
        reference=statistics.median(theirs) * count / len(few),
        unit="s",
        target=f"< {SECONDS} s" if count == PROJECT else "",
        met=median < SECONDS if count == PROJECT else None,
        note="reference: the same description written by PyYAML's safe_dump"
        + (f" (of {len(few)}, by the number)" if count > len(few) else ""),
    )


def folder(tenants: list[tuple[TenantRow, EndpointsRow]], credentials: Callable[[str], Credentials]) -> list[Line]:
    """A start of the control plane, with an empty folder and with a right one."""
    with tempfile.TemporaryDirectory(prefix="frostbyte-edge-") as place:
        spent = []
        for _ in range(2):
            keeper = EdgeKeeper(SITE, EdgeFolder(Path(place) / "routes"), Traefik(), credentials, lambda: None)
            began = time.perf_counter()
            keeper.prepare()
            for tenant, endpoints in tenants:
                keeper.show(tenant, endpoints, Gate.OPEN)
            spent.append(time.perf_counter() - began)
        looked = [took(keeper.mend) for _ in range(5)]
    count = len(tenants)
    return [
        Line(measure=f"edge: {count:,} files made durable", ours=spent[0], unit="s", target="", met=None),
        Line(measure=f"edge: {count:,} files found right at a start", ours=spent[1], unit="s", target="", met=None),
        Line(
            measure=f"edge: one look for damage among {count:,} files",
            ours=statistics.median(looked) * 1000,
            unit="ms",
            target="",
            met=None,
            note="made each second",
        ),
    ]


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="frostbyte-edge-") as place:
        one = credentials_of(Authorities(Path(place) / "authorities"))("acme")

        def credentials(tenant_id: str) -> Credentials:
            return Credentials(ca=one.ca, certificate=one.certificate, key=one.key)

        show(
            [
                line(f"edge: rendering {PROJECT} tenants", PROJECT, False, credentials, rounds),
                line(f"edge: rendering {PROJECT} tenants over mutual TLS", PROJECT, True, credentials, rounds),
                line(f"edge: rendering {MANY:,} tenants", MANY, False, credentials, rounds),
                *folder(rows(PROJECT, False), credentials),
                *folder(rows(MANY, False), credentials),
            ]
        )


if __name__ == "__main__":
    main()
