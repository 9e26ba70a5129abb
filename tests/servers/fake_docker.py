"""What a host's `docker` says and remembers, for tests of the way to it: images, and which services are up.

Compose itself is played: services are the keys of the file's `services`, written as JSON or as flow YAML on one line.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tarfile
from pathlib import Path
from typing import Any, NoReturn

STATE = Path(os.environ["FAKE_DOCKER"])


def fail(said: str) -> NoReturn:
    print(said, file=sys.stderr)
    raise SystemExit(1)


def state() -> dict[str, Any]:
    empty = {"images": {}, "running": {}, "tasks": []}
    return json.loads(STATE.read_text()) if STATE.exists() else empty  # type: ignore[no-any-return]


def services() -> list[str]:
    try:
        return re.findall(r"(\w+): \{image", Path("docker-compose.yml").read_text())
    except FileNotFoundError:
        fail("no configuration file provided: not found")


def load(known: dict[str, Any]) -> None:
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member).read()  # type: ignore[union-attr]
            if member.name != "manifest.json":
                continue
            for image in json.loads(content):
                image_id = "sha256:" + Path(image["Config"]).name
                known["images"] |= dict.fromkeys(image["RepoTags"] or [image_id], image_id)
                for name in image["RepoTags"] or []:
                    print(f"Loaded image: {name}")
                if not image["RepoTags"]:
                    print(f"Loaded image ID: {image_id}")


def compose(words: list[str], known: dict[str, Any]) -> None:
    while words[0].startswith("--"):
        words = words[2:]
    folder = str(Path.cwd())
    if words[0] == "version":
        print("2.26.1")
        return
    if words[0] == "down":
        known["running"].pop(folder, None)
        return
    if words[0] == "stop":
        assert words[1] == "--timeout"
        left = [name for name in known["running"].get(folder, []) if words[3:] and name not in words[3:]]
        known["running"][folder] = left
        return
    said: list[str] = []
    if words[0] == "run":  # --rm --no-TTY --name NAME SERVICE [WORDS]
        words, said = [words[0], words[5]], words[6:]
    named = [word for word in words[1:] if word.isalpha() and word not in ("never",)]
    for name in named:
        if name not in services():
            fail(f"no such service: {name}")
    if words[0] == "up":
        known["running"][folder] = sorted({*known["running"].get(folder, []), *(named or services())})
    else:
        print(" ".join(said) or "made")


def main(words: list[str]) -> None:
    known = state()
    if words[:2] == ["image", "ls"]:
        print("\n".join(known["images"].values()))
    elif words[:2] == ["image", "inspect"]:
        print("\n".join(known["images"][name] for name in words[4:]))
    elif words[0] == "load":
        load(known)
    elif words[0] == "compose":
        compose(words[1:], known)
    STATE.write_text(json.dumps(known))


main(sys.argv[1:])
