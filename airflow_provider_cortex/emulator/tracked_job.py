"""
One fine-tuning job: its request, everything that happened to it, and its DESCRIBE record.

The fields, and the statuses in which they are present, follow
https://docs.snowflake.com/en/sql-reference/functions/finetune-describe.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from airflow_provider_cortex.emulator.extraction_model import ExtractionModel
from airflow_provider_cortex.emulator.life import Life
from airflow_provider_cortex.emulator.name_resolution import Namespace
from airflow_provider_cortex.emulator.tuned_model import TunedModel

# Guess pending-share: a job is PENDING for a tenth of its life. If wrong: tests see it PENDING for
# a longer or shorter time than users do. No live check: a poll each minute is too rare to tell.
_PENDING_UNTIL = 0.1


class JobStatus(StrEnum):
    """The statuses that Snowflake documents."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    CANCELLED = "CANCELLED"


Model = TunedModel | ExtractionModel
"""What a job produces."""

Grants = dict[tuple[str, str], datetime]
"""When each privilege was granted to each role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as CREATE requested it. It never changes."""

    id: str
    """What CREATE has returned."""
    model: str
    """The tuned model's whole name, with a suffix if the requested one was taken."""
    base_model: str
    """The model that is tuned."""
    created_on: int
    """Epoch milliseconds, as in Snowflake's records."""
    life: Life
    """How long it takes."""
    namespace: Namespace
    """The session's database and schema at CREATE; the job's queries run there."""
    training_data: str = ""
    """The training query; empty for a job that :meth:`JobRegistry.add` has made."""
    validation_data: str = ""
    """The validation query; empty if there is none."""
    options: Mapping[str, object] | None = None
    """The options of CREATE, such as ``max_epochs``; None if there were none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job ended in ERROR."""

    code: str
    """Such as ``INTERNAL_ERROR``."""
    message: str
    """What DESCRIBE reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What a job has reached at one moment."""

    status: JobStatus
    """Such as ``IN_PROGRESS``."""
    progress: float
    """From 0 to 1."""
    finished_on: int | None = None
    """Epoch milliseconds; None while the job runs."""
    error: JobError | None = None
    """Why it has failed; None unless the status is ``ERROR``."""


@dataclass(slots=True)
class TrackedJob:
    """A job and everything that has happened to it so far."""

    job: Job
    tuned: Model | None = None
    """The model, known as soon as the training data has been read."""
    looks: int = 0
    """How many times the job has been described."""
    final_state: JobState | None = None
    stalled_at: float | None = None
    answer: str | None = None
    """What the next *answer_looks* DESCRIBEs return instead of the record."""
    answer_looks: float = 0
    crashes: bool = False
    is_dropped: bool = False
    """Whether DROP MODEL has removed the job's model."""
    grants: Grants = field(default_factory=dict)
    """The grants on the job's model."""

    def state(self, *, now: int) -> JobState:
        """
        Return the state, which no longer changes once the job has finished.

        :param now: epoch milliseconds.
        """
        if self.final_state is not None:
            return self.final_state
        state = self._running(now)
        if state.status is JobStatus.SUCCESS:
            self.final_state = state
        return state

    def _running(self, now: int) -> JobState:
        if self.stalled_at is not None:
            return JobState(status=JobStatus.IN_PROGRESS, progress=self.stalled_at)
        job = self.job
        progress = job.life.progress(looks=self.looks, age=(now - job.created_on) / 1000)
        if progress < _PENDING_UNTIL or self.tuned is None:
            return JobState(status=JobStatus.PENDING, progress=0.0)
        if progress < 1:
            return JobState(status=JobStatus.IN_PROGRESS, progress=int(progress * 1000) / 1000)
        planned_end = job.created_on + int(job.life.seconds * 1000)
        return JobState(
            status=JobStatus.SUCCESS,
            progress=1.0,
            finished_on=planned_end if job.life.seconds else now,
        )

    def record(self, state: JobState) -> dict[str, object]:
        """Return what DESCRIBE reports for the job in *state*."""
        job = self.job
        # The newest documentation lists these for any status. The page of 2024 had
        # base_model, created_on and the queries only after success.
        record: dict[str, object] = {
            "base_model": job.base_model,
            "created_on": job.created_on,
            "id": job.id,
            "progress": state.progress,
            "status": state.status,
            "training_data": job.training_data,
            "validation_data": job.validation_data,
        }
        if job.options is not None:
            # Guess options-if-given: DESCRIBE reports "options" only if there are any. It is
            # documented, but FinetuneStatus of snowflake-ml-python 2.6.0 has no such field and
            # would raise. If wrong: real records have a field that those of tests lack.
            record["options"] = dict(job.options)
        if state.finished_on is not None:
            # Guess cancelled-finished-on: the record of a cancelled job has `finished_on`. It is
            # documented for SUCCESS; a captured ERROR has it, too. If wrong: the duration of a
            # cancelled job is shown in tests, and not in a real account.
            record["finished_on"] = state.finished_on
        if state.error is not None:
            record["error"] = asdict(state.error)
        if state.status is JobStatus.SUCCESS and self.tuned is not None:
            record["model"] = job.model
            record["trained_tokens"] = self.tuned.trained_tokens
            record["training_result"] = self.tuned.training_result
        return record
