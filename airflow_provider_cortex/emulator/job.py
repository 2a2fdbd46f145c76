"""
One fine-tuning job: how it was ordered, what has happened to it, how DESCRIBE tells it.

Field names and their presence by status follow
https://docs.snowflake.com/en/sql-reference/functions/finetune-describe.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from airflow_provider_cortex.emulator.life import Life
from airflow_provider_cortex.emulator.model import TunedModel
from airflow_provider_cortex.emulator.names import Place

# A guess: how long a real job stays PENDING is not documented.
_PENDING_SHARE = 0.1


class Status(StrEnum):
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it was ordered."""

    id: str
    model: str
    base_model: str
    created_on: int
    """Epoch milliseconds, as in Snowflake's answers."""
    life: Life
    place: Place
    """Where its queries run: where the session was at CREATE."""
    training_data: str = ""
    validation_data: str = ""
    options: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job ended in ERROR."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a job is at one moment."""

    status: Status
    progress: float
    finished_on: int | None = None
    error: Failure | None = None


@dataclass(slots=True)
class Course:
    """What has happened to a job so far."""

    job: Job
    tuned: TunedModel | None = None
    looks: int = 0
    end: State | None = None
    stalled_at: float | None = None
    answer: str | None = None
    answer_looks: float = 0
    crashes: bool = False
    is_dropped: bool = False
    """Whether its model has been removed."""

    def state(self, *, now: int) -> State:
        """Return where the job is; once it is over, that no longer changes."""
        if self.end is not None:
            return self.end
        state = self._running(now)
        if state.status is Status.SUCCESS:
            self.end = state
        return state

    def _running(self, now: int) -> State:
        if self.stalled_at is not None:
            return State(status=Status.IN_PROGRESS, progress=self.stalled_at)
        job = self.job
        share = job.life.share(looks=self.looks, age=(now - job.created_on) / 1000)
        if share < _PENDING_SHARE or self.tuned is None:
            return State(status=Status.PENDING, progress=0.0)
        if share < 1:
            return State(status=Status.IN_PROGRESS, progress=int(share * 1000) / 1000)
        planned = job.created_on + int(job.life.seconds * 1000)
        return State(
            status=Status.SUCCESS,
            progress=1.0,
            finished_on=planned if job.life.seconds else now,
        )

    def described(self, state: State) -> dict[str, object]:
        """Return what DESCRIBE says of a job in *state*."""
        job = self.job
        # The newest documentation gives these whatever the status is; the page of 2024
        # had base_model, created_on and the queries only after success.
        described: dict[str, object] = {
            "base_model": job.base_model,
            "created_on": job.created_on,
            "id": job.id,
            "progress": state.progress,
            "status": state.status,
            "training_data": job.training_data,
            "validation_data": job.validation_data,
        }
        if job.options is not None:
            # Guess: documented, but snowflake-ml-python 2.6.0's FinetuneStatus has no such
            # field and would raise, so a job without options is unlikely to report any.
            described["options"] = dict(job.options)
        if state.finished_on is not None:
            # Documented for SUCCESS; a captured ERROR has it too. Guess: CANCELLED as well.
            described["finished_on"] = state.finished_on
        if state.error is not None:
            described["error"] = asdict(state.error)
        if state.status is Status.SUCCESS and self.tuned is not None:
            described["model"] = job.model
            described["trained_tokens"] = self.tuned.trained_tokens
            described["training_result"] = self.tuned.training_result
        return described
