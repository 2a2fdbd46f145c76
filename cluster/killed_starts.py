"""Tasks that are killed after Cortex has accepted their job: the next try must reuse it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_cortex.emulator import Emulator
from tools.output import markdown_table
from tools.rest_api import DagRun, RestApi

DAG_ID = "killed_starts"
RUN_IDS = ("cluster", "cluster_too")
"""Two runs at the same time, with the same arguments."""

KILLED = {
    "kill_task": "the task's process",
    "kill_worker": "the same, and its parent, the worker's process",
    "kill_mapped": "the processes of mapped tasks, without a task state store",
}
"""What is killed, by task id."""

MAPPED_TASKS = 3

TRIES = 2

REUSED = "Reusing fine-tuning job {} "
"""How the operator's log line begins when it reuses the job of an earlier try."""

# The comment that the operator adds to the training query.
_OWNER = re.compile(
    rf"/\* airflow-task [0-9a-f]{{32}} {DAG_ID}\.(\w+) (\w+)(?: map_index=(\d+))? \*/$"
)


@dataclass(frozen=True)
class KilledStart:
    """The result of one task, over all instances in both runs."""

    task_id: str
    tasks: int
    jobs: int
    """Jobs that the instances have started."""
    own: int
    """Instances that returned their own job, of which they started only one."""
    reused: int
    """Instances whose log reports that job as reused."""
    succeeded: int
    """Instances that succeeded at the second try."""

    @property
    def is_correct(self) -> bool:
        expected = len(RUN_IDS) * (MAPPED_TASKS if self.task_id == "kill_mapped" else 1)
        return {self.tasks, self.jobs, self.own, self.reused, self.succeeded} == {expected}

    def cells(self) -> list[str]:
        counts = self.jobs, self.own, self.succeeded, self.reused
        marked = [str(n) if n == self.tasks else f"**{n}**" for n in counts]
        return [KILLED[self.task_id], str(self.tasks), *marked]


class KilledStarts:
    """All of these tasks, in two runs of their DAG."""

    def __init__(self, emulator: Emulator, api: RestApi) -> None:
        self._emulator = emulator
        self._api = api
        self._runs: list[DagRun] = []

    def start(self) -> None:
        """Start both runs. Their tasks kill themselves."""
        self._api.unpause_dag(DAG_ID)
        self._runs = [self._api.start_run(DAG_ID, run_id) for run_id in RUN_IDS]

    def have_finished(self) -> bool:
        """Return whether both runs have finished."""
        return all(run.final_state() for run in self._runs)

    def results(self, logs: Mapping[str, str]) -> Iterator[KilledStart]:
        """
        Yield the result of each task.

        :param logs: what each task has logged, by task id.
        """
        started = self._started_jobs()
        for task_id in KILLED:
            instances = [
                (run, run_id, task)
                for run, run_id in zip(self._runs, RUN_IDS, strict=True)
                for task in run.task_instances()
                if task["task_id"] == task_id
            ]
            returned = {
                (task_id, run_id, task["map_index"]): run.xcom(task_id, map_index=task["map_index"])
                for run, run_id, task in instances
            }
            log = logs.get(task_id, "")
            yield KilledStart(
                task_id=task_id,
                tasks=len(instances),
                jobs=sum(len(jobs) for owner, jobs in started.items() if owner[0] == task_id),
                own=sum(started.get(owner) == [job_id] for owner, job_id in returned.items()),
                reused=sum(REUSED.format(job_id) in log for job_id in returned.values()),
                succeeded=sum(
                    (task["state"], task["try_number"]) == ("success", TRIES)
                    for _, _, task in instances
                ),
            )

    def _started_jobs(self) -> dict[tuple[str, str, int], list[str]]:
        """Return the ids of started jobs, by the starting task's id, run id and map index."""
        started: dict[tuple[str, str, int], list[str]] = {}
        for job, _ in self._emulator.jobs.all():
            if match := _OWNER.search(job.training_data):
                task_id, run_id, map_index = match.groups()
                owner = (task_id, run_id, -1 if map_index is None else int(map_index))
                started.setdefault(owner, []).append(job.id)
        return started


def killed_starts_table(results: list[KilledStart]) -> str:
    heads = [
        "killed after Cortex has accepted the job",
        "tasks",
        "jobs",
        "returned their own",
        "succeeded at the next try",
        "their log reports the reused job",
    ]
    return markdown_table(heads, [result.cells() for result in results])
