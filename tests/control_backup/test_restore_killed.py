"""`frostbyte control restore` killed at its steps and typed again ends as one that nobody killed, and says the same.

A control plane is lost with a tenant suspended since, one resumed since, one made since, one grown since and one that
was being made. The command runs in processes that die (doomed_restore.py), each on a database and a folder of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import pytest
from msgspec.structs import replace

from control_backup.ground import Ground, listing, sky
from draws import SEED, SOAK
from frostbyte.control_plane.registry.states import Move
from frostbyte.kernel.records import PlaneState
from servers.lanes import need
from servers.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
PROGRAM: Final = Path(__file__).with_name("doomed_restore.py")
STRIDE: Final = 1 if SOAK else 16
"""Every step in `make soak`; otherwise each commit, and of the others one in so many."""
ROWS: Final = {
    "tenants": "tenant_id, state, failed, octet, standing_version, config_version",
    "operations": "tenant_id, kind, status, code, reason",
    "provision_runs": "tenant_id, direction, state, code, request",
    "provision_entries": "tenant_id, key, action, kind, name, state, resource_id, spec_sha256",
    "tenant_configs": "tenant_id, version, values",
}
"""What says of the register how it stands, without times and what is drawn by lot."""
EVENTS: Final = "SELECT tenant_id, type, resource_type FROM audit_events WHERE actor = 'restore'"


class Lost:
    """A control plane whose disk is lost, and what it left."""

    def __init__(self, folder: Path, ground: Ground, undo: ExitStack) -> None:
        self.folder, self.ground, self._made = folder, ground, 0
        self.standings = _filled(ground)
        self.postgres = PostgresServer(folder / "postgres")
        self.postgres.start()
        undo.callback(self.postgres.stop)
        paths = os.pathsep.join(sys.path)
        self._program = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": paths},
        )
        undo.callback(self._program.wait, 60)
        assert self._program.stdin is not None
        undo.callback(self._program.stdin.close)

    def machine(self, *, own: bool = False) -> Machine:
        """An empty folder and an empty database; `own` for one that the control plane starts itself."""
        self._made += 1
        name = f"control{self._made}"
        return Machine(self, self.folder / name, "" if own else self.postgres.database(name))

    def ordered(self, order: dict[str, Any]) -> dict[str, Any]:
        """What came of one."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()
        done: dict[str, Any] = json.loads(self._program.stdout.readline())
        return done


class Machine:
    """Where a control plane is put back."""

    def __init__(self, lost: Lost, folder: Path, database: str) -> None:
        self._lost, self.folder, self.database = lost, folder, database
        self._said = folder.with_suffix(".said")

    def restore(self, number: int = 0) -> dict[str, Any] | None:
        """The command, killed before the step of that number: what it says, and its steps; None where it was killed."""
        done = self._lost.ordered(
            {
                "environment": self._lost.ground.environment
                | {"FROSTBYTE_CONTROL_DATA_DIR": str(self.folder), "FROSTBYTE_CONTROL_DATABASE_URL": self.database},
                "standings": self._lost.standings,
                "identity": str(self._lost.ground.folder / "offline.txt"),
                "number": number,
                "said": str(self._said),
            }
        )
        if done["killed"]:
            return None
        assert done["steps"], self._said.read_text()[-3000:]
        said: dict[str, Any] = json.loads(self._said.read_text())
        return said | {"steps": done["steps"]}

    def state(self) -> dict[str, Any]:
        """What a control plane that starts here has."""
        found: dict[str, Any] = {}
        with psycopg.connect(self.database) as connection:
            for table, columns in ROWS.items():
                rows = connection.execute(f"SELECT {columns} FROM {table}").fetchall()  # type: ignore[arg-type]
                found[table] = sorted(json.dumps(row) for row in rows)
            found["events"] = Counter(connection.execute(EVENTS).fetchall())
        kept = [name for name in listing(self.folder) if not name.startswith(".") and "log.key" not in name]
        found["files"] = {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in kept}
        return found


