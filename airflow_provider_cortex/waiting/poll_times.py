"""
When to poll a job next. One poll is one DESCRIBE of one job.

Each poll is a statement, which may wake a warehouse. So polls are rare while the end of the job is
far off, and frequent when it may come at any moment. `python -m benchmarks.policy` simulates what
that saves and what it costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.waiting.default_times import DEFAULT_MAX_INTERVAL, MIN_INTERVAL

FLOOR = 1.0
"""Seconds. An interval of 0, which Airflow allows, must not become a busy loop in a triggerer."""

GROWTH = 20.0
"""
Seconds. The pause is the square root of this times the seconds that are left, in whole minutes:
one if less than 7 minutes are left, two if less than 19, five if more than an hour. Found by
simulation.
"""

# Guess earliest-end: a job takes at least 85 % of its expected duration. If wrong: with
# `expected_duration`, the end is discovered later. No live check: it takes many long jobs.
EARLIEST_SHARE = 0.85
"""The share of its expected duration that a job takes at least."""

AHEAD = 4.0
"""
The longest pause before the expected end, as a multiple of the job's age. Without this limit, an
early failure would be discovered only at the expected end.
"""

SAME_MOMENT = 1e-3
"""Seconds. Two moments that are closer count as one: clocks and sums are not exact."""


@dataclass(frozen=True, kw_only=True)
class PollPolicy:
    """
    When to poll next. The same job record at the same time gives the same answer.

    :param interval: seconds between two polls, if they are fixed. None lets the job's age and
        progress decide, within the limits below.
    :param shortest: shortest pause, in seconds.
    :param longest: longest pause, in seconds. Only *expected_duration* allows longer ones.
    :param expected_duration: seconds from the job's creation to its end, if there is an estimate:
        the duration of an earlier run, for example.
    :param offset: poll on a grid, so many seconds after each multiple of the shortest pause since
        the epoch. All waits share the grid, so that one statement polls many jobs. Each triggerer
        has its own offset, so that they do not all poll at once. To reach the grid, the first
        pause may be up to twice the shortest. None means no grid.
    """

    interval: float | None = None
    shortest: float = MIN_INTERVAL
    longest: float = DEFAULT_MAX_INTERVAL
    expected_duration: float | None = None
    offset: float | None = None

    least: float = field(init=False)
    """The shortest pause, in seconds: the interval if it is fixed."""

    def __post_init__(self) -> None:
        least = min(self.shortest, self.longest) if self.interval is None else self.interval
        object.__setattr__(self, "least", max(FLOOR, least))

    @property
    def longest_pause(self) -> float:
        """The longest pause after failed polls, in seconds."""
        return max(self.least, self.longest)

    def next_poll(self, job: FineTuneJob | None, *, at: float, started_at: float) -> float:
        """
        Return when to poll next, epoch seconds.

        :param job: the answer of the last poll; None if there was none yet.
        :param at: when that poll was, epoch seconds.
        :param started_at: when the wait started, epoch seconds: used as the job's creation time
            if Cortex does not report one.
        """
        if self.interval is not None:
            return self._on_grid(at, self.least)
        created = job.created_on.timestamp() if job and job.created_on else started_at
        if created > at:  # the clocks differ
            created = started_at
        age = max(0.0, at - created)
        return self._on_grid(at, max(self.least, self._pause(job, age)))

    def first_poll(self, *, at: float, started_at: float, soonest: float) -> float:
        """
        Return when a process polls a job that it has not polled before, epoch seconds.

        :param soonest: seconds after *at* that must pass before the poll.
        """
        if self.interval is not None and self.offset is not None:
            # Poll on the next mark, even if it is less than one interval away.
            return self._last_mark(at + soonest + self.least)
        return max(at + soonest, self.next_poll(None, at=at, started_at=started_at))

    def next_retry(self, *, at: float, failures: int = 1) -> float:
        """
        Return when to poll after a failed poll, epoch seconds.

        The pause starts at the shortest and doubles with each further failure, up to the longest:
        more polls would only add to an overload.

        :param at: when the last poll was, epoch seconds.
        :param failures: how many polls have failed in a row.
        """
        doubled = math.ldexp(self.least, min(failures - 1, 30))  # bounded: a float must hold it
        return self._on_grid(at, min(doubled, self.longest_pause))

    def _pause(self, job: FineTuneJob | None, age: float) -> float:
        """Return how long to wait after a poll of a job of *age*, both in seconds."""
        progress = (job.progress or 0.0) if job else 0.0
        earliest_end = EARLIEST_SHARE * (self.expected_duration or 0.0)
        if progress * earliest_end <= age < earliest_end:  # unless its progress is ahead of that
            return min(earliest_end - age, max(self.longest, AHEAD * age))
        if job is None:
            return self.least  # no poll has succeeded yet: it may have finished long ago
        # Guess progress-steps: progress comes in steps, one for each epoch. If wrong: some polls
        # come earlier than necessary.

        # Without progress: what has run for long will run for long. With it, age * (1 - p) / p
        # would be too long: progress lags behind.
        left = age * (1 - progress)
        pause = math.sqrt(GROWTH * left)
        return min(self.longest, round(pause / self.least) * self.least)

    def _on_grid(self, at: float, pause: float) -> float:
        """Return the last mark within *pause*, or the first after the shortest pause."""
        if self.offset is None:
            return at + pause
        # After a slow poll, a fixed interval keeps its next mark if half the interval is left.
        shortest = self.least if self.interval is None else self.least / 2
        return self._last_mark(at + max(pause, shortest + self.least - 2 * SAME_MOMENT))

    def _last_mark(self, latest: float) -> float:
        """Return the last mark of the grid that is not after *latest*, epoch seconds."""
        offset = self.offset or 0.0
        return math.floor((latest - offset + SAME_MOMENT) / self.least) * self.least + offset
