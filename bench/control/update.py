"""How long an idle tenant's requests are refused while it is updated, on a host that is a process of this machine.

    python -m bench.control.update [--trials 3]

The plane is a real one, with its stores in its own process, certificates and a control channel; the update is the
control plane's own duty, with all its stages. Both versions are the same program: what is timed is the order of an
update, with the start of a whole plane in it. Meanwhile somebody asks a question and somebody sends a document, each
ten times a second on a kept connection; the time runs from when the first request that is refused was sent to the end
of the last refusal. Requests that wait for the new process and are answered well are not refused: the longest wait is
told too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.table import Line, show

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from upkeep.local_tenant import LocalSite, Refusals, asking

TARGET_SECONDS: Final = 5.0
QUESTION: Final = {"query": "freezer K-17"}
NOTE: Final = b"The thermostat of freezer K-17 was replaced.\n"


def trial(folder: Path) -> tuple[Refusals, Refusals, dict[str, float]]:
    """One update: what questions and uploads got, and the seconds of each stage."""
    site = LocalSite(folder)
    try:
        file = [("files", ("note.txt", NOTE, "text/plain"))]
        with site.client() as client:
            client.post("/api/v1/ingest", files=file).raise_for_status()
            while not client.post("/api/v1/query", json=QUESTION).json()["results"]:
                time.sleep(0.2)
        with (
            asking(site, "POST", "/api/v1/query", 200, json=QUESTION) as questions,
            asking(site, "POST", "/api/v1/ingest", 202, files=file) as uploads,
        ):
            time.sleep(1)
            operation = site.updated()
            time.sleep(1)
        if operation.code:
            raise SystemExit(f"the update failed: {operation.code}")
        return questions, uploads, site.seconds(operation)
    finally:
        site.close()


def main() -> int:
    """Measure and print."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--trials", type=int, default=3)
    trials = asked.parse_args().trials
    found = []
    for number in range(trials):
        with tempfile.TemporaryDirectory(prefix=f"frostbyte-update-{number}-") as folder:
            found.append(trial(Path(folder)))
    lines = []
    for name, index in (("questions", 0), ("uploads", 1)):
        seconds = [one[index].seconds for one in found]
        waits = max(one[index].slowest for one in found)
        worst = max(seconds)
        lines.append(
            Line(
                measure=f"an idle tenant's {name} refused while it is updated, median of {trials}",
                ours=statistics.median(seconds),
                unit="s",
                target=f"<= {TARGET_SECONDS:.0f} s",
                met=worst <= TARGET_SECONDS,
                note=f"worst {worst:.1f} s; the longest that was answered well waited {waits:.1f} s",
            )
        )
    stages = {name: statistics.median(one[2][name] for one in found) for name in found[0][2]}
    told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in stages.items())
    whole = sum(stages.values())
    lines.append(Line(measure="the whole update", ours=whole, unit="s", target="", met=None, note=told))
    show(lines)
    return 0 if all(line.met is not False for line in lines) else 1


if __name__ == "__main__":
    raise SystemExit(main())
