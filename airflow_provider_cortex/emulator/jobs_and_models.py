"""
The account's fine-tuning jobs, and the tuned models they have produced.

Contains no SQL and no HTTP.
"""

import json
import math
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace

from airflow_provider_cortex.emulator import name_resolution
from airflow_provider_cortex.emulator.extraction_model import EXTRACTION_MODEL, ExtractionModel
from airflow_provider_cortex.emulator.life import Clock, Life
from airflow_provider_cortex.emulator.name_resolution import NameKey, Namespace
from airflow_provider_cortex.emulator.sql_errors import (
    internal_error,
    unknown_job,
    unknown_object,
)
from airflow_provider_cortex.emulator.tracked_job import (
    Grants,
    Job,
    JobError,
    JobState,
    JobStatus,
    Model,
    TrackedJob,
)
from airflow_provider_cortex.emulator.tuned_model import Pair, TunedModel

ID_PREFIX = "ft_"
"""Documentation and tutorials of 2024 show another one: ``CortexFineTuningWorkflow_``."""

DEFAULT_BASE_MODEL = "llama3.1-8b"


class JobRegistry:
    """All jobs of the account. Safe to use from several threads."""

    def __init__(self, *, clock: Clock, life: Life, id_prefix: str = ID_PREFIX) -> None:
        self.life = life
        self._clock = clock
        self._id_prefix = id_prefix
        self._jobs: dict[str, TrackedJob] = {}
        self._newest: dict[NameKey, TrackedJob] = {}
        """For each model name the newest job, the only one whose model may still have it."""
        self._unread: list[Job] = []
        self._lock = threading.RLock()

    def create(
        self,
        *,
        model: str,
        base_model: str = DEFAULT_BASE_MODEL,
        namespace: Namespace,
        training_data: str,
        validation_data: str = "",
        options: Mapping[str, object] | None = None,
    ) -> Job:
        """Start a job; its data is read later (:meth:`take_unread`, :meth:`set_result`)."""
        job = Job(
            id=self._new_id(),
            model=model,
            base_model=base_model,
            created_on=self._now(),
            life=self.life,
            namespace=namespace,
            training_data=training_data,
            validation_data=validation_data,
            options=options,
        )
        return self._register(job, tuned=None)

    def add(
        self,
        *,
        model: str,
        base_model: str = DEFAULT_BASE_MODEL,
        life: Life | None = None,
        pairs: tuple[Pair, ...] = (),
    ) -> Job:
        """
        Add a job without SQL, and return it.

        :param model: the whole name of its model, as ``database.schema.model``; with a suffix if the
            name is taken.
        :param life: how long it takes; the registry's *life* by default.
        :param pairs: prompts and completions, for a model that answers prompts. One for documents
            knows no more than the untuned one.
        """
        job = Job(
            id=self._new_id(),
            model=model,
            base_model=base_model,
            created_on=self._now(),
            life=life or self.life,
            namespace=Namespace(),
        )
        tuned = ExtractionModel(()) if base_model == EXTRACTION_MODEL else TunedModel(pairs)
        return self._register(job, tuned=tuned)

    def take_unread(self) -> list[Job]:
        """Return the jobs whose data has to be read. Each job is returned only once."""
        with self._lock:
            jobs, self._unread = self._unread, []
        return jobs

    def set_result(self, job_id: str, result: Model | JobError) -> None:
        """Set the result of reading the job's data. Before that, the job stays PENDING."""
        if isinstance(result, JobError):
            self.fail(job_id, code=result.code, message=result.message)
            return
        with self._lock:
            self._find(job_id).tuned = result

    def all(self) -> list[tuple[Job, JobState]]:
        """Return every job, oldest first, with its state. This does not count as a poll."""
        with self._lock:
            return [(each.job, self._state(each)) for each in self._jobs.values()]

    @property
    def looks(self) -> int:
        """How many times jobs have been described, all jobs together."""
        with self._lock:
            return sum(each.looks for each in self._jobs.values())

    def describe(self, job_id: str) -> str | None:
        """Poll a job: return its record as JSON, or the text that :meth:`answer` has set."""
        with self._lock:
            tracked = self._find(job_id)
            state = self._state(tracked)
            tracked.looks += 1
            if tracked.crashes:
                raise internal_error()
            if tracked.answer_looks:
                tracked.answer_looks -= 1
                return tracked.answer
            return json.dumps(tracked.record(state))

    def model(self, name: str) -> Model | None:
        """Return the tuned model called *name*, or None."""
        with self._lock:
            return next((each.tuned for each in self._with_model(name)), None)

    def models(self) -> dict[NameKey, int]:
        """Return each tuned model's name, and when its job finished in epoch milliseconds."""
        with self._lock:
            return {
                name_resolution.key(each.job.model): self._state(each).finished_on or 0
                for each in self._with_model()
            }

    def grants(self, name: str) -> Grants:
        """
        Return the grants on the tuned model called *name*, to read and to change.

        :raises SqlError: if there is none.
        """
        with self._lock:
            for each in self._with_model(name):
                return each.grants
        raise unknown_object("Model", ".".join(name_resolution.key(name)))

    def drop(self, name: str) -> bool:
        """Remove the tuned model called *name*; return False if there is none."""
        with self._lock:
            tracked = next(self._with_model(name), None)
            if tracked is not None:
                tracked.is_dropped = True
        return tracked is not None

    def drop_all(self, prefix: NameKey) -> None:
        """Remove the tuned models whose names begin with *prefix*: a database, and its schema."""
        with self._lock:
            for tracked in self._with_model():
                if name_resolution.key(tracked.job.model)[: len(prefix)] == prefix:
                    tracked.is_dropped = True

    def is_finished(self, job_id: str) -> bool:
        with self._lock:
            return self._state(self._find(job_id)).finished_on is not None

    def fail(
        self,
        job_id: str,
        *,
        code: str = "INTERNAL_ERROR",
        message: str = "The emulator was told to fail this job.",
    ) -> None:
        """
        End the job in ERROR now, even if it has finished.

        :raises SqlError: if no job has this id; so do the methods below.
        """
        self._end(job_id, JobStatus.ERROR, JobError(code=code, message=message))

    def cancel(self, job_id: str) -> None:
        """End the job in CANCELLED now, even if it has finished."""
        self._end(job_id, JobStatus.CANCELLED)

    def stall(self, job_id: str, *, progress: float = 0.5) -> None:
        """Keep the job IN_PROGRESS at *progress* until :meth:`resume`."""
        with self._lock:
            tracked = self._find(job_id)
            tracked.final_state = None
            tracked.stalled_at = progress

    def crash(self, job_id: str) -> None:
        """Let each statement that describes the job fail with an internal error."""
        with self._lock:
            self._find(job_id).crashes = True

    def resume(self, job_id: str) -> None:
        """Undo :meth:`stall` and :meth:`crash`: the job continues as if they had not happened."""
        with self._lock:
            tracked = self._find(job_id)
            tracked.stalled_at, tracked.crashes = None, False

    def answer(self, job_id: str, text: str | None, *, looks: int | None = None) -> None:
        """
        Return *text* from DESCRIBE instead of the record.

        :param looks: for how many polls; None for all.
        """
        with self._lock:
            tracked = self._find(job_id)
            tracked.answer = text
            tracked.answer_looks = math.inf if looks is None else looks

    def _register(self, job: Job, *, tuned: Model | None) -> Job:
        with self._lock:
            free_name = name_resolution.first_free(job.model, is_taken=self._is_taken)
            job = replace(job, model=free_name)
            tracked = TrackedJob(job, tuned=tuned)
            self._jobs[job.id] = self._newest[name_resolution.key(job.model)] = tracked
            if tuned is None:
                self._unread.append(job)
        return job

    def _find(self, job_id: str) -> TrackedJob:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise unknown_job(job_id) from None

    def _new_id(self) -> str:
        return f"{self._id_prefix}{uuid.uuid4()}"

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _state(self, tracked: TrackedJob) -> JobState:
        return tracked.state(now=self._now())

    def _with_model(self, name: str | None = None) -> Iterator[TrackedJob]:
        """Yield the jobs whose model exists, and is called *name* if that is given."""
        key = None if name is None else name_resolution.key(name)
        for tracked in self._jobs.values():
            exists = not tracked.is_dropped and self._state(tracked).status is JobStatus.SUCCESS
            if exists and key in {None, name_resolution.key(tracked.job.model)}:
                yield tracked

    def _is_taken(self, key: NameKey) -> bool:
        """Return whether a model has this name, or will have it."""
        newest = self._newest.get(key)
        if newest is None or newest.is_dropped:
            return False
        return self._state(newest).status not in {JobStatus.ERROR, JobStatus.CANCELLED}

    def _end(self, job_id: str, status: JobStatus, error: JobError | None = None) -> None:
        with self._lock:
            tracked = self._find(job_id)
            progress = self._state(tracked).progress if tracked.tuned else 0.0
            tracked.final_state = JobState(
                status=status, progress=progress, finished_on=self._now(), error=error
            )
