"""Which task instances started or awaited a job, from the XComs of the operator and the sensor."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.tasks.base import JOB_ID

CLOCK_SKEW = timedelta(minutes=5)
"""How far a worker's clock may be behind Snowflake's."""

MAX_TASKS = 200
"""The most tasks of a job that the page shows."""

MAX_WAITING = 8
"""The most requests that wait for the database, one after another."""

MAX_WAIT_SECONDS = 5.0
"""How long a request waits for the database."""

CACHE_SECONDS = 5.0
"""How long the tasks of a job are valid, for all viewers."""

PLAIN_TEXT = re.compile(r"[\w.:-]*", re.ASCII)
"""The beginning of an id that is the same in JSON."""

NO_PERMISSION = "Airflow shows you no tasks: you may not read task instances and DAG runs."
BUSY = "The tasks were not looked up: there are too many requests at once. Open the job again."


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
        self._cached: dict[str, tuple[float, list[dict[str, Any]]]] = {}

    async def visible_to(self, user: Any, job: FineTuneJob) -> list[dict[str, Any]]:
        """
        Return the tasks that recorded a job and that a viewer may read, earliest first, for JSON.

        :raises TasksHiddenError: if the viewer may read no tasks, or there are too many requests.
        """
        if self._waiting >= MAX_WAITING:
            raise TasksHiddenError(BUSY)
        self._waiting += 1
        try:
            work = asyncio.get_running_loop().run_in_executor(
                self._thread, self._visible_to, user, job
            )
            return await asyncio.wait_for(work, MAX_WAIT_SECONDS)
        except TimeoutError:
            raise TasksHiddenError(BUSY) from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the thread once it has answered; requests that wait get no answer."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _visible_to(self, user: Any, job: FineTuneJob) -> list[dict[str, Any]]:
        tasks = self._tasks(job)
        dag_ids = {task["dag_id"] for task in tasks}
        readable = {dag_id for dag_id in dag_ids if compat.may_read_tasks(user, dag_id)}
        # A viewer who may read some DAGs does not learn that another one has a task.
        if not readable and not compat.may_read_tasks(user):
            raise TasksHiddenError(NO_PERMISSION)
        return [task for task in tasks if task["dag_id"] in readable]

    def _tasks(self, job: FineTuneJob) -> list[dict[str, Any]]:
        """Return all tasks of a job, from the cache if they are still valid there."""
        now = self._clock()
        self._cached = {key: entry for key, entry in self._cached.items() if now < entry[0]}
        if job.id not in self._cached:
            self._cached[job.id] = (now + CACHE_SECONDS, _look_up(job))
        return self._cached[job.id][1]


def _look_up(job: FineTuneJob) -> list[dict[str, Any]]:
    since = (job.created_on or datetime.now(tz=UTC)) - CLOCK_SKEW
    text = PLAIN_TEXT.match(job.id)
    rows = compat.xcoms_since(JOB_ID, text[0] if text else "", since, limit=MAX_TASKS)
    return [
        {
            "dag_id": row.dag_id,
            "run_id": row.run_id,
            "task_id": row.task_id,
            "map_index": row.map_index,
            "operator": row.operator,
            "state": row.state,
            "path": task_path(row.dag_id, row.run_id, row.task_id, row.map_index),
        }
        for row in rows
        if compat.xcom_equals(row.value, job.id)
    ]


def task_path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Return the path of a task instance's page, relative to Airflow's base URL."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    dag, run, task = (quote(name, safe="") for name in (dag_id, run_id, task_id))
    return f"dags/{dag}/runs/{run}/tasks/{task}{mapped}"
