"""`frostbyte hosts`: the snapshots that hosts start from, built from the operator's machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frostbyte import __version__
from frostbyte.cli.base import Project, bench, follow
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import hint, out, print_json, table, text

if TYPE_CHECKING:
    from frostbyte.bootstrap.building import Yard
    from frostbyte.control_plane.provisioning.journal import EntryRow
    from frostbyte.control_plane.provisioning.specs import ArchiveSpec

app = group("Build what hosts start from.")


@app.command("build")
def build(
    image: Annotated[
        list[str] | None,
        typer.Option("--image", help="NAME=ARCHIVE of `docker save`, or NAME=REFERENCE of this machine's engine."),
    ] = None,
    file: Annotated[
        list[str] | None, typer.Option("--file", help="SOURCE=TARGET: a file for hosts, below /opt/frostbyte.")
    ] = None,
    system: Annotated[str, typer.Option("--system", help="The system image to begin with.")] = "ubuntu-24.04",
    architecture: Annotated[str, typer.Option("--architecture", help="x86 or arm.")] = "x86",
    release: Annotated[str, typer.Option("--release", help="The version that runs these images.")] = __version__,
    project: Project = "main",
    as_json: AsJson = False,
) -> None:
    """Build the snapshot that hosts start from: engine, Compose, packet filter, our images; named by its contents."""
    from frostbyte.bootstrap.building import archive
    from frostbyte.control_plane.provisioning.building import archive_of, build_request, extra_of

    with _yard(project) as yard:
        told = yard.plane.settings.provisioning
        builds = yard.plane.settings.data_dir / "builds"
        images = {name: archive_of(archive(source, builds)) for name, source in map(_pair, image or [])}
        extras = [extra_of(Path(source), target) for source, target in map(_pair, file or [])]
        archives: dict[str, ArchiveSpec] = {
            name: {"path": one.path, "sha256": one.sha256} for name, one in images.items()
        }
        values = {
            "build": {
                "architecture": architecture,
                "system": system,
                "archives": [*archives.values()],
                "extras": [{"path": one.path, "sha256": one.sha256, "target": one.target} for one in extras],
                "operators": list(told.operators),
            }
        }
        asked = build_request(values)
        assert asked is not None
        run = yard.build(asked, follow(as_json))
        if run.state.value != "succeeded":
            raise CommandFailed(
                run.code or "build_failed",
                f"The snapshot was not built ({run.code}); what was made for it was taken away.",
                "Look at the lines above, and type the same command again.",
                exit_code=Exit.PROBLEMS,
            )
        name = yard.plan(asked.values()).facts["snapshot"]
        made = next(row for row in yard.snapshots() if row.name == name)
        ids = {name: _only(made.facts["images"][one.sha256]) for name, one in images.items()}
        path = yard.written_down(release, ids, archives)
    if as_json:
        print_json({"snapshot": _shown(made), "images": ids, "release": release})
        return
    out().print(text(f"{made.name} is there.", "green"))
    hint(f"What version {release} runs on hosts stands in {path}.")


@app.command("list")
def listed(project: Project = "main", as_json: AsJson = False) -> None:
    """Show the snapshots that are there; hosts start from the newest of their architecture."""
    with _yard(project) as yard:
        found = [_shown(row) for row in yard.snapshots()]
    newest = {one["architecture"]: one["name"] for one in reversed(found)}
    if as_json:
        print_json([{**one, "used": newest[one["architecture"]] == one["name"]} for one in found])
        return
    shown = table("=snapshot", "id", "architecture", "begun with", ">GB", "made", "")
    for one in found:
        used = "hosts start from it" if newest[one["architecture"]] == one["name"] else "older"
        shown.add_row(
            *(text(str(one[key])) for key in ("name", "id", "architecture", "system", "size_gb", "made_at")), text(used)
        )
    out().print(shown)


@contextmanager
def _yard(project: str) -> Iterator[Yard]:
    from frostbyte.bootstrap.building import Yard

    with bench(project) as at:
        yield Yard(plane=at.plane, owner=at.owner)


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not (name and equals and value):
        raise CommandFailed(
            "pair_invalid", f"'{given}' is not written as two things with = between.", "Write it like api=./api.tar."
        )
    return name, value


def _only(images: dict[str, str]) -> str:
    """The id of an archive's one image, however many names it has."""
    found = set(images.values())
    if len(found) != 1:
        raise CommandFailed(
            "archive_of_many",
            f"An archive brought {len(found)} images, and one name was given for it.",
            "Save each image in an archive of its own.",
        )
    return found.pop()


def _shown(row: EntryRow) -> dict[str, Any]:
    contents = row.spec["contents"]
    return {
        "name": row.name,
        "id": row.resource_id,
        "architecture": contents["architecture"],
        "system": contents["system"],
        "size_gb": row.facts.get("size_gb"),
        "made_at": row.changed_at.isoformat(timespec="seconds"),
    }
