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
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from airflow_provider_cortex.cortex import window
from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.cortex.progress import state
from airflow_provider_cortex.cortex.window import UNKNOWN, UNSEEN, Step
from airflow_provider_cortex.errors import (
    ContactLostError,
    CortexError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    RefusedError,
    UnreachableError,
    UnreadableAnswerError,
)

PASSING = (UnreachableError, UnreadableAnswerError)
"""What a wait bears for a while: the next look may go better."""

DEFAULT_CONTACT_TIMEOUT = 15 * 60.0
"""Seconds."""

SHORTEST = 60.0
"""Seconds between two looks around the end, at least."""

DEFAULT_LONGEST = 300.0
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

RESTART = 10 * 60.0
"""Seconds in which a triggerer that has died is replaced, at the most: Airflow needs about half a minute."""

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
    shortest: float = SHORTEST
    longest: float = DEFAULT_LONGEST
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """
    Trouble that goes on.

    :param since: when the first of the looks was that have gone wrong on end, epoch seconds.
    :param until: when the last of them was.
    """

    since: float
    until: float

    @classmethod
    def read(cls, noted: object) -> Self | None:
        """Return what :meth:`to_dict` has written, None for anything else."""
        match noted:
            case {"since": int(since) | float(since), "until": int(until) | float(until)}:
                return cls(since=since, until=until)
        return None

    def to_dict(self) -> dict[str, float]:
        """Return it as JSON can hold it."""
        return {"since": self.since, "until": self.until}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    Where a job stands.

    :param status: as Cortex wrote it, if it is none that we know.
    :param progress: from 0 to 1.
    :param since: when it was seen there for the first time, epoch seconds.
    """

    status: str
    progress: float | None
    since: float

    @classmethod
    def of(cls, job: FineTuneJob, *, since: float) -> Self:
        """Return where *job* stands."""
        known = job.status is not JobStatus.UNKNOWN
        return cls(
            status=job.status.value if known else job.reported_status,
            progress=job.progress,
            since=since,
        )

    @classmethod
    def read(cls, noted: object) -> Self | None:
        """Return what :meth:`to_dict` has written, None for anything else."""
        match noted:
            case {
                "status": str(status),
                "progress": (int() | float() | None) as progress,
                "since": int(since) | float(since),
            }:
                return cls(status=status, progress=progress, since=since)
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"status": self.status, "progress": self.progress, "since": self.since}


@dataclass(slots=True, kw_only=True)
class Poller:
    """
    Decide, look by look, how one wait goes on: the same in a worker and in a triggerer.

    :param job_id: the job.
    :param started_at: when the wait began, epoch seconds.
    :param deadline: when it ends at the latest, epoch seconds.
    :param contact_timeout: for how many seconds on end trouble is borne, from the first look that
        went wrong: with a long interval, one blip must not be the end.
    :param stall_timeout: for how many seconds the job may stand still; None is for ever. Trouble tells
        nothing of the job: for as long as it goes on, only *contact_timeout* counts.
    :param clock: tells the time, epoch seconds.
    """

    job_id: str
    started_at: float
    deadline: float
    policy: PollPolicy
    clock: Callable[[], float]
    contact_timeout: float = DEFAULT_CONTACT_TIMEOUT
    stall_timeout: float | None = None
    last_seen: FineTuneJob | None = None
    outage: Outage | None = None
    """The looks that have gone wrong since the last good one."""
    misses: int = 0
    """How many they are, as far as this process has seen."""
    standing: Standing | None = None
    """Where the job stands, as far as anybody has seen."""
    _due: float = -math.inf
    _seen_at: float = -math.inf
    _step: Step = UNSEEN

    def first_delay(self, *, soonest: float = 0.0) -> float:
        """
        Return the seconds to a first look, in a process that has not looked at the job yet.

        :param soonest: not before so many seconds, whatever the deadline.
        """
        now = self.clock()
        moment = self.policy.first_look(at=now, started_at=self.started_at, soonest=soonest)
        return max(soonest, self._sleep(moment, now))

    def observe(self, job: FineTuneJob) -> float | None:
        """
        Take note of a good answer, and return the seconds to the next look: None if it is over.

        :raises FineTuneTimeoutError: if the deadline has passed.
        :raises FineTuneStalledError: if the job has stood still for too long.
        """
        now = self.clock()
        at = self._looked_at(now)
        if self.last_seen is None or job.progress != self.last_seen.progress:
            self._step = Step(after=self._seen_at, by=at)
        self.last_seen, self._seen_at = job, at
        self.outage, self.misses = None, 0
        standing = Standing.of(job, since=now)
        if self.standing is None or replace(self.standing, since=now) != standing:
            self.standing = standing
        if job.is_over:
            return None
        self._check_deadline(now)
        self._check_standing(now)
        moment = self.policy.next_look(job, at=at, started_at=self.started_at, step=self._step)
        return self._sleep(moment, now)

    def miss(self, error: CortexError) -> float:
        """
        Take note of a look that brought no usable answer, and return the seconds to the next.

        :raises ContactLostError: if the contact budget is used up.
        :raises FineTuneTimeoutError: if the deadline has passed.
        :raises CortexError: *error* itself, if it is not of the kind that passes.
        """
        if not isinstance(error, PASSING):
            raise self._final(error) from error.__cause__
        now = self.clock()
        self.misses += 1
        since = self.outage.since if self.outage else now
        self.outage = Outage(since=since, until=now)
        # Kept as a moment: sleeping for what is left of a duration may never quite use it up.
        lost_at = since + self.contact_timeout
        if now >= lost_at:
            waited = now - since
            raise ContactLostError(self.job_id, waited, str(error), self.last_state) from error
        self._check_deadline(now)
        moment = self.policy.next_try(at=self._looked_at(now), misses=self.misses)
        return self._sleep(min(moment, lost_at), now)

    @property
    def is_new(self) -> bool:
        """Whether this process has not looked at the job yet."""
        return self.last_seen is None and self.misses == 0

    def take_over(self, outage: Outage | None) -> None:
        """Go on with trouble that an earlier process has noted, unless there may have been contact since."""
        now = self.clock()
        if outage and outage.since <= now <= outage.until + self.policy.longest_pause + RESTART:
            self.outage = outage

    def resume(self, standing: Standing | None) -> None:
        """Go on from where an earlier process of this wait saw the job stand, if it saw more than is known here."""
        known = self.standing.since if self.standing else -math.inf
        if standing and max(known, self.started_at) <= standing.since <= self.clock():
            self.standing = standing

    def _final(self, error: CortexError) -> CortexError:
        """Return what ends the wait, with what was known of the job until then."""
        if self.last_seen is None or not isinstance(error, RefusedError):
            return error
        return RefusedError(
            f"{error} Last known state of fine-tuning job {self.job_id}: {self.last_state}."
        )

    def _looked_at(self, now: float) -> float:
        """
        Return when the look that has just ended counts as taken.

        On a grid, when it was due: a statement takes its time, and must not push the next look to
        the mark after the next. Unless it took so long that hardly a pause would be left.
        """
        on_time = abs(now - self._due) <= self.policy.least / 2
        return self._due if on_time and self.policy.offset is not None else now

    def _sleep(self, moment: float, now: float) -> float:
        """Return the seconds to *moment*, cut so that the last look comes when the wait may end."""
        self._due = min(moment, self._end)
        return max(0.0, self._due - now)

    def _check_deadline(self, now: float) -> None:
        if now >= self.deadline:
            raise FineTuneTimeoutError(self.job_id, now - self.started_at, self.last_state)

    def _check_standing(self, now: float) -> None:
        standing = self.standing
        if standing and now >= self._stalled_at:
            raise FineTuneStalledError(
                self.job_id,
                now - standing.since,
                datetime.fromtimestamp(standing.since, tz=UTC).isoformat(timespec="seconds"),
                self.last_state,
            )

    @property
    def _stalled_at(self) -> float:
        """When the job will have stood still for too long, epoch seconds."""
        if self.standing is None or self.stall_timeout is None:
            return math.inf
        return self.standing.since + self.stall_timeout

    @property
    def _end(self) -> float:
        """When the wait ends if nothing changes, epoch seconds."""
        return self.deadline if self.misses else min(self.deadline, self._stalled_at)

    @property
    def left(self) -> float:
        """Seconds to the end of the wait, if nothing changes."""
        return max(0.0, self._end - self.clock())

    @property
    def last_state(self) -> str:
        """The last known state of the job, in words."""
        return state(self.last_seen) if self.last_seen else "never seen"
