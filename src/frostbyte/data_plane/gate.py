"""The plane's standing as one process knows it: read for every request, so it is kept here and not asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from frostbyte.data_plane import standing
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import PlaneState, Upkeep


class Gate:
    """Open while the plane is active and nobody works on it. Threads share it.

    Attributes:
        state, upkeep: as it was last told.
        waits: why no job is begun; None while jobs are.
    """

    def __init__(self) -> None:
        self.state = PlaneState.ACTIVE
        self.upkeep = Upkeep.OPEN
        self.waits: Unavailable | None = None
        self._lock = threading.Lock()
        self._heard: list[Callable[[], None]] = []
        self._in_flight: Callable[[], int] = lambda: 0
        self._writing: Callable[[], int] = lambda: 0

    @property
    def refusal(self) -> Unavailable | None:
        """What everybody is answered; None while questions are."""
        return standing.refusal(self.state, self.upkeep)

    @property
    def refuses_writing(self) -> Unavailable | None:
        """What who wants to change something is answered; None while that is taken."""
        return standing.refusal(self.state, self.upkeep, writing=True)

    @property
    def dispatch(self) -> str:
        """Why no job is begun, as a code; `ok` while jobs are."""
        return "ok" if self.waits is None else self.waits.code

    @property
    def in_flight(self) -> int:
        """Requests that are being answered."""
        return self._in_flight()

    def tell(self, state: PlaneState, waits: Unavailable | None, upkeep: Upkeep = Upkeep.OPEN) -> None:
        """Take in what the standing is now; who listens hears of another one before this returns."""
        with self._lock:
            changed = (state, upkeep) != (self.state, self.upkeep)
            self.state, self.upkeep, self.waits = state, upkeep, waits
            heard = list(self._heard) if changed else []
            for listener in heard:
                listener()

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Have `heard` called after each change of what is refused, from whatever thread; ends that when called."""
        with self._lock:
            self._heard.append(heard)

        def leave() -> None:
            with self._lock:
                self._heard.remove(heard)

        return leave

    @property
    def writing(self) -> int:
        """Of those, requests that take, decide or begin something."""
        return self._writing()

    def count(self, in_flight: Callable[[], int], writing: Callable[[], int]) -> None:
        """Say who knows how many requests are being answered, and how many of them change something."""
        self._in_flight, self._writing = in_flight, writing
