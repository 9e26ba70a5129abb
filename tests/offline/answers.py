"""What Frostbyte's own commands do in the stand-in's containers: the same effects, small enough to be killed at each.

A row of COMMANDS is a command as it is typed; a test holds each against the real command line. A test may also put
words into the stand-in's answers.json: `{"plane check": {"stdout": "...", "exit": 1}}`; they come before these.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import said
import upkeep_answers  # beside this file, as the stand-in is started

SCHEMA: Final = "io.frostbyte.schema"
"""Label of a miniature image: the number of the newest migration that it knows."""
VERSION: Final = "io.frostbyte.version"


@dataclass(frozen=True)
class Call:
    """A command that runs in a container."""

    arguments: list[str]
    """Behind the words that name the command."""
    mounts: dict[str, Path]
    """Where it finds what: path in the container, or `volume:NAME`."""
    labels: dict[str, str]
    """Of its image."""
    environment: dict[str, str] = field(default_factory=dict)

    def option(self, name: str, otherwise: str = "") -> str:
        """The value of an option of the command."""
        if name not in self.arguments:
            return otherwise
        return self.arguments[self.arguments.index(name) + 1]

    def place(self, inside: str) -> Path:
        """Where a path of the container lies."""
        target = max((one for one in self.mounts if inside == one or inside.startswith(f"{one}/")), key=len)
        return self.mounts[target] / inside[len(target) :].lstrip("/")


def put(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


def secrets(call: Call) -> int:
    """Passwords that were there stay; the rest follows from them."""
    folder = call.place(call.option("--out"))
    for name in ("passwords", "secrets"):
        (folder / name).mkdir(exist_ok=True, mode=0o750)
    password = folder / "passwords" / "postgres"
    if not password.exists():
        put(password, os.urandom(16).hex().encode())
    for name in SECRETS:
        put(folder / "secrets" / name, hashlib.sha256(password.read_bytes() + name.encode()).hexdigest().encode())
    return 0


def models(call: Call) -> int:
    """Models and signatures into their volumes: what is there and right stays."""
    manifest = json.loads(call.place(f"{call.arguments[0]}/MANIFEST.json").read_bytes())
    for model in manifest["models"]:
        clamav = model["name"] == "clamav"
        target = call.place("/clamav" if clamav else "/models") / model["path"].split("/", 2 if clamav else 1)[-1]
        target.parent.mkdir(exist_ok=True, parents=True)
        if target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() == model["sha256"]:
            continue
        put(target, call.place(f"{call.arguments[0]}/{model['path']}").read_bytes())
    return 0


def assemble(call: Call) -> int:
    """The layers that a delta carries, in whichever image's file, as an archive of one image."""
    folder, key = call.place(call.arguments[0]), call.arguments[1]
    images = json.loads((folder / "MANIFEST.json").read_bytes())["images"]
    files: dict[str, bytes] = {}
    for one in images:
        with tarfile.open(folder / one["file"]) as archive:
            held = {name: archive.extractfile(name) for name in archive.getnames()}
            carried = {name: file.read() for name, file in held.items() if file and name.endswith(".tar.gz")}
            if one["key"] == key:
                files |= {name: file.read() for name, file in held.items() if file and name not in carried}
            files |= carried
    if "--carried" not in call.arguments:
        return 2
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as target:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            target.addfile(about, io.BytesIO(data))
    return 0


def mint(call: Call) -> int:
    print(f"token-of-{call.arguments[0]}")
    return 0


def checkpoint(call: Call) -> int:
    note = f"frostbyte/acme/plane\n2\n{'r' * 8}\n"
    told = {"checkpoint": note, "public_key": "frostbyte/acme/plane+00000000+key"}
    print(json.dumps(told, indent=2) if "--json" in call.arguments else note)
    return 0


def export(call: Call) -> int:
    """Into a pipe, as the real one."""
    given = json.loads((Path(os.environ["FROSTBYTE_STANDIN"]) / "facts.json").read_text()) if _told() else {}
    sys.stdout.buffer.write(ARCHIVE[: given.get("export_bytes", len(ARCHIVE))])
    sys.stdout.buffer.flush()
    return int(given.get("export_exit", 0))


def _told() -> bool:
    return (Path(os.environ["FROSTBYTE_STANDIN"]) / "facts.json").exists()


