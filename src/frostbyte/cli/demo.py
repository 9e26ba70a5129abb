"""`frostbyte demo`: a plane of its own, sample documents, answers, proofs, and a check by another process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from frostbyte.cli import ingest, search, upload, watch
from frostbyte.cli.client import KEY_FILE, TOKEN_FILE, URL_FILE, Client, segment
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.output import err, out, text
from frostbyte.cli.proof import PRIVATE, save_proof
from frostbyte.cli.report import print_report

START_SECONDS: Final = 90.0
"""Longest wait for the plane; a first start writes a database."""
STOP_SECONDS: Final = 30.0
ENDINGS: Final = frozenset({".pdf", ".docx", ".xlsx", ".txt", ".csv", ".png", ".tiff"})
"""What of the folder is a document; the rest makes or explains them."""


def demo(
    samples: Annotated[Path, typer.Option("--samples", help="Documents and questions.json.")] = Path("samples"),
    keep: Annotated[Path | None, typer.Option("--keep", help="Leave the proofs in this folder.")] = None,
) -> None:
    """Show everything once, in about a minute: nothing stays behind, nothing of yours is touched."""
    questions = _questions(samples)
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="frostbyte-demo-"))
    proofs = keep or folder / "proofs"
    proofs.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    try:
        step(1, "A plane of its own: database, encrypted store, vector index, signed audit log")
        with _plane(folder) as client:
            step(2, "Documents go in; each passes scan, parse, policy, embed, index")
            _send(client, samples)
            step(3, "Answers come out, each with its document, page and place")
            saved = [
                _ask(client, item, proofs / f"answer-{number}.proof.json") for number, item in enumerate(questions, 1)
            ]
        say("The plane is stopped. What follows needs no server.")
        step(4, "Proofs are checked by a program that shares no code with the plane")
        _check(saved, folder / KEY_FILE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _farewell(time.monotonic() - started, keep)


def _questions(samples: Path) -> list[dict[str, str]]:
    try:
        return list(json.loads((samples / "questions.json").read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise CommandFailed(
            "samples_missing",
            f"There are no samples in {samples}.",
            "Run it in Frostbyte's own folder, or name theirs with --samples.",
            exit_code=Exit.NOT_FOUND,
        ) from error


def step(number: int, title: str) -> None:
    """Head the next part of a demonstration."""
    out().print()
    out().rule(text(f"{number}  {title}", "bold cyan"), align="left", style="cyan")


def say(line: str) -> None:
    """A line beside what commands print."""
    out().print(text(line, "dim"))


@contextmanager
def _plane(folder: Path) -> Iterator[Client]:
    """A plane in a process of its own, on a free port of this machine, and a client of it.

    Raises:
        CommandFailed: `demo_plane_failed`, with what the plane said.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FROSTBYTE_")}
    environment = inherited | {"FROSTBYTE_DATA_DIR": str(folder), "FROSTBYTE_LISTEN": "127.0.0.1:0"}
    log = folder / "serve.log"
    command = [sys.executable, "-m", "frostbyte", "serve", "data"]
    before = time.monotonic()
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
    try:
        with err().status("starting ...") if err().is_terminal else nullcontext():
            url = _announced(folder, process, log)
        token = (folder / TOKEN_FILE).read_text(encoding="ascii").strip()
        say(f"It answers at {url} after {time.monotonic() - before:.1f} s, with its data in {folder}.")
        with Client(token, url) as client:
            health = client.json("GET", "/health")
            for warning in health.get("warnings", ()):
                out().print(text(f"! {warning}", "yellow"))
            yield client
    finally:
        end(process)


