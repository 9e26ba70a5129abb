"""install.sh is ended by SIGKILL at any of its commands, and run again: it goes on, and ends as if nothing had been.

A seeded chain of kills runs with the slow tests; FROSTBYTE_SOAK=all kills at every command of the script, and before
and after every call of Docker.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from draws import SEED, SOAK
from offline.miniature import Host, Signer
from servers.process import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(14_000)]
TAP = """\
__commands=0
__tap() { if ((BASH_SUBSHELL == 0 && ++__commands == FROSTBYTE_KILL_AT)); then kill -9 0; fi; }
set -o functrace
trap __tap DEBUG
trap 'printf %s "$__commands" >"$FROSTBYTE_COUNTED"' EXIT
"""
"""Sourced by bash before the script (BASH_ENV): counts commands of the script itself, and ends all at one of them."""


def tapped(host: Host, bundle: Path, signer: Signer, port: int, kill_at: int = 0) -> int:
    """Run it with the tap; its exit code."""
    tap = host.folder / "tap.sh"
    tap.write_text(TAP)
    done = host.run(
        bundle / "scripts/install.sh",
        "--signers",
        signer.signers,
        "--into",
        host.into,
        "--port",
        str(port),
        BASH_ENV=str(tap),
        FROSTBYTE_KILL_AT=str(kill_at),
        FROSTBYTE_COUNTED=str(host.folder / "counted"),
        timeout=300,
    )
    assert done.returncode in (0, -9), done.stdout + done.stderr
    return done.returncode


def outcome(host: Host) -> dict[str, object]:
    """What an installation leaves, but for what is different each time: secrets, times."""
    state = host.state
    kept = sorted(
        path.relative_to(host.into).as_posix()
        for path in host.into.rglob("*")
        if path.is_file() and not path.name.startswith("lock.")
    )
    return {
        "files": kept,
        "settings": (host.into / "plane/.env").read_text(),
        "images": sorted(state["images"]),
        "containers": {name: (one["image"], one["state"], one["health"]) for name, one in state["containers"].items()},
        "networks": state["networks"],
        "volumes": sorted(state["volumes"]),
        "models": sorted(
            path.read_text() for name in ("models", "clamavdata") for path in host.volume(name).rglob("*.*f")
        ),
    }


def same_as(host: Host, expected: dict[str, object]) -> None:
    found = outcome(host)
    assert found == expected
    # The database has the password that the services are given: no second one was made for it.
    kept = (host.volume("pgdata") / "password").read_bytes()
    assert kept == (host.into / "plane/secrets/postgres-password").read_bytes()


def test_a_kill_at_any_command_costs_nothing_but_time(
    miniature: Path, signer: Signer, tmp_path: Path, host: Host
) -> None:
    port = free_port()
    assert tapped(host, miniature, signer, port) == 0
    expected, commands = outcome(host), int((host.folder / "counted").read_text())
    assert commands > 300
    calls = len(host.calls)
    if not SOAK:
        other = Host(tmp_path / "other")
        for kill_at in sorted(random.Random(SEED).sample(range(1, commands), 3)):
            tapped(other, miniature, signer, port, kill_at)
        assert tapped(other, miniature, signer, port) == 0
        same_as(other, expected)
        return
    for kill_at in range(1, commands):
        other = Host(tmp_path / f"command-{kill_at}")
        assert tapped(other, miniature, signer, port, kill_at) == -9
        assert tapped(other, miniature, signer, port) == 0
        same_as(other, expected)
    for call in range(1, calls + 1):
        for when in ("before", "after"):
            other = Host(tmp_path / f"call-{call}-{when}")
            other.cut_power(call, when)
            assert tapped(other, miniature, signer, port) == -9
            assert tapped(other, miniature, signer, port) == 0
            same_as(other, expected)


def test_a_power_cut_around_what_docker_does_costs_nothing_but_time(
    miniature: Path, signer: Signer, host: Host
) -> None:
    """At calls that change something, one after the other on one host."""
    port = free_port()
    cuts = [(words, when) for words in ("load", "run", "volume create", "up", "exec") for when in ("before", "after")]
    for words, when in cuts if SOAK else cuts[1:9:2]:
        cut_at_next(host, words, when)
        assert tapped(host, miniature, signer, port) == -9, (words, when)
    assert tapped(host, miniature, signer, port) == 0
    assert (host.volume("pgdata") / "password").read_bytes() == (
        host.into / "plane/secrets/postgres-password"
    ).read_bytes()


def cut_at_next(host: Host, words: str, when: str) -> None:
    """At the next call that has these words."""
    (host.standin / "die").write_text(f"{words} {when}")
