"""Finding the plane and the token, and what a person reads when something is wrong."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import pytest

from cli.fake_plane import TOKEN, FakePlane, Run
from frostbyte.cli import app, errors
from frostbyte.cli.client import problem
from frostbyte.cli.exits import OF_KIND, Exit
from frostbyte.kernel.errors import Kind


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_without_a_plane_the_remedy_is_to_start_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("FROSTBYTE_URL", url)
    ended = run("search", "anything", "--token", "t")
    assert ended.code == Exit.UNAVAILABLE
    assert f"No plane answers at {url}" in ended.err
    assert "make up" in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_without_a_token_the_places_to_put_one_are_named(run: Run) -> None:
    ended = run("status")
    assert ended.code == Exit.REFUSED
    assert "FROSTBYTE_TOKEN_FILE" in ended.err


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "token_expired", Exit.REFUSED),
        (403, "scope_missing", Exit.REFUSED),
        (404, "batch_not_found", Exit.NOT_FOUND),
        (409, "config_changed", Exit.REFUSED),
        (410, "key_destroyed", Exit.NOT_FOUND),
        (413, "too_large", Exit.REFUSED),
        (422, "query_invalid", Exit.USAGE),
        (429, "rate_limited", Exit.UNAVAILABLE),
        (500, "internal_error", Exit.INTERNAL),
        (503, "embedder_unavailable", Exit.UNAVAILABLE),
    ],
)
def test_a_problem_becomes_its_sentence_remedy_and_exit_code(
    run: Run, plane: FakePlane, status: int, code: str, expected: Exit
) -> None:
    plane.problem("POST", "/query", status, code, "This is what happened.", "This is what to do.")
    ended = run("search", "anything")
    assert ended.code == expected
    for said in ("This is what happened.", "This is what to do.", code):
        assert said in ended.err
    as_json = run("search", "anything", "--json")
    assert as_json.code == expected
    assert json.loads(as_json.err)["error"] == {
        "code": code,
        "message": "This is what happened.",
        "remedy": "This is what to do.",
    }


def test_a_server_that_is_no_plane_is_told_as_such(run: Run, plane: FakePlane) -> None:
    plane.on("POST", "/query", (502, b"<html>Bad Gateway</html>"))
    assert "may not be a Frostbyte plane" in run("search", "anything").err
    plane.on("POST", "/query", b"hello")
    ended = run("search", "anything")
    assert ended.code == Exit.UNAVAILABLE
    assert "does not speak" in ended.err


def test_every_kind_of_error_has_an_exit_code() -> None:
    assert set(OF_KIND) == set(Kind)


def test_a_typo_is_a_usage_error_with_a_suggestion(run: Run) -> None:
    ended = run("serch", "x")
    assert ended.code == Exit.USAGE
    assert "search" in ended.err


def test_a_fault_of_ours_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    assert errors.run(broken, []) == Exit.INTERNAL
    monkeypatch.setenv("FROSTBYTE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        errors.run(broken, [])


def test_the_token_comes_from_the_nearest_place(
    run: Run, plane: FakePlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent() -> str:
        assert run("review", "list").code == Exit.OK
        return plane.last("GET", "/review").headers["Authorization"]

    plane.on("GET", "/review", {"chunks": [], "documents": []})
    assert sent() == f"Bearer {TOKEN}"
    assert run("review", "list", "--token", "given").code == Exit.OK
    assert plane.last("GET", "/review").headers["Authorization"] == "Bearer given"
    monkeypatch.delenv("FROSTBYTE_TOKEN")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "token").write_text("written by serve\n")
    (folder / "token").chmod(0o600)
    assert sent() == "Bearer written by serve"
    named = tmp_path / "named"
    named.write_text("named\n")
    named.chmod(0o600)
    monkeypatch.setenv("FROSTBYTE_TOKEN_FILE", str(named))
    assert sent() == "Bearer named"


def test_a_token_that_others_may_read_is_refused(
    run: Run, plane: FakePlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FROSTBYTE_TOKEN")
    open_to_all = tmp_path / "token"
    open_to_all.write_text("t")
    open_to_all.chmod(0o644)
    monkeypatch.setenv("FROSTBYTE_TOKEN_FILE", str(open_to_all))
    ended = run("status")
    assert ended.code == Exit.REFUSED
    assert "chmod 600" in ended.err
    assert not plane.seen


def test_the_local_token_never_leaves_the_machine(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "token").write_text("local")
    (folder / "token").chmod(0o600)
    monkeypatch.setenv("FROSTBYTE_URL", "http://plane.example.com")
    ended = run("status")
    assert ended.code == Exit.REFUSED
    assert "not on this machine" in ended.err


def test_the_address_is_the_one_that_serve_announced(
    run: Run, plane: FakePlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FROSTBYTE_URL")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "url").write_text(plane.url + "\n")
    plane.on("GET", "/review", {"chunks": [], "documents": []})
    assert run("review", "list").code == Exit.OK


@pytest.mark.parametrize("id", ["../../audit/events", "..", "", "01990000-0000-7000-8000-00000000000", "\x1b[2J"])
def test_an_id_cannot_reach_another_route(run: Run, plane: FakePlane, id: str) -> None:
    for command in (["report"], ["status"], ["erasure"], ["erase", "-y"], ["proof", "get"], ["token", "revoke"]):
        ended = run(*command, id)
        assert ended.code == Exit.USAGE
        assert "is not an id" in ended.err
        assert "\x1b" not in ended.err
    assert not plane.seen


def test_an_address_that_is_none_is_a_usage_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTBYTE_URL", "localhost:8080")
    assert run("status", "--token", "t").code == Exit.USAGE


def test_help_names_every_command(run: Run) -> None:
    listed = run("--help").out
    for name in ("ingest", "search", "status", "report", "review", "erase", "erasure", "audit", "proof", "config",
                 "token", "serve", "doctor", "demo", "parse", "version"):  # fmt: skip
        assert name in listed


def test_the_version_is_the_package_s(run: Run) -> None:
    import frostbyte

    assert run("version").out.strip() == f"frostbyte {frostbyte.__version__}"
    assert run("version", "--json").json["version"] == frostbyte.__version__
    assert app.run(["version"]) == 0


@pytest.mark.parametrize(("header", "code"), [("tenant_suspended", "tenant_suspended"), ("<b>", "http_503")])
def test_an_edge_that_is_shut_says_so_in_a_header_alone(header: str, code: str) -> None:
    said = httpx.Response(503, headers={"X-Frostbyte-Code": header}, content=b"no available server\n")
    found = problem(said)
    assert (found.code, found.kind) == (code, Kind.UNAVAILABLE)
    assert ("lets no request of this tenant through: suspended" in found.message) is (code == "tenant_suspended")
