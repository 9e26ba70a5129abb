"""`frostbyte-provision-tenant.sh TENANT_ID OCTET`, as the runbook has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from control.memory_plane import Admin
from control.provisioned import Provisioned
from frostbyte.cli.exits import Exit

SCRIPT = Path(__file__).parents[2] / "deploy" / "frostbyte-provision-tenant.sh"


def typed(*words: str) -> subprocess.CompletedProcess[str]:
    """The script, with the `frostbyte` of this environment on the path and nobody to be asked."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [str(SCRIPT), *words], env=os.environ | {"PATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


@pytest.mark.slow
def test_it_enters_and_provisions_a_tenant(admin: Admin) -> None:
    hosts = Provisioned(admin)
    admin.tenant()  # so that there is a project
    done = typed("runbook1", "91", "--project", "eu-1", "--shape", "small", "--yes")
    assert done.returncode == Exit.OK, done.stderr
    assert admin.state("runbook1") == "ACTIVE"
    assert admin.call("GET", "/tenants/runbook1").json()["network"] == "10.91.0.0/16"
    assert hosts.request("runbook1")["shape"] == "small"


def test_it_costs_nothing_before_somebody_agreed(admin: Admin) -> None:
    hosts = Provisioned(admin)
    tenant = admin.tenant()
    octet = admin.call("GET", f"/tenants/{tenant}").json()["octet"]
    asked = typed(tenant, str(octet))
    assert asked.returncode == Exit.USAGE
    assert "confirmation_missing" in asked.stderr
    assert hosts.begun == []


@pytest.mark.parametrize(
    "words",
    [(), ("acme",), ("Acme", "7"), ("acme-1", "7"), ("acme", "0"), ("acme", "255"), ("acme", "7x"), ("$(id)", "7")],
)
def test_it_refuses_what_is_no_tenant_and_no_octet(words: tuple[str, ...]) -> None:
    said = typed(*words)
    assert said.returncode == Exit.USAGE
    assert "usage: frostbyte-provision-tenant.sh TENANT_ID OCTET" in said.stderr


def test_it_is_installed_with_the_package() -> None:
    installed = Path(sys.executable).parent / SCRIPT.name
    if not installed.exists():  # an environment that was set up before the script was there
        declared = (SCRIPT.parents[1] / "pyproject.toml").read_text()
        assert f'script-files = ["deploy/{SCRIPT.name}"]' in declared
    else:
        assert installed.read_text().splitlines()[1:] == SCRIPT.read_text().splitlines()[1:]
