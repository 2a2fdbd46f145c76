"""What is known of all the jobs of an account: SHOW lists them, and DESCRIBE tells the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from airflow_provider_cortex.cortex.describe_batches import DescribeBatches
from airflow_provider_cortex.cortex.identifiers import family
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import error_text

STATEMENTS = 3
"""The most statements for one look that describe jobs."""

LONG_AGO = datetime.fromtimestamp(0, tz=UTC)


@dataclass(slots=True)
class JobList:
    """
    The jobs of an account, as they become known look by look.

    SHOW tells of a job its id, status, base model and when it was created; the rest takes DESCRIBE, of which
    a statement has many, and a look few. So what runs is described at each look, and what is over once.
    When that is too much for one look, the next ones go on with it.

    Source: https://docs.snowflake.com/sql-reference/functions/finetune-show

    :param size: the most jobs in one statement.
    """

    size: int
    _jobs: dict[str, FineTuneJob] = field(default_factory=dict)
    _described: set[str] = field(default_factory=set)
    _settled: set[str] = field(default_factory=set)
    """The jobs of which no more is to be learned."""
    _turns: dict[str, int] = field(default_factory=dict)
    """The jobs that were asked for, numbered in the order in which they were so last."""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _batching: DescribeBatches = field(init=False)

    def __post_init__(self) -> None:
        self._batching = DescribeBatches(self.size)

    @property
    def jobs(self) -> tuple[FineTuneJob, ...]:
        """The jobs that the last SHOW listed, the newest first, with all that is known of them."""
        return tuple(
            sorted(self._jobs.values(), key=lambda job: job.created_on or LONG_AGO, reverse=True)
        )

    @property
    def undescribed(self) -> int:
        """How many jobs there are of which only SHOW has told."""
        return len(self._jobs) - len(self._described)

    @property
    def is_complete(self) -> bool:
        """Whether all that is over has been asked for."""
        return all(job.id in self._settled for job in self._jobs.values() if job.is_finished)

    def show(self, jobs: Sequence[FineTuneJob]) -> None:
        """Begin a look: these are the jobs that there are."""
        listed = {job.id for job in jobs}
        for gone in self._jobs.keys() - listed:
            del self._jobs[gone]
            self._described.discard(gone)
            self._settled.discard(gone)
            self._turns.pop(gone, None)
        for job in jobs:
            known = self._jobs.get(job.id)
            if known is not None and known.status is not job.status:
                self._settled.discard(job.id)
            self._learn(job)

    def statements(self) -> list[list[str]]:
        """Return which jobs to describe in this look, statement by statement."""
        asked = [job for job in self.jobs if job.id not in self._settled]
        # What runs comes first, then what was never described, or has waited for the longest time.
        asked.sort(key=lambda job: (job.is_finished, self._turns.get(job.id, 0)))
        return self._batching.divide(job.id for job in asked)[:STATEMENTS]

    def answer(self, job_ids: Sequence[str]) -> None:
        """Take note of a statement that was answered, however its jobs are."""
        self._batching.answered(job_ids)

    def describe(self, job: FineTuneJob) -> None:
        """Take note of what DESCRIBE told of a job."""
        self._learn(job)
        self._described.add(job.id)
        self._take_turn(job.id)

    def skip(self, job_id: str) -> None:
        """Take note that DESCRIBE tells nothing of a job: if it is over, it stays as SHOW tells it."""
        self._take_turn(job_id)

    def fail(self, job_ids: Sequence[str]) -> None:
        """
        Take note of a statement that was not answered, or was refused: for one of these jobs, nobody knows
        which, or for their number. They are asked for with less company the next time.
        """
        self._batching.unanswered(job_ids)
        for job_id in job_ids:
            self._turns[job_id] = next(self._numbers)

    def refuse(self, job_ids: Sequence[str]) -> None:
        """Take note of a statement that was refused: one that is for a single job tells of that one."""
        self.fail(job_ids)
        if len(job_ids) == 1:
            self.skip(job_ids[0])

    def _take_turn(self, job_id: str) -> None:
        self._turns[job_id] = next(self._numbers)
        if self._jobs[job_id].is_finished:
            self._settled.add(job_id)

    def _learn(self, job: FineTuneJob) -> None:
        """Keep what is said of a job now, and of what was said before what is not said again."""
        if job.id not in self._jobs:
            self._jobs[job.id] = job
            return
        known = self._jobs[job.id].to_dict()
        said = {name: value for name, value in job.to_dict().items() if value not in (None, "")}
        if not said.items() <= known.items():
            self._jobs[job.id] = FineTuneJob.parse(known | said)


def row(job: FineTuneJob, *, now: float) -> dict[str, Any]:
    """
    Return what a table of jobs tells of one, as JSON can hold it.

    Moments are epoch milliseconds, as Cortex has them; what is not known is None. A job that runs *ends_on* a moment
    if it goes on as it did.

    :param now: when Cortex told it, epoch seconds.
    """
    left = job.seconds_left(now=now)
    return {
        "id": job.id,
        "status": job.status_text,
        "is_finished": job.is_finished,
        "progress": job.progress,
        "ends_on": None if left is None else round((now + left) * 1000),
        "model": job.model,
        "family": family(job.model) if job.model else None,
        "base_model": job.base_model,
        "created_on": _milliseconds(job.created_on),
        "finished_on": _milliseconds(job.finished_on),
        "trained_tokens": job.trained_tokens,
        "training_loss": job.training_loss,
        "validation_loss": job.validation_loss,
        "error": job.error and error_text(job.error.code, job.error.message),
    }


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
