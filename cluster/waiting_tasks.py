"""The tasks that wait for the planned jobs, and whether their outcomes match their jobs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.emulator.tracked_job import Job, JobState, JobStatus
from cluster.planned_jobs import EXISTING_JOBS, STARTED_JOBS, PlannedJobs
from tools.output import markdown_table
from tools.rest_api import FINISHED_TASK_STATES, DagRun

DEFERRED = "wait_deferred"
RESCHEDULED = "wait_rescheduled"
MODES = {DEFERRED: "deferrable", RESCHEDULED: "reschedule"}
"""How the tasks wait, by task id."""

JOBS = {DEFERRED: EXISTING_JOBS, RESCHEDULED: STARTED_JOBS}
"""How many jobs they wait for, by task id."""

EXPECTED_STATES = {
    JobStatus.SUCCESS: "success",
    JobStatus.ERROR: "failed",
    JobStatus.CANCELLED: "skipped",
}
"""The task's state by its job's status, with ``skip_on_cancelled``."""


def count_adopted_waits(logs: Mapping[str, str]) -> int:
    """
    Return how many waits a resumed triggerer did not cancel, because another one had adopted them.

    :param logs: what each task has logged, by task id.
    """
    return logs.get(DEFERRED, "").count("is not cancelled: ")


@dataclass(frozen=True)
class TaskResult:
    """One task at its end."""

    task_id: str
    map_index: int
    state: str
    tries: int
    delay: float
    """Seconds between the job's end and the task's end."""
    contradiction: str | None
    """How the task's outcome contradicts its job's, or None if it does not."""


@dataclass
class WaitingTasks:
    """All waiting tasks of a run."""

    jobs: PlannedJobs
    run: DagRun
    abandoned: dict[str, set[str]] = field(default_factory=lambda: {mode: set() for mode in MODES})
    """Jobs that were seen running after their task had finished, by task id."""
    have_begun: bool = False
    """Whether there was a waiting task for every job."""
    _started_ids: dict[int, str] = field(default_factory=dict)

    def poll(self) -> Counter[str]:
        """Look for abandoned jobs; return the number of tasks in each state."""
        # Tasks first: a job that runs after its task has finished is abandoned for certain.
        tasks = list(self._tasks())
        states = self.jobs.states()
        for task in tasks:
            job_id = self._job_id(task)
            if not job_id or task["state"] not in FINISHED_TASK_STATES:
                continue
            if states[job_id][1].finished_on is None:
                self.abandoned[task["task_id"]].add(job_id)
        deferred = sum(task["state"] == "deferred" for task in tasks)
        all_started = len(self.jobs.started) >= STARTED_JOBS
        self.have_begun |= deferred == EXISTING_JOBS and all_started
        return Counter(task["state"] or "none" for task in tasks)

    def all_abandoned(self) -> list[str]:
        """Return the ids of all abandoned jobs."""
        return sorted(set().union(*self.abandoned.values()))

    def results(self) -> Iterator[TaskResult]:
        """Yield the result of each task, compared with its job."""
        states = self.jobs.states()
        for task in self._tasks():
            job_id = self._job_id(task)
            job, state = states[job_id] if job_id else (None, None)
            yield TaskResult(
                task_id=task["task_id"],
                map_index=task["map_index"],
                state=str(task["state"]),
                tries=task["try_number"],
                delay=self._delay(task, job_id),
                contradiction=self._contradiction(task, job, state),
            )

    def _tasks(self) -> Iterator[dict[str, Any]]:
        return (task for task in self.run.task_instances() if task["task_id"] in MODES)

    def _job_id(self, task: dict[str, Any]) -> str | None:
        index: int = task["map_index"]
        if index < 0:  # not expanded yet
            return None
        if task["task_id"] == DEFERRED:
            return self.jobs.ids[index]
        if index not in self._started_ids and (job_id := self.run.xcom("start", map_index=index)):
            self._started_ids[index] = job_id
        return self._started_ids.get(index)

    def _contradiction(
        self, task: dict[str, Any], job: Job | None, state: JobState | None
    ) -> str | None:
        if job is None or state is None:
            return "waited for no job"
        if task["state"] != EXPECTED_STATES.get(state.status):
            return f"{task['state']}, but its job is {state.status}"
        xcoms = {
            key: self.run.xcom(task["task_id"], key, map_index=task["map_index"])
            for key in ("return_value", "model", "finetune_job")
        }
        record = xcoms["finetune_job"] or {}
        model = job.model if state.status is JobStatus.SUCCESS else None
        expected = (model, model, model, job.id, state.status)
        models = (xcoms["return_value"], xcoms["model"], record.get("model"))
        if (*models, record.get("id"), record.get("status")) != expected:
            return f"its XComs are {xcoms}, but its job is {state.status} with model {model}"
        return None

    def _delay(self, task: dict[str, Any], job_id: str | None) -> float:
        ended_at = self.jobs.ended_at.get(job_id or "")
        if ended_at is None or task["end_date"] is None:
            return math.inf
        return datetime.fromisoformat(task["end_date"]).timestamp() - ended_at


def waiting_tasks_table(
    results: Sequence[TaskResult], waiting: WaitingTasks, adopted: int, emulator: Emulator
) -> str:
    """
    Return the results of the waiting tasks as Markdown.

    :param adopted: how many waits a triggerer did not cancel, since another had adopted them.
    """
    by_mode = {mode: [result for result in results if result.task_id == mode] for mode in MODES}
    states = {mode: Counter(result.state for result in by_mode[mode]) for mode in MODES}
    expected = [*EXPECTED_STATES.values()]
    unexpected = sorted({result.state for result in results} - {*expected})
    rows = [
        ["jobs", *(str(JOBS[mode]) for mode in MODES)],
        *(
            [f"tasks that ended as: {state}", *(str(states[mode][state]) for mode in MODES)]
            for state in [*expected, *unexpected]
        ),
        ["tasks that needed another try", *_count(by_mode, lambda result: result.tries > 1)],
        [
            "tasks whose outcome contradicts their job's",
            *_count(by_mode, lambda result: result.contradiction),
        ],
        [
            "jobs that ran without a waiting task, at any time",
            *(str(len(waiting.abandoned[mode])) for mode in MODES),
        ],
        ["jobs that were started twice", "", str(waiting.jobs.duplicates)],
        ["waits that a triggerer did not cancel, since another had adopted them", str(adopted), ""],
        [
            "longest time from a job's end to its task's end, seconds",
            *(f"{max((r.delay for r in by_mode[mode]), default=0):.0f}" for mode in MODES),
        ],
    ]
    total = f"Total: {emulator.logins} logins and {len(emulator.statements)} statements."
    return f"{markdown_table(['', *MODES.values()], rows)}\n\n{total}"


def _count(
    by_mode: Mapping[str, Sequence[TaskResult]], is_counted: Callable[[TaskResult], object]
) -> list[str]:
    return [
        str(sum(bool(is_counted(result)) for result in results)) for results in by_mode.values()
    ]
