"""Which way imports point, and that the contracts would notice."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "frostbyte"


def lint(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--config", str(config), "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_imports_point_down_only() -> None:
    done = lint(ROOT / "pyproject.toml", ROOT)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "6 kept, 0 broken" in done.stdout.replace("\n", " ")


def test_the_contracts_cover_every_package() -> None:
    """A package that no layer names would be under no contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (diagram,) = [contract for contract in contracts if contract["name"].startswith("The diagram")]
    assert diagram["exhaustive"] is True
    named = {name.strip("() ") for layer in diagram["layers"] for name in layer.split("|")}
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert packages <= named
    (control,) = [contract for contract in contracts if contract["name"].startswith("The registry knows")]
    named = {name.strip("() ") for layer in control["layers"] for name in layer.split("|")}
    assert {path.parent.name for path in (SOURCE / "control_plane").glob("*/__init__.py")} <= named
    (stages,) = [contract for contract in contracts if contract["name"].startswith("Stages meet")]
    siblings = next(layer for layer in stages["layers"] if "|" in layer and "intake" in layer)
    named = {name.strip("() ") for name in siblings.split("|")}
    assert {path.parent.name for path in (SOURCE / "data_plane").glob("*/__init__.py")} <= named


def modules_loaded_by(path: Path) -> set[str]:
    """The top names that a file imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


def test_the_verifier_shares_no_code_with_what_it_judges() -> None:
    names = modules_loaded_by(SOURCE / "cli" / "verifier.py")
    assert names - set(sys.stdlib_module_names) <= {"cryptography", "__future__"}


def test_the_core_imports_no_vendor_even_inside_functions() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (forbidden,) = [set(c["forbidden_modules"]) for c in contracts if c["name"].startswith("No vendor")]
    for area in ("kernel", "data_plane", "control_plane"):
        for path in (SOURCE / area).rglob("*.py"):
            assert not modules_loaded_by(path) & forbidden, path
