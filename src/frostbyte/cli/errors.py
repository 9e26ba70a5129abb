"""From whatever went wrong to a sentence, a remedy and an exit code. A user's mistake never shows a traceback."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence

from frostbyte.cli.exits import OF_KIND, Exit
from frostbyte.cli.output import err, text
from frostbyte.kernel.errors import FrostbyteError


class CommandFailed(FrostbyteError):
    """An error that the command line found itself, with the exit code it ends with."""

    def __init__(self, code: str, message: str, remedy: str = "", *, exit_code: Exit = Exit.USAGE) -> None:
        super().__init__(code, message, remedy)
        self.exit_code = exit_code


def run(command: Callable[[], object], argv: Sequence[str]) -> int:
    """Run the command line and return its exit code; prints what went wrong.

    Args:
        command: reads `sys.argv` or is bound to arguments already.
        argv: only to see whether `--json` was asked for, so that errors are JSON too.
    """
    as_json = "--json" in argv
    try:
        command()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else Exit.OK if stop.code is None else Exit.INTERNAL
    except FrostbyteError as error:
        show(error, as_json=as_json)
        return error.exit_code if isinstance(error, CommandFailed) else OF_KIND[error.kind]
    except KeyboardInterrupt:
        err().print(text("Stopped.", "yellow"))
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of the pipe (head, less) has seen enough. Without this, the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:  # the last line of defence: a fault of ours becomes one sentence, not a traceback
        if os.environ.get("FROSTBYTE_DEBUG"):
            raise
        show(_fault(error), as_json=as_json)
        return Exit.INTERNAL
    return Exit.OK


def _fault(error: Exception) -> FrostbyteError:
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return CommandFailed("os_error", f"{error.strerror}{where}", "Check the path, its permissions and the space.")
    return FrostbyteError(
        "internal_error",
        f"Frostbyte failed in a way that it should not ({type(error).__name__}).",
        "Run it again with FROSTBYTE_DEBUG=1 and report what it prints.",
    )


def show(error: FrostbyteError, *, as_json: bool = False) -> None:
    """Print an error on stderr: what happened, what to do, its code."""
    if as_json:
        body = {"code": error.code, "message": error.message, "remedy": error.remedy}
        sys.stderr.write(json.dumps({"error": body}) + "\n")
        return
    console = err()
    console.print(text("error ", "bold red") + text(error.message), soft_wrap=True)
    if error.remedy:
        console.print(text("  try ", "bold green") + text(error.remedy), soft_wrap=True)
    console.print(text(f" code {error.code}", "dim"))
