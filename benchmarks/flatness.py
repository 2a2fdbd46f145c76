"""Whether what a process takes up stays what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

MEGABYTES = 4.0
"""By so much may the resident memory be larger at the end."""

KILOBYTES = 2.0
"""The same for each job that was done in between: less than a trigger takes, by far."""

BLOCKS = 1.0
"""So many of Python's blocks may be left of each job that was done in between."""

PIECES = 2.0
"""By so many may threads, descriptors, sessions and tasks differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the waiting process takes up at one moment."""

    seconds: float
    """Since the first trigger."""
    done: int
    """Waits that are over."""
    triggers: int
    resident: int
    """Bytes."""
    blocks: int
    """Of memory, that Python has allocated."""
    threads: int
    descriptors: int
    tasks: int
    """In the event loop, beside the one of each trigger."""
    sessions: int
    """That are open in the account."""
    late: float
    """Milliseconds by which the event loop was late, p99."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing that is to be flat."""

    name: str
    growth: float
    limit: float
    both_ways: bool = False

    @property
    def is_met(self) -> bool:
        growth = abs(self.growth) if self.both_ways else self.growth
        return growth <= self.limit


def fifth(samples: Sequence[Sample], number: int, *, until: float) -> list[Sample]:
    """Return the samples of one fifth of the time, the first being 0."""
    return [sample for sample in samples if int(5 * sample.seconds / until) == number]


def criteria(samples: Sequence[Sample], *, until: float) -> list[Criterion]:
    """
    Compare the last fifth of the time with the second: the first is for warming up.

    The medians, so that no login and no trigger that is about to be replaced decides.

    :param until: for how many seconds there were samples.
    """
    early, late = fifth(samples, 1, until=until), fifth(samples, 4, until=until)

    def growth(of: Callable[[Sample], float]) -> float:
        return median(map(of, late)) - median(map(of, early))

    done = max(1.0, growth(lambda sample: sample.done))
    memory = growth(lambda sample: sample.resident)
    blocks = growth(lambda sample: sample.blocks)
    whole = {
        "threads": growth(lambda sample: sample.threads),
        "file descriptors": growth(lambda sample: sample.descriptors),
        "tasks beside the triggers": growth(lambda sample: sample.tasks),
        "open sessions": growth(lambda sample: sample.sessions),
    }
    return [
        Criterion(name="memory, MB", growth=memory / 1e6, limit=MEGABYTES),
        Criterion(name="memory, kB for each job done", growth=memory / 1e3 / done, limit=KILOBYTES),
        Criterion(name="blocks for each job done", growth=blocks / done, limit=BLOCKS),
        *(
            Criterion(name=name, growth=pieces, limit=PIECES, both_ways=True)
            for name, pieces in whole.items()
        ),
    ]
