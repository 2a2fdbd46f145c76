"""How long a job or an asynchronous query takes, and the clock that measures it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

Clock = Callable[[], float]
"""Returns the time in epoch seconds."""

# The progress of a real job moves in steps, too, one for each epoch (guess progress-steps).
_STEPS = 20


@dataclass(frozen=True, slots=True)
class Life:
    """
    How long a job or a query takes: a number of looks, or a number of seconds.

    One look is one poll: one DESCRIBE of a job, or one request for a query's status.
    """

    looks: int = 0
    seconds: float = 0.0

    @classmethod
    def at_once(cls) -> Self:
        """Finish at the first poll."""
        return cls()

    @classmethod
    def by_looks(cls, looks: int) -> Self:
        """Keep running for *looks* polls, and finish at the next one."""
        return cls(looks=looks)

    @classmethod
    def by_time(cls, seconds: float) -> Self:
        """Finish *seconds* after the creation, by the emulator's clock."""
        return cls(seconds=seconds)

    def progress(self, *, looks: int, age: float) -> float:
        """
        Return how much is done, from 0 to 1.

        :param looks: the number of polls so far.
        :param age: seconds since the creation.
        """
        if self.looks:
            return min(1.0, looks / self.looks)
        if self.seconds:
            return min(1.0, math.floor(_STEPS * age / self.seconds) / _STEPS)
        return 1.0
