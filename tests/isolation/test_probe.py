"""What the probe reads from the kernel, how it judges, and what it writes by hand; real walls are in tests/offline."""

from __future__ import annotations

import errno
import json
import socket
import struct
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbyte.adapters import isolation
from frostbyte.adapters.isolation import Outcome, default_routes, look, neighbours
from frostbyte.cli.app import run

HERE = Path(__file__).parent
EXPECTED = tomllib.loads((HERE / "expected.toml").read_text())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_kernel_s_tables_are_read(name: str) -> None:
    folder = HERE / "tables" / name
    routes = [f"{one.interface} {one.via} {'dead' if one.dead else 'leads'}" for one in default_routes(folder)]
    assert routes == EXPECTED[name]["routes"]
    assert [" ".join(one) for one in neighbours(folder)] == EXPECTED[name]["bridges"]


def test_a_kernel_without_ipv6_has_no_such_routes(tmp_path: Path) -> None:
    for table in ("route", "arp"):
        (tmp_path / table).write_bytes((HERE / "tables/inside" / table).read_bytes())
    assert list(default_routes(tmp_path)) == []


def failing(error: OSError) -> Callable[[], tuple[Outcome, str]]:
    def attempt() -> tuple[Outcome, str]:
        raise error

    return attempt


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError(errno.ENETUNREACH, ""), Outcome.CLOSED),
        (OSError(errno.EHOSTUNREACH, ""), Outcome.CLOSED),
        (PermissionError(errno.EPERM, ""), Outcome.CLOSED),
        # Nobody answered: a packet may have left.
        (TimeoutError(), Outcome.SILENT),
        (OSError(errno.ENOBUFS, ""), Outcome.SILENT),
        # Whoever refuses was reached.
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), Outcome.OPEN),
    ],
    ids=str,
)
def test_only_the_kernel_s_own_no_holds(error: OSError, outcome: Outcome) -> None:
    found = isolation._tried(isolation.Way.TCP, "x", failing(error))
    assert (found.outcome, found.holds) == (outcome, outcome is Outcome.CLOSED)


def test_who_is_reached_is_said_to_be(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On the loopback of this machine: TCP and UDP answer, so it is not isolated, and the command ends with 3."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        port = server.getsockname()[1]
        echo.bind(("127.0.0.1", port))
        echo.settimeout(10)

        def answer() -> None:
            data, sender = echo.recvfrom(100)
            echo.sendto(data, sender)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        monkeypatch.setattr(isolation, "neighbours", lambda: iter(()))
        monkeypatch.setattr(isolation, "_resolvers", list)
        assert run(["plane", "probe", "--to", f"127.0.0.1:{port}", "--seconds", "4", "--json"]) == 3
        thread.join(5)
    found = json.loads(capsys.readouterr().out)
    outcomes = {(one["way"], one["to"]): one["outcome"] for one in found["attempts"]}
    assert outcomes["tcp", f"127.0.0.1:{port}"] == outcomes["udp", f"127.0.0.1:{port}"] == "open"
    assert found["isolated"] is False


@pytest.mark.parametrize("code", [0, 2, 3, 5])
def test_an_answer_about_a_name_comes_from_outside_and_a_failure_does_not(code: int) -> None:
    asked: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        port = server.getsockname()[1]

        def answer() -> None:
            data, sender = server.recvfrom(512)
            asked.append(data)
            server.sendto(data[:2] + struct.pack("!H", 0x8180 | code) + data[4:], sender)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            outcome = isolation._code(client, ("127.0.0.1", port), "abc.example.com")[0]
        thread.join(5)
    assert asked[0][12:].startswith(b"\x03abc\x07example\x03com\x00")
    assert outcome is (Outcome.OPEN if code in (0, 3) else Outcome.CLOSED)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(1, 65535))
def test_a_frame_by_hand_is_a_packet_that_a_router_would_take(sender: object, host: object, port: int) -> None:
    frame = isolation._frame(b"\x02" * 6, b"\x04" * 6, str(sender), str(host), port)
    assert frame[:14] == b"\x04" * 6 + b"\x02" * 6 + b"\x08\x00"
    head = frame[14:34]
    total = sum(struct.unpack("!10H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF  # a sum that is right adds up to this
    assert (socket.inet_ntoa(head[12:16]), socket.inet_ntoa(head[16:20])) == (str(sender), str(host))
    assert struct.unpack("!H", frame[36:38])[0] == port
    assert len(frame) == 14 + int.from_bytes(head[2:4])


def test_nothing_is_said_about_routes_that_nobody_tried() -> None:
    with pytest.raises(ValueError, match="target"):
        look([], [])


@pytest.mark.parametrize("given", ["198.51.100.1", "host.example:80", "198.51.100.1:0", "198.51.100.1:x"])
def test_a_target_is_an_address_and_a_port(given: str) -> None:
    assert run(["plane", "probe", "--to", given]) == 2
