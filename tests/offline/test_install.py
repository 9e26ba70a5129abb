"""install.sh on a small bundle: what it asks of a host, what it leaves there, and that twice is once."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import typer

from frostbyte.cli.app import app
from frostbyte.deploy.compose import Options
from offline.miniature import SCRIPTS, Host, Miniature, Signer
from servers.process import free_port

pytestmark = pytest.mark.slow


def install(host: Host, bundle: Path, signer: Signer, *more: str, port: int = 0) -> Any:
    """As an operator types it."""
    told = ["--signers", signer.signers, "--into", host.into, "--port", str(port or free_port()), *more]
    return host.run(bundle / "scripts/install.sh", *told)


def left(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file: when it was written, and what is in it; where each link leads."""
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mtime_ns,
            str(path.readlink()).encode() if path.is_symlink() else path.read_bytes(),
        )
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink()) and not path.name.startswith("lock.")
    }


def test_it_installs_and_says_address_sign_in_and_checkpoint(host: Host, miniature: Path, signer: Signer) -> None:
    done = install(host, miniature, signer, port=(port := free_port()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"http://127.0.0.1:{port}/" in done.stdout
    assert "token-of-operator" in done.stdout
    assert "NOT FOR PRODUCTION" in done.stdout
    assert (host.into / "state/log.pub").read_text() == "frostbyte/acme/plane+00000000+key\n"
    assert (host.into / "state/first-checkpoint").read_text().startswith("frostbyte/acme/plane\n2\n")
    assert len(host.state["images"]) == 8
    services = {one["labels"]["com.docker.compose.service"]: one for one in host.state["containers"].values()}
    assert {one["state"] for name, one in services.items() if name != "storage"} == {"running"}
    assert (host.volume("models") / "nomic-embed-text-v1.5/model.gguf").read_text() == "GGUF"
    assert (host.into / "bundle/docker-compose.yml").read_bytes() == (miniature / "docker-compose.yml").read_bytes()
    assert not (host.into / "bundle/images").exists()
    assert (host.into / "trust/signers").read_bytes() == signer.signers.read_bytes()


def test_twice_is_once(host: Host, miniature: Path, signer: Signer) -> None:
    port = free_port()
    assert install(host, miniature, signer, port=port).returncode == 0
    before, state, calls = left(host.into), host.state, len(host.calls)
    again = install(host, miniature, signer, port=port)
    assert again.returncode == 0, again.stderr
    assert (left(host.into), host.state) == (before, state)
    words = {
        (call[0], *(word for word in call if word in ("up", "exec", "run", "create"))) for call in host.calls[calls:]
    }
    assert not {word for call in words for word in call} & {"load", "run", "up", "exec", "create"}
    assert "token-of-operator" not in again.stdout
    assert "nothing was changed" in again.stdout


def refused(done: Any) -> set[str]:
    """The names of what it stopped for."""
    return set(re.findall(r"\[([a-z_]+)\]$", done.stderr, flags=re.MULTILINE))


def test_all_that_a_host_lacks_is_said_at_once_and_nothing_is_changed(
    host: Host, signer: Signer, tmp_path: Path
) -> None:
    greedy = Miniature(memory_mb=10**9, disk_mb=10**9, created_at="2999-01-01T00:00:00Z", architecture="arm64")
    bundle = greedy.write(tmp_path, signer)
    host.told(version="19.3.1", compose="2.4.0", security=["name=rootless"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = install(host, bundle, signer, "--subnet", "172.17.0.0/16", "--edge", "172.17.8.0/29", port=port)
        free = re.search(r"--port (\d+)", done.stderr)
    assert done.returncode == 10, done.stdout + done.stderr
    assert refused(done) == {
        *("docker_old", "compose_old", "docker_renames", "architecture_other", "clock_wrong", "memory_short"),
        *("disk_short", "port_taken", "subnet_bad", "host_lacks"),
    }
    assert free is not None
    assert int(free[1]) != port
    assert done.stderr.count("What to do:") == 10
    assert not host.into.exists()


def test_free_networks_are_proposed_where_the_host_has_others_and_they_do(
    host: Host, miniature: Path, signer: Signer
) -> None:
    for name, subnet in (("theirs", "172.28.0.0/14"), ("edge", "172.24.0.0/14"), ("more", "172.30.0.0/16")):
        host.run(host.bin / "docker", "network", "create", "--subnet", subnet, name)
    done = install(host, miniature, signer)
    assert (done.returncode, refused(done)) == (10, {"subnet_taken", "host_lacks"}), done.stderr
    proposed = re.findall(r"Choose a free one: (--\w+) (\S+)", done.stderr)
    nets = [ip_network(net) for _, net in proposed]
    assert [option for option, _ in proposed] == ["--subnet", "--edge"]
    taken = [ip_network(one["subnet"]) for one in host.state["networks"].values()]
    assert not any(net.overlaps(other) for net in nets for other in taken)
    assert not nets[0].overlaps(nets[1])
    again = install(host, miniature, signer, *(word for pair in proposed for word in pair), "--dry-run")
    assert again.returncode == 0, again.stderr
    assert "Nothing was changed" in again.stdout
    assert not host.into.exists()


@pytest.mark.parametrize(
    ("case", "code", "name"),
    [
        ("no docker", 10, "docker_missing"),
        ("silent", 10, "docker_silent"),
        ("elsewhere", 10, "docker_elsewhere"),
        ("leftovers", 10, "leftovers"),
        ("file in the way", 10, "folder_closed"),
        ("other bundle", 10, "installed_other"),
        ("update under way", 10, "update_unfinished"),
        ("other signers", 11, "signers_differ"),
        ("no signers", 2, "usage"),
        ("option", 2, "usage"),
        ("delta", 10, "bundle_partial"),
        ("unwell", 1, "service_unwell"),
    ],
)
def test_it_stops_with_a_name_and_what_to_do(
    host: Host, miniature: Path, signer: Signer, tmp_path: Path, case: str, code: int, name: str
) -> None:
    told = ["--signers", str(signer.signers), "--into", str(host.into), "--port", str(free_port())]
    script = miniature / "scripts/install.sh"
    if case == "no docker":
        (host.bin / "docker").unlink()
    elif case in ("silent", "elsewhere"):
        host.told(silent=case == "silent", root="/nonexistent/docker")
    elif case == "leftovers":
        label = "com.docker.compose.project=frostbyte-acme"
        host.run(host.bin / "docker", "volume", "create", "--label", label, "frostbyte-acme_pgdata")
    elif case == "file in the way":
        host.into.write_text("")
    elif case == "other bundle":
        host.into.mkdir()
        (host.into / "bundle").symlink_to("bundles/0.9-amd64-000000000000")
    elif case == "update under way":
        (host.into / "state").mkdir(parents=True)
        (host.into / "state/update.journal").write_text("")
    elif case == "other signers":
        (host.into / "trust").mkdir(parents=True)
        (host.into / "trust/signers").write_text("others")
    elif case == "no signers":
        del told[:2]
    elif case == "option":
        told.append("--force")
    elif case == "delta":
        script = Miniature(version="1.1", base="1.0-amd64-0").write(tmp_path, signer) / "scripts/install.sh"
    else:
        host.told(unwell=["intake-gateway"])
    done = host.run(script, *told, FROSTBYTE_START_SECONDS="1")
    assert (done.returncode, name in refused(done)) == (code, True), done.stdout + done.stderr
    assert not {call[0] for call in host.calls} & {"load", "exec"} or case == "unwell"


def test_networks_in_bash_are_those_of_the_compose_file(host: Host, miniature: Path, signer: Signer) -> None:
    """What install.sh writes into .env is what `Options.values` says, for any networks."""
    script = host.folder / "try.sh"
    script.write_text(f'. "{SCRIPTS}/lib.sh"; . "{SCRIPTS}/host.sh"; network_settings "$1" "$2"\n')
    for subnet, edge in (("172.28.0.0/16", "172.30.6.0/29"), ("10.9.8.64/27", "198.18.104.0/28")):
        said = host.run(script, subnet, edge).stdout.split()
        values = Options(tenant="acme", version="1", subnet=subnet, edge=edge).values
        names = ("SUBNET", "SERVING_ADDRESS", "DEAD_END", "EDGE_SUBNET", "EDGE_GATEWAY", "EDGE_DEAD_END")
        assert said == [f"FROSTBYTE_{name}={values[name]}" for name in names]


def test_every_answer_of_the_stand_in_is_a_command_of_ours() -> None:
    """What the small host's containers do is typed in the same words on a real one."""
    text = (Path(__file__).with_name("answers.py")).read_text()
    found = re.findall(r'^    "([a-z ]+)": ', text, flags=re.MULTILINE)
    assert len(found) > 3
    assert "bundle models" in found
    for words in found:
        command: Any = typer.main.get_command(app)
        for word in words.split():
            assert word in command.commands, words
            command = command.commands[word]
