"""Receipts over the Admin API and on the command line: shown, made final, checked without the control plane."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from control.http.test_described import shape
from control.memory_plane import Admin
from frostbyte.api.control import examples
from frostbyte.cli.app import run
from frostbyte.cli.exits import Exit
from frostbyte.control_plane.provisioning.receipt import Part
from frostbyte.control_plane.provisioning.receipts import Destroying
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.tokens import Role

RECOVERY = "age1lq9mz58yuqv5ct2zgm8w0lpdlyr3jhxj2l8l9zn3zpw6ckuzcvxs8f7vhd"


@pytest.fixture
def gone(admin: Admin) -> str:
    """A tenant that was destroyed, with a recovery identity that may still exist."""
    tenant = admin.tenant("ACTIVE")
    operation = admin.made(f"/tenants/{tenant}/deprovision", {"confirm": tenant})
    operation_id = UUID(operation["operation_id"])
    owner = Owner(environment="production", project_id="eu-1", tenant_id=tenant)
    control = admin.control
    destroying = Destroying(control.store.unit_of_work, None, None, control.clock)  # type: ignore[arg-type]
    destroying.note(owner, operation_id, Part.KEYS, ["secrets.sops.json"])
    destroying.note(owner, operation_id, Part.STORES, ["database: seen to be empty"])
    destroying.note(owner, operation_id, Part.RECOVERY, [RECOVERY])
    control.receipts.issue(operation_id)
    return tenant


def test_a_receipt_is_shown_and_made_final(admin: Admin, gone: str, refused: Callable[[Any, int, str], Any]) -> None:
    shown = admin.call("GET", f"/tenants/{gone}/receipt").json()
    assert shown["state"] == "pending"
    assert shape(shown) | {"receipt": None} == shape(examples.RECEIPT) | {"receipt": None}
    assert shown["receipt"].keys() == examples.RECEIPT["receipt"].keys()
    path = f"/tenants/{gone}/recovery-destroyed"
    operator = admin.token(Role.OPERATOR)
    refused(admin.call("POST", path, json={"recovery": RECOVERY}, token=operator), 403, "scope_missing")
    refused(admin.call("POST", path, json={"recovery": "age1other"}), 409, "recovery_not_named")
    final = admin.call("POST", path, json={"recovery": RECOVERY}).json()
    assert final["state"] == "final"
    assert final["confirmation"]["actor"] == "ann"
    assert admin.call("GET", f"/tenants/{gone}/receipt").json() == final


def test_a_tenant_that_lives_has_none(admin: Admin, refused: Callable[[Any, int, str], Any]) -> None:
    refused(admin.call("GET", f"/tenants/{admin.tenant()}/receipt"), 404, "receipt_missing")
    refused(admin.call("GET", "/tenants/nobody/receipt"), 404, "tenant_not_found")


def test_the_command_checks_it_offline(
    admin: Admin, gone: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = admin.call("GET", f"/tenants/{gone}/receipt").json()
    file, key = tmp_path / "receipt.json", admin.control.signer.verifier_key
    file.write_text(json.dumps(document))
    assert run(["tenant", "verify-receipt", str(file), "--key", key]) == Exit.OK
    said = capsys.readouterr().out
    assert "pending" in said
    assert RECOVERY in said.replace("\n", "")
    # What the file says of itself counts for nothing; only what is signed does.
    file.write_text(json.dumps(document | {"state": "final", "receipt": {}}))
    assert run(["tenant", "verify-receipt", str(file), "--key", key, "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["state"] == "pending"
    stranger = Signer(bytes(range(32)), "frostbyte/control/production").verifier_key
    assert run(["tenant", "verify-receipt", str(file), "--key", stranger]) == Exit.VERIFICATION_FAILED
    file.write_text("{}")
    assert run(["tenant", "verify-receipt", str(file), "--key", key]) != Exit.OK
