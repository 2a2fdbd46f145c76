"""The jobs that are waited for: when each ends, and how."""

from __future__ import annotations

import time

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.job import Job, State, Status

JOBS = 120
"""Waited for by deferred tasks."""

STARTED = 12
"""Started by a task, and waited for by rescheduled ones."""

NAME = "started_"
"""How the names of their models begin."""

FIRST_END = 25.0
LAST_END = 180.0
"""Seconds after the beginning."""

ENDS = (Status.SUCCESS, Status.ERROR, Status.SUCCESS, Status.CANCELLED, Status.SUCCESS)
"""In turn."""


class Fleet:
    """
    Jobs in the emulator, every one of which we end: it succeeds, fails, or somebody cancels it.

    They run for as long as they have not all been waited for; then it begins.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._jobs = emulator.jobs
        self._began: float | None = None
        self._coming: list[tuple[float, str, Status]] = []
        self._met: set[str] = set()
        self.ended: dict[str, float] = {}
        """When each job ended, epoch seconds."""
        self.ids = [self._add(number) for number in range(JOBS)]
        self.models = [f"{NAME}{number}" for number in range(STARTED)]
        # Long enough for us to see it, and to keep it from going on.
        emulator.life = Life.by_time(FIRST_END)

    def begin(self) -> None:
        """Let the first end come."""
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning, 0 before."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    @property
    def started(self) -> list[Job]:
        """The jobs that tasks have started for these waits, even under a name with a suffix."""
        jobs = [job for job, _ in self._jobs.all()]
        return [job for job in jobs if job.model.rpartition(".")[2].startswith(NAME)]

    @property
    def surplus(self) -> int:
        """How many jobs tasks have started beyond those that they were to start."""
        return len(self.started) - STARTED

    def truth(self) -> dict[str, tuple[Job, State]]:
        """Return every job and where it is, by its id."""
        return {job.id: (job, state) for job, state in self._jobs.all()}

    def steer(self) -> None:
        """End the jobs that are to have ended by now."""
        for job in self.started:
            if job.id not in self._met:
                self._plan(job.id, len(self._met), of=STARTED)
                self._met.add(job.id)
        due = [end for end in self._coming if end[0] <= self.elapsed]
        for end in due:
            self._coming.remove(end)
            _, job_id, status = end
            self._end(job_id, status)
            self.ended[job_id] = time.time()

    def _add(self, number: int) -> str:
        """Add one of those that nobody starts, and return its id."""
        job = self._jobs.add(model=f"CORTEX_DB.PUBLIC.MODEL_{number}", life=Life.at_once())
        self._plan(job.id, number, of=JOBS)
        return job.id

    def _plan(self, job_id: str, number: int, *, of: int) -> None:
        self._jobs.stall(job_id)
        end = FIRST_END + (LAST_END - FIRST_END) * number / (of - 1)
        self._coming.append((end, job_id, ENDS[number % len(ENDS)]))

    def _end(self, job_id: str, status: Status) -> None:
        match status:
            case Status.ERROR:
                self._jobs.fail(job_id, code="INTERNAL_ERROR", message="Out of memory.")
            case Status.CANCELLED:
                self._jobs.cancel(job_id)
            case _:
                self._jobs.resume(job_id)  # its life is over by now
