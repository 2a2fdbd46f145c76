"""
When to look at a job again, and when to stop.

A look is a statement, which may wake a warehouse. What is known of a job's end is a window: the
reported progress gives one, the duration of an earlier run another. Before the window opens there is
nothing to see. From then on the gap is in proportion to the root of the time that is probably left:
where the end may come at any moment, that trades looks for delay best.
`python -m benchmarks.policy` shows what comes of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.waiting import window
from airflow_provider_cortex.waiting.window import UNKNOWN, UNSEEN, Step

MIN_INTERVAL = 60.0
"""Seconds between two looks around the end, at least."""

DEFAULT_MAX_INTERVAL = 300.0
"""Seconds between two looks while the end is far off."""

FLOOR = 1.0
"""Seconds. An interval of 0, which Airflow allows, must not become a busy loop in a triggerer."""

GROWTH = 16.0
"""
Seconds. A gap is the root of this times the time that is probably left: one minute if that is four
minutes, two if it is a quarter of an hour, five if it is an hour and a half.
"""

AHEAD = 4.0
"""
How many times its age a job may be left alone, if an earlier run says so. Never for all of the time:
a job that fails is found out when it is at most so many times older.
"""

EARLY = 0.25
"""What share of a gap may be given up for a rounder moment, at which others look, too."""

ROUNDEST = 24 * 3600.0
"""Seconds. No moment need be rounder than midnight."""

INSTANT = 1e-3
"""Seconds. Two moments that are closer are the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """
    When to look next: the same for the same record at the same time.

    :param interval: seconds between two looks, if it is to be the same always. None makes it depend
        on the job, within the bounds that follow.
    :param shortest: the shortest gap, in seconds.
    :param longest: the longest, in seconds; only *expected_duration* makes longer ones.
    :param expected_duration: how many seconds the job will take from its creation, about: what an
        earlier run took.
    :param offset: how many seconds after the marks of a grid to look. The marks are the same for all
        waits, so that many look at once; the offsets may differ, so that not all triggerers do.
        The first gap may take up to twice the shortest to get there. None is no grid: each gap is
        counted from the look before.
    """

    interval: float | None = None
    shortest: float = MIN_INTERVAL
    longest: float = DEFAULT_MAX_INTERVAL
    expected_duration: float | None = None
    offset: float | None = None

    @property
    def least(self) -> float:
        """The shortest gap that is possible, in seconds: the fixed one, if it is fixed."""
        least = min(self.shortest, self.longest) if self.interval is None else self.interval
        return max(FLOOR, least)

    @property
    def longest_pause(self) -> float:
        """The longest gap after looks that went wrong, in seconds."""
        return max(self.least, self.longest)

    def next_look(
        self, job: FineTuneJob | None, *, at: float, started_at: float, step: Step = UNSEEN
    ) -> float:
        """
        Return the moment of the next look, epoch seconds.

        :param job: what was seen; None if nothing was yet.
        :param at: when it was seen, epoch seconds.
        :param started_at: when the wait began, epoch seconds: counts as the job's creation for as long
            as Cortex does not tell it.
        :param step: when the job came to its progress, if that is known.
        """
        if self.interval is not None:
            return self.next_try(at=at)
        gap = max(self.least, self._gap(job, at=at, started_at=started_at, step=step))
        if self.offset is None:
            return at + gap
        # The first mark after this is in time for the longest gap, if that has room for one.
        last = max(gap, self.longest) - self.least
        early = max(self.least, min(gap * (1 - EARLY), last))
        return self._roundest_mark(at + early, at + gap)

    def first_look(self, *, at: float, started_at: float, soonest: float) -> float:
        """
        Return when a process should look that has not seen the job yet: epoch seconds.

        :param soonest: not before so many seconds after *at*.
        """
        if self.interval is not None and self.offset is not None:
            # The marks of a fixed interval are all its own: the first may come sooner than that.
            return self._mark(at + max(soonest, 2 * INSTANT), self.least)
        return max(at + soonest, self.next_look(None, at=at, started_at=started_at))

    def next_try(self, *, at: float, misses: int = 1) -> float:
        """
        Return when to look after one that brought no usable answer, however far the end is.

        The pause is the shortest that is allowed after the first of them, twice that after the second,
        and so on up to the longest: whoever is overloaded has no use for many who ask again.

        :param at: when the last look was, epoch seconds.
        :param misses: how many there have been in a row.
        """
        # Bounded, so that a float can hold it.
        pause = min(math.ldexp(self.least, min(misses - 1, 30)), self.longest_pause)
        if self.offset is None:
            return at + pause
        # After a look that took long the next mark may be too close, even if the interval is fixed.
        early = 0.0 if self.interval is None else self.least / 2
        return self._mark(at + pause - early, self.least)

    def _gap(self, job: FineTuneJob | None, *, at: float, started_at: float, step: Step) -> float:
        """Return how many seconds to leave the job alone: as its window says, whatever is allowed."""
        began = _creation(job, at=at, started_at=started_at)
        age = max(0.0, at - began)
        reported = window.reported(job, began=began, age=age, step=step)
        expected = window.expected(self.expected_duration)
        agreed = expected & reported if expected and reported else expected
        known = agreed or reported or UNKNOWN  # the job itself knows best
        if age < known.opens:
            return min(known.opens - age, max(self.longest, AHEAD * age if agreed else 0.0))
        if job is None:
            return 0.0  # anything may have happened to it
        return min(self.longest, math.sqrt(GROWTH * known.probably_left(age)))

    def _roundest_mark(self, earliest: float, latest: float) -> float:
        """Return the roundest moment of the grid in between, or the first after *earliest*."""
        size = self.least
        mark = self._mark(earliest, size)
        while size < ROUNDEST:
            size *= 2
            rounder = self._mark(earliest, size)
            if rounder > latest + INSTANT:
                break
            mark = rounder
        return mark

    def _mark(self, earliest: float, size: float) -> float:
        """Return the first multiple of *size* that is not before *earliest*, the offset added."""
        offset = self.offset or 0.0
        return math.ceil((earliest - offset - INSTANT) / size) * size + offset


def _creation(job: FineTuneJob | None, *, at: float, started_at: float) -> float:
    """Return when the job was created, epoch seconds, as far as can be told."""
    if job is None or job.created_on is None:
        return started_at
    created = job.created_on.timestamp()
    return created if created <= at else started_at  # another clock than ours
