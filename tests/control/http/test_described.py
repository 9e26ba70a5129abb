"""OpenAPI describes the Admin API as it is, and no request that it allows, or nearly allows, breaks it."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from control.killswitch.planes import MemoryEdge
from control.memory_plane import ROOT, Admin, attachment, memory_plane, nowhere
from control.provisioned import Provisioned
from frostbyte.api.control import examples
from frostbyte.api.control.app import routes
from frostbyte.bootstrap.switching import Around, Switching
from frostbyte.kernel.tokens import Role
from provisioning.test_sweeping import House

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.generation import GenerationMode

OPERATIONS = sorted((route.path, method) for route in routes() if route.include_in_schema for method in route.methods)
UNABLE = tuple(
    f"/{name}"
    for name in (
        *("rotate-keys", "scale", "update", "repair", "backup", "restore", "refresh"),
        *("deliveries", "supplies"),
    )
)
NAMES = ("acme", "new1", "nobody")


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Admin:
    """A control plane with a tenant in every state that a request may meet."""
    admin = Admin(memory_plane(tmp_path_factory.mktemp("explored")))
    Provisioned(admin)
    admin.control.sweeper = House().sweeper
    for state in ("PENDING", "ACTIVE", "SUSPENDED", "DEPROVISIONED"):
        admin.tenant(state)
    admin.made("/tenants", {"tenant_id": "acme", "project_id": "eu-1"}, 201)
    admin.made("/tenants/acme/attach", attachment("acme"))
    look(admin)
    return admin


def look(admin: Admin) -> None:
    """Have the health of every tenant looked at once; no plane answers."""
    control = admin.control
    around = Around(
        edge=MemoryEdge(),
        channels=nowhere,
        sign=lambda *_: "",
        last_pull=lambda _: True,
        through_edge=lambda _: 0,
        lags=dict,
        findings=dict,
    )
    control.switching = Switching(control.store.unit_of_work, control.operations, control.clock, around)
    with ThreadPoolExecutor(1) as threads:
        control.switching.watch.look(threads)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_request_breaks_it(path: str, method: str, mode: GenerationMode, explored: Admin) -> None:
    """Requests that the description allows, and such that it nearly allows: never a 5xx, and a refusal says why."""
    operation = schemathesis.openapi.from_asgi("/openapi.json", explored.app)[path][method]

    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), name=st.sampled_from(NAMES))
    def sent(case: Any, name: str) -> None:
        if mode is GenerationMode.POSITIVE and "tenant_id" in (case.path_parameters or {}):
            case.path_parameters["tenant_id"] = name
        everything = explored.token(*Role)  # fresh: keys rotate here too
        answer = case.call(headers={"Authorization": f"Bearer {everything}"})
        # Nothing here can work on a tenant's hosts: there are none, and it is said.
        unable = answer.status_code == 503 and answer.json()["code"] == "provisioning_missing"
        assert answer.status_code < 500 or (unable and any(part in case.path for part in UNABLE)), answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"], answer.headers
            assert {"code", "detail", "remedy", "request_id"} <= answer.json().keys()

    try:
        sent()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "no request is valid"  # a route without parameters has no wrong ones


def shape(value: Any) -> Any:
    """What there is, without what it says."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(item) for item in value[:1]] if isinstance(value, list) else None


@pytest.mark.parametrize(
    ("path", "example"),
    [
        ("/projects", examples.PROJECTS),
        ("/tenants?state=SUSPENDED", examples.TENANTS),
        ("/tenants/{tenant}", examples.ONE_TENANT),
        ("/operations", examples.OPERATIONS),
        ("/api-keys", examples.API_KEYS),
        ("/keys", examples.KEYS),
        ("/operations/{operation}", examples.OPERATION),
    ],
)
def test_examples_are_what_is_answered(path: str, example: dict[str, Any], tmp_path: Path) -> None:
    admin = Admin(memory_plane(tmp_path))
    tenant = admin.tenant("SUSPENDED")
    operation = admin.call("GET", f"/tenants/{tenant}").json()["operation"]["operation_id"]
    admin.made("/api-keys", {"name": "billing", "scopes": ["viewer"]}, 201)
    answered = admin.call("GET", path.format(tenant=tenant, operation=operation)).json()
    wanted = shape(example)
    for rows in (wanted, *wanted.get("tenants", [])):
        if "standing" in rows:
            rows["standing"] = None  # nobody asked this tenant's plane
    assert shape(answered) == wanted


def test_every_route_has_an_example_and_describes_its_refusals(explored: Admin) -> None:
    described = explored.app.openapi()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if not path.startswith(ROOT):
                continue
            good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            assert all("example" in content for content in good.get("content", {}).values()), (method, path)
            assert {"401", "403", "422", "429", "503"} <= operation["responses"].keys(), (method, path)
            assert operation["description"].count("Role: ") == 1
            changes = method == "post" and not path.endswith("/plan")  # a plan changes nothing
            if changes and operation["tags"] != ["access"]:  # an answer with a secret is kept nowhere
                names = {parameter["name"] for parameter in operation["parameters"]}
                assert "idempotency-key" in names, path
