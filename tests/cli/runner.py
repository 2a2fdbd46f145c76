"""What a command printed, and a clock for commands that wait."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Result:
    """The result of a command."""

    status: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records that the command printed as JSON."""
        return list(json.loads(self.out))


Run = Callable[..., Result]


class Clock:
    """
    A clock that only moves when a command sleeps.

    :param events: what happens after so many seconds.
    """

    def __init__(self, events: dict[int, Callable[[], object]] | None = None) -> None:
        self.started_at = self.now = 1_790_000_000.0
        self.events = dict(events or {})

    def time(self) -> float:
        """Return the time, epoch seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move the clock without waiting."""
        self.now += seconds
        for moment in [moment for moment in self.events if self.now - self.started_at >= moment]:
            self.events.pop(moment)()

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of a command's function."""
        return {"clock": self.time, "sleep": self.sleep}
