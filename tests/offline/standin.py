"""A stand-in for `docker` that scripts are tried with: it keeps what it was told in a folder and runs nothing.
It knows the part of Docker's command line that the scripts use, and refuses every other word. Images are real archives,
whose layers are checked. Frostbyte's own commands are in `answers.py`. `FROSTBYTE_STANDIN` is its folder:
    state.json, volumes/NAME/   images, networks, containers; what is in a volume
    calls, facts.json           each command line, in order; what a test wants it to be (FACTS)
    die             `N before|after`, or `WORDS before|after`: at this call all processes end as by a power cut
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).parent))
from command_line import Refused, Words
from templates import listed, shown

HOME = Path(os.environ.get("FROSTBYTE_STANDIN", "/nonexistent"))
FACTS = {
    "version": "20.10.24",
    "architecture": "amd64",
    "compose": "2.26.1",
    "security": ["name=seccomp,profile=default"],
    "containerd": False,
    "unwell": [],
    "looping": {},
    "silent": False,
    "root": "",
}
"""`containerd`: ids are others than in archives. `unwell`: services that do not get well, `looping` those that end when
they start. `silent`: its server does not answer. `root`: where it keeps its data, if not here."""


def refuse(words: str) -> NoReturn:
    raise Refused(f"Error response from daemon: {words}")


def facts() -> dict[str, Any]:
    file = HOME / "facts.json"
    return FACTS | (json.loads(file.read_text()) if file.exists() else {})


class State:
    """What the engine has. Written in one step, as an engine's own database is."""

    def __init__(self) -> None:
        file = HOME / "state.json"
        found = json.loads(file.read_text()) if file.exists() else {}
        self.images: dict[str, dict[str, Any]] = found.get("images", {})
        self.volumes: dict[str, dict[str, str]] = found.get("volumes", {})
        self.networks: dict[str, dict[str, Any]] = found.get(
            "networks", {"bridge": {"subnet": "172.17.0.0/16", "internal": False, "labels": {}}}
        )
        self.containers: dict[str, dict[str, Any]] = found.get("containers", {})

    def keep(self) -> None:
        part = HOME / "state.json.part"
        part.write_text(json.dumps(vars(self), indent=1, sort_keys=True))
        part.replace(HOME / "state.json")

    def image(self, reference: str) -> dict[str, Any]:
        for image in self.images.values():
            if reference in (image["Id"], *image["RepoTags"]):
                return image
        refuse(f"No such image: {reference}")

    def volume(self, name: str, labels: dict[str, str] | None = None) -> Path:
        self.volumes.setdefault(name, labels or {})
        folder = HOME / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@contextmanager
