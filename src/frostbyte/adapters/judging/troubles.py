"""How the policy gates in a child can fail."""

from __future__ import annotations

from frostbyte.kernel.errors import StageFailed, Unavailable

_REMEDY = "Send `frostbyte doctor --json` to support; the document stays unindexed until it has been judged."


class JudgeTroubles:
    """Implements `children.troubles.Troubles`."""

    codes = frozenset({"account_open", "pii_engine_missing", "policy_unavailable", "policy_crashed", "policy_memory"})

    def crashed(self, where: str) -> StageFailed:
        """It broke; `where` holds no content."""
        return StageFailed("policy_crashed", f"The policy gates broke on this document ({where}).", _REMEDY)

    def out_of_memory(self) -> StageFailed:
        """It needed more memory than it may have."""
        return StageFailed("policy_memory", "Judging this document takes more memory than it may use.", _REMEDY)

    def timed_out(self, seconds: float) -> StageFailed:
        """It did not answer."""
        return StageFailed("policy_timeout", f"Judging this document took longer than {seconds:g} seconds.", _REMEDY)

    def too_slow(self, seconds: float) -> StageFailed:
        """The document takes too long in all."""
        return self.timed_out(seconds)

    def output_too_large(self, limit: int) -> StageFailed:
        """The result is larger than is taken over."""
        return StageFailed(
            "policy_output", f"The verdict is larger than {limit} bytes.", "Split the document into smaller files."
        )

    def not_started(self) -> Unavailable:
        """No child could be had."""
        return Unavailable("policy_unavailable", "No policy process could be started.", "Check memory and limits.")

    def shut_down(self) -> Unavailable:
        """The pool is closed."""
        return Unavailable("policy_unavailable", "The policy gates are shut down.", "Try again in a moment.")

    def other_rules(self) -> Unavailable:
        """The child cannot load the rules that the plane asks for."""
        return Unavailable(
            "policy_unavailable", "The rule files changed while they were read.", "It is tried again by itself."
        )


TROUBLES = JudgeTroubles()
