"""`frostbyte doctor`: is this machine fit, and does the plane answer? Every finding has a remedy."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from frostbyte.cli.client import CONTROL, Client, base_url, data_dir, find_token
from frostbyte.cli.exits import Exit
from frostbyte.cli.findings import Finding, Level
from frostbyte.cli.options import AsJson
from frostbyte.cli.output import out, print_json, text
from frostbyte.kernel.errors import FrostbyteError

if TYPE_CHECKING:
    from frostbyte.kernel.settings import Settings

FREE_WARN: Final = 5 << 30
"""Bytes of free space below which a plane soon stops taking documents."""
FREE_FAIL: Final = 1 << 30
MEMORY_WARN: Final = 1 << 30
"""Bytes of available memory below which database, model and parsers begin to push other programs out."""
SOCKET_PATH_MAX: Final = 107
"""Bytes of a unix socket's path (sockaddr_un on Linux, less its NUL)."""


Check = Callable[["Settings"], Finding]


def doctor(as_json: AsJson = False) -> None:
    """Check Python, packages, model weights, OCR, disk, port, scanner and the plane. Ends with 3 if one fails."""
    findings = examine()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(Exit.PROBLEMS)


def examine() -> list[Finding]:
    """Every finding, in the order in which one would mend them."""
    from frostbyte.kernel import settings as kernel_settings

    found = [check_python(), check_packages()]
    try:
        settings = kernel_settings.load()
    except FrostbyteError as error:
        return [*found, Finding("settings", Level.FAIL, error.message, error.remedy)]
    checks: tuple[Check, ...] = (
        check_settings,
        check_weights,
        check_ocr,
        check_data_dir,
        check_space,
        check_memory,
        check_plane,
        check_scanner,
    )
    found += [check(settings) for check in checks]
    return [*found, *check_control(), *check_provisioning()]


def check_python() -> Finding:
    """3.11 to 3.13."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("python", Level.OK, version)
    return Finding("python", Level.FAIL, f"{version} is not supported.", "Use 3.11 to 3.13: make setup PYTHON=...")


def check_packages() -> Finding:
    """Everything that the package asks for is installed."""
    try:
        wanted = metadata.requires("frostbyte") or []
    except metadata.PackageNotFoundError:
        return Finding("packages", Level.FAIL, "frostbyte is not installed.", "Run `make setup`.")
    missing = [name for name in map(_name_of, wanted) if not _installed(name)]
    if missing:
        return Finding("packages", Level.FAIL, f"missing: {', '.join(missing)}", "Run `make setup`.")
    return Finding("packages", Level.OK, f"{len(wanted)} of {len(wanted)} direct dependencies")


def _name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return found[0] if found else requirement


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_settings(settings: Settings) -> Finding:
    """The variables can be read; says which are in force."""
    line = f"mode {settings.mode.value}, tenant {settings.tenant_id}, data in {settings.data_dir}"
    return Finding("settings", Level.OK, line)


def check_weights(settings: Settings) -> Finding:
    """The local model's weights are the ones we know, where it is the local model that embeds."""
    if settings.embedding_endpoint:
        where = "another company's" if settings.embedding_remote else "your own"
        return Finding("embedder", Level.OK, f"{settings.embedding_model} at {where} server; asked when documents come")
    from frostbyte.adapters.embeddings.e5 import checked

    try:
        size = len(checked())
    except FrostbyteError as error:
        return Finding("embedder", Level.FAIL, error.message, error.remedy or "Run `make setup`.")
    return Finding("embedder", Level.OK, f"multilingual-e5-small, {size >> 20} MiB, digest as locked")


def check_ocr(settings: Settings) -> Finding:
    """Tesseract and the data of both languages."""
    if find_spec("tesserocr") is None:
        return Finding("ocr", Level.FAIL, "tesserocr is missing: scans cannot be read.", "Run `make setup`.")
    from frostbyte.data_plane.parse.image.engine import LANGUAGES, data_folder

    try:
        data_folder()
    except (FileNotFoundError, metadata.PackageNotFoundError):
        return Finding("ocr", Level.FAIL, "The data of a language is missing.", "Run `make setup`.")
    return Finding("ocr", Level.OK, f"Tesseract, languages {', '.join(LANGUAGES)}")


