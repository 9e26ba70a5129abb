"""Documents a second through Celery's workers: two against one, and beside the embedded runner.

    python -m bench.plane.dispatch [--rounds 3] [--documents 120]

Three set-ups in turn, each a plane of its own with PostgreSQL, `frostbyte serve vectors` and objects in a folder, words
only: the embedded runner on one core; a gateway, Redis and one worker (two processes) on one core; the same with two
workers on two cores. All that a set-up starts is pinned to its cores, the client sleeps and is not counted. Half of the
documents are texts of 4 KB, half PDFs of three pages: small ones, so that dispatch weighs most. Timed is from the first
byte sent until no job is left, after a warm-up that starts every child. What the queue costs is told in processor time
of all processes of a plane, read from /proc, which other work on the machine disturbs least; so is where it went with
two workers. Medians count.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
from reportlab.pdfgen.canvas import Canvas

from bench.plane.intake import plane
from bench.table import Line, show
from frostbyte.adapters.redis.acl import rules

LEAST_SCALING: Final = 1.6
LEAST_OF_EMBEDDED: Final = 0.7
_WARM: Final = 16
_PAGE: Final = 200
_PATIENCE_SECONDS: Final = 300.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SECRET: Final = "bench-secret-5571-kV7wq02LmX84tRzN"
_WORDS: Final = (
    "harbour berth dredging tide quay crane container manifest pilot mooring invoice notice period agreement supply "
    "delivery inspection report temperature storage cold chain deviation corrective action supplier audit schedule"
).split()


def text(number: int, size: int) -> str:
    """A text of about `size` characters; every number gives another."""
    noise = random.Random(number)
    words = [noise.choice(_WORDS) for _ in range(size // 8)]
    lines = [" ".join(words[start : start + 12]).capitalize() + "." for start in range(0, len(words), 12)]
    return f"Record {number}\n\n" + "\n".join(lines)


def document(number: int) -> tuple[str, bytes]:
    """A file's name and content."""
    if number % 2:
        return f"{number}.txt", text(number, 4_000).encode()
    target = io.BytesIO()
    canvas = Canvas(target, invariant=True)
    for page in range(3):
        for row, line in enumerate(text(number * 10 + page, 2_000).splitlines()):
            canvas.drawString(60, 780 - row * 16, line[:95])
        canvas.showPage()
    canvas.save()
    return f"{number}.pdf", target.getvalue()


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(
    command: list[str], log: Path, settings: Mapping[str, str], cores: set[int], ready: str | int
) -> Iterator[int]:
    """A pinned process; its id once the address answers 200, or the port accepts."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FROSTBYTE_")}
    with log.open("wb") as file:
        started = subprocess.Popen(command, env=environment | dict(settings), stdout=file, stderr=file)
    os.sched_setaffinity(started.pid, cores)
    try:
        deadline = time.monotonic() + 60
        while not _answers(ready):
            if started.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.05)
        yield started.pid
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _answers(ready: str | int) -> bool:
    try:
        if isinstance(ready, int):
            with socket.create_connection(("127.0.0.1", ready), 0.5):
                return True
        return httpx.get(ready, trust_env=False).status_code == httpx.codes.OK
    except (OSError, httpx.HTTPError):
        return False


def through(documents: int, workers: int, cores: set[int]) -> tuple[float, dict[str, float]]:
    """(documents a second, processor seconds by kind of process); `workers` 0 for the embedded runner."""
    ours = [sys.executable, "-m", "frostbyte", "serve"]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        data = folder / "data"
        data.mkdir(mode=0o700)
        vectors, pids = _port(), {}
        command = [*ours, "vectors", "--listen", f"127.0.0.1:{vectors}", "--data", str(folder / "vectors")]
        key = {"FROSTBYTE_VECTORS_API_KEY": _SECRET}
        ready = f"http://127.0.0.1:{vectors}/readyz"
        pids["vectors"] = stack.enter_context(process(command, folder / "vectors.log", key, cores, ready))
        settings = key | {
            "FROSTBYTE_VECTORS_URL": f"http://127.0.0.1:{vectors}",
            "FROSTBYTE_EMBEDDING_ENDPOINT": "none",
            "FROSTBYTE_WORKERS": "2",
        }
        if workers:
            settings["FROSTBYTE_QUEUE_URL"], pids["redis"] = _redis(stack, folder, cores)
        pids["gateway"], url, token = stack.enter_context(plane(data, settings, cores))
        socket_folder = (data / "postgres/cluster/postmaster.pid").read_text().splitlines()[4]
        database = f"host={socket_folder} port=5432 user=frostbyte_writer dbname=frostbyte"
        for number in range(workers):
            port = _port()
            given = settings | {"FROSTBYTE_DATABASE_URL": database, "FROSTBYTE_DATA_DIR": str(data)}
            command = [*ours, "worker", "--listen", f"127.0.0.1:{port}"]
            pids[f"worker {number}"] = stack.enter_context(
                process(command, folder / f"worker{number}.log", given, cores, f"http://127.0.0.1:{port}/health")
            )
        _batch(url, token, range(1_000_000, 1_000_000 + _WARM))
        before = _spent(pids, data)
        seconds = _batch(url, token, range(documents))
        after = _spent(pids, data)
        _check(url, token, documents + _WARM)
        return documents / seconds, {kind: after[kind] - before[kind] for kind in after}


def _redis(stack: ExitStack, folder: Path, cores: set[int]) -> tuple[str, int]:
    port, binary = _port(), shutil.which("redis-server")
    if binary is None:
        raise SystemExit("no redis-server: tools/servers.sh redis")
    conf = folder / "redis.conf"
    conf.write_text(
        f'port {port}\nbind 127.0.0.1\ndir "{folder}"\nsave ""\nappendonly no\nuser default off\n'
        f"user tenant_demo on >{_SECRET} {' '.join(rules('demo'))}\n"
    )
    pid = stack.enter_context(process([binary, str(conf)], folder / "redis.log", {}, cores, port))
    return f"redis://tenant_demo:{_SECRET}@127.0.0.1:{port}/0", pid


def _batch(url: str, token: str, numbers: range) -> float:
    """Send the documents in one upload; seconds until no job is left."""
    body = [("files", document(number)) for number in numbers]
    headers = {"authorization": f"Bearer {token}"}
    began = time.perf_counter()
    answer = httpx.post(f"{url}/api/v1/ingest", files=body, headers=headers, timeout=120, trust_env=False)
    if answer.status_code != httpx.codes.ACCEPTED or len(answer.json()["accepted"]) != len(body):
        raise SystemExit(f"not accepted: status {answer.status_code}")
    while any(httpx.get(f"{url}/ready", trust_env=False, timeout=60).raise_for_status().json()["jobs"].values()):
        if time.perf_counter() - began > _PATIENCE_SECONDS:
            raise SystemExit("not indexed in time")
        time.sleep(0.1)
    return time.perf_counter() - began


def _check(url: str, token: str, documents: int) -> None:
    asked = {"limit": _PAGE}
    headers = {"authorization": f"Bearer {token}"}
    page = httpx.get(f"{url}/api/v1/documents", params=asked, headers=headers, trust_env=False, timeout=60)
    states = [item["state"] for item in page.raise_for_status().json()["documents"]]
    if len(states) != min(documents, _PAGE) or set(states) != {"indexed"}:
        raise SystemExit(f"of {documents} documents {states.count('indexed')} were indexed")


def _spent(roots: Mapping[str, int], data: Path) -> Counter[str]:
    """Processor seconds by kind: each root, the children of workers and gateway by what they do, and PostgreSQL."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    commands: dict[int, str] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended: its time is with its parent
        pid = int(stat.parent.name)
        parents[pid], commands[pid] = int(fields[1]), command
        used[pid] = sum(int(value) for value in fields[11:15]) / _TICKS
    spent: Counter[str] = Counter()
    masters = {pid for pid, command in commands.items() if str(data) in command and "postgres" in command}
    named = {pid: name.split()[0] for name, pid in roots.items()} | dict.fromkeys(masters, "PostgreSQL")
    for pid, seconds in used.items():
        above, kind = pid, ""
        while above in parents and not kind:
            kind = named.get(above, "")
            above = parents[above]
        if not kind:
            continue
        child = next((what for what in ("parsing", "judging") if f"adapters.{what}" in commands[pid]), "")
        if kind == "worker" and not child:
            child = "worker's own process" if pid in named else "worker's pool"
        spent[child or kind] += seconds
    return spent


