"""All benches, one after the other: a table on the screen, and in `bench/RESULTS.md` with the machine it came from.

    python -m bench [NAME ...]        a bench, or a room: plane, control, provisioning, offline, console, finding,
                                      reading, judging

The exit code is 1 where a promise is missed or a bench breaks.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.table import Line

BENCHES: Final = {
    "plane": (
        "start",
        "intake",
        "audit_log",
        "pipeline",
        "dispatch",
        "uploads",
        "vector_server",
        "ledger",
        "page_picture",
    ),
    "control": ("suspend", "update", "registry", "edge", "scale", "planning"),
    "provisioning": ("apply",),
    "offline": ("bundles", "export"),
    "console": ("pages",),
    "finding": ("search", "retrieval", "embedding", "embedder"),
    "reading": ("ocr", "pdf", "pdf_quality", "pdf_tables", "office"),
    "judging": ("pii", "injection", "classification", "policy"),
}
"""By room, those that measure time on the wall first: they want a quiet machine most."""
NAMES: Final = tuple(name for names in BENCHES.values() for name in names)
RESULTS: Final = Path(__file__).parent / "RESULTS.md"
_LONGEST: Final = 900.0


def main() -> int:
    """Run what is named, or everything."""
    names = sys.argv[1:] or list(NAMES)
    names = [bench for name in names for bench in BENCHES.get(name, (name,))]
    unknown = set(names) - set(NAMES)
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    began, load = datetime.now(UTC), os.getloadavg()[1]
    lines: list[Line] = []
    broken: list[str] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found = run(name)
        lines += found
        if not found:
            broken.append(name)
        if set(names) == set(NAMES):  # after each: what was measured stays if a later one is interrupted
            waiting = names[names.index(name) + 1 :]
            RESULTS.write_text(document(table(lines), broken, waiting, began, load), encoding="utf-8")
    print(table(lines))
    for name in broken:
        print(f"{name} broke off: python -m bench.{room(name)}.{name} says why")
    return 1 if broken or any(line.met is False for line in lines) else 0


def room(name: str) -> str:
    """Where a bench stands."""
    return next(where for where, names in BENCHES.items() if name in names)


def run(name: str) -> list[Line]:
    """The lines that one bench prints, in a process of its own; none if it broke."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{room(name)}.{name}"],
            cwd=RESULTS.parent.parent,
            capture_output=True,
            timeout=_LONGEST,
        )
    except subprocess.TimeoutExpired:
        return []
    printed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    if name == "audit_log":
        return audit_lines(printed)  # its exit code 1 says that a promise is missed: that is a result
    return [msgspec.convert(item, Line) for item in printed] if done.returncode == 0 else []


def audit_lines(printed: list[dict[str, Any]]) -> list[Line]:
    """The audit's own report in the table's terms."""
    by_name = {item["measure"]: item for item in printed}
    if not {"ratio", "sequencing_rate", "bare_insert", "audited_writers"} <= by_name.keys():
        return []
    ratio, rate = by_name["ratio"], by_name["sequencing_rate"]
    return [
        Line(
            measure="audited writers",
            ours=by_name["audited_writers"]["median"],
            reference=by_name["bare_insert"]["median"],
            unit="events/s",
            target=f">= {ratio['least']} x bare INSERT",
            met=ratio["kept"],
            note=f"median ratio of the rounds {ratio['median']}, while another process numbers and signs",
        ),
        Line(
            measure="audit sequencing",
            ours=rate["median"],
            unit="events/s",
            target=f">= {rate['least']} events/s",
            met=rate["kept"],
            note="numbered and signed in batches of 1,000",
        ),
    ]


def table(lines: list[Line]) -> str:
    """Markdown that also reads well on a screen."""
    rows = [("measure", "ours", "reference", "ratio", "target", "")]
    for line in lines:
        rows.append(
            (
                line.measure,
                f"{number(line.ours)} {line.unit}",
                f"{number(line.reference)} {line.unit}" if line.reference is not None else "",
                f"{line.ratio:.2f}" if line.ratio is not None else "",
                line.target,
                {True: "met", False: "MISSED", None: ""}[line.met],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, tuple("-" * width for width in widths))  # type: ignore[arg-type]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    notes = [f"- {line.measure}: {line.note}" for line in lines if line.note]
    return "\n".join([*drawn, "", *notes])


def number(value: float) -> str:
    """Three significant digits or whole, with thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def document(text: str, broken: list[str], waiting: list[str], began: datetime, load: float) -> str:
    """What is kept: the table, and what one must know to judge it."""
    failed = "".join(f"\n`{name}` broke off and has no figures here.\n" for name in broken)
    failed += "".join(f"\n`{name}` has not run yet.\n" for name in waiting)
    return f"""# What the benches measured

`make bench` writes this file. Each figure and its reference come from one run on the same machine; how each is taken
stands at the head of its file in `bench/`.

{text}
{failed}
Measured on {began:%Y-%m-%d} (UTC): {machine()}.

Load average over five minutes when it began: {load:.1f}. What else ran on the machine slows both sides, and tail
latencies most. Absolute figures are those of this machine.
"""


def machine() -> str:
    """Processor, cores, memory and Python; nothing that names the machine."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = cpu[1].strip() if cpu else platform.machine()
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB memory, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
