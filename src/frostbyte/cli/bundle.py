"""`frostbyte bundle`: everything for a plane on a host without a network, on one disk."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Final

import typer

from frostbyte.cli import bundle_import, bundle_models
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, group
from frostbyte.cli.output import err, hint, out, print_json, size_text, table, text

if TYPE_CHECKING:
    from frostbyte.deploy.bundle.building import Report

app = group("Everything for a plane on a host without a network.")
app.command("models")(bundle_models.models)
app.command("import")(bundle_import.import_)

LockFile = Annotated[Path, typer.Option("--lock", help="What the bundle is made of, as `bundle lock` wrote it.")]
Layout = Annotated[
    Path | None, typer.Option("--layout", help="Folder of images in OCI's layout, in place of Docker's engine.")
]
_LOGGED: Final = 100 << 20
"""Bytes below which a log has no lines of progress: it is over at once."""
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@app.callback()
def bundle() -> None:
    """Everything for a plane on a host without a network."""


@app.command("lock")
def lock(
    out_file: Annotated[Path, typer.Option("--out", help="The lock.")] = Path("bundle.lock.json"),
    image: Annotated[
        list[str] | None, typer.Option("--image", help="KEY=REFERENCE in place of the usual one, as often as needed.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="nomic-embed-text-v1.5=FILE, or clamav=FOLDER of signatures."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="FILE=ADDRESS that `bundle fetch` may get a model's file from.")
    ] = None,
    licence: Annotated[
        list[str] | None, typer.Option("--licence", help="NAME=LICENCE of a model, where it is another than the usual.")
    ] = None,
    layout: Layout = None,
    architecture: Annotated[
        str, typer.Option("--architecture", help="amd64 or arm64.", show_default="this machine's")
    ] = "",
    dimensions: Annotated[int, typer.Option("--dimensions", min=1, max=65536, help="Of the model's vectors.")] = 768,
    built_here: Annotated[
        bool,
        typer.Option(
            "--built-here", help="What is on this machine is meant; what no registry has is pinned by its id."
        ),
    ] = False,
    stand_in_vectors: Annotated[
        bool, typer.Option("--stand-in-vectors", help="Our stand-in for Qdrant. Everything says NOT FOR PRODUCTION.")
    ] = False,
    created_at: Annotated[
        str, typer.Option("--created-at", help="When the bundle says it was made (UTC).", show_default="now")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Pin what a bundle is made of: tags become digests, files become sums."""
    from frostbyte import __version__
    from frostbyte.bootstrap.bundle import engine
    from frostbyte.deploy.bundle import lock as locks
    from frostbyte.deploy.bundle import locking, models
    from frostbyte.deploy.compose import IMAGES, Options

    named = _pairs(image or [], "--image")
    usual = Options(tenant="none", version=__version__)
    licences = _pairs(licence or [], "--licence")
    images = {key: usual.image(key) for key in IMAGES} | (
        {"qdrant": f"frostbyte/vectors:{__version__}"} if stand_in_vectors else {}
    )
    found = locking.lock(
        locking.Wanted(
            version=__version__,
            architecture=architecture or _MACHINES.get(platform.machine(), ""),
            created_at=created_at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            images=images | named,
            models=models.with_sources(
                [
                    each
                    for name, path in _pairs(model or [], "--model").items()
                    for each in models.describe(name, Path(path), licences.get(name, ""))
                ],
                _pairs(source or [], "--source"),
            ),
            dimensions=dimensions,
            stand_ins=["qdrant"] if stand_in_vectors else [],
            built_here=built_here,
        ),
        engine(layout),
    )
    out_file.write_bytes(locks.encode(found))
    if as_json:
        print_json({"lock": str(out_file), "images": len(found.images), "models": len(found.models)})
        return
    shown = table("=image", "name", "=pinned by")
    for one in found.images:
        shown.add_row(text(one.key), text(one.name), text((one.digest or one.image_id)[:19]))
    for each in found.models:
        shown.add_row(text(each.name), text(each.path), text(each.sha256[:12]))
    out().print(shown)
    hint(f"frostbyte bundle fetch --lock {out_file} --into DIR, then bundle build --lock {out_file} --models DIR ...")


@app.command("fetch")
def fetch(
    lock: LockFile,
    into: Annotated[Path, typer.Option("--into", help="Folder for models and signatures.")],
    from_dirs: Annotated[
        list[Path] | None, typer.Option("--from", help="Folder that may have the files, as often as needed.")
    ] = None,
    layout: Layout = None,
    as_json: AsJson = False,
) -> None:
    """Bring what a lock names: images into the engine, files into a folder. Again, it goes on where it stopped."""
    from frostbyte.bootstrap.bundle import downloads, engine
    from frostbyte.deploy.bundle import fetching
    from frostbyte.deploy.bundle.lock import decode

    found = decode(_read(lock))
    sources = fetching.Sources(engine=engine(layout), folders=from_dirs or [], downloads=downloads())
    with progress("fetching", quiet=as_json) as report:
        report.begin(sum(each.size for each in found.models))
        done = fetching.fetch(found, into, sources, report.read)
    if as_json:
        print_json({"kept": list(done.kept), "brought": list(done.brought)})
        return
    for name in done.brought:
        out().print(text(f"{name}", "green"))
    hint(f"{len(done.brought)} brought, {len(done.kept)} were there.")