def measure(rounds: int, documents: int) -> list[Line]:
    """All three set-ups in turn."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    embedded, queued, one, two = [], [], [], []
    where: Counter[str] = Counter()
    for _ in range(rounds):
        embedded.append(documents / sum(through(documents, 0, set(cores[:1]))[1].values()))
        rate, spent = through(documents, 1, set(cores[:1]))
        one.append(rate)
        queued.append(documents / sum(spent.values()))
        rate, spent = through(documents, 2, set(cores))
        two.append(rate)
        where.update(spent)
    scaling = statistics.median(double / single for double, single in zip(two, one, strict=True))
    share = statistics.median(queue / runner for queue, runner in zip(queued, embedded, strict=True))
    total = sum(where.values())
    parts = ", ".join(f"{kind} {seconds / total:.0%}" for kind, seconds in where.most_common())
    busy = total / rounds * statistics.median(two) / documents
    return [
        Line(
            measure="two workers against one",
            ours=statistics.median(two),
            reference=statistics.median(one),
            unit="documents/s",
            target=f">= {LEAST_SCALING} x one worker on one core",
            met=scaling >= LEAST_SCALING,
            note=f"{documents} documents, median ratio of {rounds} rounds {scaling:.2f}; with two workers "
            f"{busy:.2f} of 2 cores were busy: {parts}",
        ),
        Line(
            measure="Celery beside the embedded runner",
            ours=statistics.median(queued),
            reference=statistics.median(embedded),
            unit="documents/CPU-s",
            target=f">= {LEAST_OF_EMBEDDED} x the embedded runner's",
            met=share >= LEAST_OF_EMBEDDED,
            note=f"same stores, one core, all processes counted; median ratio of {rounds} rounds {share:.2f}",
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=120)
    options = parser.parse_args()
    show(measure(options.rounds, options.documents))


if __name__ == "__main__":
    main()
