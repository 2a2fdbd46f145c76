"""One wait, poll by poll: whether it goes on, and when to poll next."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.errors import (
    ContactLostError,
    CortexError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.waiting.policy import PollPolicy
from airflow_provider_cortex.waiting.window import UNSEEN, Step

TRANSIENT_ERRORS = (UnreachableError, UnreadableAnswerError)
"""What a wait bears for a while: the next look may go better."""

DEFAULT_CONTACT_TIMEOUT = 15 * 60.0
"""Seconds."""


RESTART = 10 * 60.0
"""Seconds in which a triggerer that has died is replaced, at the most: Airflow needs about half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """
    ErrorKind that goes on.

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
class LastChange:
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
    :param stall_timeout: for how many seconds the job may stand still; None is for ever. ErrorKind tells
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
    standing: LastChange | None = None
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
        standing = LastChange.of(job, since=now)
        if self.standing is None or replace(self.standing, since=now) != standing:
            self.standing = standing
        if job.is_finished:
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
        if not isinstance(error, TRANSIENT_ERRORS):
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

    def resume(self, standing: LastChange | None) -> None:
        """Go on from where an earlier process of this wait saw the job stand, if it saw more than is known here."""
        known = self.standing.since if self.standing else -math.inf
        if standing and max(known, self.started_at) <= standing.since <= self.clock():
            self.standing = standing

    def _final(self, error: CortexError) -> CortexError:
        """Return what ends the wait, with what was known of the job until then."""
        if self.last_seen is None or not isinstance(error, RejectedError):
            return error
        return RejectedError(
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
        return self.last_seen.state if self.last_seen else "never seen"
