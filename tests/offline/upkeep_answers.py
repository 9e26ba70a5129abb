"""The stand-in's plane while it is updated: a database of a few numbers, and time that passes with every call.

Each call of Docker lets the plane that runs do what it may: an open one gives a receipt and signs a checkpoint, one
that answers questions signs a checkpoint, a frozen one does nothing. `witness.json` is what the world outside has seen
of it, and no way back brings that down: a test compares.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from answers import Call
    from standin import State

PROJECT: Final = "frostbyte-acme"
FRESH: Final = {"schema": 0, "upkeep": "open", "receipts": 0, "checkpoint": 0, "updated": []}
SCHEMA: Final = "io.frostbyte.schema"
REFUSED, UNAVAILABLE, PROBLEMS = 4, 7, 3
"""Exit codes of the real commands."""


def home() -> Path:
    return Path(os.environ["FROSTBYTE_STANDIN"])


def database(name: str = "database") -> Path:
    return home() / "volumes" / f"{PROJECT}_pgdata" / f"{name}.json"


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else dict(FRESH)
    return found


def write(file: Path, what: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(what, sort_keys=True))
    part.replace(file)


def passing(state: State) -> None:
    """Time passes: what a plane that runs may do, it does."""
    gateway = state.containers.get(f"{PROJECT}-intake-gateway-1")
    if gateway is None or gateway["state"] != "running" or gateway["health"] != "healthy" or not database().exists():
        return
    now = read(database())
    if now["upkeep"] == "frozen":
        return
    now["checkpoint"] += 1
    now["receipts"] += now["upkeep"] == "open"
    write(database(), now)
    write(home() / "witness.json", {name: now[name] for name in ("receipts", "checkpoint")})


def began(schema: int) -> bool:
    """What a gateway does as it starts: the schema is brought up to date, and a newer one refused."""
    now = read(database())
    if now["schema"] > schema:
        return False
    write(database(), now | {"schema": schema})
    return True


def _changed(call: Call, **values: Any) -> int:
    now = read(database())
    if now["schema"] != int(call.labels[SCHEMA]):
        return UNAVAILABLE
    write(database(), now | values)
    return 0


def status(call: Call) -> int:
    print(json.dumps(read(database()), indent=2))
    return 0


def close(call: Call) -> int:
    return _changed(call, upkeep="reading") if read(database())["upkeep"] == "open" else _changed(call)


def drain(call: Call) -> int:
    return 0 if read(database())["upkeep"] != "open" else PROBLEMS


def freeze(call: Call) -> int:
    return _changed(call, upkeep="frozen")


def open_(call: Call) -> int:
    now, told = read(database()), call.option("--updated-to")
    updated = [*now["updated"], told] if told and now["upkeep"] != "open" else now["updated"]
    return _changed(call, upkeep="open", updated=updated)


def verify(call: Call) -> int:
    now = read(database())
    if now["schema"] != int(call.labels[SCHEMA]):
        return UNAVAILABLE
    before = json.load(sys.stdin) if "--expect" in call.arguments else now
    return 0 if all(before[name] == now[name] for name in ("receipts", "checkpoint")) else PROBLEMS


def snapshot(call: Call) -> int:
    verb, copy, now = call.arguments[0], database(f"before-{call.option('--mark')}"), read(database())
    if verb == "size":
        print(1_000)
    elif verb == "take":
        if now["upkeep"] != "frozen":
            return REFUSED
        if not copy.exists():
            write(copy, now)
    elif verb == "restore" and copy.exists():
        if now["upkeep"] != "frozen":
            return REFUSED
        copy.replace(database())
    elif verb == "drop":
        copy.unlink(missing_ok=True)
    return 0


def models(call: Call) -> int:
    """Keeps, restores or drops what is in the folders; the real one copies nothing."""
    verb, *folders = call.arguments[: call.arguments.index("--mark")]
    for name in folders:
        folder = call.place(name)
        kept = folder / f".before-{call.option('--mark')}"
        if verb == "keep" and not kept.exists():
            part = folder / ".before-part"
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(folder, part)
            part.rename(kept)
        elif verb == "restore" and kept.exists():
            for path in [path for path in folder.rglob("*") if path.is_file() and kept not in path.parents]:
                if not (kept / path.relative_to(folder)).exists():
                    path.unlink()
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            shutil.rmtree(kept)
        elif verb == "drop":
            shutil.rmtree(kept, ignore_errors=True)
    return 0


COMMANDS: Final[dict[str, Callable[[Call], int]]] = {
    "plane status": status,
    "plane close": close,
    "plane drain": drain,
    "plane freeze": freeze,
    "plane open": open_,
    "plane verify": verify,
    "plane snapshot": snapshot,
    "plane models": models,
}
