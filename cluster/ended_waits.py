"""Deferred waits that a user or a timeout ends: what happens to the job, the task and the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.emulator.tracked_job import JobStatus
from tools.output import markdown_table
from tools.rest_api import FINISHED_TASK_STATES, DagRun, RestApi

DAG_ID = "ended_waits"
RUN_ID = "cluster"
POOL = DAG_ID

STILL_RUNNING = "still running"

ENDS = {
    "failed": "marked failed",
    "cleared": "cleared",
    "success": "marked success",
    "timeout": "`timeout` passed",
    "execution_timeout": "`execution_timeout` passed",
}
"""How a wait ends, by the first part of its task id."""

BY_USER = {"failed", "cleared", "success"}


@dataclass(frozen=True)
class EndedWait:
    """One wait: how it ends, and the expected results."""

    end: str
    cancels: bool
    """Its ``cancel_on_kill``."""

    @property
    def task_id(self) -> str:
        return f"{self.end}_{'cancel' if self.cancels else 'keep'}"

    @property
    def expected_job(self) -> str:
        """The expected status of the job."""
        if self.end == "cleared" and not self.cancels:
            return JobStatus.SUCCESS  # it ends after the new try waits for it
        return JobStatus.CANCELLED if self.cancels and self.end != "timeout" else STILL_RUNNING

    @property
    def expected_task(self) -> str:
        """The expected state of the task."""
        succeeds = self.end == "success" or self.expected_job == JobStatus.SUCCESS
        return "success" if succeeds else "failed"

    def expected_log(self, job_id: str) -> str:
        """Return the text that the task's log must contain."""
        if self.end == "timeout":
            return f"Stopped waiting for fine-tuning job {job_id}"
        if self.cancels:
            return f"Canceled Cortex Fine-tuning job: {job_id}"
        return f"Fine-tuning job {job_id} is still running: cancel_on_kill is off"


ENDED_WAITS = tuple(EndedWait(end, cancels) for end, cancels in product(ENDS, (True, False)))


