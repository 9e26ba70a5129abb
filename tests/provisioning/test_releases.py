"""A tenant's own version: what it is compared by, who keeps it, and images that are brought to hosts that lack them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as entry

from frostbyte.adapters.hosts.memory import Machine, MemoryHosts
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.control_plane.provisioning.desired import release_order, request_from, standing_release
from frostbyte.control_plane.provisioning.doing.images import Images
from frostbyte.control_plane.provisioning.hosting import Release
from frostbyte.control_plane.provisioning.journal import EntryState
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.planner import Planner
from frostbyte.control_plane.provisioning.ports import HostAddress
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.kernel.errors import Conflict, Invalid
from hosts.contract import IMAGE, OTHER, image_archive, public_key
from hosts.test_memory_hosts import user_data
from provisioning.planning import GROUND, NOW, carried_out, catalogue, wanted


def test_versions_are_ordered_and_what_is_none_is_refused() -> None:
    ordered = ["0.9.0a1", "0.9.0b1", "0.9.0rc1", "0.9.0rc2", "0.9", "0.9.1", "0.10.0", "1.0.0rc1", "1.0.0", "10.0"]
    assert all(release_order(one) < release_order(other) for one, other in pairwise(ordered))
    for wrong in ("", "1", "1.0.0.0", "v1.0", "1.0-dev", "01.0", "../1.0", "1.0\n"):
        with pytest.raises(Invalid) as caught:
            release_order(wrong)
        assert caught.value.code == "release_malformed"
    with pytest.raises(Invalid):
        request_from({"release": "newest"})


class Shop:
    """A cloud that sells, and shows nothing."""

    def catalogue(self) -> Any:
        return catalogue()

    def observe(self, owner: Any = None) -> list[Any]:
        return []


def test_a_tenant_keeps_its_version_whatever_the_control_plane_became(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan for more workers gives them, and everybody else, the version that runs there."""
    registry, shop, clock = MemoryRegistry(), Shop(), ManualClock()
    Projects(registry.unit_of_work, "production", clock).create("main", actor="alice")
    Tenants(registry.unit_of_work, clock).create("acme", "main", actor="alice")
    grown = replace(GROUND, release="2.0")
    planner = Planner(registry.unit_of_work, lambda _: shop, lambda _: shop, lambda *_: grown, clock)  # type: ignore[arg-type, return-value]

    def releases(values: dict[str, Any], entries: list[Any]) -> set[str]:
        with monkeypatch.context() as patched:
            patched.setattr("frostbyte.adapters.registry.journal_memory.MemoryJournal.entries", lambda *_: entries)
            made = planner.tenant("acme", values).plan
        return {step.spec["release"] for step in made.steps if "release" in step.spec}

    first = carried_out(plan(wanted({}, on=GROUND), [], [], catalogue(), NOW))
    assert standing_release(first) == "1.0"
    assert releases({}, []) == {"2.0"}
    assert releases({"workers": 3}, first) == {"1.0"}
    assert releases({"release": "1.5"}, first) == {"1.5"}
    gone = [entry(row, state=EntryState.GONE) for row in first]
    assert releases({}, gone) == {"2.0"}


class Drawing:
    """A host runs two images."""

    def images(self, role: HostRole) -> tuple[str, ...]:
        return ("api", "redis")


def test_images_that_a_host_lacks_are_brought_from_the_archives(tmp_path: Path) -> None:
    host = HostAddress(name="fb-acme-db", address="10.7.1.20", host_key=public_key())
    machine = Machine(machine_id="1", user_data=user_data(host.host_key), images=frozenset({OTHER}))
    hosts = MemoryHosts(lambda _: machine)
    image_archive(tmp_path / "api.tar", {IMAGE: ["frostbyte/api:2"]})
    sha256 = hashlib.sha256((tmp_path / "api.tar").read_bytes()).hexdigest()
    known = Release(images={"api": IMAGE, "redis": OTHER}, archives={IMAGE: sha256})
    images = Images(hosts, Drawing(), lambda _: known, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(Conflict) as caught:
        images.bring(host, "2.0", HostRole.DB)
    assert caught.value.code == "host_image_missing"
    (tmp_path / "api.tar").rename(tmp_path / f"{sha256}.tar")
    assert images.bring(host, "2.0", HostRole.DB) == [IMAGE]
    assert images.bring(host, "2.0", HostRole.DB) == []
    image_archive(tmp_path / f"{sha256}.tar", {IMAGE: ["frostbyte/api:2"]})
    hosts.disk(host).loaded.clear()
    with pytest.raises(Conflict) as caught:
        images.bring(host, "2.0", HostRole.DB)
    assert caught.value.code == "image_archive_wrong"