def check_data_dir(settings: Settings) -> Finding:
    """The folder is ours, private, writable, and short enough for the database's socket."""
    folder = settings.data_dir
    if not settings.database_url and len(os.fsencode(folder / "postgres" / ".s.PGSQL.5432")) > SOCKET_PATH_MAX:
        return Finding(
            "data folder", Level.WARN, f"{folder} is a long path: a unix socket's may have {SOCKET_PATH_MAX} bytes.",
            "If the database does not start, set FROSTBYTE_DATA_DIR to a shorter one.",
        )  # fmt: skip
    if not folder.exists():
        parent = next(path for path in folder.parents if path.exists())
        if os.access(parent, os.W_OK):
            return Finding("data folder", Level.OK, f"{folder} will be made by the first start")
        return Finding("data folder", Level.FAIL, f"{parent} is not writable.", "Set FROSTBYTE_DATA_DIR to your own.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding("data folder", Level.FAIL, f"{folder} is not writable.", "Set FROSTBYTE_DATA_DIR to your own.")
    if folder.stat().st_mode & 0o077:
        return Finding("data folder", Level.WARN, f"{folder} is open to other users.", f"chmod 700 {folder}")
    return Finding("data folder", Level.OK, f"{folder}, yours alone")


def check_space(settings: Settings) -> Finding:
    """Free bytes where the data is."""
    place = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free = shutil.disk_usage(place).free
    line = f"{free / 2**30:.1f} GiB free"
    if free < FREE_FAIL:
        return Finding("space", Level.FAIL, line, "Free some, or set FROSTBYTE_DATA_DIR to a larger disk.")
    level = Level.WARN if free < FREE_WARN else Level.OK
    return Finding("space", level, line, "Documents need their size twice." if level is Level.WARN else "")


def check_memory(settings: Settings) -> Finding:
    """Memory that is available now (Linux says it in /proc/meminfo)."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text("ascii"), re.MULTILINE)
    except OSError:
        found = None
    if found is None:
        return Finding("memory", Level.OK, "not known on this system")
    free = int(found[1]) << 10
    line = f"{free / 2**30:.1f} GiB available"
    if free < MEMORY_WARN:
        return Finding("memory", Level.WARN, line, "Close something, or set FROSTBYTE_WORKERS=1.")
    return Finding("memory", Level.OK, line)


def check_plane(settings: Settings) -> Finding:
    """A plane answers and takes our token; or none runs and its port is free."""
    try:
        url = base_url()
        with Client("", url) as client:
            health = client.json("GET", "/health")
    except FrostbyteError as error:
        if error.code != "no_plane":
            return Finding("plane", Level.FAIL, error.message, error.remedy)
        return _check_port(settings)
    try:
        with Client(find_token(), url) as client:
            client.json("GET", "/documents", params={"limit": 1})
    except FrostbyteError as error:
        return Finding("plane", Level.WARN, f"It answers at {url}, but: {error.message}", error.remedy)
    line = f"{health.get('status')} at {url}, tenant {health.get('tenant')}, version {health.get('version')}"
    if warnings := health.get("warnings"):
        return Finding("plane", Level.WARN, f"{line}. {' '.join(warnings)}")
    return Finding("plane", Level.OK, line)


def _check_port(settings: Settings) -> Finding:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            return Finding(
                "plane",
                Level.FAIL,
                f"None runs, and {where} cannot be used: {error.strerror}.",
                "Set FROSTBYTE_LISTEN.",
            )
    return Finding("plane", Level.OK, f"none runs; port {settings.port} is free", "Start one: make up")


def check_control() -> list[Finding]:
    """The control plane answers and takes our token; nothing where none was ever here."""
    named = any(name.startswith(CONTROL.prefix) for name in os.environ)
    return [_check_control()] if named or data_dir(CONTROL).exists() else []


def check_provisioning() -> list[Finding]:
    """What making hosts needs, where a control plane lives or a cloud is named; elsewhere nothing is said of it."""
    if not any(name.startswith("FROSTBYTE_HCLOUD_") for name in os.environ) and not data_dir(CONTROL).exists():
        return []
    from frostbyte.cli.doctor_cloud import check_cloud
    from frostbyte.control_plane import settings as control_settings

    try:
        settings = control_settings.load()
    except FrostbyteError as error:
        return [Finding("settings", Level.FAIL, error.message, error.remedy)]
    return check_cloud(settings)


def _check_control() -> Finding:
    try:
        url = base_url(CONTROL)
        with Client("", url, server=CONTROL) as client:
            ready = client.json("GET", "/ready")
    except FrostbyteError as error:
        level = Level.WARN if error.code == CONTROL.absent else Level.FAIL
        return Finding("control plane", level, error.message, error.remedy)
    try:
        with Client(find_token(None, CONTROL), url, server=CONTROL) as client:
            client.json("GET", "/tenants", params={"limit": 1})
    except FrostbyteError as error:
        return Finding("control plane", Level.WARN, f"It answers at {url}, but: {error.message}", error.remedy)
    tenants = ", ".join(f"{count} {state}" for state, count in sorted(ready["tenants"].items())) or "no tenants"
    return Finding("control plane", Level.OK, f"ready at {url}, version {ready['version']}: {tenants}")


def check_scanner(settings: Settings) -> Finding:
    """clamd answers; without one, production refuses to run and development says so."""
    if not settings.clamd_address:
        return Finding(
            "scanner", Level.WARN, "FROSTBYTE_CLAMD_ADDRESS is not set: documents are marked unscanned.",
            "Development only. Else: apt-get install clamav-daemon, and set it to unix:/run/clamav/clamd.ctl",
        )  # fmt: skip
    from frostbyte.adapters.clamav.clamd import Clamd, parse_address

    try:
        version = Clamd(parse_address(settings.clamd_address)).version()
    except (FrostbyteError, ValueError) as error:
        return Finding("scanner", Level.FAIL, f"clamd does not answer: {error}", "Start it, or correct its address.")
    return Finding("scanner", Level.OK, version)


def _print(findings: list[Finding]) -> None:
    marks = {Level.OK: ("✓", "green"), Level.WARN: ("!", "yellow"), Level.FAIL: ("✗", "red")}
    for finding in findings:
        mark, style = marks[finding.level]
        line = text(f"{mark} {finding.level.value:<5}", style) + text(f"{finding.name:<14}", "bold")
        out().print(line + text(finding.message), soft_wrap=True)
        if finding.remedy:
            out().print(text(f"{'':<21}→ {finding.remedy}", "dim"), soft_wrap=True)
