"""What becomes of a job when the task that starts it dies before it can tell: nobody pays twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_cortex.emulator import Emulator
from benchmarks.table import table
from demo.api import Api, Run

DAG_ID = "once"
RUN_IDS = ("cluster", "cluster_too")
"""Two runs that overlap, and ask for the very same."""

DEATHS = {
    "kill_task": "the task's process",
    "kill_worker": "that, and the worker's above it",
    "kill_mapped": "the processes of mapped tasks, without a task state store",
}

MAPPED = 3

INSTANCES = {death: len(RUN_IDS) * (MAPPED if death == "kill_mapped" else 1) for death in DEATHS}

TRIES = 2

_OWNER = re.compile(r"/\* airflow-task [0-9a-f]{32} once\.(\w+) (\w+)(?: map_index=(\d+))? \*/$")


@dataclass(frozen=True)
class Row:
    """What became of the instances of a task, in both runs."""

    death: str
    tasks: int
    jobs: int
    """That they have started."""
    own: int
    """Instances that have returned the one job that they have started themselves."""
    adopted: int
    """Instances whose log says that."""
    succeeded: int
    """At the second try."""

    @property
    def is_right(self) -> bool:
        counts = {self.tasks, self.jobs, self.own, self.adopted, self.succeeded}
        return counts == {INSTANCES[self.death]}

    def cells(self) -> list[str]:
        counts = self.jobs, self.own, self.succeeded, self.adopted
        said = [str(n) if n == self.tasks else f"**{n}**" for n in counts]
        return [DEATHS[self.death], str(self.tasks), *said]


class Once:
    """All of them, in two runs of their DAG at the same time."""

    def __init__(self, emulator: Emulator, api: Api) -> None:
        self._emulator = emulator
        self._api = api
        self._runs: list[Run] = []

    def start(self) -> None:
        """Have the jobs started, and their tasks killed."""
        self._runs = [self._api.start_run(DAG_ID, run_id) for run_id in RUN_IDS]

    def is_finished(self) -> bool:
        """Return whether every task has ended."""
        return all(run.state in {"success", "failed"} for run in self._runs)

    def rows(self, said: Mapping[str, str]) -> Iterator[Row]:
        """Yield what became of each task; *said* is what each has logged."""
        started = self._started()
        for death in DEATHS:
            instances = [
                (run, run_id, task)
                for run, run_id in zip(self._runs, RUN_IDS, strict=True)
                for task in run.task_instances()
                if task["task_id"] == death
            ]
            returned = {
                (run_id, task["map_index"]): run.xcom(death, map_index=task["map_index"])
                for run, run_id, task in instances
            }
            own = [
                who for who, job_id in returned.items() if started.get((death, *who)) == [job_id]
            ]
            yield Row(
                death=death,
                tasks=len(instances),
                jobs=sum(len(jobs) for who, jobs in started.items() if who[0] == death),
                own=len(own),
                adopted=sum(
                    f"Adopted fine-tuning job {job_id}" in said.get(death, "")
                    for job_id in returned.values()
                ),
                succeeded=sum(
                    (task["state"], task["try_number"]) == ("success", TRIES)
                    for _, _, task in instances
                ),
            )

    def _started(self) -> dict[tuple[str, str, int], list[str]]:
        """Return the jobs that task instances have started: by task, run and map index."""
        started: dict[tuple[str, str, int], list[str]] = {}
        for job, _ in self._emulator.jobs.all():
            if owner := _OWNER.search(job.training_data):
                task_id, run_id, map_index = owner.groups()
                who = (task_id, run_id, -1 if map_index is None else int(map_index))
                started.setdefault(who, []).append(job.id)
        return started


def once_table(rows: list[Row]) -> str:
    heads = [
        "killed when Cortex has accepted the job",
        "tasks",
        "jobs",
        "returned their own",
        "succeeded at the next try",
        "their log says what they adopted",
    ]
    return table(heads, [row.cells() for row in rows])
