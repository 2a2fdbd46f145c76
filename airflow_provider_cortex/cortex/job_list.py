"""All jobs of an account, as SHOW and DESCRIBE report them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, islice

from airflow_provider_cortex.cortex.finetune import FineTuneJobs
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import UnreachableError

STATEMENTS = 3
"""At most so many DESCRIBE statements for one update."""

# Guess other-jobs: a session can describe every job that SHOW lists, also those of other schemas
# and roles. If wrong: the page and `jobs list` show some jobs without their details, and a
# CortexJobTrigger reports them late, with what SHOW lists.
LONG_AGO = datetime.fromtimestamp(0, tz=UTC)


@dataclass
class JobList:
    """
    The jobs of an account, completed update by update.

    SHOW reports a job's id, status, base model and creation time; the rest takes DESCRIBE, which
    is bounded. So each update describes what runs, and what has finished only once. What one
    update has no statements for comes in the next ones.

    Source: https://docs.snowflake.com/sql-reference/functions/finetune-show

    :param batch_size: the most jobs that one statement describes.
    """

    batch_size: int
    _jobs: dict[str, FineTuneJob] = field(default_factory=dict)
    _described: set[str] = field(default_factory=set)
    _complete: set[str] = field(default_factory=set)
    """Finished jobs that need no further DESCRIBE."""
    _turns: dict[str, int] = field(default_factory=dict)
    """When each job was described last, as a running number."""
    _numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def jobs(self) -> tuple[FineTuneJob, ...]:
        """The jobs that the last SHOW listed, newest first, with all that is known of them."""
        return tuple(
            sorted(self._jobs.values(), key=lambda job: job.created_on or LONG_AGO, reverse=True)
        )

    @property
    def undescribed(self) -> int:
        """How many jobs only SHOW has reported."""
        return len(self._jobs) - len(self._described)

    @property
    def is_complete(self) -> bool:
        """Whether DESCRIBE was asked about every finished job."""
        return all(job.id in self._complete for job in self._jobs.values() if job.is_finished)

    def update(self, jobs: FineTuneJobs) -> None:
        """
        List all jobs, and describe those that are not completely known.

        :raises CortexError: as the hook does. A job that is rejected or unreadable raises nothing.
        """
        self.list_jobs(jobs)
        self.describe_jobs(jobs)

    def list_jobs(self, jobs: FineTuneJobs) -> None:
        """Begin an update: find out which jobs there are. Unreadable entries are left out."""
        listed = {job.id: job for job in jobs.list_all(skip_unreadable=True)}
        for removed in self._jobs.keys() - listed.keys():
            del self._jobs[removed]
            self._described.discard(removed)
            self._complete.discard(removed)
            self._turns.pop(removed, None)
        for job in listed.values():
            known = self._jobs.get(job.id)
            if known is not None and known.status is not job.status:
                self._complete.discard(job.id)
            self._merge(job)

    def describe_jobs(self, jobs: FineTuneJobs) -> None:
        """
        Go on with an update: describe running jobs, then those that have waited longest.

        :raises UnreachableError: the last transient error, once the other jobs are described.
        """
        unreachable = ""
        asked = self._next()
        for outcomes in islice(jobs.describe_in_batches(asked), STATEMENTS):
            for job_id, outcome in outcomes.items():
                self._turns[job_id] = next(self._numbers)
                if isinstance(outcome, UnreachableError):
                    unreachable = str(outcome)
                    continue
                if isinstance(outcome, FineTuneJob):
                    self._merge(outcome)
                    self._described.add(job_id)
                if self._jobs[job_id].is_finished:
                    self._complete.add(job_id)
        if unreachable:
            raise UnreachableError(f"could not describe all jobs: {unreachable}")

    def _next(self) -> Sequence[str]:
        """Return the jobs for one update's statements."""
        asked = [job for job in self.jobs if job.id not in self._complete]
        asked.sort(key=lambda job: (job.is_finished, self._turns.get(job.id, 0)))
        return [job.id for job in asked[: STATEMENTS * self.batch_size]]

    def _merge(self, job: FineTuneJob) -> None:
        """Keep the new fields of a job, and the known ones that the new record lacks."""
        if job.id not in self._jobs:
            self._jobs[job.id] = job
            return
        known = self._jobs[job.id].to_dict()
        new = {name: value for name, value in job.to_dict().items() if value not in (None, "")}
        if not new.items() <= known.items():
            self._jobs[job.id] = FineTuneJob.parse(known | new)
