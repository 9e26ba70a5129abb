"""A service that ends as often as it is started is seen as what it is, and not waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offline.miniature import Host, Signer
from offline.test_install import install, refused
from servers.process import free_port

pytestmark = pytest.mark.slow

SAID = {"plane logs": {"stdout": "  error storage_full 3 times\n  17 lines are not shown\n"}}


def loops(restarts: int, **more: Any) -> dict[str, Any]:
    return {"restarts": restarts, "exit": 1, "oom": False} | more


def test_it_says_which_why_and_what_to_do(host: Host, miniature: Path, signer: Signer) -> None:
    host.told(looping={"minio": loops(5, exit=137, oom=True)})
    host.answer(**SAID)
    done = install(host, miniature, signer)
    assert (done.returncode, refused(done)) == (1, {"service_loops"}), done.stdout + done.stderr
    assert "minio was started 5 times and ended each time (exit code 137, as memory was short)" in done.stderr
    assert "this host's memory" in done.stderr
    assert "The last lines of minio:\n  error storage_full 3 times\n  17 lines are not shown\n" in done.stderr
    assert "log line" not in done.stderr, "a line of a log as it is may quote what a document holds"
    assert "waiting for" in done.stdout


def test_starts_of_before_are_not_counted(host: Host, miniature: Path, signer: Signer) -> None:
    """Whoever made room on the disk runs the same command again, and the engine has not forgotten."""
    port = free_port()
    host.told(looping={"minio": loops(4)})
    assert refused(install(host, miniature, signer, port=port)) == {"service_loops"}
    told = ["--signers", str(signer.signers), "--into", str(host.into), "--port", str(port)]
    again = host.run(miniature / "scripts/install.sh", *told, FROSTBYTE_START_SECONDS="1")
    assert refused(again) == {"service_unwell"}, again.stderr
    host.told(looping={"minio": loops(7)})
    once_more = host.run(miniature / "scripts/install.sh", *told, FROSTBYTE_START_SECONDS="600")
    assert refused(once_more) == {"service_loops"}
    assert "was started 3 times" in once_more.stderr
    host.told()
    last = install(host, miniature, signer, port=port)
    assert last.returncode == 0, last.stderr


def test_a_task_that_has_given_up_is_not_waited_for(host: Host, miniature: Path, signer: Signer) -> None:
    host.told(looping={"storage": loops(0, state="exited", exit=4)})
    done = install(host, miniature, signer)
    assert refused(done) == {"service_loops"}, done.stderr
    assert "storage has failed (exit code 4)" in done.stderr


def test_a_service_whose_program_is_not_in_its_image_is_not_waited_for(
    host: Host, miniature: Path, signer: Signer
) -> None:
    """An engine leaves it as it made it, with what its runtime said for an exit code, and counts no start."""
    host.told(looping={"redis": loops(0, state="created", exit=127)})
    done = install(host, miniature, signer)
    assert refused(done) == {"service_loops"}, done.stderr
    assert "redis has no program that can be started (exit code 127)" in done.stderr


def test_compose_that_waits_for_it_for_ever_is_not_waited_for(host: Host, miniature: Path, signer: Signer) -> None:
    host.told(looping={"postgres": loops(3, blocks=True)})
    told = ["--signers", str(signer.signers), "--into", str(host.into), "--port", str(free_port())]
    done = host.run(miniature / "scripts/install.sh", *told, FROSTBYTE_UP_SECONDS="1")
    assert refused(done) == {"service_loops"}, done.stderr
    assert "postgres was started 3 times" in done.stderr
