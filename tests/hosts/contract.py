"""What every way to a host must keep: the same suite runs on the one in memory and on a real sshd."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile, Hosts
from frostbyte.control_plane.support.shapes import host_rows
from frostbyte.kernel.errors import Conflict, Unavailable

IMAGE = "sha256:" + "5" * 64
OTHER = "sha256:" + "6" * 64
COMPOSE = b"services: {db: {image: 'x'}, gateway: {image: 'x'}, once: {image: 'x'}}\n"


def public_key() -> str:
    """Of a key that nobody has."""
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def image_archive(path: Path, images: dict[str, list[str]]) -> None:
    """As `docker save` writes one, with layers of noise that no channel takes in one piece."""
    manifest = [
        {"Config": f"blobs/sha256/{name.removeprefix('sha256:')}", "RepoTags": tags or None, "Layers": ["layer"]}
        for name, tags in images.items()
    ]
    with tarfile.open(path, "w") as tar:
        for member, content in (("layer", os.urandom(3_000_000)), ("manifest.json", json.dumps(manifest).encode())):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@dataclass(frozen=True)
class Site:
    """A host behind a bastion and a gateway, and how to look at it from the side.

    Attributes:
        host: known by its throwaway key.
        folder: an absolute one on the host that tests may fill.
        read: content, mode and owner of a file there; None where it is not.
        running: services that are up in a folder.
        off: ends the host; a later connection finds nobody.
        volume: attaches an empty volume to the host; the program that opens it.
    """

    hosts: Hosts
    host: HostAddress
    folder: str
    read: Callable[[str], tuple[bytes, int, str] | None]
    running: Callable[[str], list[str]]
    off: Callable[[], None]
    volume: Callable[[], str]


class HostsContract:
    """Tests; a subclass brings the fixture `site`."""

    @pytest.fixture
    def site(self) -> Site | Iterator[Site]:
        raise NotImplementedError

    @pytest.fixture
    def settled(self, site: Site) -> HostAddress:
        return replace(site.host, host_key=site.hosts.settle(site.host, seconds=20))

    def test_settling_gives_a_key_of_its_own_that_is_pinned_from_then_on(self, site: Site) -> None:
        own = site.hosts.settle(site.host, seconds=20)
        assert own.split()[0] == "ssh-ed25519"
        assert own.split()[:2] != site.host.host_key.split()[:2]
        with pytest.raises(Conflict) as caught:
            site.hosts.put(site.host, [])
        assert caught.value.code == "host_key_wrong"
        assert site.hosts.images(replace(site.host, host_key=own)) is not None

    def test_settling_again_gives_the_same_key_by_the_first_and_by_the_own(self, site: Site) -> None:
        """A crash after the host made its key and before anybody wrote it down."""
        own = site.hosts.settle(site.host, seconds=20)
        assert site.hosts.settle(site.host, seconds=20) == own
        assert site.hosts.settle(replace(site.host, host_key=own), seconds=20) == own

    def test_another_key_is_refused_before_anything_is_sent(self, site: Site) -> None:
        stranger = replace(site.host, host_key=public_key())
        path = f"{site.folder}/secret"
        for call in (
            lambda: site.hosts.settle(stranger, seconds=20),
            lambda: site.hosts.put(stranger, [HostFile(path=path, content=b"secret")]),
        ):
            with pytest.raises(Conflict) as caught:
                call()
            assert caught.value.code == "host_key_wrong"
        assert site.read(path) is None

    @pytest.mark.parametrize("hop", [0, 1])
    def test_each_host_on_the_way_must_show_its_key(self, site: Site, hop: int) -> None:
        via = list(site.host.via)
        via[hop] = replace(via[hop], host_key=public_key())
        with pytest.raises(Conflict) as caught:
            site.hosts.settle(replace(site.host, via=tuple(via)), seconds=20)
        assert caught.value.code == "host_key_wrong"
        assert via[hop].name in caught.value.message

    def test_files_arrive_with_content_mode_and_owner_and_replace_others(
        self, site: Site, settled: HostAddress
    ) -> None:
        path = f"{site.folder}/deep/er/key"
        site.hosts.put(settled, [HostFile(path=path, content=b"first", mode=0o644)])
        large = bytes(range(256)) * 2_000
        given = [
            HostFile(path=path, content=b"\x00second\n", mode=0o400, owner="70:70"),
            HostFile(path=f"{site.folder}/empty", content=b"", mode=0o600),
            HostFile(path=f'{site.folder}/it\'s "large"', content=large, mode=0o755),
        ]
        site.hosts.put(settled, given)
        assert site.read(path) == (b"\x00second\n", 0o400, "70:70")
        assert site.read(given[1].path) == (b"", 0o600, "0:0")
        assert site.read(given[2].path) == (large, 0o755, "0:0")

    def test_what_is_removed_is_gone_and_removing_again_is_no_error(self, site: Site, settled: HostAddress) -> None:
        path = f"{site.folder}/old"
        site.hosts.put(settled, [HostFile(path=path, content=b"x")])
        site.hosts.remove(settled, [path])
        assert site.read(path) is None
        site.hosts.remove(settled, [path, f"{site.folder}/never/was"])

    def test_a_folder_is_read_as_it_was_written(self, site: Site, settled: HostAddress) -> None:
        folder = f"{site.folder}/signing"
        assert site.hosts.read(settled, folder) == []
        given = [
            HostFile(path=f"{folder}/a.key", content=b"\x00first\n", mode=0o400, owner="70:70"),
            HostFile(path=f"{folder}/b", content=b"", mode=0o600),
        ]
        site.hosts.put(settled, [*given, HostFile(path=f"{folder}/deeper/c", content=b"passed over")])
        assert site.hosts.read(settled, folder) == given

    def test_services_go_up_and_down(self, site: Site, settled: HostAddress) -> None:
        site.hosts.put(settled, [HostFile(path=f"{site.folder}/docker-compose.yml", content=COMPOSE)])
        site.hosts.up(settled, site.folder, ["db"], seconds=20)
        assert site.running(site.folder) == ["db"]
        site.hosts.up(settled, site.folder, ["gateway", "db"], seconds=20)
        assert site.running(site.folder) == ["db", "gateway"]
        site.hosts.stop(settled, site.folder, ["gateway"], seconds=20)
        assert site.running(site.folder) == ["db"]
        site.hosts.up(settled, site.folder, ["gateway"], seconds=20)
        site.hosts.stop(settled, site.folder, seconds=20)
        assert site.running(site.folder) == []
        site.hosts.stop(settled, f"{site.folder}/nothing", seconds=20)
        site.hosts.up(settled, site.folder, ["gateway", "db"], seconds=20)
        site.hosts.down(settled, site.folder, volumes=True, seconds=20)
        assert site.running(site.folder) == []
        site.hosts.down(settled, site.folder, volumes=True, seconds=20)

    def test_a_service_that_is_not_there_fails_with_what_compose_says(self, site: Site, settled: HostAddress) -> None:
        with pytest.raises(Conflict) as caught:
            site.hosts.up(settled, site.folder, seconds=20)
        assert caught.value.code == "host_command_failed"
        site.hosts.put(settled, [HostFile(path=f"{site.folder}/docker-compose.yml", content=COMPOSE)])
        with pytest.raises(Conflict) as caught:
            site.hosts.task(settled, site.folder, "nobody", seconds=20)
        assert "no such service" in caught.value.message

    def test_a_program_is_asked_and_says_what_is_wrong(self, site: Site, settled: HostAddress) -> None:
        program = site.volume()
        assert site.hosts.ask(settled, [program, "state"], seconds=20).split() == ["empty"]
        with pytest.raises(Conflict) as caught:
            site.hosts.ask(settled, [program, "open"], given="k" * 43, seconds=20)
        assert caught.value.code == "host_command_failed"
        assert "not encrypted but empty" in caught.value.message
        site.hosts.ask(settled, [program, "make"], given="k" * 43, seconds=20)
        assert site.hosts.ask(settled, [program, "state"], seconds=20).split() == ["mounted"]

    def test_a_task_returns_what_it_printed(self, site: Site, settled: HostAddress) -> None:
        site.hosts.put(settled, [HostFile(path=f"{site.folder}/docker-compose.yml", content=COMPOSE)])
        assert site.hosts.task(settled, site.folder, "once", seconds=20) == "made\n"
        assert site.hosts.task(settled, site.folder, "once", ("other", "two words"), seconds=20) == "other two words\n"
        assert site.running(site.folder) == []

    def test_it_tells_of_itself_in_words_of_known_shapes(self, site: Site, settled: HostAddress) -> None:
        site.hosts.put(settled, [HostFile(path=f"{site.folder}/docker-compose.yml", content=COMPOSE)])
        site.hosts.up(settled, site.folder, ["db"], seconds=20)
        told = list(host_rows(site.hosts.look(settled, site.folder, seconds=20)))
        assert any(line.startswith("docker images ") for line in told)
        assert not [line for line in told if line.startswith("not_shown")], told
        assert site.hosts.log(settled, "nobody", IMAGE, lines=10, seconds=20) == ""

    def test_an_image_is_loaded_only_from_the_archive_that_was_named(
        self, site: Site, settled: HostAddress, tmp_path: Path
    ) -> None:
        archive = tmp_path / "image.tar"
        image_archive(archive, {IMAGE: ["frostbyte/api:1"], OTHER: []})
        right = hashlib.sha256(archive.read_bytes()).hexdigest()
        with pytest.raises(Conflict) as caught:
            site.hosts.load(settled, archive, "0" * 64, seconds=20)
        assert caught.value.code == "image_archive_wrong"
        assert IMAGE not in site.hosts.images(settled)
        assert site.hosts.load(settled, archive, right, seconds=20) == {"frostbyte/api:1": IMAGE, OTHER: OTHER}
        assert {IMAGE, OTHER} <= site.hosts.images(settled)

    def test_a_host_that_is_off_is_said_to_be_unreachable(self, site: Site, settled: HostAddress) -> None:
        site.off()
        with pytest.raises(Unavailable) as caught:
            site.hosts.images(settled)
        assert caught.value.code == "host_unreachable"
        with pytest.raises(Unavailable) as caught:
            site.hosts.settle(settled, seconds=0.5)
        assert caught.value.code in ("host_slow", "host_unreachable")
