"""`frostbyte webhook`: servers that are told when a batch has ended."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from frostbyte.cli.client import Client, find_token, segment
from frostbyte.cli.exits import Exit
from frostbyte.cli.granting import Secret, handed_over
from frostbyte.cli.options import AsJson, Token, group
from frostbyte.cli.output import hint, out, print_json, table, text

app = group("Webhooks: servers of yours that are told when a batch has ended.")

Which = Annotated[str, typer.Argument(help="The webhook's id.", show_default=False)]
_STYLES = {"delivered": "green", "waiting": "yellow", "dead": "red"}


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="https://host.example/path; its host is in webhook_hosts.")],
    output: Secret = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Tell a server of every batch that ends from now on. Its secret is shown once and never again."""
    with Client(find_token(token)) as client:
        made = client.json("POST", "/webhooks", body={"url": url})
    handed_over(made, "secret", output, as_json=as_json)
    if not as_json:
        hint(f"Try it with: frostbyte webhook test {made['webhook_id']}")


@app.command("list")
def show_all(as_json: AsJson = False, token: Token = None) -> None:
    """List webhooks, what arrived of their messages, and which servers the configuration names."""
    with Client(find_token(token)) as client:
        found = client.json("GET", "/webhooks")
    if as_json:
        print_json(found)
        return
    if found["webhooks"]:
        shown = table("=webhook", "=address", "delivered", "waiting", "dead", "since")
        for item in found["webhooks"]:
            counts = item["deliveries"]
            shown.add_row(
                text(item["webhook_id"]),
                text(item["url"], "bold" if item["allowed"] else "red"),
                *(text(str(counts[state]), _STYLES[state] if counts[state] else "") for state in _STYLES),
                text(item["created_at"][:10]),
            )
        out().print(shown)
    else:
        out().print(text("Nobody is told when a batch has ended."))
    hosts = ", ".join(found["hosts"])
    hint(f"Servers that may be told: {hosts or 'none'} (webhook_hosts in `frostbyte config show`)")
    if any(not item["allowed"] for item in found["webhooks"]):
        hint("An address in red leads to a server that webhook_hosts does not name: it is told nothing")


@app.command("remove")
def remove(webhook: Which, as_json: AsJson = False, token: Token = None) -> None:
    """Tell a server nothing any more, what it is owed included."""
    with Client(find_token(token)) as client:
        client.answer("DELETE", f"/webhooks/{segment(webhook)}")
    if as_json:
        print_json({"webhook_id": webhook, "removed": True})
    else:
        out().print(text("It is told nothing any more.", "green"))


@app.command("rotate")
def rotate(
    webhook: Which,
    retire_old: Annotated[
        bool, typer.Option("--retire-old", help="Sign with the old one no more: somebody else may have it.")
    ] = False,
    output: Secret = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Sign with a new secret, which is shown once. The old one signs too for 24 hours."""
    with Client(find_token(token)) as client:
        made = client.json("POST", f"/webhooks/{segment(webhook)}/secret", body={"retire_old": retire_old})
    handed_over(made, "secret", output, as_json=as_json)
    if not as_json:
        until = (made["old_secret_until"] or "")[:16].replace("T", " ")
        hint(f"The old secret signs too until {until} UTC" if until else "The old secret signs nothing any more")


@app.command("test")
def try_it(webhook: Which, as_json: AsJson = False, token: Token = None) -> None:
    """Send a message that says nothing, and say what came of it. Ends with 3 if it was not taken."""
    with Client(find_token(token)) as client:
        done = client.json("POST", f"/webhooks/{segment(webhook)}/test")
    if as_json:
        print_json(done)
    elif done["state"] == "delivered":
        out().print(text("Taken: ", "green") + text(f"HTTP {done['status']} after {done['duration_ms']} ms"))
    else:
        _trouble(done)
    if done["state"] != "delivered":
        raise typer.Exit(Exit.PROBLEMS)


def _trouble(done: dict[str, Any]) -> None:
    status = f" (HTTP {done['status']})" if done["status"] else ""
    out().print(text("Not taken: ", "red") + text(f"{done['message']}{status}"))
    hint(done["remedy"])


@app.command("deliveries")
def deliveries(
    webhook: Which,
    state: Annotated[str | None, typer.Option("--state", help="waiting, delivered or dead.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 20,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """List a webhook's messages, newest first, and why one was not taken."""
    with Client(find_token(token)) as client:
        found = client.json("GET", f"/webhooks/{segment(webhook)}/deliveries", params={"state": state, "limit": limit})
    if as_json:
        print_json(found)
        return
    shown = table("=delivery", "state", ">tries", "made", "what came of it")
    for item in found["deliveries"]:
        told = f"HTTP {item['status']}" if item["status"] else ""
        came = " ".join(filter(None, (item["message"] or "", told)))
        shown.add_row(
            text(item["delivery_id"]),
            text(item["state"], _STYLES[item["state"]]),
            text(str(item["attempts"])),
            text(item["created_at"][:16].replace("T", " ")),
            text(came or ("a test" if item["type"] == "webhook.test" else "")),
        )
    out().print(shown)
    if any(item["state"] == "dead" for item in found["deliveries"]):
        hint(f"Send one again with: frostbyte webhook retry {webhook} DELIVERY, or let it be with: discard")


@app.command("retry")
def retry(
    webhook: Which,
    delivery: Annotated[str, typer.Argument(help="The delivery's id.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Send a message at once that waits, or once more what was given up; its id stays."""
    with Client(find_token(token)) as client:
        done = client.json("POST", f"/webhooks/{segment(webhook)}/deliveries/{segment(delivery)}/retry")
    if as_json:
        print_json(done)
    else:
        out().print(text("It is sent now.", "green"))


@app.command("discard")
def discard(
    webhook: Which,
    delivery: Annotated[str, typer.Argument(help="The delivery's id.", show_default=False)],
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Take a message that was given up off the list: nobody needs it any more. The audit keeps it."""
    with Client(find_token(token)) as client:
        client.answer("DELETE", f"/webhooks/{segment(webhook)}/deliveries/{segment(delivery)}")
    if as_json:
        print_json({"delivery_id": delivery, "discarded": True})
    else:
        out().print(text("It is off the list.", "green"))