def _announced(folder: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if (folder / URL_FILE).exists():
            return _answering((folder / URL_FILE).read_text(encoding="ascii").strip(), deadline)
        time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise CommandFailed(
        "demo_plane_failed", f"The plane did not start. It said:\n{said}", "Ask `frostbyte doctor`.",
        exit_code=Exit.UNAVAILABLE,
    )  # fmt: skip


def _answering(url: str, deadline: float) -> str:
    from frostbyte.kernel.errors import FrostbyteError

    with Client("", url) as client:
        while True:
            try:
                client.json("GET", "/health")
            except FrostbyteError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return url


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop the plane as an operator would; its group is ours alone, so a straggler can be ended too."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _send(client: Client, samples: Path) -> None:
    files = [path for path in upload.collect([samples]) if path.suffix.lower() in ENDINGS]
    answer = ingest.send(client, upload.describe(files, digests=True, progress=lambda _: None), quiet=True)
    say(f"{len(answer['accepted'])} files taken, {len(answer['rejected'])} refused at the door.")
    documents = [{**item, "state": "received"} for item in answer["accepted"]]
    with watch.Progress(documents) as shown:
        for changed in watch.updates(client, answer["batch_id"]):
            shown.update(changed)
    report = client.json("GET", f"/ingest/{segment(answer['batch_id'])}/report")
    print_report(report)
    open_ones = [item for item in report["documents"] if item["state"] not in watch.SETTLED]
    if open_ones or not any(item["state"] == "indexed" for item in report["documents"]):
        raise CommandFailed(
            "demo_incomplete", f"{len(open_ones)} documents are not through.", "Ask `frostbyte doctor`.",
            exit_code=Exit.PROBLEMS,
        )  # fmt: skip


def _ask(client: Client, item: dict[str, str], file: Path) -> Path:
    """Ask one question, show the best passage, and save its proof."""
    out().print()
    out().print(text("? ", "bold magenta") + text(item["question"], "bold"))
    found = client.json("POST", "/query", body={"query": item["question"], "top_k": 3})
    passages = found["results"]
    search.print_results(found | {"results": passages[:1]})
    hit = next((passage for passage in passages if _holds(passage["text"], item["answer"])), None)
    if hit is None:
        raise CommandFailed(
            "demo_answer_missing", "The passage that answers it was not among the first three.", "Report this.",
            exit_code=Exit.PROBLEMS,
        )  # fmt: skip
    save_proof(file, json.dumps(client.json("GET", f"/chunks/{segment(hit['chunk_id'])}/proof"), indent=1))
    return file


def _holds(passage: str, answer: str) -> bool:
    return " ".join(answer.split()).casefold() in " ".join(passage.split()).casefold()


def _check(saved: list[Path], key: Path) -> None:
    """Check each proof in a process of its own, then one with a letter changed: that one must not hold."""
    from frostbyte.cli import verifier

    program = str(verifier.__file__)
    out().print(text(f"$ python {os.path.relpath(program)} proof {saved[0].name} --key {key.name}", "green"))
    for file in saved:
        done = _verifier(program, file, key)
        _print_verdict(done.stdout, ("checked", "attested"))
        if done.returncode != 0:
            raise CommandFailed(
                "demo_proof_fails", "A proof does not hold.", "Report this.", exit_code=Exit.VERIFICATION_FAILED
            )
    forged = _forge(saved[0])
    done = _verifier(program, forged, key)
    forged.unlink()
    out().print()
    say("The same proof with one letter of the passage changed:")
    _print_verdict(done.stdout, ("FAILED",))
    if done.returncode == 0:
        raise CommandFailed(
            "demo_forgery_passes", "A forged proof holds.", "Report this.", exit_code=Exit.VERIFICATION_FAILED
        )


def _print_verdict(said: str, kinds: tuple[str, ...]) -> None:
    """The verifier's own words, one line each, as far as the screen is wide."""
    for line in said.splitlines():
        headline, kind = not line.startswith(" "), line.split(maxsplit=1)[:1]
        if headline and line.rstrip().endswith("HOLD"):
            out().print(text(line, "bold red"))
        elif headline and line.rstrip().endswith("HOLDS"):
            out().print(text(line, "bold green"))
        elif not headline and kind and kind[0] in kinds:
            out().print(text(line, "dim" if kind[0] == "attested" else ""), no_wrap=True, overflow="ellipsis")


def _verifier(program: str, file: Path, key: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own verifier on our own files
        [sys.executable, program, "proof", str(file), "--key", str(key)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _forge(file: Path) -> Path:
    proof: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    passage = proof["answer"]["text"]
    proof["answer"]["text"] = ("A" if passage[:1] != "A" else "B") + passage[1:]
    forged = file.with_name("forged.proof.json")
    save_proof(forged, json.dumps(proof))
    return forged


def _farewell(seconds: float, keep: Path | None) -> None:
    out().print()
    out().rule(text(f"done in {seconds:.0f} s", "bold green"), align="left", style="green")
    if keep:
        say(f"The proofs are in {keep}.")
    for command, what in (
        ("make up", "start a plane of your own; it prints what to do next"),
        ("frostbyte ingest FOLDER", "send your documents"),
        ('frostbyte search "..."', "ask"),
        ("frostbyte doctor", "see whether this machine is fit"),
    ):
        out().print(text(f"  {command:<28}", "green") + text(what))
