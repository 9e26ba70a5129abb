"""update.sh on small bundles: what it refuses, where it leads, and that no cut leaves a plane between two versions."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from draws import SEED, SOAK
from offline.miniature import Host, Miniature, Signer
from offline.test_install import install

pytestmark = pytest.mark.slow  # seconds each: an installed plane, and a hundred calls of Docker

OLD = Miniature()
NEW = Miniature(
    version="1.1",
    schema=11,
    created_at="2026-03-11T12:00:00Z",
    images_of={"qdrant": "a newer qdrant"},
    signatures="Frostbyte.EICAR-Test-File:0:0:58354f50\n",
    weights="GGUF of 1.1",
)
SIGNATURES = Miniature(created_at="2026-03-01T12:00:00Z", signatures="Newer:0:0:58\n")
MODELS = Miniature(created_at="2026-03-01T12:00:00Z", weights="GGUF anew")


@dataclass
class Plane:
    """An installed plane that takes documents, and how to update it."""

    host: Host

    def update(self, bundle: Path, *more: str, timeout: float = 120) -> Any:
        return self.host.run(bundle / "scripts/update.sh", "--into", self.host.into, *more, timeout=timeout)

    @property
    def bundle(self) -> str:
        return (self.host.into / "bundle").readlink().name

    @property
    def database(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.host.volume("pgdata") / "database.json").read_text())
        return found

    @property
    def seen(self) -> dict[str, int]:
        """What the world outside has seen of the plane."""
        found: dict[str, int] = json.loads((self.host.standin / "witness.json").read_text())
        return found

    def whole(self, which: Miniature) -> None:
        """Everything is of one bundle, nothing that was promised is taken back, and nothing is left lying about."""
        manifest = json.loads((self.host.into / "bundle/MANIFEST.json").read_text())
        assert self.bundle == manifest["bundle_id"]
        assert (manifest["version"], manifest["created_at"]) == (which.version, which.created_at)
        ids = {image["key"]: image["image_id"] for image in manifest["images"]}
        settings = dict(
            line.split("=", 1) for line in (self.host.into / "plane/.env").read_text().splitlines() if "=" in line
        )
        for key, image_id in ids.items():
            assert settings[f"FROSTBYTE_IMAGE_{key.upper().replace('-', '_')}"] == image_id, key
        running = {one["labels"]["com.docker.compose.service"]: one for one in self.host.state["containers"].values()}
        for name, key in {"intake-gateway": "api", "celery-worker": "worker", "qdrant": "qdrant"}.items():
            assert (running[name]["image"], running[name]["state"]) == (ids[key], "running"), name
        assert (self.host.volume("clamavdata") / "frostbyte.ndb").read_text() == which.signatures
        assert (self.host.volume("models") / "nomic-embed-text-v1.5/model.gguf").read_text() == which.weights
        now = self.database
        assert (now["schema"], now["upkeep"]) == (which.schema, "open")
        for name, value in self.seen.items():
            assert now[name] >= value, f"{name} was taken back"
        left = [path.name for path in self.host.volume("pgdata").iterdir() if path.name.startswith("before")]
        for volume in ("models", "clamavdata"):
            left += [path.name for path in self.host.volume(volume).iterdir() if path.name.startswith(".before")]
        left += [path.name for path in (self.host.into / "state").iterdir() if path.name.startswith("update.")]
        assert [name for name in left if not name.startswith("update.journal.")] == []


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, signer: Signer, miniature: Path) -> Callable[[Miniature], Path]:
    """The folder of a bundle, made once."""
    made: dict[str, Path] = {repr(OLD): miniature}

    def find(which: Miniature) -> Path:
        if repr(which) not in made:
            made[repr(which)] = which.write(tmp_path_factory.mktemp("medium"), signer)
        return made[repr(which)]

    return find


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, miniature: Path, signer: Signer) -> Path:
    """A host's folder with the old version."""
    host = Host(tmp_path_factory.mktemp("installed") / "host")
    done = install(host, miniature, signer)
    assert done.returncode == 0, done.stdout + done.stderr
    return host.folder


@pytest.fixture
def plane(installed: Path, tmp_path: Path) -> Plane:
    return copied(installed, tmp_path / "copy")


def copied(installed: Path, folder: Path) -> Plane:
    """The same host once more: nothing in it names its own place."""
    shutil.copytree(installed, folder, symlinks=True)
    host = Host.__new__(Host)
    host.folder, host.into, host.standin, host.bin = folder, folder / "opt", folder / "docker", folder / "bin"
    return Plane(host)


def test_all_of_it_moves_together(plane: Plane, bundles: Callable[[Miniature], Path]) -> None:
    done = plane.update(bundles(NEW))
    assert done.returncode == 0, done.stdout + done.stderr
    plane.whole(NEW)
    assert plane.database["updated"] == ["1.1"]