def export_check(call: Call) -> int:
    """Whole is what ends as one."""
    if sys.stdin.buffer.read() != ARCHIVE:
        print("The export ends before its seal: it was interrupted, or cut.", file=sys.stderr)
        return 6
    print(f"Export {EXPORT} of acme, 2026-11-27T03:00:00Z, is whole.\nseal 00\nfrostbyte/acme/plane\n2\nroot")
    return 0


def restore(call: Call) -> int:
    """An export into a plane that never started; twice is once."""
    kept = call.place("volume:gatewaydata") / "restored"
    given = call.place(call.arguments[0]).read_bytes()
    if kept.exists() and kept.read_bytes() == given:
        return 0
    if kept.exists() or (call.place("volume:gatewaydata") / "schema").exists():
        print("This plane has begun already.", file=sys.stderr)
        return 7
    if given != ARCHIVE or not call.place(call.option("--identity")).read_bytes():
        print("The export ends before its seal: it was interrupted, or cut.", file=sys.stderr)
        return 2
    put(kept, given)
    return 0


EXPORT: Final = "0190a0b0-0000-7000-8000-000000000001"
ARCHIVE: Final = b"everything" * 1000 + b"SEAL"


def printed(text: str) -> Callable[[Call], int]:
    """A command that only says something."""

    def say(call: Call) -> int:
        print(text, end="")
        return 0

    return say


def digests(call: Call) -> int:
    """The sums of every file below folders."""
    for folder in call.arguments:
        root = call.place(folder)
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            print(f"{digest}  {folder}/{path.relative_to(root).as_posix()}")
    return 0


def start(service: str, *, mounts: dict[str, Path], labels: dict[str, str]) -> bool:
    """What a service does as it starts. The gateway brings the schema up to date, and refuses a newer one."""
    by_name = {place.name.rpartition("_")[2]: place for place in mounts.values()}
    if service == "intake-gateway":
        return upkeep_answers.began(int(labels[SCHEMA]))
    if service == "postgres":
        # A database keeps the password that it was first started with: another one later is no use.
        given, kept = mounts["secret:postgres-password"], by_name["pgdata"] / "password"
        if not kept.exists():
            put(kept, given.read_bytes())
        return kept.read_bytes() == given.read_bytes()
    if service == "nomic-embed":
        return (by_name["models"] / "nomic-embed-text-v1.5" / "model.gguf").is_file()
    if service == "clamav":
        return any(by_name["clamavdata"].glob("*.ndb"))
    return True


SECRETS: Final = (
    "postgres-password",
    "postgres-url",
    "database-owner-password",
    "database-writer-password",
    "database-owner-url",
    "database-url",
    "minio-password",
    "objects-secret-key",
    "qdrant-api-key",
    "qdrant.yaml",
    "vectors-api-key",
    "embedder-key",
    "queue-url",
    "redis.conf",
    "clamd.conf",
)
COMMANDS: Final[dict[str, Callable[[Call], int]]] = {
    "deploy secrets": secrets,
    "bundle models": models,
    "bundle import": restore,
    "bundle assemble": assemble,
    "token mint": mint,
    "audit checkpoint": checkpoint,
    "plane export": export,
    "plane export-check": export_check,
    **upkeep_answers.COMMANDS,
    "plane check": printed(said.CHECKED),
    "plane containers": printed(said.VIEWED),
    "plane digests": digests,
    "plane probe": printed(said.PROBED),
    "plane logs": printed("  3 lines are not shown\n"),
}


def answered(
    command: list[str], *, mounts: dict[str, Path], labels: dict[str, str], environment: dict[str, str]
) -> int:
    """Do what the command does; its exit code."""
    told = Path(os.environ["FROSTBYTE_STANDIN"]) / "answers.json"
    words = " ".join(command)
    for name, answer in (json.loads(told.read_text()) if told.exists() else {}).items():
        if words.startswith(name):
            print(answer.get("stdout", ""), end="")
            print(answer.get("stderr", ""), end="", file=sys.stderr)
            return int(answer.get("exit", 0))
    for name, function in COMMANDS.items():
        if words == name or words.startswith(f"{name} "):
            return function(Call(command[len(name.split()) :], mounts, labels, environment))
    print(f"the stand-in does not know what `frostbyte {words}` does: add it to answers.py", file=sys.stderr)
    return 2
