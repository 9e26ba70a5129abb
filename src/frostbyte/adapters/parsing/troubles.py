"""How a parser in a child can fail."""

from __future__ import annotations

from frostbyte.kernel.errors import StageFailed, Unavailable

_REMEDY = "Save the file again in the program it came from, or print it to PDF, and send that."


class ParserTroubles:
    """Implements `children.troubles.Troubles`."""

    codes = frozenset(
        {
            "encrypted",
            "damaged",
            "too_many_pages",
            "too_many_cells",
            "image_too_large",
            "text_too_large",
            "archive_bomb",
            "unsafe_xml",
            "unsupported_format",
            "account_open",
            "parser_memory",
            "parser_crashed",
            "no_page_picture",
        }
    )

    def crashed(self, where: str) -> StageFailed:
        """It broke; `where` holds no content."""
        return StageFailed("parser_crashed", f"The parser broke on this file ({where}).", _REMEDY)

    def out_of_memory(self) -> StageFailed:
        """It needed more memory than it may have."""
        return StageFailed("parser_memory", "Reading this file takes more memory than a parser may use.", _REMEDY)

    def timed_out(self, seconds: float) -> StageFailed:
        """It made no headway."""
        return StageFailed("parser_timeout", f"Reading this file made no headway for {seconds:g} seconds.", _REMEDY)

    def too_slow(self, seconds: float) -> StageFailed:
        """The document takes too long in all."""
        return StageFailed(
            "parser_timeout",
            f"Reading this file takes longer than {seconds:g} seconds.",
            "Split it into smaller files.",
        )

    def output_too_large(self, limit: int) -> StageFailed:
        """The result is larger than is taken over."""
        return StageFailed(
            "output_too_large",
            f"What was read of this file is larger than {limit} bytes.",
            "Split it into smaller files.",
        )

    def not_started(self) -> Unavailable:
        """No child could be had."""
        return Unavailable(
            "parser_unavailable", "No parser process could be started.", "Check memory and process limits."
        )

    def shut_down(self) -> Unavailable:
        """The pool is closed."""
        return Unavailable("parser_unavailable", "The parsers are shut down.", "Try again in a moment.")


TROUBLES = ParserTroubles()
