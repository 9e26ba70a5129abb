"""`frostbyte proof`: get the proof of an answer, check it anywhere, and compute the passage again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frostbyte.cli.client import KEY_FILE, Client, data_dir, find_token, segment
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, indented, out, print_json, text

if TYPE_CHECKING:
    from frostbyte.cli.verifier import Verdict

PRIVATE = 0o700
"""Mode of a folder for proofs: they hold passages."""

app = group("Proofs of answers: get, verify, replay.")


def save_proof(path: Path, content: str) -> None:
    """Write a proof for its owner only: it holds a passage of a document."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content + "\n")


def check_with(proof: Path) -> str:
    """The command that checks a proof; with the key of the plane on this machine, if there is one."""
    key = data_dir() / KEY_FILE
    return f"check it with: frostbyte proof verify {proof} --key {key if key.exists() else 'KEYFILE'}"


@app.command("get")
def get(
    chunk: Annotated[str, typer.Argument(help="The passage's id, from `search`.", show_default=False)],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it here; else it is printed.")] = None,
    token: Token = None,
) -> None:
    """Get the proof of one passage (docs/proof-format.md)."""
    with Client(find_token(token)) as client:
        made = client.json("GET", f"/chunks/{segment(chunk)}/proof")
    if output is None:
        print_json(made)
        return
    save_proof(output, json.dumps(made, indent=1, ensure_ascii=False))
    out().print(text(f"The proof is in {output}."))
    hint(check_with(output))


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The proof.", show_default=False)],
    key: Annotated[
        str | None, typer.Option("--key", help="The log's verifier key, or a file with it, got by another way.")
    ] = None,
    earlier_key: Annotated[
        list[str] | None,
        typer.Option("--earlier-key", help="Key of a log that the plane was restored from, got by another way."),
    ] = None,
    source: Annotated[Path | None, typer.Option("--source", help="The original file, to compare its sha256.")] = None,
    witness: Annotated[
        list[str] | None, typer.Option("--witness", help="Key of a witness that must have signed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof. Needs no server and no network."""
    from frostbyte.cli import verifier

    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CommandFailed(
            "file_missing", f"{file} is not there.", "Check the path.", exit_code=Exit.NOT_FOUND
        ) from error
    except ValueError as error:
        raise CommandFailed("proof_unreadable", f"{file} is not JSON.", "Get the proof again.") from error
    require_file(source)
    try:
        verdict = verifier.verify_proof(document, read_key(key), source, read_keys(witness), read_keys(earlier_key))
    except verifier.Unreadable as error:
        raise CommandFailed(
            "proof_unreadable", f"It cannot be checked: {error}.", "Check the key, or get the proof again."
        ) from error
    show_verdict(verdict, as_json=as_json)


@app.command("replay")
def replay(
    file: Annotated[Path, typer.Argument(help="The proof.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Compute the passages again from the source, on the plane that holds it, and compare byte for byte.

    Needs a token with the scope `source`; another version of parser or policy refuses and is named.
    """
    require_file(file)
    try:
        answer = json.loads(file.read_text(encoding="utf-8"))["answer"]
        document, generation = str(answer["doc_id"]), str(answer["generation"])
    except (ValueError, KeyError, TypeError) as error:
        raise CommandFailed("proof_unreadable", f"{file} is not a proof.", "Get the proof again.") from error
    with Client(find_token(token)) as client:
        done = client.json("POST", f"/documents/{segment(document)}/replay")
    holds = bool(done["same"]) and done["generation"] == generation
    if as_json:
        print_json(done | {"holds": holds})
    else:
        headline = text("SAME", "bold green") if holds else text("NOT THE SAME", "bold red")
        out().print(text(f"{done['passages']} passages computed again from sha256 {done['sha256']}: ") + headline)
        for name in done["differing"]:
            out().print(text(f"  ✗ passage {name} came out differently", "red"))
        if done["generation"] != generation:
            out().print(text("  ✗ the proof is of another generation: the document was processed anew since", "red"))
    if not holds:
        raise typer.Exit(Exit.VERIFICATION_FAILED)


def read_key(given: str | None) -> str | None:
    """A verifier key that was given as such, or as a file that holds it.

    Raises:
        CommandFailed: `file_missing`: it is neither.
    """
    if not given:
        return None
    path = Path(given)
    if path.is_file():
        return path.read_text(encoding="utf-8").strip()
    if given.count("+") < 2:
        require_file(path)
    return given


def read_keys(given: list[str] | None) -> list[str]:
    """`read_key` of each."""
    return [key for item in given or () if (key := read_key(item))]


def require_file(path: Path | None) -> None:
    """Raises CommandFailed (5) if a file that was named is not there."""
    if path is not None and not path.exists():
        raise CommandFailed("file_missing", f"{path} is not there.", "Check the path.", exit_code=Exit.NOT_FOUND)


def show_verdict(verdict: Verdict, *, as_json: bool) -> None:
    """Print what a check came to; ends with 6 if something does not hold."""
    if as_json:
        print_json(verdict.to_json())
    else:
        _print_verdict(verdict)
    if not verdict.ok:
        raise typer.Exit(Exit.VERIFICATION_FAILED)


def _print_verdict(verdict: Verdict) -> None:
    console = out()
    headline = text("HOLDS", "bold green") if verdict.ok else text("DOES NOT HOLD", "bold red")
    console.print(text(f"{verdict.subject}: ") + headline)
    for item in verdict.checked:
        console.print(indented(text("✓ ", "green") + text(item), 2))
    for item in verdict.attested:
        console.print(indented(text("~ ", "yellow") + text(item) + text("  attested, not computed here", "dim"), 2))
    for failure in verdict.failures:
        line = text("✗ ", "red") + text(f"{failure.name} at {failure.where}: ", "bold") + text(failure.message)
        console.print(indented(line, 2))
    for name, count in verdict.not_listed.items():
        console.print(text("  ✗ ", "red") + text(f"{name}: {count} more"))
    if verdict.ok and verdict.keep:
        hint("Keep this checkpoint: a later check takes it with --since")
        console.print(text(verdict.keep.rstrip("\n"), lines=True), soft_wrap=True)
