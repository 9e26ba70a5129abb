"""What every scanner with an engine promises, asked of a scripted clamd and of the real one."""

import io
import random
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from frostbyte.adapters.clamav.clamd import Clamd, parse_address
from frostbyte.adapters.clamav.limits import check_limits, read_conf
from frostbyte.kernel.errors import FrostbyteError, Invalid, Unavailable
from frostbyte.kernel.ports.scanner import Verdict
from scan.clamd_servers import FakeClamd
from servers.clamd import EICAR, ClamdServer, shipped_conf
from servers.lanes import need

MIB = 1024 * 1024
SMALL = {"StreamMaxLength": "2M", "MaxFileSize": "1M", "MaxScanSize": "1M"}


@pytest.fixture(params=["scripted", pytest.param("real", marks=pytest.mark.clamd)], scope="module")
def scanner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    folder = tmp_path_factory.mktemp("clamd")
    if request.param == "scripted":
        server = FakeClamd(limit=2 * MIB)
        yield Clamd(server.address, conf=shipped_conf(folder, **SMALL))
        server.close()
    else:
        need("clamd")
        with ClamdServer(folder, **SMALL) as running:
            yield Clamd(running.socket, conf=running.conf)


def test_harmless_bytes_are_clean(scanner: Clamd) -> None:
    result = scanner.scan([b"hello ", b"", b"world"])
    assert result.verdict is Verdict.CLEAN
    assert result.engine.startswith("ClamAV")


def test_an_empty_stream_is_clean(scanner: Clamd) -> None:
    assert scanner.scan([]).verdict is Verdict.CLEAN


def test_the_test_virus_is_found_however_it_is_cut(scanner: Clamd) -> None:
    for cut in (len(EICAR), 7, 1):
        result = scanner.scan(EICAR[at : at + cut] for at in range(0, len(EICAR), cut))
        assert result.verdict is Verdict.INFECTED
        assert "EICAR" in result.signature


def test_a_stream_past_the_limit_is_unscanned_and_never_clean(scanner: Clamd) -> None:
    result = scanner.scan(bytes(MIB) for _ in range(6))
    assert (result.verdict, result.reason) == (Verdict.UNSCANNED, "size_limit")


def test_a_virus_behind_the_limit_is_never_clean(scanner: Clamd) -> None:
    noise = random.Random(1).randbytes(MIB)
    result = scanner.scan([noise, noise, noise, EICAR])
    assert result.verdict is not Verdict.CLEAN


@pytest.mark.parametrize("sizes", [[MIB], [3 * MIB], [400_000] * 3])
def test_a_container_that_unpacks_past_the_limits_is_unscanned(scanner: Clamd, sizes: list[int]) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, size in enumerate(sizes):
            archive.writestr(str(number), bytes(size))
    data = out.getvalue()
    for cut in (len(data), 3):
        result = scanner.scan(data[at : at + cut] for at in range(0, len(data), cut))
        assert (result.verdict, result.reason) == (Verdict.UNSCANNED, "size_limit")


def test_a_container_within_the_limits_is_clean(scanner: Clamd) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"part{number}", bytes(20_000))
        with archive.open("wide", "w", force_zip64=True) as part:
            part.write(b"x")
    assert scanner.scan([out.getvalue()]).verdict is Verdict.CLEAN


def test_the_start_refuses_limits_that_are_too_low(scanner: Clamd) -> None:
    scanner.check(MIB - 1)
    with pytest.raises(Invalid) as caught:
        scanner.check(MIB)
    assert caught.value.code == "scanner_limits"


def test_an_error_of_the_bytes_passes_through(scanner: Clamd) -> None:
    def damaged() -> Iterator[bytes]:
        yield b"x" * 10
        raise FrostbyteError("object_damaged", "damaged")

    with pytest.raises(FrostbyteError) as caught:
        scanner.scan(damaged())
    assert caught.value.code == "object_damaged"


