"""Which task instances started or awaited a job, from the XComs of the operator and the sensor."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.tasks.base import JOB_ID

CLOCK_SKEW = timedelta(minutes=5)
"""How far a worker's clock may be behind Snowflake's."""

MAX_XCOMS = 10_000
"""The most XComs to search, from the job's creation on."""


def tasks_of(job: FineTuneJob, *, dag_ids: Collection[str]) -> list[dict[str, Any]]:
    """
    Return the task instances that recorded the job, earliest first, ready for JSON.

    :param dag_ids: the DAGs that the viewer may read.
    """
    since = (job.created_on or datetime.now(tz=UTC)) - CLOCK_SKEW
    # Compared here, in Python: databases differ in how they compare JSON.
    rows = compat.xcoms_since(JOB_ID, since, limit=MAX_XCOMS)
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
        if compat.xcom_equals(row.value, job.id) and row.dag_id in dag_ids
    ]


def task_path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Return the path of a task instance's page, relative to Airflow's base URL."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    dag, run, task = (quote(name, safe="") for name in (dag_id, run_id, task_id))
    return f"dags/{dag}/runs/{run}/tasks/{task}{mapped}"
