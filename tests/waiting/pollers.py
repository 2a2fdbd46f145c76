"""Pollers whose clock a test moves, and what they report."""

import math
from typing import Any

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.errors import CortexError, UnreachableError
from airflow_provider_cortex.waiting.poll_times import PollPolicy
from airflow_provider_cortex.waiting.poller import JobPoller, QueryPoller
from tests.clock import Clock

TRANSIENT = UnreachableError("503")

CREATED = 1.8e9
"""When the jobs were created, epoch seconds: a multiple of 60."""

NO_GRID = PollPolicy()
GRID = PollPolicy(offset=0.0)
EVERY_MINUTE = PollPolicy(interval=60.0)


class Reports:
    """What a poller reported: the answers and errors, each with the delay to the next poll."""

    def __init__(self) -> None:
        self.answers: list[tuple[object, float]] = []
        self.errors: list[tuple[CortexError, float]] = []

    def answered(self, answer: object, *, delay: float) -> None:
        """Keep an answer."""
        self.answers.append((answer, delay))

    def failed(self, error: CortexError, *, delay: float) -> None:
        """Keep an error."""
        self.errors.append((error, delay))


def job(**fields: Any) -> FineTuneJob:
    """Return a running job."""
    return FineTuneJob.parse({"id": "ft_1", "status": "IN_PROGRESS", "progress": 0.5} | fields)


def execution(status: str, message: str | None = None) -> Execution:
    """Return the state of a statement."""
    return Execution(query_id="q", status=status, message=message)


def job_poller(clock: Clock, policy: PollPolicy = EVERY_MINUTE, **changes: Any) -> JobPoller:
    """Return a poller for a job that may wait for ever."""
    fields: dict[str, Any] = {"started_at": clock.now, "deadline": math.inf, "report": Reports()}
    return JobPoller(job_id="ft_1", policy=policy, clock=clock.time, **(fields | changes))


def query_poller(clock: Clock, **changes: Any) -> QueryPoller:
    """Return a poller for a statement: every 30 s, retrying for 100 s, with no deadline."""
    fields: dict[str, Any] = {
        "started_at": clock.now,
        "deadline": math.inf,
        "policy": PollPolicy(interval=30.0, longest=30.0),
        "contact_timeout": 100.0,
        "report": Reports(),
    }
    return QueryPoller(query_id="q", clock=clock.time, **(fields | changes))