@app.command("build")
def build(
    lock: LockFile,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder that the bundle's folder is made in.")],
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's id: 1 to 32 of a-z and 0-9.")],
    tenant_config: Annotated[
        Path | None, typer.Option("--tenant-config", help="JSON: what differs from the default configuration.")
    ] = None,
    policy: Annotated[Path | None, typer.Option("--policy", help="Folder with policy rules of your own.")] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            "--models", help="Folder with the lock's files, as `bundle fetch` fills it.", show_default="the lock's"
        ),
    ] = None,
    notice: Annotated[
        list[Path] | None, typer.Option("--notice", help="A file for licences/, as often as needed.")
    ] = None,
    layout: Layout = None,
    key: Annotated[Path | None, typer.Option("--key", help="SSH key that signs it.")] = None,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Sign nothing: no host will believe it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the bundle. The same lock and the same options make the same bytes."""
    from frostbyte.bootstrap.bundle import engine, migrations
    from frostbyte.deploy.bundle import building
    from frostbyte.deploy.bundle.lock import decode
    from frostbyte.deploy.bundle.texts import Given
    from frostbyte.kernel.settings import load

    if (key is None) != unsigned:
        raise key_missing()
    given = Given(
        tenant=load({"FROSTBYTE_TENANT_ID": tenant, "FROSTBYTE_MODE": "offline"}).tenant_id,
        config=_read(tenant_config) if tenant_config is not None else b"{}",
        policy=policy,
        migrations=migrations(),
        notices={path.name: _read(path) for path in notice or []},
    )
    order = building.Order(lock=decode(_read(lock)), given=given, models=models or lock.parent, out=out_dir, key=key)
    with progress("building", quiet=as_json) as report:
        folder, manifest = building.build(order, engine(layout), report)
    size = sum(image.size for image in manifest.images) + sum(each.size for each in manifest.models)
    if as_json:
        print_json({"bundle": str(folder), "bundle_id": manifest.bundle_id, "size": size, "signed": key is not None})
        return
    out().print(text(f"{folder}: {manifest.bundle_id}, {size_text(size)}", "green"))
    if key is None:
        err().print(text("It is not signed: no host will believe it.", "yellow"))


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="The bundle.", show_default=False)],
    signers: Annotated[
        Path | None, typer.Option("--signers", help="Allowed signers, from elsewhere than the bundle.")
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Unpack every layer of every image too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a bundle: signature, sums, and that manifest and images say the same."""
    from frostbyte.deploy.bundle import checking

    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    with progress("checking", quiet=as_json) as report:
        report.begin(size)
        found = checking.check(folder, signers, layers=layers, seen=report.read)
    if as_json:
        print_json(
            {
                "bundle_id": found.manifest.bundle_id if found.manifest else "",
                "signed": found.signed,
                "files": found.files,
                "size": found.size,
                "findings": [{"path": each.path, "what": each.what} for each in found.findings],
            }
        )
    for each in () if as_json else found.findings:
        err().print(text(f"✗ {each.path}: {each.what}", "red"))
    if not found.good:
        raise CommandFailed(
            "bundle_not_whole",
            "This is not the bundle that was built.",
            "Load and run nothing of it; take it from its disk anew, or ask who made it.",
            exit_code=Exit.VERIFICATION_FAILED,
        )
    if not as_json and found.manifest is not None:
        said = {True: "signed", None: "signature not looked at"}[found.signed]
        out().print(text(f"{found.manifest.bundle_id}: {found.files} files, {size_text(found.size)}, {said}", "green"))


def key_missing() -> CommandFailed:
    """The error for neither a key nor the word that none is wanted."""
    return CommandFailed(
        "bundle_key_missing", "A bundle is signed, or said not to be.", "Give --key KEY, or --unsigned for a try."
    )


def _pairs(words: Sequence[str], option: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if any(not name or not value for name, _, value in pairs):
        raise CommandFailed("option_invalid", f"{option} is written NAME=VALUE.", "Write it like this.")
    return {name: value for name, _, value in pairs}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandFailed(
            "file_unreadable", f"{path} cannot be read ({error.strerror}).", "Check the path."
        ) from None


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Report]:
    """What is done and what is left, on stderr: a bar on a terminal, a line for each tenth in a log."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from frostbyte.deploy.bundle.building import Report

    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    shown = err().is_terminal and not quiet
    with Progress(*columns, console=err(), transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=None)

        class Bar(Report):
            def begin(self, total: int) -> None:
                bar.update(task, total=total)

            def read(self, count: int) -> None:
                bar.advance(task, count)

        yield Report() if quiet else Bar() if shown else _lines(what)


def _lines(what: str) -> Report:
    from frostbyte.deploy.bundle.building import Report

    class Lines(Report):
        def __init__(self) -> None:
            self._lock, self._began = Lock(), time.monotonic()
            self._total = self._read = self._tenth = 0

        def begin(self, total: int) -> None:
            self._total = total

        def read(self, count: int) -> None:
            with self._lock:
                self._read += count
                tenth = min(10, 10 * self._read // max(1, self._total))
                if tenth <= self._tenth or self._total < _LOGGED:
                    return
                self._tenth = tenth
                left = (time.monotonic() - self._began) * max(0, self._total - self._read) / self._read
                err().print(text(f"{what}: {tenth}0 % of {size_text(self._total)}, about {left:.0f} s left", "dim"))

    return Lines()