class EndedWaits:
    """
    All these waits, in one run of their DAG.

    None of their jobs ends by itself: it is cancelled, or we let it end.
    """

    def __init__(self, emulator: Emulator, api: RestApi, logs: Path) -> None:
        self._emulator = emulator
        self._api = api
        self._logs = logs / f"dag_id={DAG_ID}"
        self._jobs = {
            wait.task_id: emulator.jobs.add(model=wait.task_id).id for wait in ENDED_WAITS
        }
        for job_id in self._jobs.values():
            emulator.jobs.stall(job_id)
        self._run: DagRun | None = None
        self._slots = len(ENDED_WAITS)
        self._finished = False
        self._ended_tries: dict[str, int] = {}
        """Which try of a task we have ended."""

    def start(self) -> None:
        """Start the waits."""
        pool = {"name": POOL, "slots": self._slots, "include_deferred": False}
        self._api.post("/pools", pool)
        self._api.unpause_dag(DAG_ID)
        self._run = self._api.start_run(DAG_ID, RUN_ID, conf=self._jobs)

    def have_begun(self) -> bool | None:
        """Return True when no wait needs a worker any more, or None before that."""
        states = {task["state"] for task in self._tasks().values()}
        return states <= {"deferred", *FINISHED_TASK_STATES} or None

    def end_waits(self) -> Iterator[str]:
        """End each wait that has reached a triggerer, as a user does; yield a line about each."""
        if self._finished:
            return
        if not self._slots and all(map(self._is_noticed, ENDED_WAITS)):
            self._set_slots(len(ENDED_WAITS))
        tasks = self._tasks()
        self._finished = all(
            tasks[wait.task_id]["state"] in FINISHED_TASK_STATES
            and (wait.end not in BY_USER or wait.task_id in self._ended_tries)
            for wait in ENDED_WAITS
        )
        for wait in ENDED_WAITS:
            task = tasks[wait.task_id]
            if task["state"] != "deferred":
                continue
            if wait.end in BY_USER and wait.task_id not in self._ended_tries:
                if self._is_in_triggerer(wait):
                    self._ended_tries[wait.task_id] = task["try_number"]
                    self._end(wait)
                    yield f"{wait.task_id}: {ENDS[wait.end]}"
            elif (
                wait.expected_job == JobStatus.SUCCESS
                and task["try_number"] > self._ended_tries[wait.task_id]
            ):
                # A new try waits. Its job ends as soon as it is no longer stalled.
                self._emulator.jobs.resume(self._jobs[wait.task_id])

    def have_finished(self) -> bool:
        """Return whether all waits had ended at the last call of *end_waits*."""
        return self._finished

    def results(self, logs: Mapping[str, str]) -> Iterator[EndedWaitResult]:
        """
        Yield the result of each wait.

        :param logs: what each task has logged, by task id.
        """
        states = {job.id: state for job, state in self._emulator.jobs.all()}
        tasks = self._tasks()
        for wait in ENDED_WAITS:
            job_id = self._jobs[wait.task_id]
            state = states[job_id]
            yield EndedWaitResult(
                wait=wait,
                job=str(state.status) if state.finished_on else STILL_RUNNING,
                task=tasks[wait.task_id]["state"],
                is_logged=wait.expected_log(job_id) in logs.get(wait.task_id, ""),
            )

    def _set_slots(self, slots: int) -> None:
        """Let so many tasks of the pool run at the same time."""
        pool = {"pool": POOL, "slots": slots, "include_deferred": False}
        self._api.patch(f"/pools/{POOL}", pool)
        self._slots = slots

    def _is_in_triggerer(self, wait: EndedWait) -> bool:
        """Return whether a triggerer runs the wait. It must know the wait to notice its end."""
        return any(self._trigger_logs(wait))

    def _is_noticed(self, wait: EndedWait) -> bool:
        """Return whether a trigger has noticed that a user has ended its wait."""
        expected = wait.expected_log(self._jobs[wait.task_id])
        logs = (file.read_text(encoding="utf-8") for file in self._trigger_logs(wait))
        return wait.end not in BY_USER or any(expected in log for log in logs)

    def _trigger_logs(self, wait: EndedWait) -> Iterator[Path]:
        return self._logs.glob(f"*/task_id={wait.task_id}/*.log.trigger.*")

    def _end(self, wait: EndedWait) -> None:
        """End a wait through the REST API, as Airflow's UI does."""
        assert self._run is not None  # noqa: S101 - for mypy
        if wait.end == "cleared":
            # A cleared task runs again at once. If it waits before its first trigger has noticed,
            # its job is not cancelled: so nothing of the pool runs until all triggers have.
            self._set_slots(0)
            which = {"dag_run_id": RUN_ID, "task_ids": [wait.task_id], "only_failed": False}
            self._api.post(f"/dags/{DAG_ID}/clearTaskInstances", which | {"dry_run": False})
        else:
            path = f"{self._run.path}/taskInstances/{wait.task_id}"
            self._api.patch(path, {"new_state": wait.end})

    def _tasks(self) -> dict[str, dict[str, Any]]:
        assert self._run is not None  # noqa: S101 - for mypy
        missing = {wait.task_id: {"state": None} for wait in ENDED_WAITS}
        return missing | {task["task_id"]: task for task in self._run.task_instances()}


@dataclass(frozen=True)
class EndedWaitResult:
    """The real results of a wait."""

    wait: EndedWait
    job: str
    task: str
    is_logged: bool

    @property
    def is_correct(self) -> bool:
        expected = (self.wait.expected_job, self.wait.expected_task)
        return (self.job, self.task) == expected and self.is_logged

    def cells(self) -> list[str]:
        wait = self.wait
        return [
            ENDS[wait.end],
            str(wait.cancels),
            _compared(self.job, wait.expected_job),
            _compared(self.task, wait.expected_task),
            "yes" if self.is_logged else "**no**",
        ]


def ended_waits_table(results: list[EndedWaitResult]) -> str:
    heads = [
        "how the deferred wait ended",
        "`cancel_on_kill`",
        "its job",
        "its task",
        "its log reports it",
    ]
    return markdown_table(heads, [result.cells() for result in results])


def _compared(actual: str, expected: str) -> str:
    return actual if actual == expected else f"**{actual}**, not {expected}"
