"""Whether a process's use of memory, threads and the like grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

MEGABYTES = 4.0
"""How much the resident memory may grow."""

KILOBYTES = 2.0
"""How much it may grow per finished job: much less than a trigger takes."""

BLOCKS = 1.0
"""How many of Python's memory blocks may remain per finished job."""

COUNT = 2.0
"""By how much the number of threads, descriptors, sessions and tasks may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the triggerer uses at one moment."""

    seconds: float
    """Since the first trigger."""
    finished: int
    """Waits that have ended."""
    triggers: int
    resident: int
    """Bytes."""
    blocks: int
    """Memory blocks that Python has allocated."""
    threads: int
    descriptors: int
    tasks: int
    """In the event loop, without those of the triggers."""
    sessions: int
    """Open at the emulator."""
    lag: float
    """Milliseconds by which the event loop was late, p99."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One quantity that must not grow."""

    name: str
    growth: float
    limit: float
    both_ways: bool = False
    """Whether it must not shrink either."""

    @property
    def is_met(self) -> bool:
        growth = abs(self.growth) if self.both_ways else self.growth
        return growth <= self.limit


def fifth(samples: Sequence[Sample], number: int, *, until: float) -> list[Sample]:
    """Return the samples of one fifth of the time. The first has the number 0."""
    return [sample for sample in samples if int(5 * sample.seconds / until) == number]


def criteria(samples: Sequence[Sample], *, until: float) -> list[Criterion]:
    """
    Compare the last fifth of the time with the second; in the first, the process warms up.

    Medians are compared, so that a single login or a trigger that is being replaced has no effect.

    :param until: the seconds over which samples were taken.
    """
    early, late = fifth(samples, 1, until=until), fifth(samples, 4, until=until)

    def growth(of: Callable[[Sample], float]) -> float:
        return median(map(of, late)) - median(map(of, early))

    finished = max(1.0, growth(lambda sample: sample.finished))
    memory = growth(lambda sample: sample.resident)
    blocks = growth(lambda sample: sample.blocks)
    counts = {
        "threads": growth(lambda sample: sample.threads),
        "file descriptors": growth(lambda sample: sample.descriptors),
        "tasks without the triggers'": growth(lambda sample: sample.tasks),
        "open sessions": growth(lambda sample: sample.sessions),
    }
    per_job = memory / 1e3 / finished
    return [
        Criterion(name="memory, MB", growth=memory / 1e6, limit=MEGABYTES),
        Criterion(name="memory, kB per finished job", growth=per_job, limit=KILOBYTES),
        Criterion(name="blocks per finished job", growth=blocks / finished, limit=BLOCKS),
        *(
            Criterion(name=name, growth=count, limit=COUNT, both_ways=True)
            for name, count in counts.items()
        ),
    ]
