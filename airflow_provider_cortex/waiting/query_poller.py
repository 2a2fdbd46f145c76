"""A statement that Snowflake runs while nobody waits in its session: how far it is, and when to look again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_cortex.cortex.query_status import UNHEARD, Execution
from airflow_provider_cortex.errors import (
    CortexError,
    QueryLostError,
    QueryTimeoutError,
    UnreachableError,
)
from airflow_provider_cortex.waiting.poller import RESTART, TRANSIENT_ERRORS, Outage


@dataclass(slots=True, kw_only=True)
class QueryPoller:
    """
    When to look at a statement, and when to stop.

    :param query_id: Snowflake's id of it.
    :param started_at: when the wait began, epoch seconds.
    :param deadline: when it ends at the latest, epoch seconds; None if it does not.
    :param interval: seconds between two looks.
    :param contact_timeout: for how many seconds on end trouble is borne, from the first look that went wrong.
    :param clock: tells the time, epoch seconds.
    """

    query_id: str
    started_at: float
    deadline: float | None
    interval: float
    contact_timeout: float
    clock: Callable[[], float]
    outage: Outage | None = None

    def observe(self, execution: Execution) -> float | None:
        """
        Take note of an answer, and return the seconds to the next look: None if the statement is over.

        :raises QueryTimeoutError: if the deadline has passed.
        :raises QueryLostError: if nothing has been known of the statement for too long.
        """
        if execution.is_finished:
            return None
        if execution.status in UNHEARD:
            return self.miss(UnreachableError(f"Snowflake says {execution.status}"))
        self.outage = None
        return self._delay()

    def miss(self, error: CortexError) -> float:
        """
        Take note of a look that brought no answer, and return the seconds to the next one.

        :raises QueryTimeoutError: if the deadline has passed.
        :raises QueryLostError: if there has been no answer for too long.
        """
        if not isinstance(error, TRANSIENT_ERRORS):
            raise error
        now = self.clock()
        since = self.outage.since if self.outage else now
        self.outage = Outage(since=since, until=now)
        if now - since >= self.contact_timeout:
            raise QueryLostError(self.query_id, now - since, str(error)) from error
        return min(self._delay(), since + self.contact_timeout - now)

    def take_over(self, outage: Outage | None) -> None:
        """Go on bearing the trouble that an earlier process of this wait has noted."""
        now = self.clock()
        if outage and outage.since <= now <= outage.until + self.interval + RESTART:
            self.outage = outage

    def _delay(self) -> float:
        if self.deadline is None:
            return self.interval
        now = self.clock()
        if now >= self.deadline:
            raise QueryTimeoutError(self.query_id, now - self.started_at)
        return min(self.interval, self.deadline - now)
