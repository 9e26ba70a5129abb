"""The plane's standing as one process knows it: read for every request, so it is kept here and not asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from frostbyte.data_plane import standing
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import PlaneState


class Gate:
    """Open while the plane is active. Threads share it.

    Attributes:
        state: as it was last told.
        waits: why no job is begun; None while jobs are.
    """

    def __init__(self) -> None:
        self.state = PlaneState.ACTIVE
        self.waits: Unavailable | None = None
        self._lock = threading.Lock()
        self._heard: list[Callable[[PlaneState], None]] = []
        self._in_flight: Callable[[], int] = lambda: 0

    @property
    def refusal(self) -> Unavailable | None:
        """What everybody is answered; None while it is open."""
        return standing.refusal(self.state)

    @property
    def dispatch(self) -> str:
        """Why no job is begun, as a code; `ok` while jobs are."""
        return "ok" if self.waits is None else self.waits.code

    @property
    def in_flight(self) -> int:
        """Requests that are being answered."""
        return self._in_flight()

    def tell(self, state: PlaneState, waits: Unavailable | None) -> None:
        """Take in what the standing is now; who listens hears of another state before this returns."""
        with self._lock:
            changed, self.state, self.waits = state is not self.state, state, waits
            heard = list(self._heard) if changed else []
            for listener in heard:
                listener(state)

    def listen(self, heard: Callable[[PlaneState], None]) -> Callable[[], None]:
        """Have `heard` called with each state that follows another, from whatever thread; ends that when called."""
        with self._lock:
            self._heard.append(heard)

        def leave() -> None:
            with self._lock:
                self._heard.remove(heard)

        return leave

    def count(self, in_flight: Callable[[], int]) -> None:
        """Say who knows how many requests are being answered."""
        self._in_flight = in_flight
