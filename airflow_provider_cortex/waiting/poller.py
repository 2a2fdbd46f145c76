"""
One wait, poll by poll: whether it goes on, and when to poll next.

The same for a fine-tuning job and for a statement, on a worker, in a triggerer and in a terminal.
A poller does no I/O: its driver polls, passes the outcome to :meth:`Poller.after_poll`, and
sleeps.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from airflow_provider_cortex.airflow_api import settings
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.errors import (
    TRANSIENT_ERRORS,
    ContactLostError,
    CortexError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    QueryLostError,
    QueryTimeoutError,
    RejectedError,
)
from airflow_provider_cortex.waiting.checkpoint import Checkpoint, LastChange, Outage
from airflow_provider_cortex.waiting.default_times import DEFAULT_CONTACT_TIMEOUT
from airflow_provider_cortex.waiting.poll_times import PollPolicy

FIRST_POLL_DELAY = 10.0
"""
Seconds from deferral to the first poll. Airflow 3.3 may fail a task whose trigger fires before the
scheduler has recorded the deferral (apache/airflow#71580): measured, never later than after 6 s.
"""

TRIGGERER_RESTART_SECONDS = 10 * 60.0
"""At most so long until a dead triggerer is replaced: Airflow needs about half a minute."""


class Pollable(Protocol):
    """What a poll returns."""

    @property
    def is_finished(self) -> bool:
        """Whether it will not change any more."""


Answer = TypeVar("Answer", bound=Pollable)
Answer_contra = TypeVar("Answer_contra", contravariant=True)


class Reporter(Protocol[Answer_contra]):
    """What shows a wait: in a task's log, or in a terminal."""

    def answered(self, answer: Answer_contra, *, delay: float) -> None:
        """Show a successful poll; *delay* is the seconds to the next one, 0 if there is none."""

    def failed(self, error: CortexError, *, delay: float) -> None:
        """Show a failed poll; *delay* is the seconds to the next one."""


@dataclass(kw_only=True)
class Poller(ABC, Generic[Answer]):
    """
    Decide how one wait goes on.

    :param started_at: when the wait began, epoch seconds.
    :param deadline: when it ends at the latest, epoch seconds; ``math.inf`` for never.
    :param policy: when to poll.
    :param contact_timeout: seconds to keep retrying through transient errors, from the first
        failed poll: so one failed poll never ends the wait, however long the interval is.
    :param stall_timeout: seconds that a job may go without a change of status or progress; None
        for ever. During an outage only *contact_timeout* counts.
    :param report: what shows the wait.
    :param clock: returns the time, epoch seconds.
    :param pause_in_tests: seconds of every pause, also before the first poll, whatever *policy*
        says; None in production.
    """

    started_at: float
    deadline: float
    policy: PollPolicy
    report: Reporter[Answer]
    clock: Callable[[], float]
    contact_timeout: float = DEFAULT_CONTACT_TIMEOUT
    stall_timeout: float | None = None
    pause_in_tests: float | None = field(default_factory=settings.poll_seconds_in_tests)
    last_seen: Answer | None = None
    failures: int = 0
    """Failed polls since the last successful one, in this process."""
    outage: Outage | None = None
    """The same, as far as any process of this wait knows."""
    last_change: LastChange | None = None
    """The job's last change, if the wait has a *stall_timeout*."""
    _due: float = field(default=-math.inf, init=False)

    @property
    def has_polled(self) -> bool:
        """Whether this process has polled."""
        return self.last_seen is not None or self.failures > 0

    def first_delay(self, *, soonest: float = 0.0) -> float:
        """
        Return the seconds to the first poll of this process.

        :param soonest: not before so many seconds, whatever the deadline.
        """
        if self.pause_in_tests is not None:
            return self.pause_in_tests
        return self._first_delay(soonest)

    def after_poll(self, outcome: Answer | CortexError) -> float | None:
        """
        Record the outcome of a poll, and return the seconds to the next one, None when finished.

        :raises CortexError: what ends the wait: a timeout, lost contact, or a permanent error
            itself.
        """
        now = self.clock()
        if isinstance(outcome, CortexError):
            delay = self._after_failure(outcome, now)
            self.report.failed(outcome, delay=delay)
            return delay
        at = self._polled_at(now)
        self.failures, self.outage, self.last_seen = 0, None, outcome
        job = outcome if isinstance(outcome, FineTuneJob) else None
        if job and self.stall_timeout is not None:
            change = LastChange.of(job, since=now)
            if self.last_change is None or replace(self.last_change, since=now) != change:
                self.last_change = change
        if outcome.is_finished:
            self.report.answered(outcome, delay=0.0)
            return None
        if now >= self._end:
            raise self._end_error(now)
        moment = self.policy.next_poll(job, at=at, started_at=self.started_at)
        delay = self._sleep_until(moment, now)
        self.report.answered(outcome, delay=delay)
        return delay

    def resume(self, checkpoint: Checkpoint | None) -> None:
        """Go on from what an earlier process of this wait recorded."""
        now = self.clock()
        outage = checkpoint and checkpoint.outage
        if outage and outage.since <= now <= outage.until + self._longest_gap:
            self.outage = outage
        change = checkpoint and checkpoint.last_change
        known = self.last_change.since if self.last_change else self.started_at
        if change and self.stall_timeout is not None and known <= change.since <= now:
            self.last_change = change

    @property
    def checkpoint(self) -> Checkpoint:
        """What the next process of this wait must know. One failed poll alone is not recorded."""
        is_lasting = self.outage is not None and self.outage.since < self.outage.until
        return Checkpoint(
            started_at=self.started_at,
            outage=self.outage if is_lasting else None,
            last_change=self.last_change,
        )

    @property
    def seconds_left(self) -> float:
        """Seconds to the end of the wait, if nothing changes."""
        return max(0.0, self._end - self.clock())

    @property
    def _end(self) -> float:
        """When the wait ends if nothing changes, epoch seconds."""
        if self.stall_timeout is None or self.last_change is None or self.failures:
            return self.deadline
        return min(self.deadline, self.last_change.since + self.stall_timeout)

    @property
    def _longest_gap(self) -> float:
        """The most seconds between two polls of this wait by different triggerers."""
        return self.policy.longest_pause + TRIGGERER_RESTART_SECONDS

    def _first_delay(self, soonest: float) -> float:
        now = self.clock()
        moment = self.policy.first_poll(at=now, started_at=self.started_at, soonest=soonest)
        return max(soonest, self._sleep_until(moment, now))

    def _after_failure(self, error: CortexError, now: float) -> float:
        if not isinstance(error, TRANSIENT_ERRORS):
            raise self._permanent(error) from error.__cause__
        self.failures += 1
        since = self.outage.since if self.outage else now
        self.outage = Outage(since=since, until=now)
        # Kept as a moment: the rest of a duration may never be used up quite.
        lost_at = since + self.contact_timeout
        if now >= lost_at:
            raise self._contact_lost(now - since, error) from error
        if now >= self._end:
            raise self._end_error(now)
        moment = self.policy.next_retry(at=self._polled_at(now), failures=self.failures)
        return self._sleep_until(min(moment, lost_at), now)

    def _permanent(self, error: CortexError) -> CortexError:
        """Return what a permanent error ends the wait with."""
        return error

    @abstractmethod
    def _end_error(self, now: float) -> CortexError:
        """Return the error for a wait that ends now."""

    @abstractmethod
    def _contact_lost(self, waited: float, error: CortexError) -> CortexError:
        """Return the error for a contact timeout that has passed."""

    def _polled_at(self, now: float) -> float:
        """
        Return when the poll that has just ended counts as made.

        On a grid, when it was due: a statement takes time, which must not delay the next poll by a
        whole mark. Unless it took so long that hardly a pause would be left.
        """
        on_time = abs(now - self._due) <= self.policy.least / 2
        return self._due if on_time and self.policy.offset is not None else now

    def _sleep_until(self, moment: float, now: float) -> float:
        """Return the seconds to *moment*; the last poll comes when the wait ends."""
        if self.pause_in_tests is not None:
            moment = now + self.pause_in_tests
        self._due = min(moment, self._end)
        return max(0.0, self._due - now)


@dataclass(kw_only=True)
class JobPoller(Poller[FineTuneJob]):
    """
    Decide how the wait for a fine-tuning job goes on.

    :param job_id: the job.
    """

    job_id: str

    @property
    def last_state(self) -> str:
        """The last known state of the job, in words."""
        return self.last_seen.state if self.last_seen else "never seen"

    def _permanent(self, error: CortexError) -> CortexError:
        if self.last_seen is None or not isinstance(error, RejectedError):
            return error
        return RejectedError(
            f"{error} Last known state of fine-tuning job {self.job_id}: {self.last_state}."
        )

    def _end_error(self, now: float) -> CortexError:
        if now >= self.deadline or self.last_change is None:
            return FineTuneTimeoutError(self.job_id, now - self.started_at, self.last_state)
        since = self.last_change.since
        moment = datetime.fromtimestamp(since, tz=UTC).isoformat(timespec="seconds")
        return FineTuneStalledError(self.job_id, now - since, moment, self.last_state)

    def _contact_lost(self, waited: float, error: CortexError) -> CortexError:
        return ContactLostError(self.job_id, waited, str(error), self.last_state)


@dataclass(kw_only=True)
class QueryPoller(Poller[Execution]):
    """
    Decide how the wait for a statement goes on that runs without a session.

    :param query_id: Snowflake's id of it.
    """

    query_id: str

    def _first_delay(self, soonest: float) -> float:
        return soonest  # many statements are short

    def _end_error(self, now: float) -> CortexError:
        return QueryTimeoutError(self.query_id, now - self.started_at)

    def _contact_lost(self, waited: float, error: CortexError) -> CortexError:
        return QueryLostError(self.query_id, waited, str(error))


def attempt(poll: Callable[[], Answer]) -> Answer | CortexError:
    """Poll, and return the answer or the error."""
    try:
        return poll()
    except CortexError as error:
        return error


def poll_until_finished(
    poller: Poller[Answer], poll: Callable[[], Answer], *, sleep: Callable[[float], None]
) -> Answer:
    """
    Poll until the job or statement has finished, and return it: the loop of a process that may
    block.

    :raises CortexError: what ends the wait before that.
    """
    while True:
        outcome = attempt(poll)
        delay = poller.after_poll(outcome)
        if delay is None and not isinstance(outcome, CortexError):
            return outcome
        sleep(delay or 0.0)
