"""What becomes of a job when the task that starts it dies before it can tell: nobody pays twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_cortex.emulator import Emulator
from benchmarks.table import table
from demo.api import Api, Run

DAG_ID = "once"
RUN_ID = "cluster"

DEATHS = {
    "kill_task": "the task's process",
    "kill_worker": "that, and the worker's above it",
}

TRIES = 2


@dataclass(frozen=True)
class Row:
    """What became of a task."""

    death: str
    jobs: int
    tries: int
    state: str
    adopted: bool

    @property
    def is_right(self) -> bool:
        return (self.jobs, self.tries, self.state, self.adopted) == (1, TRIES, "success", True)

    def cells(self) -> list[str]:
        said = "yes" if self.adopted else "**no**"
        return [DEATHS[self.death], str(self.jobs), str(self.tries), self.state, said]


class Once:
    """All of them, in one run of their DAG."""

    def __init__(self, emulator: Emulator, api: Api) -> None:
        self._emulator = emulator
        self._api = api
        self._run: Run | None = None

    def start(self) -> None:
        """Have the jobs started, and their tasks killed."""
        self._run = self._api.start_run(DAG_ID, RUN_ID)

    def is_over(self) -> bool:
        """Return whether every task has ended."""
        assert self._run is not None  # noqa: S101 - for mypy
        return self._run.state in {"success", "failed"}

    def rows(self, said: Mapping[str, str]) -> Iterator[Row]:
        """Yield what became of each task; *said* is what each has logged."""
        assert self._run is not None  # noqa: S101 - for mypy
        started = [job.model.rpartition(".")[2] for job, _ in self._emulator.jobs.all()]
        for task in sorted(self._run.task_instances(), key=lambda task: task["task_id"]):
            death = task["task_id"]
            yield Row(
                death=death,
                jobs=sum(model.startswith(death) for model in started),
                tries=task["try_number"],
                state=task["state"],
                adopted="Adopted fine-tuning job" in said.get(death, ""),
            )


def once_table(rows: list[Row]) -> str:
    heads = [
        "killed when Cortex has taken the job on",
        "jobs",
        "tries",
        "the task",
        "its log says what it adopted",
    ]
    return table(heads, [row.cells() for row in rows])
