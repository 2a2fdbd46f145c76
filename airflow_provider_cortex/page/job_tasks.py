"""Which task instances started, awaited or evaluated a job, from the XComs that they pushed."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.page.evaluation import evaluations_in
from airflow_provider_cortex.tasks.base import JOB_ID

log = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(minutes=5)
"""How far a worker's clock may be behind Snowflake's."""

MAX_TASKS = 200
"""The most tasks of a job that the page shows."""

SCORES = "scores"
"""The key of an evaluation's XCom."""

IN_EACH_REPORT = "most_frequent_error"
"""A text that each such XCom has, and hardly another one with that key."""

MAX_REPORTS = 200
"""The most of them that one look-up reads, the newest."""

MAX_EVALUATIONS = 20
"""The most evaluations of a job that the page shows."""

SCORES_SINCE = timedelta(days=365)
"""How old the evaluations in the chart may be."""

MAX_LENGTH = 50_000
"""A longer XCom is not read, in characters: anyone may push one with these keys."""

MAX_WAITING = 8
"""The most requests that wait for the database, one after another."""

MAX_WAIT_SECONDS = 5.0
"""How long a request waits for the database."""

MAX_LIST_WAIT_SECONDS = 1.0
"""How long the list of jobs waits for the scores: it comes without them, too."""

CACHE_SECONDS = 5.0
"""How long what was looked up is valid, for all viewers."""

PLAIN_TEXT = re.compile(r"[\w.:-]*", re.ASCII)
"""A part of an id or a name that is the same in JSON."""

NO_PERMISSION = "Airflow shows you no tasks: you may not read task instances and DAG runs."
BUSY = "The tasks were not looked up: there are too many requests at once. Open the job again."


Found = dict[str, Any]
"""A task instance, or what it says of a model: for JSON, with *dag_id*."""

LookUp = Callable[[], list[Found]]


class TasksHiddenError(Exception):
    """A viewer does not get a job's tasks; the text says why."""


class JobTasks:
    """
    The tasks of jobs, from Airflow's database, for use in one event loop.

    One thread looks them up, one job after another: so however many viewers there are, they leave
    the rest of Airflow's API server its threads and its connections to the database.

    :param clock: returns seconds that never go back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cortex-page-tasks")
        self._waiting = 0
        self._cached: dict[tuple[str, ...], tuple[float, list[Found]]] = {}

    async def visible_to(self, user: Any, job: FineTuneJob) -> list[Found]:
        """
        Return the tasks that recorded a job and that a viewer may read, earliest first, for JSON.

        :raises TasksHiddenError: if the viewer may read no tasks, or there are too many requests.
        """
        return await self._visible(user, ("tasks", job.id), lambda: _tasks(job), MAX_WAIT_SECONDS)

    async def evaluations_visible_to(self, user: Any, job: FineTuneJob) -> list[Found]:
        """
        Return the evaluations of a job's model, and their tasks, newest first, for JSON.

        Only those that a viewer may read.

        :raises TasksHiddenError: as :meth:`visible_to`.
        """
        if not job.model:
            return []
        model = job.model
        key = ("evaluations", job.id, model)
        return await self._visible(user, key, lambda: _evaluations(job, model), MAX_WAIT_SECONDS)

    async def scores_visible_to(self, user: Any) -> dict[str, float] | None:
        """
        Return the newest score of each model that was evaluated, by the model's name.

        Only of evaluations that a viewer may read. None if the viewer may read no tasks, there are
        too many requests, or the look-up fails: the list of jobs needs no scores.
        """
        try:
            found = await self._visible(user, (SCORES,), _scores, MAX_LIST_WAIT_SECONDS)
        except TasksHiddenError:
            return None
        except SQLAlchemyError:
            log.warning("The scores of models were not looked up", exc_info=True)
            return None
        return {one["model"]: one["score"] for one in reversed(found)}

    def close(self) -> None:
        """End the thread once it has answered; requests that wait get no answer."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _visible(
        self, user: Any, key: tuple[str, ...], look_up: LookUp, max_wait: float
    ) -> list[Found]:
        """Return what was found in the DAGs that a viewer may read."""
        if self._waiting >= MAX_WAITING:
            raise TasksHiddenError(BUSY)
        self._waiting += 1
        try:
            work = asyncio.get_running_loop().run_in_executor(
                self._thread, self._look_up_visible, user, key, look_up
            )
            return await asyncio.wait_for(work, max_wait)
        except TimeoutError:
            raise TasksHiddenError(BUSY) from None
        finally:
            self._waiting -= 1

    def _look_up_visible(self, user: Any, key: tuple[str, ...], look_up: LookUp) -> list[Found]:
        found = self._found(key, look_up)
        dag_ids = {one["dag_id"] for one in found}
        readable = {dag_id for dag_id in dag_ids if compat.may_read_tasks(user, dag_id)}
        # A viewer who may read some DAGs does not learn that another one has a task.
        if not readable and not compat.may_read_tasks(user):
            raise TasksHiddenError(NO_PERMISSION)
        return [one for one in found if one["dag_id"] in readable]

    def _found(self, key: tuple[str, ...], look_up: LookUp) -> list[Found]:
        """Return what there is for all viewers, from the cache if it is still valid there."""
        now = self._clock()
        self._cached = {key: entry for key, entry in self._cached.items() if now < entry[0]}
        if key not in self._cached:
            self._cached[key] = (now + CACHE_SECONDS, look_up())
        return self._cached[key][1]


def _tasks(job: FineTuneJob) -> list[Found]:
    rows = compat.xcoms_since(
        JOB_ID, _plain_part(job.id), _start(job), limit=MAX_TASKS, max_length=MAX_LENGTH
    )
    return [_task(row) for row in rows if compat.xcom_equals(row.value, job.id)]


def _evaluations(job: FineTuneJob, model: str) -> list[Found]:
    found = [
        {
            "evaluated_on": round(row.timestamp.timestamp() * 1000),
            **asdict(evaluation),
            **_task(row),
        }
        for row in _reports(_plain_part(model), _start(job))
        if (evaluation := evaluations_in(row.value).get(model))
    ]
    return found[:MAX_EVALUATIONS]


def _scores() -> list[Found]:
    return [
        {"dag_id": row.dag_id, "model": model, "score": evaluation.score}
        for row in _reports(IN_EACH_REPORT, datetime.now(tz=UTC) - SCORES_SINCE)
        for model, evaluation in evaluations_in(row.value).items()
        if evaluation.score is not None
    ]


def _reports(text: str, since: datetime) -> list[Any]:
    """Return the evaluations' XComs with a text, newest first."""
    return compat.xcoms_since(
        SCORES, text, since, limit=MAX_REPORTS, max_length=MAX_LENGTH, is_newest_first=True
    )


def _start(job: FineTuneJob) -> datetime:
    return (job.created_on or datetime.now(tz=UTC)) - CLOCK_SKEW


def _plain_part(name: str) -> str:
    """Return the longest part of a name that the database can look for."""
    return max((part[0] for part in PLAIN_TEXT.finditer(name)), key=len)


def _task(row: Any) -> Found:
    return {
        "dag_id": row.dag_id,
        "run_id": row.run_id,
        "task_id": row.task_id,
        "map_index": row.map_index,
        "operator": row.operator,
        "state": row.state,
        "path": task_path(row.dag_id, row.run_id, row.task_id, row.map_index),
    }


def task_path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Return the path of a task instance's page, relative to Airflow's base URL."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    dag, run, task = (quote(name, safe="") for name in (dag_id, run_id, task_id))
    return f"dags/{dag}/runs/{run}/tasks/{task}{mapped}"
