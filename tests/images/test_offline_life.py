"""The life of an offline plane on real hosts without a network: installed, used, exported, updated, restored elsewhere.

The bundle is what `make bundle` makes here: Debian's servers, our stand-in in Qdrant's place, a tiny model. Everything
an operator does is typed on the host, in a namespace without a route; the "disk" is a folder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyrage
import pytest

from draws import SOAK
from images.conftest import NAMESPACE, ROOT, TAG
from offline.host import Host, isolated_host
from offline.miniature import Signer
from servers.clamd import DAILY, EICAR, daily
from servers.lanes import need
from servers.tiny_model import TinyModel

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(1800)]
FROSTBYTE: Final = Path(sys.executable).parent / "frostbyte"
URL: Final = "http://127.0.0.1:8080"
FIRST_CHECK: Final = (
    "ssh-keygen -Y verify -f '{signers}' -I frostbyte -n frostbyte-bundle -s SHA256SUMS.sig < SHA256SUMS"
    " && sha256sum -c --strict --quiet SHA256SUMS"
)
"""As docs/offline.md has it."""
QUESTION: Final = "notice period"


@dataclass(frozen=True)
class Disk:
    """What is carried, and what the operator was given by another way."""

    folder: Path
    images: dict[str, str]

    @property
    def signers(self) -> Path:
        return self.folder / "signers"

    def bundle(self, name: str, **others: str) -> Path:
        """A signed bundle of these images, some of them others."""
        lock, out = self.folder / f"{name}.lock.json", self.folder / name
        words = [f"--image={key}={image}" for key, image in (self.images | others).items()]
        models = [f"--model=nomic-embed-text-v1.5={self.folder}/model.gguf", f"--model=clamav={self.folder}/clamav"]
        dimensions = ("--dimensions", str(TinyModel().dimensions))
        typed("lock", "--out", lock, "--built-here", "--stand-in-vectors", *dimensions, *words, *models)
        fetched = self.folder / f"{name}.fetched"
        typed("fetch", "--lock", lock, "--into", fetched, "--from", self.folder, "--from", self.folder / "clamav")
        key = ("--key", self.folder / "release")
        typed("build", "--lock", lock, "--models", fetched, "--out", out, "--tenant", "acme", *key)
        return next(out.iterdir())


def typed(*words: str | Path) -> None:
    """`frostbyte bundle ...` on the connected machine."""
    done = subprocess.run([FROSTBYTE, "bundle", *words], capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]


@dataclass(frozen=True)
class Site:
    """A host with a plane on it, and whoever sits there."""

    host: Host
    disk: Disk

    @property
    def into(self) -> Path:
        return self.host.folder / "opt"

    def install(self, bundle: Path, *words: str | Path) -> str:
        told = ("--signers", self.disk.signers, "--into", self.into)
        return self.host.run(bundle / "scripts/install.sh", *told, *words).stdout

    def script(self, path: Path | str, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One of the installed bundle's scripts, or one that lies on the disk."""
        return self.host.run(self.into / "bundle/scripts" / path, "--into", self.into, *words, check=check)

    def compose(self, *words: str) -> str:
        project = ("--project-directory", self.into / "plane", "--env-file", self.into / "plane/.env")
        file = self.into / "bundle/docker-compose.yml"
        return self.host.run("docker", "compose", *project, "-f", file, *words).stdout.strip()

    def frostbyte(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        code = "print(open('/var/lib/frostbyte/token').read())"
        token = self.compose("exec", "-T", "intake-gateway", "python", "-c", code)
        return self.host.run(FROSTBYTE, *words, check=check, FROSTBYTE_URL=URL, FROSTBYTE_TOKEN=token)

    def answers(self) -> list[tuple[str, str]]:
        """Passages in order, and what they say."""
        found = json.loads(self.frostbyte("search", QUESTION, "--json").stdout)["results"]
        assert found
        return [(each["chunk_id"], each["text"]) for each in found]


@pytest.fixture(scope="module")
def disk(images: dict[str, str], server_images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Disk:
    need("root")
    folder = tmp_path_factory.mktemp("disk")
    TinyModel().write(folder / "model.gguf")
    (folder / "clamav").mkdir()
    (folder / "clamav" / DAILY).write_bytes(daily(datetime.now(UTC)))
    signer = Signer(folder)
    assert signer.signers == folder / "signers"
    return Disk(folder, images | server_images)


def changed(name: str, of: str, *lines: str) -> str:
    """An image like `of`, with a few lines more."""
    tag = f"{NAMESPACE}/{name}:{TAG}"
    file = "\n".join((f"FROM {of}", *lines))
    subprocess.run(["docker", "build", "--quiet", "--tag", tag, "-"], input=file.encode(), check=True, timeout=300)
    return tag


def test_from_the_disk_to_a_second_host(disk: Disk, tmp_path: Path) -> None:
    """One story, in order: what each chapter leaves is what the next begins with."""
    bundle = disk.bundle("first")
    with isolated_host() as one:
        site = Site(one, disk)
        one.run("bash", "-c", f"cd '{bundle}' && {FIRST_CHECK.format(signers=disk.signers)}")
        installed(site, bundle)
        answers = used(site, tmp_path)
        walled(site)
        archive = exported(site, tmp_path)
        if not SOAK:  # the rest takes as long again; on the miniature it is tried in every run
            return
        updated(site, bundle, answers)
        renewed(site, answers, api=f"{NAMESPACE}/api-new:{TAG}")
    with isolated_host() as two:
        restored(Site(two, disk), bundle, archive, answers)


def installed(site: Site, bundle: Path) -> None:
    """It runs, and running the command again changes nothing."""
    told = site.install(bundle)
    assert URL in told
    before = {each["Id"]: each["State"]["StartedAt"] for each in site.host.containers()}
    site.install(bundle)
    assert {each["Id"]: each["State"]["StartedAt"] for each in site.host.containers()} == before
    verified(site)


def verified(site: Site, *words: str) -> None:
    """All is well but that a stand-in is in Qdrant's place."""
    report = json.loads(site.script("verify.sh", "--json", *words).stdout)
    assert report["result"] == "warn"
    assert [one["name"] for one in report["findings"] if one["level"] != "ok"] == ["stand_ins"]


def used(site: Site, tmp_path: Path) -> list[tuple[str, str]]:
    """Documents go in, one of them is malware, and a question finds the others."""
    batch = tmp_path / "batch"
    batch.mkdir()
    for file in sorted((ROOT / "samples").glob("*.pdf")):
        shutil.copy(file, batch)
    (batch / "invoice.txt").write_bytes(EICAR)
    assert site.frostbyte("ingest", batch, "--json", check=False).returncode == 3  # one of them is malware
    return site.answers()


def walled(site: Site) -> None:
    """Only 127.0.0.1:8080 answers, nobody has a default route inside, and with a way out nothing leaves."""
    listening = site.host.run("ss", "--no-header", "--listening", "--tcp", "--numeric").stdout.splitlines()
    assert [line.split()[3] for line in listening] == ["127.0.0.1:8080"]
    site.host.outside()
    verified(site, "--outside", "198.51.100.7:443")
    assert site.host.seen_outside() == 0


def exported(site: Site, tmp_path: Path) -> Path:
    """A whole archive, whose log is checked on another machine."""
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(f"{identity}\n")
    site.script("export.sh", "--recipient", str(identity.to_public()), "--out", tmp_path)
    archive = next(tmp_path.glob("*.tar"))
    checked = subprocess.run(
        [FROSTBYTE, "audit", "verify", archive, "--key", site.into / "state/log.pub"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return archive


def updated(site: Site, bundle: Path, answers: list[tuple[str, str]]) -> None:
    """A version that does not get well is taken back with nothing lost; a delta with a good one stays."""
    api = site.disk.images["api"]
    bad = site.disk.bundle("bad", api=changed("api-bad", api, 'HEALTHCHECK --interval=2s --retries=2 CMD ["false"]'))
    refused = site.host.run(bad / "scripts/update.sh", "--into", site.into, check=False)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert site.answers() == answers
    new = site.disk.bundle("new", api=changed("api-new", api, "LABEL changed=yes"))
    delta = site.disk.folder / "delta"
    typed("delta", bundle, new, "--out", delta, "--key", site.disk.folder / "release")
    carried = next(delta.iterdir())
    assert size(carried) < 0.05 * size(new)
    site.host.run(carried / "scripts/update.sh", "--into", site.into)
    assert site.answers() == answers
    verified(site)


def renewed(site: Site, answers: list[tuple[str, str]], **others: str) -> None:
    """New signatures three times: no container starts anew, and none misses the bundle that it was started with."""
    before = {each["Id"]: each["State"]["StartedAt"] for each in site.host.containers()}
    for days in (3, 2, 1):
        (site.disk.folder / "clamav" / DAILY).write_bytes(daily(datetime.now(UTC) - timedelta(days=days)))
        site.host.run(site.disk.bundle(f"signatures-{days}", **others) / "scripts/update.sh", "--into", site.into)
        assert site.answers() == answers
        assert {each["Id"]: each["State"]["StartedAt"] for each in site.host.containers()} == before
    verified(site)


def restored(site: Site, bundle: Path, archive: Path, answers: list[tuple[str, str]]) -> None:
    """Another empty host gives the same answers from the archive, and its log begins with where they came from."""
    site.install(bundle, "--restore", archive, "--identity", archive.parent / "identity")
    assert site.answers() == answers
    verified(site)


def size(folder: Path) -> int:
    """Bytes of all its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
