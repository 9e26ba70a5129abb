"""verify.sh on a small bundle: what it looks at, that each thing that is not well is named, and its reports."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from offline.miniature import Host, Signer
from offline.said import CHECKED, PROBED
from offline.test_install import install

pytestmark = pytest.mark.slow
Verify = Callable[..., dict[str, Any]]


class _Door(BaseHTTPRequestHandler):
    """Answers as a plane's door does."""

    def do_GET(self) -> None:
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def door() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
    server.status = 200  # type: ignore[attr-defined]
    threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, miniature: Path, signer: Signer) -> Host:
    """A host with a plane; each test gets a copy of it."""
    host = Host(tmp_path_factory.mktemp("installed") / "host")
    done = install(host, miniature, signer)
    assert done.returncode == 0, done.stdout + done.stderr
    return host


@pytest.fixture
def host(installed: Host, tmp_path: Path, door: ThreadingHTTPServer) -> Host:
    """That host, copied, with a door that answers."""
    copy = Host(tmp_path / "host")
    for folder in ("opt", "docker"):
        shutil.rmtree(copy.folder / folder, ignore_errors=True)
        shutil.copytree(installed.folder / folder, copy.folder / folder, symlinks=True)
    settings = copy.into / "plane/.env"
    lines = [line for line in settings.read_text().splitlines() if not line.startswith("FROSTBYTE_PORT=")]
    settings.write_text("\n".join([*lines, f"FROSTBYTE_PORT={door.server_address[1]}"]) + "\n")
    return copy


@pytest.fixture
def verify(host: Host) -> Verify:
    """Runs it; the report for programs, with what is wrong by name."""

    def command(*options: str) -> dict[str, Any]:
        done = host.run(host.into / "bundle/scripts/verify.sh", "--into", host.into, "--json", *options)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (report["result"] == "fail")
        report["failed"] = {one["name"] for one in report["findings"] if one["level"] == "fail"}
        assert all(one["remedy"] for one in report["findings"] if one["level"] == "fail")
        return report

    return command


def test_a_plane_that_is_well(host: Host, verify: Verify) -> None:
    report = verify()
    assert report["failed"] == set(), [one for one in report["findings"] if one["level"] == "fail"]
    assert [one["name"] for one in report["findings"]] == NAMES
    assert len(report["probes"]) == 10
    assert all(one["isolated"] for one in report["probes"].values())
    assert report["checkpoint"] == (host.into / "state/checkpoint").read_text()


NAMES = [
    *("signature", "files", "images_signed", "models_signed"),
    *("docker", "disk", "clock", "secrets_closed", "unfinished"),
    *("services_run", "network_internal", "health"),
    *("no_default_route", "nothing_leads_out"),
    *("malware_caught", "audit_intact"),
]
"""What is looked at, on the miniature: of commands of ours the stand-in answers a few findings only."""


def test_the_report_for_people_says_the_same(host: Host, verify: Verify) -> None:
    host.answer(**{"plane check": {"stdout": CHECKED.replace("ok\tmalware_caught", "fail\tmalware_caught"), "exit": 3}})
    done = host.run(host.into / "bundle/scripts/verify.sh", "--into", host.into)
    assert done.returncode == 1
    assert "NOT WELL: 1 of" in done.stdout
    assert done.stdout.count("malware_caught") == 2
    kept = sorted((host.into / "state/verify").iterdir())
    report = json.loads(next(path for path in kept if path.suffix == ".json").read_text())
    assert [one["name"] for one in report["findings"] if one["level"] == "fail"] == ["malware_caught"]
    digest = hashlib.sha256(next(path for path in kept if path.suffix == ".json").read_bytes()).hexdigest()
    assert digest in done.stdout
    assert next(path for path in kept if path.suffix == ".txt").read_text() in done.stdout


