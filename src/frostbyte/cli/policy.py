"""`frostbyte policy`: trying a change of the policy rules before it is in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from frostbyte.cli.client import Client, find_token
from frostbyte.cli.errors import CommandFailed
from frostbyte.cli.exits import Exit
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import err, hint, out, print_json, text

if TYPE_CHECKING:
    from frostbyte.data_plane.policy import Difference

app = group("The rules that judge documents.")

_PAGE: Final = 10
"""Documents that are judged in one request."""


@app.command("test")
def try_rules(
    path: Annotated[Path, typer.Argument(help="A folder of rule files, or one of them.", show_default=False)],
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", help="Try them on this file, without a plane; may be given again.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many stored documents at most.")] = 100,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Show what a change of rules would do, before it is in force. Nothing is changed.

    The rules are checked first: their examples run, and what is wrong is named with file, rule and line. Exit code 0
    means that no document would change, 3 that some would or could not be judged.
    """
    rules = _rule_files(path)
    result = _on_files(rules, file) if file else _on_plane(rules, limit, find_token(token), quiet=as_json)
    if as_json:
        print_json(result)
    else:
        _show(result)
    if result["total"]["changed"] or result["skipped"]:
        raise typer.Exit(Exit.PROBLEMS)


def _rule_files(path: Path) -> dict[str, str]:
    """The contents of the rule files by their names."""
    from frostbyte.data_plane.policy import FILES

    found = [path] if path.is_file() else [path / name for name in FILES if (path / name).is_file()]
    if not found or any(item.name not in FILES for item in found):
        raise CommandFailed(
            "rules_missing",
            f"{path} is no rule file and no folder with one.",
            f"Rule files are called {', '.join(FILES)}.",
            exit_code=Exit.NOT_FOUND,
        )
    try:
        return {item.name: item.read_text(encoding="utf-8") for item in found}
    except UnicodeDecodeError:
        raise CommandFailed("rules_invalid", "A rule file is not UTF-8.", "Save it as UTF-8.") from None


def _on_plane(files: dict[str, str], limit: int, token: str, *, quiet: bool) -> dict[str, Any]:
    """The differences on stored documents, asked for page by page."""
    from frostbyte.data_plane.policy import Difference

    result: dict[str, Any] = {"documents": [], "skipped": []}
    after: str | None = None
    with Client(token) as client:
        while True:
            judged = len(result["documents"]) + len(result["skipped"])
            body = {"files": files, "after": after, "limit": min(_PAGE, limit - judged)}
            page = client.json("POST", "/policy/test", body=body)
            result |= {"old": page["old"], "new": page["new"]}
            result["documents"] += page["documents"]
            result["skipped"] += page["skipped"]
            after = page["next"]
            judged = len(result["documents"]) + len(result["skipped"])
            if after is None or judged >= limit:
                break
            if not quiet:
                err().print(text(f"{judged} documents judged", "dim"))
    fields = Difference.__struct_fields__
    return _totalled(result, [Difference(**{k: doc[k] for k in fields if k in doc}) for doc in result["documents"]])


def _on_files(files: dict[str, str], chosen: list[Path]) -> dict[str, Any]:
    """The differences on files of this machine, between the shipped rules and the ones that are tried."""
    import tempfile

    import msgspec

    from frostbyte.data_plane import policy

    for item in chosen:
        if not item.is_file():
            raise CommandFailed("file_missing", f"{item} is no file.", "Check the path.", exit_code=Exit.NOT_FOUND)
    with tempfile.TemporaryDirectory(prefix="frostbyte-rules-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_text(content, encoding="utf-8")
        rules, shipped = policy.RuleSet.load(Path(folder)), policy.RuleSet.load()
    differences = [_on_file(item, shipped, rules) for item in chosen]
    documents = [
        {"file": str(item)} | msgspec.to_builtins(difference)
        for item, difference in zip(chosen, differences, strict=True)
    ]
    return _totalled({"old": shipped.version, "new": rules.version, "documents": documents, "skipped": []}, differences)


def _on_file(file: Path, shipped: Any, rules: Any) -> Difference:
    from uuid import UUID

    from frostbyte.adapters.names.rampart import installed
    from frostbyte.cli.parse import read
    from frostbyte.data_plane import policy
    from frostbyte.kernel.tenancy import PiiType, config_from

    names = installed()
    kinds = [kind.value for kind in PiiType if names or kind not in (PiiType.NAME, PiiType.ADDRESS)]
    document = read(file)
    verdicts = [
        policy.clear(
            document,
            doc_id=UUID(int=0),
            generation="trial",
            config=config_from({"pii_types": kinds}),
            config_version=0,
            rules=each,
            names=names,
        )
        for each in (shipped, rules)
    ]
    return policy.compare(*verdicts)


def _totalled(result: dict[str, Any], differences: list[Difference]) -> dict[str, Any]:
    from frostbyte.data_plane.policy import total

    return result | {"total": total(differences)}


def _show(result: dict[str, Any]) -> None:
    console = out()
    for document in result["documents"]:
        said = _said(document)
        if said:
            console.print(text("● ", "yellow") + text(document.get("doc_id") or document["file"], "bold"))
            for line in said:
                console.print(text(f"  {line}"))
    for item in result["skipped"]:
        console.print(text("● ", "red") + text(f"{item['doc_id']} could not be judged: {item['code']}"))
    sums = result["total"]
    head = f"{sums['changed']} of {sums['documents']} documents would change"
    console.print(text(head, "bold" if sums["changed"] else "green"))
    for line in _said(sums):
        console.print(text(f"  {line}"))
    if sums["changed"]:
        hint("To put the rules in force, start the plane with them; documents keep the verdict of their own time.")


def _said(item: dict[str, Any]) -> list[str]:
    """A difference, or the sums over many, in lines."""
    lines = []
    for field, words in (
        ("found", "newly found"),
        ("lost", "no longer found"),
        ("suspected", "newly suspected"),
        ("cleared", "no longer suspected"),
        ("classes", "class"),
        ("characters", "characters in the account"),
    ):
        if item.get(field):
            signed = field == "characters"
            lines.append(
                words + ": " + ", ".join(f"{k} {v:+d}" if signed else f"{k} {v}" for k, v in item[field].items())
            )
    for field, words in (("withheld", "passages newly withheld"), ("freed", "passages no longer withheld")):
        if item.get(field):
            lines.append(f"{item[field]} {words}")
    if item.get("classification"):
        lines.append("class: {} -> {}".format(*item["classification"]))
    if isinstance(item.get("review"), list | tuple):
        lines.append("class would wait for review" if item["review"][1] else "class would need no review")
    if isinstance(item.get("blocked"), list | tuple):
        lines.append("would be quarantined" if item["blocked"][1] else "would not be quarantined")
    for field, words in (
        ("to_review", "more wait for review"),
        ("off_review", "fewer wait for review"),
        ("unblocked", "would not be quarantined"),
    ):
        if item.get(field):
            lines.append(f"{item[field]} {words}")
    if isinstance(item.get("blocked"), int) and item["blocked"]:
        lines.append(f"{item['blocked']} would be quarantined")
    return lines
