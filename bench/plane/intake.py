"""A large upload through the front door: how fast it is and how much memory it takes.

    python -m bench.plane.intake [--megabytes 500] [--rounds 3]

Each round starts a plane of its own (a subprocess on a free loopback port, embedded database), sends one text file as
a streamed multipart upload, and ends the plane once the 202 is in. Memory is the rise of the server's peak resident
size (VmHWM, reset just before) over its resident size before the upload. The reference is `sha256sum` and then `cp`
of the same file in the same round; unlike the plane, `cp` neither encrypts nor waits for the disk. Medians count.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from bench.table import Line, show
from frostbyte.cli.client import TOKEN_FILE, URL_FILE

MOST_MIB: Final = 64.0
LEAST_RATIO: Final = 0.5
_BLOCK: Final = 1 << 18
_BOUNDARY: Final = "frostbyte-bench-boundary"
_START_SECONDS: Final = 60.0


def write_text(path: Path, megabytes: int, seed: int) -> None:
    """A text of numbered lines; every seed gives another."""
    noise = random.Random(seed)
    words = [noise.randbytes(4).hex() for _ in range(12_000)]
    page = (" ".join(words) + "\n").encode()[: 100_000 - 20]
    with path.open("wb") as file:
        for number in range(megabytes * 10):
            file.write(b"%d.%017d\n" % (seed % 10, number) + page)


@contextmanager
def plane(
    folder: Path, settings: Mapping[str, str] | None = None, cores: Collection[int] | None = None
) -> Iterator[tuple[int, str, str]]:
    """A running plane: its process id, address and token. With `cores`, all that it starts stays on these."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FROSTBYTE_")}
    environment |= {
        "FROSTBYTE_DATA_DIR": str(folder),
        "FROSTBYTE_LISTEN": "127.0.0.1:0",
        "FROSTBYTE_WORKERS": "1",
    } | dict(settings or {})
    command = [sys.executable, "-c", "from frostbyte.cli.app import main; main()", "serve", "data"]
    with (folder.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    if cores is not None:
        os.sched_setaffinity(process.pid, cores)  # at once, before it has threads or children
    try:
        yield process.pid, *_reached(process, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _reached(process: subprocess.Popen[bytes], folder: Path) -> tuple[str, str]:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            url, token = ((folder / name).read_text().strip() for name in (URL_FILE, TOKEN_FILE))
            if url and httpx.get(f"{url}/ready", trust_env=False).status_code == httpx.codes.OK:
                return url, token
        except (OSError, httpx.HTTPError):
            pass  # not there yet
        time.sleep(0.1)
    raise SystemExit("the plane did not start")


def body(path: Path) -> Iterator[bytes]:
    """The multipart body, read as it is sent."""
    yield (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="large.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
    ).encode()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
    yield f"\r\n--{_BOUNDARY}--\r\n".encode()


def upload(pid: int, url: str, token: str, path: Path) -> tuple[float, float]:
    """Send the file; seconds until the 202, and MiB by which the server's peak rose."""
    before = _memory(pid, "VmRSS")
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): resets the peak to what is resident now
    start = time.perf_counter()
    answer = httpx.post(
        f"{url}/api/v1/ingest",
        content=body(path),
        headers={
            "authorization": f"Bearer {token}",
            "content-type": f"multipart/form-data; boundary={_BOUNDARY}",
        },
        timeout=300,
        trust_env=False,
    )
    seconds = time.perf_counter() - start
    peak = _memory(pid, "VmHWM")
    if answer.status_code != httpx.codes.ACCEPTED or len(answer.json()["accepted"]) != 1:
        raise SystemExit(f"not accepted: status {answer.status_code}")
    return seconds, peak - before


def _memory(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def by_hand(path: Path, target: Path) -> float:
    """Seconds of `sha256sum` and `cp`."""
    start = time.perf_counter()
    subprocess.run(["sha256sum", path], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cp", path, target], check=True)
    seconds = time.perf_counter() - start
    target.unlink()
    return seconds


def measure(megabytes: int, rounds: int) -> list[Line]:
    """Alternate both."""
    ours, reference, rises = [], [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            source = Path(name) / "large.txt"
            write_text(source, megabytes, number)
            amount = source.stat().st_size / 1e6
            reference.append(amount / by_hand(source, Path(name) / "copy"))
            data = Path(name) / "data"
            data.mkdir(mode=0o700)
            with plane(data) as (pid, url, token):
                seconds, rise = upload(pid, url, token, source)
            ours.append(amount / seconds)
            rises.append(rise)
    rate, alone, rise = statistics.median(ours), statistics.median(reference), max(rises)
    return [
        Line(
            measure=f"intake over HTTP, {megabytes} MB",
            ours=rate,
            reference=alone,
            unit="MB/s",
            target=">= 0.5 x sha256sum + cp",
            met=rate >= LEAST_RATIO * alone,
            note=f"median of {rounds}; ours includes encryption and fsync",
        ),
        Line(
            measure=f"intake memory, {megabytes} MB",
            ours=rise,
            unit="MiB",
            target="<= 64 MiB above idle",
            met=rise <= MOST_MIB,
            note=f"the worst of {rounds}",
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    show(measure(options.megabytes, options.rounds))


if __name__ == "__main__":
    main()