def alone() -> Iterator[None]:
    with (HOME / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def note(arguments: list[str]) -> int:
    """Write the call down; its number."""
    with (HOME / "calls").open("a+") as calls:
        calls.write(json.dumps(arguments) + "\n")
        calls.seek(0)
        return sum(1 for _ in calls)


def die_if(number: int, arguments: list[str], when: str) -> None:
    """As a power cut: the script, its subshells and this process end at once."""
    file = HOME / "die"
    if not file.exists():
        return
    *words, then = file.read_text().split()
    if then == when and (words == [str(number)] or set(words) <= set(arguments)):
        file.unlink()
        os.killpg(0, signal.SIGKILL)


# ------------------------------------------------------------------------------------------------------------- commands


def load(state: State, words: list[str]) -> None:
    """Read an archive as an engine does: a layer that is not what the configuration says is an error."""
    import gzip  # late: most calls need no archives
    import tarfile

    told = Words(words, valued="--input -i", flags="--quiet -q")
    given = told.one("--input", "-i")
    try:
        with tarfile.open(given or None, fileobj=None if given else sys.stdin.buffer) as archive:

            def member(name: str) -> bytes:
                file = archive.extractfile(name)
                assert file is not None
                return file.read()

            for entry in json.loads(member("manifest.json")):
                raw = member(entry["Config"])
                config = json.loads(raw)
                diffs = config["rootfs"]["diff_ids"]
                for number, (diff_id, name) in enumerate(zip(diffs, entry["Layers"], strict=True)):
                    if name not in archive.getnames() and laid(state, diffs[: number + 1]):
                        continue
                    data = member(name)
                    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
                    if "sha256:" + hashlib.sha256(data).hexdigest() != diff_id:
                        refuse(f"invalid diffID for layer {name}")
                kept(state, raw, config, entry["RepoTags"] or [])
    except (OSError, KeyError, ValueError, EOFError, tarfile.TarError, AssertionError) as error:
        refuse(f"cannot read the archive ({type(error).__name__})")


def laid(state: State, chain: list[str]) -> bool:
    """Whether an engine with its own store has these layers one upon the other: then it asks for no bytes of them."""
    known = (image["RootFS"]["Layers"][: len(chain)] for image in state.images.values())
    return not facts()["containerd"] and chain in known


def kept(state: State, raw: bytes, config: dict[str, Any], tags: list[str]) -> None:
    salt = b"another manifest" if facts()["containerd"] else b""
    image_id = "sha256:" + hashlib.sha256(raw + salt).hexdigest()
    for image in state.images.values():
        image["RepoTags"] = [tag for tag in image["RepoTags"] if tag not in tags]
    before = state.images.get(image_id, {"RepoTags": []})
    state.images[image_id] = {
        "Id": image_id,
        "RepoTags": sorted({*before["RepoTags"], *tags}),
        "Architecture": config["architecture"],
        "RootFS": {"Layers": config["rootfs"]["diff_ids"]},
        "Labels": config.get("config", {}).get("Labels") or {},
        "Size": 1,
    }


def image(state: State, words: list[str]) -> None:
    verb, *rest = words
    if verb == "inspect":
        told = Words(rest, valued="--format -f", flags="")
        missing = []
        for reference in told.rest:
            try:
                print(shown(told.one("--format", "-f") or "{{json .}}", state.image(reference)))
            except Refused as refused:
                missing.append(str(refused))
        if missing:
            raise Refused("\n".join(missing))
    elif verb == "rm":
        for reference in Words(rest, valued="", flags="--force -f --no-prune").rest:
            found = state.image(reference)
            if any(one["image"] == found["Id"] for one in state.containers.values()):
                refuse(f"conflict: image {reference} is used by a container")
            found["RepoTags"] = [] if reference == found["Id"] else [t for t in found["RepoTags"] if t != reference]
            if not found["RepoTags"]:
                del state.images[found["Id"]]
    elif verb == "ls":
        told = Words(rest, valued="--format --filter", flags="--quiet -q --no-trunc")
        for found in state.images.values():
            for tag in found["RepoTags"] or ["<none>:<none>"]:
                name, _, version = tag.rpartition(":")
                row = {"ID": found["Id"], "Repository": name, "Tag": version}
                print(found["Id"] if "--quiet" in told.values else listed(told.one("--format"), row))
    else:
        raise Refused(f"unknown command: docker image {verb}")


def labels_of(values: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (one.partition("=") for one in values)}


def matching(thing: dict[str, str], filters: list[str]) -> bool:
    """`label=NAME` or `label=NAME=VALUE`."""
    for one in filters:
        kind, _, asked = one.partition("=")
        name, equals, value = asked.partition("=")
        if kind != "label":
            raise Refused(f"invalid filter {one}")
        if name not in thing or (equals and thing[name] != value):
            return False
    return True


def volume(state: State, words: list[str]) -> None:
    verb, *rest = words
    if verb == "create":
        told = Words(rest, valued="--label", flags="")
        state.volume(told.rest[0], labels_of(told.all("--label")))
        print(told.rest[0])
    elif verb == "ls":
        told = Words(rest, valued="--filter --format", flags="--quiet -q")
        for name, labels in state.volumes.items():
            if matching(labels, told.all("--filter")):
                print(listed(told.one("--format") or "{{.Name}}", {"Name": name, "Labels": labels}))
    elif verb == "inspect":
        told = Words(rest, valued="--format -f", flags="")
        for name in told.rest:
            if name not in state.volumes:
                refuse(f"get {name}: no such volume")
            print(shown(told.one("--format", "-f") or "{{.Name}}", {"Name": name, "Labels": state.volumes[name]}))
    elif verb == "rm":
        for name in Words(rest, valued="", flags="--force -f").rest:
            if any(name in one["volumes"] for one in state.containers.values()):
                refuse(f"remove {name}: volume is in use")
            if state.volumes.pop(name, None) is None and "--force" not in rest:
                refuse(f"get {name}: no such volume")
            if (HOME / "volumes" / name).exists():
                (HOME / "volumes" / name).rename(HOME / f"gone-{name}-{os.getpid()}")
    else:
        raise Refused(f"unknown command: docker volume {verb}")


def network(state: State, words: list[str]) -> None:
    verb, *rest = words
    told = Words(rest, valued="--filter --format -f --label --subnet", flags="--quiet -q --no-trunc --internal")
    if verb == "ls":
        for name, one in state.networks.items():
            if matching(one["labels"], told.all("--filter")):
                print(listed(told.one("--format") or "{{.ID}}", {"ID": name, "Name": name, "Labels": one["labels"]}))
    elif verb == "inspect":
        for name in told.rest:
            if name not in state.networks:
                refuse(f"No such network: {name}")
            one = state.networks[name]
            subnets = [{"Subnet": one["subnet"]}] if one["subnet"] else []
            about = {"Name": name, "IPAM": {"Config": subnets}, "Internal": one["internal"], "Labels": one["labels"]}
            print(shown(told.one("--format", "-f") or "[{{json .}}]", about))
    elif verb == "create":
        state.networks[told.rest[0]] = {
            "subnet": told.one("--subnet"),
            "internal": "--internal" in told.values,
            "labels": labels_of(told.all("--label")),
        }
    elif verb == "rm":
        for name in told.rest:
            if state.networks.pop(name, None) is None:
                refuse(f"No such network: {name}")
    else:
        raise Refused(f"unknown command: docker network {verb}")


def about(name: str, one: dict[str, Any]) -> dict[str, Any]:
    """A container, as `ps` and `inspect` show it."""
    health = {"running": f" ({one['health']})" if one["health"] else ""}
    ended = f"({one['exit']}) 2 minutes ago"
    status = {"running": "Up 2 minutes", "exited": f"Exited {ended}", "restarting": f"Restarting {ended}"}
    return {
        "ID": name,
        "Id": name,
        "Name": f"/{name}",
        "Names": name,
        "Image": one["image"],
        "Labels": one["labels"],
        "Status": status.get(one["state"], "Created") + health.get(one["state"], ""),
        "Health": one["health"],
        "Service": one["labels"].get("com.docker.compose.service", ""),
        "ExitCode": one["exit"],
    }


def ps(state: State, words: list[str]) -> None:
    told = Words(words, valued="--filter --format", flags="--all -a --quiet -q --no-trunc")
    for name, one in state.containers.items():
        if matching(one["labels"], told.all("--filter")) and (one["state"] == "running" or "--all" in told.values):
            row = about(name, one) | {"State": one["state"]}
            print(name if "--quiet" in told.values else listed(told.one("--format"), row))


def inspect(state: State, words: list[str]) -> None:
    told = Words(words, valued="--format -f --type", flags="")
    for name in told.rest:
        if name not in state.containers:
            refuse(f"No such container: {name}")
        one = state.containers[name]
        row = about(name, one) | {
            "RestartCount": one.get("restarts", 0),
            "HostConfig": {"RestartPolicy": {"Name": one.get("policy", "no")}},
            "State": {
                "Status": one["state"],
                "Health": {"Status": one["health"]},
                "ExitCode": one["exit"],
                "OOMKilled": one.get("oom", False),
                "StartedAt": "2026-03-01T10:00:00Z",
            },
            "Config": {"Labels": one["labels"], "Image": one["image"]},
        }
        print(shown(told.one("--format", "-f") or "[{{json .}}]", row))


def remove(state: State, words: list[str]) -> None:
    told = Words(words, valued="", flags="--force -f --volumes -v")
    for name in told.rest:
        if state.containers.pop(name, None) is None and not {"--force", "-f"} & set(told.values):
            refuse(f"No such container: {name}")


def mounts_of(state: State, values: list[str]) -> dict[str, Path]:
    """Where a container finds what: `SOURCE:TARGET[:ro]`, or `type=bind,source=..,target=..`."""
    found = {}
    for one in values:
        if one.startswith("type="):
            parts = labels_of(one.split(","))
            source, target = parts.get("source") or parts["src"], parts.get("target") or parts["dst"]
        else:
            source, target = one.split(":")[:2]
        if source.startswith("/"):
            if not Path(source).exists():
                refuse(f"bind source path does not exist: {source}")
            found[target] = Path(source)
        else:
            found[target] = state.volume(source)
    return found


def run(state: State, words: list[str]) -> int:
    """`docker run`: never with a network, never with a way to keep anything but what is mounted."""
    told = Words(
        words,
        valued="--name --pull --network --cap-drop --cap-add --security-opt --tmpfs --memory --pids-limit --log-driver "
        "--volume -v --mount --user -u --env -e --entrypoint --group-add --workdir --cpus",
        flags="--rm --read-only --interactive -i --init",
        stop_at_first=True,
    )
    reference, *command = told.rest
    found = state.image(reference)
    mounts = mounts_of(state, told.all("--volume", "-v", "--mount"))
    if not told.one("--network").startswith(("none", "container:")):
        refuse("the stand-in runs nothing with a network of its own")
    state.keep()
    return answer(state, found["Labels"], started(command, told.one("--entrypoint")), mounts, told.all("--env", "-e"))


def started(command: list[str], program: str = "") -> list[str]:
    """What an image of ours starts is `frostbyte`; the word once more is none of its commands."""
    if command[:1] == ["frostbyte"]:
        refuse("No such command 'frostbyte'.")
    return [program or "frostbyte", *command]


def answer(
    state: State, labels: dict[str, str], command: list[str], mounts: dict[str, Path], given: list[str] | None = None
) -> int:
    """What our own command does in a container."""
    from answers import answered  # beside this file: sys.path[0]

    environment = labels_of(given or [])
    return answered(
        command[1:] if command[:1] == ["frostbyte"] else command, mounts=mounts, labels=labels, environment=environment
    )


def logs(state: State, words: list[str]) -> None:
    told = Words(words, valued="--tail --since", flags="--no-color --timestamps -t")
    for name in told.rest:
        if name not in state.containers:
            refuse(f"No such container: {name}")
        print(f"log line of {name}")


def hear(words: list[str]) -> None:
    """Take all that is piped to this call: before the lock, as another call may write it, and to its end, as a writer
    whose reader is gone fails."""
    piped = words[:1] == ["load"] and not {"--input", "-i"} & set(words)
    if piped or (words[:1] == ["run"] and "--interactive" in words):
        sys.stdin = io.TextIOWrapper(io.BytesIO(sys.stdin.buffer.read()))


def main(words: list[str]) -> int:
    """One command line, alone, as if it were atomic; `die` says at which call the power is cut."""
    HOME.mkdir(exist_ok=True, parents=True)
    hear(words)
    with alone():
        number = note(words)
        from upkeep_answers import passing

        passing(State())
        die_if(number, words, "before")
        try:
            status = dispatch(State(), words)
        except (Refused, ValueError) as refused:
            print(refused, file=sys.stderr)
            status = 1
        sys.stdout.flush()
        die_if(number, words, "after")
    return status


def dispatch(state: State, words: list[str]) -> int:
    verb, *rest = words
    now = facts()
    simple = {
        "load": load,
        "image": image,
        "volume": volume,
        "network": network,
        "ps": ps,
        "inspect": inspect,
        "rm": remove,
        "logs": logs,
    }
    if verb in simple:
        simple[verb](state, rest)
        state.keep()
        return 0
    if now["silent"]:
        raise Refused("Cannot connect to the Docker daemon. Is the docker daemon running?")
    if verb in ("version", "info"):
        told = Words(rest, valued="--format -f", flags="")
        about = {
            "Server": {"Version": now["version"], "Arch": now["architecture"]},
            "ServerVersion": now["version"],
            "DockerRootDir": now["root"] or str(HOME),
            "SecurityOptions": now["security"],
            "Driver": "overlayfs" if now["containerd"] else "overlay2",
            "OperatingSystem": "a stand-in",
        }
        print(shown(told.one("--format", "-f"), about))
        return 0
    if verb == "stats":
        running = (name for name, one in state.containers.items() if one["state"] == "running")
        print("".join(f"{name} 0.10% 20MiB / 1GiB 4\n" for name in running), end="")
        return 0
    if verb == "system":
        print("Images\t1.2GB\t8\nLocal Volumes\t3.4MB\t11")
        return 0
    if verb == "run":
        return run(state, rest)
    if verb == "exec":
        told = Words(rest, valued="--user -u --env -e", flags="--interactive -i", stop_at_first=True)
        name, *command = told.rest
        from project import in_container

        return in_container(state, name, command)
    if verb == "compose":
        from project import compose

        return compose(state, rest)
    raise Refused(f"docker: '{verb}' is not a docker command.")


if __name__ == "__main__":
    sys.modules["standin"] = sys.modules["__main__"]
    sys.exit(main(sys.argv[1:]))
