"""What becomes of a job when the wait for it is ended: by a person, or because its time is up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.emulator.job import Status
from benchmarks.table import table
from demo.api import Api, Run

DAG_ID = "fates"
RUN_ID = "cluster"

RUNS_ON = "runs on"
CANCELLED = "CANCELLED"

SETTLED = {"success", "failed", "skipped", "upstream_failed", "removed"}

ENDS = {
    "failed": "marked failed",
    "cleared": "cleared",
    "success": "marked success",
    "timeout": "`timeout` passed",
    "execution_timeout": "`execution_timeout` passed",
}

BY_HAND = {"failed", "cleared", "success"}


@dataclass(frozen=True)
class Case:
    """A wait, what ends it, and what should come of it."""

    end: str
    cancels: bool

    @property
    def task_id(self) -> str:
        return f"{self.end}_{'cancel' if self.cancels else 'keep'}"

    @property
    def job(self) -> str:
        """What should become of the job."""
        if self.end == "cleared" and not self.cancels:
            return Status.SUCCESS  # of its own, when the new wait is on
        return CANCELLED if self.cancels and self.end != "timeout" else RUNS_ON

    @property
    def task(self) -> str:
        """How the task should end."""
        return "success" if self.end == "success" or self.job == Status.SUCCESS else "failed"

    def says(self, job_id: str) -> str:
        """Return what the task's log should say."""
        if self.end == "timeout":
            return f"Stopped waiting for fine-tuning job {job_id}"
        if self.cancels:
            return f"Canceled Cortex Fine-tuning job: {job_id}"
        return f"Fine-tuning job {job_id} runs on: cancel_on_kill is off."


CASES = tuple(Case(end, cancels) for end, cancels in product(ENDS, (True, False)))


class Fates:
    """
    All cases, in one run of their DAG.

    Every job of them is far from its end: it ends if it is cancelled, or when we let it go on.
    """

    def __init__(self, emulator: Emulator, api: Api, logs: Path) -> None:
        self._emulator = emulator
        self._api = api
        self._logs = logs / f"dag_id={DAG_ID}"
        self._jobs = {case.task_id: emulator.jobs.add(model=case.task_id).id for case in CASES}
        for job_id in self._jobs.values():
            emulator.jobs.stall(job_id)
        self._run: Run | None = None
        self._over = False
        self._tries: dict[str, int] = {}

    def start(self) -> None:
        """Begin the waits."""
        self._run = self._api.start_run(DAG_ID, RUN_ID, conf=self._jobs)

    def have_begun(self) -> bool | None:
        """Return True once no wait needs a worker to begin; None before."""
        return (
            all(task["state"] in {"deferred", *SETTLED} for task in self._tasks().values()) or None
        )

    def act(self) -> Iterator[str]:
        """Do what a person does, to each wait that is ready for it; yield what was done."""
        if self._over:
            return
        tasks = self._tasks()
        self._over = all(
            task["state"] in SETTLED and (case.end not in BY_HAND or case.task_id in self._tries)
            for case, task in zip(CASES, self._in_order(tasks), strict=True)
        )
        for case in CASES:
            task = tasks[case.task_id]
            if task["state"] != "deferred":
                continue
            if case.end in BY_HAND and case.task_id not in self._tries:
                if self._is_in_triggerer(case):
                    self._tries[case.task_id] = task["try_number"]
                    self._end(case)
                    yield f"{case.task_id}: {ENDS[case.end]}"
            elif case.job == Status.SUCCESS and task["try_number"] > self._tries[case.task_id]:
                # It waits again. Its job is over as soon as it goes on.
                self._emulator.jobs.resume(self._jobs[case.task_id])

    def are_over(self) -> bool:
        """Return whether they were when *act* was called."""
        return self._over

    def rows(self, said: Mapping[str, str]) -> Iterator[Row]:
        """Yield what became of each; *said* is what each task has logged."""
        states = {job.id: state for job, state in self._emulator.jobs.all()}
        for case, task in zip(CASES, self._in_order(self._tasks()), strict=True):
            job_id = self._jobs[case.task_id]
            state = states[job_id]
            yield Row(
                case=case,
                job=str(state.status) if state.finished_on else RUNS_ON,
                task=task["state"],
                said=case.says(job_id) in said.get(case.task_id, ""),
            )

    def _is_in_triggerer(self, case: Case) -> bool:
        """Return whether a triggerer has the task: one that ends before is none's to be told of."""
        return any(self._logs.glob(f"*/task_id={case.task_id}/*.log.trigger.*"))

    def _end(self, case: Case) -> None:
        """End a wait as a person does, through the REST API."""
        assert self._run is not None  # noqa: S101 - for mypy
        if case.end == "cleared":
            which = {"dag_run_id": RUN_ID, "task_ids": [case.task_id], "only_failed": False}
            self._api.post(f"/dags/{DAG_ID}/clearTaskInstances", which | {"dry_run": False})
        else:
            path = f"{self._run.path}/taskInstances/{case.task_id}"
            self._api.patch(path, {"new_state": case.end})

    @staticmethod
    def _in_order(tasks: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        return [tasks[case.task_id] for case in CASES]

    def _tasks(self) -> dict[str, dict[str, Any]]:
        assert self._run is not None  # noqa: S101 - for mypy
        unknown = {case.task_id: {"state": None} for case in CASES}
        return unknown | {task["task_id"]: task for task in self._run.task_instances()}


@dataclass(frozen=True)
class Row:
    """What became of a case."""

    case: Case
    job: str
    task: str
    said: bool

    @property
    def is_right(self) -> bool:
        return (self.job, self.task, self.said) == (self.case.job, self.case.task, True)

    def cells(self) -> list[str]:
        case = self.case
        return [
            ENDS[case.end],
            str(case.cancels),
            _compared(self.job, case.job),
            _compared(self.task, case.task),
            "yes" if self.said else "**no**",
        ]


def fate_table(rows: list[Row]) -> str:
    heads = [
        "a deferred wait is ended",
        "`cancel_on_kill`",
        "its job",
        "its task",
        "its log says so",
    ]
    return table(heads, [row.cells() for row in rows])


def _compared(got: str, expected: str) -> str:
    return got if got == expected else f"**{got}**, not {expected}"
