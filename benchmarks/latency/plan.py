"""The runs of the benchmark: when each one begins, and when its job ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONTENDERS: Mapping[str, str] = {
    "deferrable_fixed": "deferrable, 30 s",
    "deferrable_adaptive": "deferrable, adaptive",
    "reschedule_fixed": "reschedule, 30 s",
    "reschedule_adaptive": "reschedule, adaptive",
    "poke_fixed": "poke, 30 s",
    "poke_adaptive": "poke, adaptive",
    "sql_sensor": "SqlSensor, reschedule, 30 s",
    "empty": "empty operator",
}
"""The ways to wait, by the ids of their DAGs."""

DEFERRED = ("deferrable_fixed", "deferrable_adaptive", "empty")
"""Those that wait in the triggerer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of the benchmark; all times in seconds."""

    contenders: Sequence[str]
    jobs: int
    """For each contender."""
    shortest: float
    longest: float
    """How long jobs take."""
    spacing: float
    """Between two job ends of a contender."""


FULL = Size(
    contenders=tuple(CONTENDERS),
    jobs=20,
    shortest=75,
    # With these two, the ends of twenty jobs fall evenly on all seconds of a minute, counted by the
    # clock or from the start of each wait: no interval of polls is lucky.
    longest=135,
    spacing=27,
)
SMALL = Size(contenders=("empty",), jobs=2, shortest=5, longest=8, spacing=4)
"""A size that only shows that everything runs."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run of a contender's DAG, in seconds from the begin of the plan."""

    contender: str
    run_id: str
    begins_at: float
    ends_at: float
    """When its job ends."""


def plan(size: Size) -> list[PlannedRun]:
    """Return the runs by their begin, all contenders side by side. No two jobs end together."""
    runs = []
    for position, contender in enumerate(size.contenders):
        for number in range(size.jobs):
            ends_at = size.longest + size.spacing * (number + position / len(size.contenders))
            # Mixed, so that neither long jobs nor short ones come last.
            share = 7 * number % size.jobs / size.jobs
            takes = size.shortest + (size.longest - size.shortest) * share
            runs.append(PlannedRun(contender, f"run_{number}", ends_at - takes, ends_at))
    return sorted(runs, key=lambda run: run.begins_at)