@pytest.mark.parametrize("name", ["scripts/lib.sh", "scripts/verify.sh", "docker-compose.yml", "MANIFEST.tsv"])
def test_what_was_kept_is_held_against_its_signature(host: Host, name: str) -> None:
    """Scripts too, though one that was changed could as well say nothing: whoever doubts checks from outside first."""
    path = (host.into / "bundle").resolve() / name
    with path.open("a") as file:
        file.write("\n")
    done = host.run(host.into / "bundle/scripts/verify.sh", "--into", host.into, "--read-only")
    assert done.returncode in (1, 11)
    assert "is not what was signed" in done.stdout or "[bundle_manifest]" in done.stderr


def test_a_file_that_is_gone_or_more_than_was_signed(host: Host, verify: Verify) -> None:
    bundle = (host.into / "bundle").resolve()
    (bundle / "config/more.json").write_text("{}")
    assert verify()["failed"] == {"files"}
    (bundle / "config/more.json").unlink()
    (bundle / "licences/LICENSE").unlink()
    assert verify()["failed"] == {"files"}


def test_signers_that_were_exchanged(host: Host, verify: Verify, tmp_path: Path) -> None:
    (host.into / "trust/signers").write_bytes(Signer(tmp_path / "another").signers.read_bytes())
    assert verify()["failed"] == {"signature", "files"}


def test_images_that_are_gone_or_others_than_were_signed(host: Host, verify: Verify) -> None:
    settings = host.into / "plane/.env"
    text = settings.read_text()
    line = next(line for line in text.splitlines() if line.startswith("FROSTBYTE_IMAGE_REDIS="))
    settings.write_text(text.replace(line, "FROSTBYTE_IMAGE_REDIS=sha256:" + "0" * 64))
    assert verify()["failed"] == {"images_signed"}


def test_a_model_that_was_exchanged_and_signatures_that_nobody_signed(host: Host, verify: Verify) -> None:
    (host.volume("models") / "nomic-embed-text-v1.5/model.gguf").write_text("another")
    (host.volume("clamavdata") / "daily.cld").write_text("fetched")
    report = verify()
    assert report["failed"] == {"models_signed"}
    said = next(one["message"] for one in report["findings"] if one["name"] == "models_signed")
    assert "model.gguf is not what was signed" in said
    assert "daily.cld was not signed" in said


def test_secrets_that_others_may_read_and_a_door_that_does_not_answer(
    host: Host, verify: Verify, door: ThreadingHTTPServer
) -> None:
    folder = host.into / "plane/secrets"
    folder.chmod(0o755)
    next(iter(folder.iterdir())).chmod(0o644)
    door.status = 503  # type: ignore[attr-defined]
    try:
        assert verify()["failed"] == {"secrets_closed", "health"}
    finally:
        door.status = 200  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({"stdout": PROBED.replace('"holds": true', '"holds": false', 1), "exit": 3}, {"nothing_leads_out"}),
        (
            {"stdout": PROBED.replace('"routes": []', '"routes": [\n {\n "dead": false\n }\n ]'), "exit": 3},
            {"no_default_route"},
        ),
        ({"stdout": PROBED, "exit": 3}, {"nothing_leads_out"}),
        ({"stdout": PROBED, "exit": 1}, {"probes"}),
    ],
    ids=["a way out", "a route", "an exit code alone", "a failure"],
)
def test_isolation_is_believed_only_where_it_was_shown(
    host: Host, verify: Verify, told: dict[str, Any], wrong: set[str]
) -> None:
    host.answer(**{"plane probe": told})
    assert verify()["failed"] == wrong


@pytest.mark.parametrize("told", [{"stdout": "", "exit": 0}, {"stdout": "", "stderr": "boom", "exit": 1}])
def test_commands_that_say_nothing_have_shown_nothing(host: Host, verify: Verify, told: dict[str, Any]) -> None:
    host.answer(**dict.fromkeys(("plane check", "plane containers", "plane digests", "plane probe"), told))
    assert verify()["failed"] == {"acceptance", "containers", "models_signed", "probes"}


def test_a_plane_that_does_not_run(host: Host, verify: Verify) -> None:
    state = host.state
    for one in state["containers"].values():
        one["state"] = "exited"
    (host.standin / "state.json").write_text(json.dumps(state))
    assert {"probes", "acceptance"} <= verify()["failed"]