def test_twice_is_once(plane: Plane, bundles: Callable[[Miniature], Path]) -> None:
    assert plane.update(bundles(NEW)).returncode == 0
    calls = len(plane.host.calls)
    done = plane.update(bundles(NEW))
    assert done.returncode == 0, done.stderr
    assert "nothing was changed" in done.stdout
    assert plane.host.calls[calls:] == []
    inside = plane.host.run(plane.host.into / "bundle/scripts/update.sh", "--into", plane.host.into)
    assert inside.returncode == 0, inside.stderr
    plane.whole(NEW)


@pytest.mark.parametrize(
    ("bundle", "kind", "label"), [(SIGNATURES, "signatures", "signatures:1.0"), (MODELS, "models", "models:1.0")]
)
def test_what_is_exchanged_alone_leaves_all_else_running(
    plane: Plane, bundles: Callable[[Miniature], Path], bundle: Miniature, kind: str, label: str
) -> None:
    before, calls = plane.host.state["containers"], len(plane.host.calls)
    done = plane.update(bundles(bundle))
    assert done.returncode == 0, done.stdout + done.stderr
    plane.whole(bundle)
    [told] = plane.database["updated"]
    assert told.startswith(label)
    after = plane.host.state["containers"]
    renewed = {one["labels"]["com.docker.compose.service"] for name, one in after.items() if one != before[name]}
    assert renewed <= {"clamav", "nomic-embed"}
    words = [" ".join(call) for call in plane.host.calls[calls:]]
    assert not [call for call in words if "plane freeze" in call or "snapshot take" in call or " stop " in call]
    assert ("index rebuild" in done.stdout) is (kind == "models")


@pytest.mark.slow
def test_what_the_containers_were_started_with_stays_until_all_of_it_moves(
    plane: Plane, bundles: Callable[[Miniature], Path]
) -> None:
    """The gateway reads its configuration out of the bundle that it was started with, whatever came since."""
    kept, first = plane.host.into / "bundles", plane.host.into.joinpath("bundle").readlink().name
    for day in (1, 2):
        newer = Miniature(created_at=f"2026-03-0{day}T12:00:00Z", signatures=f"Newer:0:0:5{day}\n")
        done = plane.update(bundles(newer))
        assert done.returncode == 0, done.stdout + done.stderr
    assert (kept / first / "config/tenant.json").is_file()
    assert len(list(kept.iterdir())) == 3
    assert plane.update(bundles(NEW)).returncode == 0
    assert len(list(kept.iterdir())) == 2
    assert not (kept / first).exists()


def _misfit(text: str, name: str) -> Miniature:
    return Miniature(**{**vars(NEW), "changes": {name: text}})


FAILURES: dict[str, dict[str, object]] = {
    "the log is not signed to its end": {"plane freeze": {"exit": 7}},
    "the database is not copied": {"plane snapshot take": {"exit": 7}},
    "models are not kept": {"plane models keep": {"exit": 2}},
    "models are not placed": {"bundle models": {"exit": 2}},
    "the new version is not what it was": {"plane verify --expect": {"exit": 3}},
}


@pytest.mark.parametrize("what", FAILURES)
def test_what_fails_before_it_is_forward_leads_back(
    plane: Plane, bundles: Callable[[Miniature], Path], what: str
) -> None:
    plane.host.answer(**FAILURES[what])
    done = plane.update(bundles(NEW))
    if what == "the new version is not what it was":
        # The old one is not believed either, and stays frozen: nobody may take what was not verified for whole.
        assert done.returncode != 0
        assert plane.database["upkeep"] == "frozen"
        plane.host.answer()
        done = plane.host.run(plane.host.into / "bundle/scripts/update.sh", "--into", plane.host.into)
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1, done.stdout + done.stderr
        assert "[update_undone]" in done.stderr
    plane.whole(OLD)
    assert plane.database["updated"] == []
    plane.host.answer()
    assert plane.update(bundles(NEW)).returncode == 0
    plane.whole(NEW)


def test_a_project_that_cannot_be_started_leads_back(plane: Plane, bundles: Callable[[Miniature], Path]) -> None:
    compose = (bundles(NEW) / "docker-compose.yml").read_text().replace("FROSTBYTE_PORT:?", "FROSTBYTE_NONE:?")
    done = plane.update(bundles(_misfit(compose, "docker-compose.yml")))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "[update_undone]" in done.stderr
    plane.whole(OLD)


def test_once_it_is_forward_there_is_no_way_back(plane: Plane, bundles: Callable[[Miniature], Path]) -> None:
    plane.host.answer(**{"plane open": {"exit": 7}})
    assert plane.update(bundles(NEW)).returncode != 0
    plane.host.answer()
    done = plane.host.run(plane.host.into / "bundle/scripts/update.sh", "--into", plane.host.into)
    assert done.returncode == 0, done.stderr
    plane.whole(NEW)
    assert plane.database["updated"] == ["1.1"]


def _older(which: Miniature, **changes: Any) -> Miniature:
    return Miniature(**{**vars(which), **changes})