@pytest.mark.clamd
class TestRealEngine:
    """What only an engine that unpacks can show."""

    @pytest.fixture(scope="class")
    def engine(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
        need("clamd")
        limits = {"MaxFileSize": "4M", "MaxScanSize": "8M", "StreamMaxLength": "16M"}
        with ClamdServer(tmp_path_factory.mktemp("engine"), **limits) as server:
            yield Clamd(server.socket, conf=server.conf)

    @staticmethod
    def zipped(data: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inside", data)
        return out.getvalue()

    def test_it_looks_into_archives(self, engine: Clamd) -> None:
        assert engine.scan([self.zipped(EICAR)]).verdict is Verdict.INFECTED

    @pytest.mark.parametrize("size", [5 * MIB, 12 * MIB])
    def test_an_archive_that_unpacks_past_the_limits_is_unscanned(self, engine: Clamd, size: int) -> None:
        result = engine.scan([self.zipped(bytes(size) + EICAR)])
        assert (result.verdict, result.reason) == (Verdict.UNSCANNED, "size_limit")

    @pytest.mark.parametrize(
        ("size", "verdict"), [(0, Verdict.INFECTED), (3 * MIB, Verdict.INFECTED), (5 * MIB, Verdict.UNSCANNED)]
    )
    def test_a_stream_in_a_pdf_is_unpacked_up_to_the_limits(self, engine: Clamd, size: int, verdict: Verdict) -> None:
        packed = zlib.compress(EICAR + bytes(size))
        pdf = b"%PDF-1.5\n1 0 obj\n<</Length " + str(len(packed)).encode() + b"/Filter/FlateDecode>>\nstream\n" + packed
        pdf += b"\nendstream\nendobj\n2 0 obj\n<</Type/Catalog>>\nendobj\ntrailer<</Root 2 0 R>>\n%%EOF\n"
        assert engine.scan([pdf]).verdict is verdict

    @pytest.mark.parametrize("size", [5 * MIB, 12 * MIB, 17 * MIB])
    def test_a_file_past_each_limit_is_unscanned(self, engine: Clamd, size: int) -> None:
        result = engine.scan([random.Random(size).randbytes(size)])
        assert (result.verdict, result.reason) == (Verdict.UNSCANNED, "size_limit")

    def test_the_shipped_configuration_starts(self, tmp_path: Path) -> None:
        need("clamd")
        with ClamdServer(tmp_path) as server:
            scanner = Clamd(server.socket, conf=server.conf)
            scanner.check(500 * MIB)
            assert scanner.scan([EICAR]).verdict is Verdict.INFECTED


# -- failures: none of them is a verdict --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply", [b"stream: \0", b"", b"stream: OK", b"ERROR\0", b"OK\0", b"x" * 9000, b"stream: Can't allocate ERROR\0",
              b"stream: OK FOUNDLING\0"],
)  # fmt: skip
def test_an_answer_that_is_not_known_is_an_outage(reply: bytes) -> None:
    server = FakeClamd(script=reply)
    with pytest.raises(Unavailable) as caught:
        Clamd(server.address).scan([b"x"])
    assert caught.value.code == "scanner_unavailable"
    server.close()


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0", Verdict.UNSCANNED, "size_limit"),
        (b"stream: Heuristics.Limits.Exceeded FOUND\0", Verdict.UNSCANNED, "size_limit"),
        (b"stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND\0", Verdict.UNSCANNED, "size_limit"),
        (b"INSTREAM size limit exceeded. ERROR\0", Verdict.UNSCANNED, "size_limit"),
        (b"stream: Heuristics.Encrypted.PDF FOUND\0", Verdict.UNSCANNED, "encrypted"),
        (b"stream: Win.Test.X FOUND\0", Verdict.INFECTED, ""),
    ],
)
def test_answers_and_what_they_mean(reply: bytes, verdict: Verdict, reason: str) -> None:
    server = FakeClamd(script=reply)
    result = Clamd(server.address).scan([b"x"])
    assert (result.verdict, result.reason) == (verdict, reason)
    server.close()


def test_no_server_is_an_outage(tmp_path: Path) -> None:
    closed = FakeClamd()
    closed.close()
    for address in (tmp_path / "none.sock", ("127.0.0.1", 1)):
        for ask in (
            Clamd(address).version,
            lambda a=address: Clamd(a).scan([b"x"]),
            lambda a=address: Clamd(a).check(1),
        ):
            with pytest.raises(Unavailable):
                ask()


def test_silence_is_an_outage() -> None:
    server = FakeClamd()
    server.silent = True
    with pytest.raises(Unavailable):
        Clamd(server.address, reply_seconds=0.1).scan([b"x"])
    server.close()


def test_something_else_on_the_port_is_no_scanner() -> None:
    server = FakeClamd(version=b"220 mail ready")
    with pytest.raises(Unavailable):
        Clamd(server.address).scan([b"x"])
    server.close()


# -- limits -------------------------------------------------------------------------------------------------------

GOOD = {"StreamMaxLength": "600M", "MaxFileSize": "600M", "MaxScanSize": "1G", "AlertExceedsMax": "yes"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, ""),
        ({"MaxScanSize": "0"}, ""),
        ({"MaxFileSize": "629145600"}, ""),
        ({"StreamMaxLength": "500M"}, "StreamMaxLength"),
        ({"MaxFileSize": "100M"}, "MaxFileSize"),
        ({"MaxScanSize": "400m"}, "MaxScanSize"),
        ({"MaxScanSize": None}, "MaxScanSize"),
        ({"AlertExceedsMax": "no"}, "AlertExceedsMax"),
        ({"AlertExceedsMax": None}, "AlertExceedsMax"),
        ({"MaxFileSize": "many"}, "MaxFileSize"),
        ({"MaxFileSize": ""}, "MaxFileSize"),
    ],
)
def test_limits_are_compared(changes: dict[str, str | None], named: str) -> None:
    options = {name: value for name, value in (GOOD | changes).items() if value is not None}
    if not named:
        check_limits(options, 500 * MIB)
        return
    with pytest.raises(Invalid) as caught:
        check_limits(options, 500 * MIB)
    assert named in caught.value.message


def test_the_configuration_we_ship_holds_the_default_maximum() -> None:
    check_limits(read_conf(Path(__file__).parents[2] / "config/clamd.conf"), 500 * MIB)


def test_without_a_known_configuration_the_start_is_refused() -> None:
    server = FakeClamd()
    with pytest.raises(Invalid):
        Clamd(server.address).check(1)
    with pytest.raises(Invalid):
        read_conf(Path("/nonexistent/clamd.conf"))
    server.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/run/c.sock", Path("/run/c.sock")),
        ("unix:/run/c.sock", Path("/run/c.sock")),
        ("unix:///run/c.sock", Path("/run/c.sock")),
        ("clamav:3310", ("clamav", 3310)),
        ("tcp://clamav:3310", ("clamav", 3310)),
        ("[::1]:3310", ("::1", 3310)),
    ],
)
def test_addresses(text: str, address: object) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "clamav", ":3310", "clamav:x"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        parse_address(text)
