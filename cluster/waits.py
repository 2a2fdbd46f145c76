"""The tasks that wait for the fleet's jobs, and whether they tell the truth about them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_cortex.emulator.job import Job, State, Status
from cluster.fates import SETTLED
from cluster.fleet import JOBS, STARTED, Fleet
from demo.api import Run

DEFERRED = "wait"
RESCHEDULED = "look"
KINDS = {DEFERRED: "deferrable", RESCHEDULED: "reschedule"}

RIGHT = {Status.SUCCESS: "success", Status.ERROR: "failed", Status.CANCELLED: "skipped"}
"""The state of a task with ``skip_on_cancelled``, by that of its job."""


def count_taken_over(said: Mapping[str, str]) -> int:
    """Return how many waits a triggerer was told to end, and another one had taken over."""
    return said.get(DEFERRED, "").count("is not cancelled: ")


@dataclass(frozen=True)
class Wait:
    """One task, at its end."""

    kind: str
    map_index: int
    state: str
    tries: int
    delay: float
    """Seconds between the job's end and the task's."""
    lie: str | None
    """What is not true of what the task tells, if anything is not."""


@dataclass
class Waits:
    """All waits of a run."""

    fleet: Fleet
    run: Run
    abandoned: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    """The jobs that have been seen running while their task was over."""
    have_begun: bool = False
    """Whether every job has been waited for."""
    _started: dict[int, str] = field(default_factory=dict)

    def look(self) -> Counter[str]:
        """Look whether every running job is waited for; return how many tasks are in which state."""
        # First the tasks: what runs after its task was over is abandoned, whatever came between.
        tasks = list(self._tasks())
        truth = self.fleet.truth()
        for task in tasks:
            job_id = self._job_id(task)
            if task["state"] in SETTLED and job_id and truth[job_id][1].finished_on is None:
                self.abandoned[task["task_id"]].add(job_id)
        deferred = sum(task["state"] == "deferred" for task in tasks)
        self.have_begun |= deferred == JOBS and len(self.fleet.started) >= STARTED
        return Counter(task["state"] or "none" for task in tasks)

    def all_abandoned(self) -> list[str]:
        """Return the jobs that have been seen running while their task was over."""
        return sorted(set().union(*self.abandoned.values()))

    def at_end(self) -> Iterator[Wait]:
        """Yield what each task tells, compared to the truth."""
        truth = self.fleet.truth()
        for task in self._tasks():
            job_id = self._job_id(task)
            job, state = truth[job_id] if job_id else (None, None)
            yield Wait(
                kind=task["task_id"],
                map_index=task["map_index"],
                state=str(task["state"]),
                tries=task["try_number"],
                delay=self._delay(task, job_id),
                lie=self._lie(task, job, state),
            )

    def _tasks(self) -> Iterator[dict[str, Any]]:
        return (task for task in self.run.task_instances() if task["task_id"] in KINDS)

    def _job_id(self, task: dict[str, Any]) -> str | None:
        index: int = task["map_index"]
        if index < 0:  # its job is not known yet
            return None
        if task["task_id"] == DEFERRED:
            return self.fleet.ids[index]
        if index not in self._started and (job_id := self.run.xcom("start", map_index=index)):
            self._started[index] = job_id
        return self._started.get(index)

    def _lie(self, task: dict[str, Any], job: Job | None, state: State | None) -> str | None:
        if job is None or state is None:
            return "waited for no job"
        if task["state"] != RIGHT.get(state.status):
            return f"{task['state']}, and its job is {state.status}"
        told = {
            key: self.run.xcom(task["task_id"], key, map_index=task["map_index"])
            for key in ("return_value", "model", "finetune_job")
        }
        record = told["finetune_job"] or {}
        model = job.model if state.status is Status.SUCCESS else None
        expected = (model, model, model, job.id, state.status)
        names = (told["return_value"], told["model"], record.get("model"))
        if (*names, record.get("id"), record.get("status")) != expected:
            return f"its XComs tell {told}, and its job is {state.status} with model {model}"
        return None

    def _delay(self, task: dict[str, Any], job_id: str | None) -> float:
        ended = self.fleet.ended.get(job_id or "")
        if ended is None or task["end_date"] is None:
            return math.inf
        return datetime.fromisoformat(task["end_date"]).timestamp() - ended
