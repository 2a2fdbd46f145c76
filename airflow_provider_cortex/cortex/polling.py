"""When to look at a job again, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.progress import state
from airflow_provider_cortex.errors import (
    ContactLostError,
    CortexError,
    FineTuneTimeoutError,
    UnreachableError,
    UnreadableAnswerError,
)

PASSING = (UnreachableError, UnreadableAnswerError)
"""What a wait bears for a while: the next look may go better."""

DEFAULT_CONTACT_TIMEOUT = 15 * 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """How long to wait between two looks, in seconds."""

    interval: float = 60.0
    shortest: float = 1.0
    """An interval of 0, which Airflow allows, must not become a busy loop in a triggerer."""

    def delay(self) -> float:
        """Return the seconds to the next look."""
        return max(self.shortest, self.interval)


@dataclass(slots=True, kw_only=True)
class Poller:
    """
    Decide, look by look, how one wait goes on: the same in a worker and in a triggerer.

    :param job_id: the job.
    :param started_at: when the wait began, epoch seconds.
    :param deadline: when it ends at the latest, epoch seconds.
    :param contact_timeout: for how many seconds on end trouble is borne, from the first look that
        went wrong: with a long interval, one blip must not be the end.
    :param clock: tells the time, epoch seconds.
    """

    job_id: str
    started_at: float
    deadline: float
    policy: PollPolicy
    clock: Callable[[], float]
    contact_timeout: float = DEFAULT_CONTACT_TIMEOUT
    last_seen: FineTuneJob | None = None
    _trouble_since: float | None = None

    def observe(self, job: FineTuneJob) -> float | None:
        """
        Take note of a good answer, and return the seconds to the next look: None if it is over.

        :raises FineTuneTimeoutError: if the deadline has passed.
        """
        self.last_seen = job
        self._trouble_since = None
        return None if job.is_over else self._delay()

    def miss(self, error: CortexError) -> float:
        """
        Take note of a look that brought no usable answer, and return the seconds to the next.

        :raises ContactLostError: if the contact budget is used up.
        :raises FineTuneTimeoutError: if the deadline has passed.
        :raises CortexError: *error* itself, if it is not of the kind that passes.
        """
        if not isinstance(error, PASSING):
            raise error
        now = self.clock()
        if self._trouble_since is None:
            self._trouble_since = now
        # Kept as a moment: sleeping for what is left of a duration may never quite use it up.
        lost_at = self._trouble_since + self.contact_timeout
        if now >= lost_at:
            waited = now - self._trouble_since
            raise ContactLostError(self.job_id, waited, str(error), self.last_state) from error
        return min(self._delay(), lost_at - now)

    def _delay(self) -> float:
        """Return the policy's delay, cut so that the last look comes at the deadline."""
        now = self.clock()
        if now >= self.deadline:
            raise FineTuneTimeoutError(self.job_id, now - self.started_at, self.last_state)
        return min(self.policy.delay(), self.deadline - now)

    @property
    def left(self) -> float:
        """Seconds to the deadline."""
        return max(0.0, self.deadline - self.clock())

    @property
    def last_state(self) -> str:
        """The last known state of the job, in words."""
        return state(self.last_seen) if self.last_seen else "never seen"