REFUSED: dict[str, tuple[Miniature, list[str], int, str]] = {
    "an older version": (_older(NEW, version="0.9", schema=10), [], 10, "bundle_older"),
    "the same version, made earlier": (_older(SIGNATURES, created_at="2026-01-01T00:00:00Z"), [], 10, "bundle_older"),
    "a release candidate of what runs": (_older(SIGNATURES, version="1.0rc2"), [], 10, "bundle_older"),
    "a schema that cannot be gone back to": (
        _older(NEW, version="0.9", schema=9),
        ["--allow-downgrade"],
        10,
        "schema_older",
    ),
    "another tenant's": (_older(NEW, tenant="other"), [], 10, "tenant_other"),
    "another machine's": (_older(NEW, architecture="arm64"), [], 10, "host_lacks"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_before_anything_is_touched(
    plane: Plane, bundles: Callable[[Miniature], Path], what: str
) -> None:
    bundle, more, code, name = REFUSED[what]
    before = plane.host.state["images"]
    done = plane.update(bundles(bundle), *more)
    assert done.returncode == code, done.stdout + done.stderr
    assert f"[{name}]" in done.stderr
    assert plane.host.state["images"] == before
    plane.whole(OLD)


def test_an_older_version_of_the_same_schema_is_brought_if_it_is_asked_for(
    plane: Plane, bundles: Callable[[Miniature], Path]
) -> None:
    older = _older(OLD, version="0.9.9", created_at="2025-12-01T00:00:00Z")
    done = plane.update(bundles(older), "--allow-downgrade")
    assert done.returncode == 0, done.stdout + done.stderr
    plane.whole(older)


def test_only_the_keys_that_were_pinned_are_believed(plane: Plane, tmp_path: Path) -> None:
    stranger = Signer(tmp_path / "stranger")
    calls = len(plane.host.calls)
    done = plane.update(NEW.write(tmp_path / "medium", stranger))
    assert done.returncode == 11, done.stderr
    assert "[signature_bad]" in done.stderr
    assert plane.host.calls[calls:] == []


def test_a_dry_run_changes_nothing(plane: Plane, bundles: Callable[[Miniature], Path]) -> None:
    done = plane.update(bundles(NEW), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "all of it" in done.stdout
    assert len(plane.host.state["images"]) == 8
    plane.whole(OLD)


def test_there_has_to_be_a_plane(host: Host, bundles: Callable[[Miniature], Path]) -> None:
    done = Plane(host).update(bundles(NEW))
    assert done.returncode == 10
    assert "[not_installed]" in done.stderr
    assert host.calls == []


# Cut at any moment. `FROSTBYTE_SOAK=all` tries every one of them; else a seeded few.

CALLS = 45
"""Calls of Docker that an update makes, at least as many."""
COMMANDS = {"parent": 3000, "child": 900}
"""Commands of bash in update.sh and in the process that it starts for the way there, about: most cuts fall into it."""


def _some(every: list[Any], count: int) -> list[Any]:
    return every if SOAK else random.Random(SEED).sample(every, count)


def _then_run_again(plane: Plane, bundle: Path, *, with_disk: bool) -> None:
    """With the disk it ends new; without it, it ends at one of the two, whole."""
    again = (
        plane.update(bundle)
        if with_disk
        else plane.host.run(plane.host.into / "bundle/scripts/update.sh", "--into", plane.host.into, timeout=120)
    )
    assert again.returncode == 0, again.stdout + again.stderr
    plane.whole(NEW if with_disk or plane.database["schema"] == NEW.schema else OLD)
    assert plane.database["updated"] in ([], ["1.1"])


@pytest.mark.parametrize(
    ("call", "when"), _some([(call, when) for call in range(1, CALLS + 1) for when in ("before", "after")], 6)
)
def test_a_power_cut_at_a_call_of_docker_leads_back_or_forward(
    plane: Plane, bundles: Callable[[Miniature], Path], call: int, when: str
) -> None:
    plane.host.cut_power(len(plane.host.calls) + call, when)
    done = plane.update(bundles(NEW))
    assert done.returncode in (-9, 137, 0), done.stderr
    _then_run_again(plane, bundles(NEW), with_disk=bool(call % 2))


KILLER = """
if [[ ${FROSTBYTE_LOCK:+child} == "${KILL_IN#parent}" ]]; then
    set -T
    KILL_COUNT=0
    trap 'if ((++KILL_COUNT == KILL_AT)); then kill -9 0; fi' DEBUG
fi
"""


@pytest.mark.parametrize(
    ("where", "command"), _some([(where, at) for where, most in COMMANDS.items() for at in range(1, most, 7)], 6)
)
def test_killed_before_any_command_it_leads_back_or_forward(
    plane: Plane, bundles: Callable[[Miniature], Path], where: str, command: int
) -> None:
    killer = plane.host.folder / "killer"
    killer.write_text(KILLER)
    plane.host.run(
        bundles(NEW) / "scripts/update.sh", "--into", plane.host.into,
        timeout=180, BASH_ENV=str(killer), KILL_IN=where, KILL_AT=str(command),
    )  # fmt: skip
    _then_run_again(plane, bundles(NEW), with_disk=bool(command % 2))
