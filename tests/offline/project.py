"""The stand-in's `docker compose`: reads the project as Compose does, and remembers which containers there would be."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from command_line import Refused, Words
from standin import State, answer, facts, ps
from standin import started as run_words
from templates import shown

VALUED = "--project-directory --env-file --file -f --project-name -p --profile"
NAME = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"


class Project:
    """A compose file with its settings filled in."""

    def __init__(self, told: Words) -> None:
        self.folder = Path(told.one("--project-directory"))
        file = Path(told.one("--file", "-f"))
        settings: dict[str, str] = {}
        for line in Path(told.one("--env-file")).read_text().splitlines():
            if "=" in line and not line.startswith("#"):
                name, _, value = line.partition("=")
                settings[name] = value
        self.told: dict[str, Any] = read(interpolated(file.read_text(), settings))
        self.name = told.one("--project-name", "-p") or str(self.told["name"])
        self.profiles = set(told.all("--profile"))

    def services(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.told["services"]
        return {n: s for n, s in found.items() if not s.get("profiles") or self.profiles & set(s["profiles"])}

    def mounts(self, state: State, service: dict[str, Any]) -> dict[str, Path]:
        found = {}
        for one in service.get("volumes", []):
            if isinstance(one, dict):
                source, target = one["source"], one["target"]
            else:
                source, target = one.split(":")[:2]
            if source.startswith((".", "/")):
                place = (self.folder / source).resolve()
                if not place.exists():
                    raise Refused(f"bind source path does not exist: {place}")
                found[target] = place
            else:
                found[target] = state.volume(
                    f"{self.name}_{source}", {NAME: self.name, "com.docker.compose.volume": source}
                )
        return found

    def secrets(self, service: dict[str, Any]) -> str:
        """A digest of what a service is given; a secret that is not there is an error."""
        digest = hashlib.sha256()
        for one in service.get("secrets", []):
            name = one["source"] if isinstance(one, dict) else one
            file = self.folder / self.told["secrets"][name]["file"]
            if not file.is_file():
                raise Refused(f"bind source path does not exist: {file}")
            digest.update(file.read_bytes())
        return digest.hexdigest()


def read(text: str) -> dict[str, Any]:
    """YAML; the stand-in starts without packages, and takes this one alone."""
    sys.path.append(os.environ["FROSTBYTE_STANDIN_PACKAGES"])
    import yaml

    found: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


def interpolated(text: str, settings: dict[str, str]) -> str:
    """`${NAME}`, with `:-default`, `-default`, `:?words`, `?words`."""

    def value(match: re.Match[str]) -> str:
        name, how, words = match[1], match[2] or "", match[3] or ""
        found = settings.get(name)
        empty = found is None or (how.startswith(":") and not found)
        if empty and how.endswith("?"):
            raise Refused(f"required variable {name} is missing a value: {words}")
        return words if empty and how.endswith("-") else (found or "")

    return re.sub(r"\$\{(\w+)(?:(:?[-?])([^}]*))?\}", value, text)


def compose(state: State, words: list[str]) -> int:
    if words[:1] == ["version"]:
        print(facts()["compose"])
        return 0
    told = Words(words, valued=VALUED, flags="", stop_at_first=True)
    project = Project(told)
    verb, *rest = told.rest
    verbs = {"up": up, "create": up, "exec": execute, "run": run, "ps": listed, "logs": said, "config": checked}
    if verb in verbs:
        if verb == "create":
            rest = [*rest, "--no-start"]
        status = verbs[verb](state, project, rest)
    elif verb in ("stop", "down", "kill", "start", "rm"):
        status = turned(state, project, verb, rest)
    else:
        raise Refused(f"unknown docker command: compose {verb}")
    state.keep()
    return status


def checked(state: State, project: Project, words: list[str]) -> int:
    told = Words(words, valued="--format", flags="--quiet -q --services --images --hash --volumes")
    if "--services" in told.values:
        print("\n".join(project.services()))
    return 0


def wanted(project: Project, names: list[str]) -> list[str]:
    """Those services and what they need, in order; all of them without a name."""
    services, done = project.services(), []

    def take(name: str) -> None:
        if name in done:
            return
        for needed in services[name].get("depends_on", {}):
            take(needed)
        done.append(name)

    for name in names or list(services):
        if name not in services:
            raise Refused(f"no such service: {name}")
        take(name)
    return done


def up(state: State, project: Project, words: list[str]) -> int:
    told = Words(
        words,
        valued="--wait-timeout --timeout -t --pull --scale",
        flags="--detach -d --wait --no-deps --no-start --remove-orphans --no-recreate --force-recreate --quiet-pull",
    )
    names = told.rest if "--no-deps" in told.values else wanted(project, told.rest)
    for key, one in project.told["networks"].items():
        subnet = one["ipam"]["config"][0]["subnet"]
        name = f"{project.name}_{key}"
        if state.networks.setdefault(name, {"subnet": subnet, "internal": bool(one.get("internal")), "labels": {}})[
            "subnet"
        ] != str(subnet):
            raise Refused(f"network {name} was found but has another subnet")
        state.networks[name]["labels"] = {NAME: project.name}
    services = project.services()
    if "--remove-orphans" in told.values:
        known = {f"{project.name}-{name}-1" for name in services}
        for name, one in list(state.containers.items()):
            if one["labels"].get(NAME) == project.name and name not in known:
                del state.containers[name]
    for name in names:
        if not started(state, project, name, services[name], told):
            print(f"dependency failed to start: container {project.name}-{name}-1 is unhealthy", file=sys.stderr)
            state.keep()
            return 1
        state.keep()
    return 0


def started(state: State, project: Project, name: str, service: dict[str, Any], told: Words) -> bool:
    """Make a container as it is described, unless there is one; whether it is well."""
    image = state.image(str(service["image"]))
    shape = json.dumps([service, image["Id"], project.secrets(service)], sort_keys=True)
    digest = hashlib.sha256(shape.encode()).hexdigest()
    mounts = project.mounts(state, service)
    given = {
        f"secret:{one}": project.folder / "secrets" / one for one in service.get("secrets", []) if isinstance(one, str)
    }
    key, task = f"{project.name}-{name}-1", service.get("labels", {}).get("io.frostbyte.role") == "task"
    before = state.containers.get(key)
    if before is None or before["digest"] != digest or "--force-recreate" in told.values:
        made = (before or {"made": 0})["made"] + 1
        before = {
            "image": image["Id"],
            "labels": {NAME: project.name, SERVICE: name},
            "volumes": sorted(place.name for place in mounts.values()),
            "digest": digest,
            "state": "created",
            "health": "",
            "exit": 0,
            "policy": str(service.get("restart", "no")).partition(":")[0],
            "made": made,
        }
        state.containers[key] = before
    if "--no-start" in told.values or before["state"] == "running":
        return True
    from answers import start

    well = start(name, mounts=mounts | given, labels=image["Labels"]) and name not in facts()["unwell"]
    before["state"], before["exit"] = ("exited", 0 if well else 1) if task else ("running", 0)
    if (loop := facts()["looping"].get(name)) is not None:
        before |= {"state": "restarting", "health": ""} | loop
        if loop.get("blocks"):  # as Compose does: it waits for ever for what others need
            state.keep()
            time.sleep(60)
        return False
    before["health"] = "" if task else ("healthy" if well else "unhealthy")
    return well


def turned(state: State, project: Project, verb: str, words: list[str]) -> int:
    told = Words(words, valued="--timeout -t --signal", flags="--volumes -v --remove-orphans --force -f --stop")
    for key, one in list(state.containers.items()):
        if one["labels"].get(NAME) != project.name or (told.rest and one["labels"][SERVICE] not in told.rest):
            continue
        if verb in ("down", "rm"):
            del state.containers[key]
        elif verb == "start":
            one["state"], one["health"] = "running", "healthy"
        elif one["state"] == "running":
            one["state"], one["health"], one["exit"] = "exited", "", 137 if verb == "kill" else 0
    if verb == "down":
        for name, net in list(state.networks.items()):
            if net["labels"].get(NAME) == project.name:
                del state.networks[name]
        if "--volumes" in told.values:
            for name, labels in list(state.volumes.items()):
                if labels.get(NAME) == project.name:
                    del state.volumes[name]
    return 0


def execute(state: State, project: Project, words: list[str]) -> int:
    told = Words(words, valued="--user -u --env -e --index", flags="-T --no-TTY --interactive", stop_at_first=True)
    service, *command = told.rest
    return in_container(state, f"{project.name}-{service}-1", command, project)


def in_container(state: State, name: str, command: list[str], project: Project | None = None) -> int:
    one = state.containers.get(name)
    if one is None or one["state"] != "running":
        raise Refused(f"container {name} is not running")
    labels = state.images[one["image"]]["Labels"]
    mounts = {f"volume:{volume.rpartition('_')[2]}": state.volume(volume) for volume in one["volumes"]}
    return answer(state, labels, command, mounts)


def run(state: State, project: Project, words: list[str]) -> int:
    told = Words(
        words,
        valued="--user -u --env -e --name --volume -v --entrypoint --cap-add",
        flags="--rm --no-deps -T --no-TTY --quiet-pull --interactive",
        stop_at_first=True,
    )
    name, *command = told.rest
    service = project.told["services"][name]
    image = state.image(str(service["image"]))
    project.secrets(service)
    mounts = project.mounts(state, service)
    mounts |= {f"volume:{place.name.rpartition('_')[2]}": place for place in mounts.values()}
    for lent in told.all("--volume", "-v"):
        source, target = lent.split(":")[:2]
        mounts[target] = Path(source)
    if "--no-deps" not in told.values:
        for needed in wanted(project, [name])[:-1]:
            if not started(state, project, needed, project.services()[needed], told):
                raise Refused(f"dependency failed to start: container {project.name}-{needed}-1 is unhealthy")
    state.keep()
    return answer(
        state, image["Labels"], run_words(command or list(service.get("command", []))), mounts, told.all("--env", "-e")
    )


def listed(state: State, project: Project, words: list[str]) -> int:
    told = Words(words, valued="--format", flags="--all -a --quiet -q --services")
    ps(
        state,
        [
            "--filter",
            f"label={NAME}={project.name}",
            *(["--all"] if "--all" in told.values else []),
            "--format",
            told.one("--format") or "{{.Names}}",
        ],
    )
    return 0


def said(state: State, project: Project, words: list[str]) -> int:
    told = Words(words, valued="--tail --since", flags="--no-color --no-log-prefix --timestamps -t")
    for name, one in state.containers.items():
        if one["labels"].get(NAME) == project.name and (not told.rest or one["labels"][SERVICE] in told.rest):
            print(shown("{{.Name}} | log line", {"Name": name}))
    return 0
