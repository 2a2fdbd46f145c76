"""Evaluations that are killed at their worst moments: the next try must not pay again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import snowflake.connector

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.query_registry import AsyncQuery
from tools.output import markdown_table
from tools.rest_api import DagRun, RestApi

DAG_ID = "killed_evaluations"
RUN_ID = "cluster"

POOR, GOOD = "CORTEX_DB.PUBLIC.POOR", "CORTEX_DB.PUBLIC.GOOD"
MODELS = {
    POOR: (("red light", "go"), ("green light", "go")),
    GOOD: (("red light", "stop"), ("green light", "go")),
}
"""The models that each task compares, and what they have learned."""

TRIES = 2

STILL_RUNS = "of an earlier try still runs: not starting another"
HAS_ANSWERS = "Using what an earlier try of this task has paid for, to have "
HAS_RESULT = "Returning the result of an earlier try of this task"

KILLED_WORKER = "worker_killed"

KILLED = {
    "answers_accepted": ("Snowflake has accepted the statement that asks the models", STILL_RUNS),
    KILLED_WORKER: ("the same, and its parent, the worker's process", HAS_ANSWERS),
    "answers_running": ("it polls the statement that asks the models", STILL_RUNS),
    "scores_accepted": ("Snowflake has accepted the statement that scores; deferred", STILL_RUNS),
    "scores_running": ("it polls the statement that scores", STILL_RUNS),
    "finished": ("all is done, but Airflow has not stored the XCom", HAS_RESULT),
}
"""When a task is killed, and what the log of its next try reports, by task id."""

LIFE = Life.by_looks(6)
"""How long each statement takes. While no task polls it, it does not end."""

# A staging table's name begins with the destination's, which is the task's id.
_STAGING = re.compile(r"(\w+)_(ANSWERS|SCORES)_CORTEX_")
_CREATES_STAGING = re.compile(f'CREATE OR REPLACE TRANSIENT TABLE "{_STAGING.pattern}')


@dataclass(frozen=True)
class KilledEvaluation:
    """The result of one task."""

    task_id: str
    asked: int
    """Statements that asked the models."""
    scored: int
    """Statements that scored the answers."""
    staging: int
    """Staging tables that are left."""
    winner: str | None
    """What the task returned, if its XCom ``winner`` is the same."""
    state: str
    tries: int
    is_logged: bool
    """Whether the log reports how the second try avoided paying again."""

    @property
    def is_correct(self) -> bool:
        return self == KilledEvaluation(self.task_id, 1, 1, 0, GOOD, "success", TRIES, True)

    def cells(self) -> list[str]:
        return [
            KILLED[self.task_id][0],
            str(self.asked),
            str(self.scored),
            str(self.staging),
            str(self.winner).rpartition(".")[2],
            f"{self.state} at try {self.tries}",
            "yes" if self.is_logged else "**no**",
        ]


class KilledEvaluations:
    """
    All of these tasks, in one run of their DAG.

    :param emulator: an account of their own, since all its statements take long.
    """

    def __init__(self, emulator: Emulator, api: RestApi) -> None:
        self._emulator = emulator
        self._api = api
        self._run: DagRun | None = None
        emulator.query_life = LIFE
        for model, pairs in MODELS.items():
            emulator.jobs.add(model=model, pairs=pairs, life=Life.at_once())

    def start(self) -> None:
        """Start the run. Its tasks kill themselves."""
        self._api.unpause_dag(DAG_ID)
        self._run = self._api.start_run(DAG_ID, RUN_ID)

    def end_unwatched(self) -> None:
        """Let the statements of the killed worker end before its task is retried."""
        for (task_id, _), query in self._statements():
            if task_id == KILLED_WORKER:
                query.life = Life.at_once()

    def have_finished(self) -> bool:
        """Return whether the run has finished."""
        return self._started.final_state() is not None

    def results(self, logs: Mapping[str, str]) -> Iterator[KilledEvaluation]:
        """
        Yield the result of each task.

        :param logs: what each task has logged, by task id.
        """
        run = self._started
        statements = Counter(staged for staged, _ in self._statements())
        left = Counter(match[1].lower() for match in map(_STAGING.match, self._tables()) if match)
        tasks = {task["task_id"]: task for task in run.task_instances()}
        for task_id, (_, report) in KILLED.items():
            winners = {run.xcom(task_id, key) for key in ("return_value", "winner")}
            yield KilledEvaluation(
                task_id=task_id,
                asked=statements[task_id, "ANSWERS"],
                scored=statements[task_id, "SCORES"],
                staging=left[task_id],
                winner=winners.pop() if len(winners) == 1 else None,
                state=tasks[task_id]["state"],
                tries=tasks[task_id]["try_number"],
                is_logged=report in logs.get(task_id, ""),
            )

    @property
    def _started(self) -> DagRun:
        assert self._run is not None  # noqa: S101 - for mypy
        return self._run

    def _statements(self) -> Iterator[tuple[tuple[str, str], AsyncQuery]]:
        """Yield each statement that writes a staging table, after its task's id and its kind."""
        for query in self._emulator.queries.all():
            if match := _CREATES_STAGING.match(query.sql):
                yield (match[1].lower(), match[2]), query

    def _tables(self) -> list[str]:
        """Return the names of all tables in the account."""
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'PUBLIC'"
        with closing(snowflake.connector.connect(**self._emulator.connect_arguments)) as session:
            cursor = session.cursor()
            cursor.execute(sql)
            return [str(row[0]) for row in cursor.fetchall()]


def killed_evaluations_table(results: list[KilledEvaluation]) -> str:
    heads = [
        "the evaluation is killed when",
        "statements that ask",
        "that score",
        "staging tables left",
        "winner",
        "its task",
        "its log reports why it does not pay again",
    ]
    return markdown_table(heads, [result.cells() for result in results])
