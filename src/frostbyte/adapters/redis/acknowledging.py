"""Acknowledging messages to a Redis that has gone.

kombu counts a message as held until Redis has taken its acknowledgement. A worker whose every held message was lost
with Redis would then hold them for ever, ask for no more, and so never notice that its connection is dead. Here a
message is let go of in any case; asking for the next one then finds the dead connection, and the worker connects anew.
What Redis still has of the message comes back after the visibility timeout, as a hint that changes nothing.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import redis, virtual


class LettingGo(redis.QoS):  # type: ignore[misc]  # kombu has no types
    """kombu's record of held messages."""

    def ack(self, delivery_tag: Any) -> None:
        """Acknowledge; raises what Redis raises, and lets go all the same."""
        try:
            super().ack(delivery_tag)
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """Give back or drop; raises what Redis raises, and lets go all the same."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise


def let_go() -> None:
    """Have this process's consumers do so."""
    redis.Channel.QoS = LettingGo
