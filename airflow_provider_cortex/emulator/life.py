"""How a job's life goes: at once, by looks, or by time."""

import math
from dataclasses import dataclass
from typing import Self

# A real job's progress moves in steps too, one per epoch.
_STEPS = 20


@dataclass(frozen=True, slots=True)
class Life:
    """How long a job takes, in looks (answers to DESCRIBE) or in seconds."""

    looks: int = 0
    seconds: float = 0.0

    @classmethod
    def at_once(cls) -> Self:
        """Be over at the first look."""
        return cls()

    @classmethod
    def by_looks(cls, looks: int) -> Self:
        """Be seen running *looks* times, and over after that."""
        return cls(looks=looks)

    @classmethod
    def by_time(cls, seconds: float) -> Self:
        """Be over *seconds* after its creation."""
        return cls(seconds=seconds)

    def share(self, *, looks: int, age: float) -> float:
        """Return how much of the life is behind a job, from 0 to 1."""
        if self.looks:
            return min(1.0, looks / self.looks)
        if self.seconds:
            return min(1.0, math.floor(_STEPS * age / self.seconds) / _STEPS)
        return 1.0