def _filled(ground: Ground) -> list[Any]:
    """A control plane lives and is lost; how the planes of its tenants stand."""
    with ground.control() as plane:
        ground.base(plane)
        ground.provision(plane, "acme", shape="standard", workers=1)
        ground.provision(plane, "globex", shape="small")
        plane.operations.end(
            plane.operations.begin("globex", Move.SUSPEND, actor="alice", reason="payment").operation_id
        )
        plane.tenants.create("initech", "north", actor="alice")
        assert plane.provisioning is not None
        plane.provisioning.begin("initech", Move.PROVISION, {"shape": "small"}, actor="alice", reason="requested")
        assert ground.backup(plane).verdict.ok
        ground.grow(plane, "acme", workers=2)
        ground.provision(plane, "beta", shape="small")
        numbers = {name: plane.tenants.show(name).standing_version for name in ("acme", "globex")}
    ground.lose()
    heard = {"acme": PlaneState.SUSPENDED, "globex": PlaneState.ACTIVE}
    standings = [
        replace(ground.planes[name].obeying.standing(), state=state, version=numbers[name] + 2)
        for name, state in heard.items()
    ]
    return [msgspec.to_builtins(one) for one in standings]


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    need("sops")
    folder = tmp_path_factory.mktemp("lost")
    folder.chmod(0o755)  # the database's server is another user
    with ExitStack() as undo:
        serving = undo.enter_context(sky())
        serving.world.requests_per_hour = 1_000_000  # all of an account's would be used up before the last kill
        patch = undo.enter_context(pytest.MonkeyPatch.context())
        yield Lost(folder, Ground(folder, serving, patch), undo)


def told(said: dict[str, Any]) -> dict[str, Any]:
    """What an operator has to know, whatever the number of calls it took."""
    return {
        "persons": sorted((one["about"], one["code"]) for one in said["for_a_person"]),
        "adopted": sorted((one["owner"], one["kind"], one["name"], one["id"]) for one in said["adopted"]),
        "entered": said["tenants_entered"],
        "moved_on": sorted(said["tenants_moved_on"]),
    }


def test_killed_at_any_step_and_typed_again_it_ends_as_one_that_lived(lost: Lost) -> None:
    """Each commit, and those of the other steps that the seed says: they are hundreds of files, written alike."""
    print("seed", SEED)
    whole = lost.machine()
    said = whole.restore()
    assert said is not None
    expected, words, steps = whole.state(), told(said), said["steps"]
    assert {code for _, code in words["persons"]} == {"tenant_keys_lost", "host_key_unknown", "tenant_resumed_since"}
    assert (words["entered"], words["moved_on"]) == (["beta"], ["acme", "globex"])
    assert said["operations_ended"] == 1
    first = random.Random(SEED).randrange(STRIDE)
    chosen = [number for number, commit in enumerate(steps, 1) if commit or number % STRIDE == first]
    assert sum(steps) > 5, "commits"
    for number in chosen:
        machine = lost.machine()
        assert machine.restore(number) is None
        again = machine.restore()
        assert again is not None
        assert told(again) == words, f"killed before step {number} (seed {SEED})"
        assert machine.state() == expected, f"killed before step {number} (seed {SEED})"
    print(f"{len(steps)} steps, {sum(steps)} of them commits; killed at {len(chosen)}")


def test_killed_where_it_starts_a_database_of_its_own(lost: Lost) -> None:
    """The database's server outlives it, and serves the next call."""
    whole = lost.machine(own=True).restore()
    assert whole is not None
    commits = [number for number, commit in enumerate(whole["steps"], 1) if commit]
    machine = lost.machine(own=True)
    assert machine.restore(random.Random(SEED).choice(commits)) is None
    again = machine.restore()
    assert again is not None
    assert told(again) == told(whole)