def test_the_checkpoint_that_was_seen_last_is_what_the_next_look_begins_with(host: Host, verify: Verify) -> None:
    verify()
    kept = (host.into / "state/checkpoint").read_text()
    verify()
    last = [call for call in host.calls if "check" in call and "plane" in call][-1]
    assert last[last.index("--since") + 1] == "-"
    host.answer(
        **{
            "plane check": {
                "stdout": CHECKED.replace(
                    "ok\taudit_intact\t32 events, signed and chained.\t-", "fail\taudit_intact\tNo.\tSee."
                ),
                "exit": 3,
            }
        }
    )
    (host.into / "state/checkpoint").write_text(kept.replace("32", "31"))
    assert verify()["failed"] == {"audit_intact"}
    assert "31" in (host.into / "state/checkpoint").read_text()


def test_limits_and_dates_reach_the_plane(host: Host, verify: Verify) -> None:
    verify("--signatures-days", "7,14", "--model-days", "0,365", "--whole-audit", "--outside", "198.51.100.9:80")
    words = [call for call in host.calls if "check" in call and "plane" in call][-1]
    for option, value in (
        ("--signatures-days", "7,14"),
        ("--model-days", "0,365"),
        ("--signatures-date", "2026-02-11T12:00:00Z"),
        ("--model-date", "2026-02-11T12:00:00Z"),
    ):
        assert words[words.index(option) + 1] == value
    probe = [call for call in host.calls if "probe" in call][-1]
    assert probe[probe.index("--to") + 1] == "198.51.100.9:80"


@pytest.mark.parametrize(
    "words", [("--frob",), ("--signatures-days", "x"), ("--model-days",), ("--outside", "somewhere")]
)
def test_a_wrong_command_line_is_refused(host: Host, words: tuple[str, ...]) -> None:
    done = host.run(host.into / "bundle/scripts/verify.sh", "--into", host.into, *words)
    assert done.returncode == 2
    assert "[usage]" in done.stderr


def test_where_there_is_no_plane(host: Host, tmp_path: Path) -> None:
    done = host.run(host.into / "bundle/scripts/verify.sh", "--into", tmp_path / "nothing")
    assert done.returncode == 10
    assert "[not_installed]" in done.stderr


CANARY = "Kanari7-Vogel-q8Zx"


def test_what_support_collects_holds_nothing_of_what_was_planted(host: Host) -> None:
    """In every secret, in settings that nobody knows, in volumes, journals and reports; and the file is its owner's."""
    for folder in ("secrets", "passwords"):
        for path in (host.into / "plane" / folder).iterdir():
            path.write_text(f"{CANARY}\n")
    with (host.into / "plane/.env").open("a") as settings:
        settings.write(f"FROSTBYTE_LOG_LEVEL={CANARY}\nFROSTBYTE_OTHER={CANARY}\n")
    for volume in (host.standin / "volumes").iterdir():
        (volume / CANARY).write_text(CANARY)
    with (host.into / "state/install.journal").open("a") as journal:
        journal.write(f"2026-03-01T10:00:00Z\t{CANARY}\t{CANARY}\n")
    (host.into / "state/verify").mkdir()
    planted = {"level": "fail", "name": "malware_caught", "message": CANARY, "remedy": CANARY}
    (host.into / "state/verify/1.json").write_text(json.dumps(planted, indent=1).replace("{", "{\n"))
    host.answer(**{"plane status": {"stdout": json.dumps({"upkeep": CANARY, "leases": 3}, indent=2)}})
    out = host.folder / "out.txt"
    done = host.run(host.into / "bundle/scripts/support.sh", "--into", host.into, "--out", out)
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    assert CANARY not in text + done.stdout + done.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    for wanted in (
        "docker 20.10.24",
        "bundle 1.0-amd64-",
        "FROSTBYTE_PORT ",
        "looked_at 1.json malware_caught",
        "leases 3",
    ):
        assert wanted in text
    assert text.count("lines are not shown") == 11
    host.answer(**{"plane logs": {"stdout": CANARY, "exit": 1}})
    host.run(host.into / "bundle/scripts/support.sh", "--into", host.into, "--out", out)
    assert CANARY not in out.read_text()
