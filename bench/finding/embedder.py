"""What `frostbyte serve embedder` costs above its bare runtime.

    python -m bench.finding.embedder [--passages 96]

all-MiniLM-L6-v2 as Q8_0 GGUF (made from a locked package), one lane. The same passages, as long as those that the
policy gates cut, go over HTTP to the server, by eight clients with twelve each, and in turn to xllamacpp itself in this
process, as token ids made beforehand, all in one call. Measured is processor time, the server's from /proc, of all that
it does: HTTP, JSON, tokens. Best of three. The measure is tokens a second of processor time.

The second line is the wait of one short question while a document of 96 passages is under way, beside the same question
alone, median of nine, on the wall.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from bench.finding.embedding import passages, seconds
from bench.finding.minilm_gguf import write
from bench.table import Line, show
from frostbyte.adapters.embeddings.gguf import load

LEAST: Final = 0.9
ROUNDS: Final = 3
CLIENTS: Final = 8
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_QUESTION: Final = "How cold must the goods be stored?"


@contextmanager
def server(file: Path) -> Iterator[tuple[str, int]]:
    """A running embedder: its route and its process id."""
    environment = {"PATH": os.environ["PATH"], "FROSTBYTE_EMBEDDER_LANES": "1", "FROSTBYTE_EMBEDDING_MODEL": "m"}
    command = [sys.executable, "-m", "frostbyte", "serve", "embedder", "--model", str(file), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(text for text in process.stderr if "/v1/embeddings" in text)
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield line.split()[-1], process.pid
        finally:
            process.terminate()


def used(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def ask(client: httpx.Client, url: str, texts: list[str]) -> None:
    """One request."""
    client.post(url, json={"model": "m", "input": texts}).raise_for_status()


def waits(client: httpx.Client, url: str) -> float:
    """Median time of one question."""
    times = []
    for _ in range(9):
        began = time.perf_counter()
        ask(client, url, [_QUESTION])
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=96)
    options = parser.parse_args()
    texts = [passage.text for passage in passages(options.passages)]
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder) / "minilm.gguf")
        model = load(file, longest=512)
        ids = [model.tokens(text) or [] for text in texts]
        tokens = sum(map(len, ids))
        bare: Callable[[], object] = lambda: model.lanes[0]._server.handle_embeddings({"input": ids})  # noqa: E731
        with server(file) as (url, pid), httpx.Client(timeout=300, trust_env=False) as client:
            parts = [texts[at::CLIENTS] for at in range(CLIENTS)]
            ours, alone = list[float](), list[float]()
            for _ in range(ROUNDS):
                began = used(pid)
                with ThreadPoolExecutor(CLIENTS) as threads:
                    list(threads.map(lambda part: ask(client, url, part), parts))
                ours.append(used(pid) - began)
                alone.append(seconds(bare))
            quiet = waits(client, url)
            document = threading.Thread(target=ask, args=(client, url, texts))
            document.start()
            busy = waits(client, url)
            document.join()
    rate, bound = tokens / min(ours), tokens / min(alone)
    show(
        [
            Line(
                measure="embedding server",
                ours=rate,
                reference=bound,
                unit="tokens/CPU-s",
                target=f">= {LEAST} x the bare runtime with full batches",
                met=rate >= LEAST * bound,
                note=f"{len(texts)} passages of {tokens / len(texts):.0f} tokens over HTTP, one lane",
            ),
            Line(
                measure="a question beside a document",
                ours=busy * 1000,
                reference=quiet * 1000,
                unit="ms",
                target="none: it waits for one batch, not for the document",
                met=None,
                note="to the embedding server, one lane, while 96 passages are under way; reference: alone",
            ),
        ]
    )


if __name__ == "__main__":
    main()
