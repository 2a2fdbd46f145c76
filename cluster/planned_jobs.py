"""The jobs that the tasks wait for: when each one ends, and with which status."""

from __future__ import annotations

import time

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.tracked_job import Job, JobState, JobStatus

EXISTING_JOBS = 120
"""Jobs that deferred tasks wait for. No task starts them."""

STARTED_JOBS = 12
"""Jobs that tasks start, and that rescheduled tasks wait for."""

MODEL_PREFIX = "started_"
"""How the model names of the started jobs begin."""

FIRST_END = 25.0
LAST_END = 180.0
"""Seconds after *begin*."""

STATUSES = (
    JobStatus.SUCCESS,
    JobStatus.ERROR,
    JobStatus.SUCCESS,
    JobStatus.CANCELLED,
    JobStatus.SUCCESS,
)
"""The final statuses, assigned in turn."""


class PlannedJobs:
    """
    Jobs in the emulator whose ends we decide: success, an error or a cancellation.

    All of them run until *begin* is called. Then they end one after another.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._jobs = emulator.jobs
        self._began_at: float | None = None
        self._planned_ends: list[tuple[float, str, JobStatus]] = []
        self._planned_ids: set[str] = set()
        """The started jobs whose end is planned."""
        self.ended_at: dict[str, float] = {}
        """When each job ended, epoch seconds."""
        self.ids = [self._add(number) for number in range(EXISTING_JOBS)]
        self.models = [f"{MODEL_PREFIX}{number}" for number in range(STARTED_JOBS)]
        # Long enough for us to notice a started job and to keep it from ending by itself.
        emulator.life = Life.by_time(FIRST_END)

    def begin(self) -> None:
        """Let jobs end from now on."""
        self._began_at = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since *begin*, or 0 before it."""
        return 0.0 if self._began_at is None else time.monotonic() - self._began_at

    @property
    def started(self) -> list[Job]:
        """The jobs that tasks have started, including any whose model name has a suffix."""
        jobs = [job for job, _ in self._jobs.all()]
        return [job for job in jobs if job.model.rpartition(".")[2].startswith(MODEL_PREFIX)]

    @property
    def duplicates(self) -> int:
        """How many jobs the tasks have started in excess."""
        return len(self.started) - STARTED_JOBS

    def states(self) -> dict[str, tuple[Job, JobState]]:
        """Return every job and its real state, by the job's id."""
        return {job.id: (job, state) for job, state in self._jobs.all()}

    def end_due(self) -> None:
        """End the jobs whose time has come."""
        for job in self.started:
            if job.id not in self._planned_ids:
                self._plan_end(job.id, len(self._planned_ids), of=STARTED_JOBS)
                self._planned_ids.add(job.id)
        due = [end for end in self._planned_ends if end[0] <= self.elapsed]
        for end in due:
            self._planned_ends.remove(end)
            _, job_id, status = end
            self._end(job_id, status)
            self.ended_at[job_id] = time.time()

    def _add(self, number: int) -> str:
        """Add a job that no task starts; return its id."""
        job = self._jobs.add(model=f"CORTEX_DB.PUBLIC.MODEL_{number}", life=Life.at_once())
        self._plan_end(job.id, number, of=EXISTING_JOBS)
        return job.id

    def _plan_end(self, job_id: str, number: int, *, of: int) -> None:
        self._jobs.stall(job_id)
        end = FIRST_END + (LAST_END - FIRST_END) * number / (of - 1)
        self._planned_ends.append((end, job_id, STATUSES[number % len(STATUSES)]))

    def _end(self, job_id: str, status: JobStatus) -> None:
        match status:
            case JobStatus.ERROR:
                self._jobs.fail(job_id, code="INTERNAL_ERROR", message="Out of memory.")
            case JobStatus.CANCELLED:
                self._jobs.cancel(job_id)
            case _:
                self._jobs.resume(job_id)  # its life has ended in the meantime: it succeeds
