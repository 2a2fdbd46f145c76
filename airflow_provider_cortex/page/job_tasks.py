"""Which tasks have started a job, or waited for it: from what the operator and the sensor record."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import and_, select

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.tasks.base import JOB_ID

SKEW = timedelta(minutes=5)
"""By how much a worker's clock may be behind Snowflake's."""

MOST = 10_000
"""How many records to look through at the most, the oldest of those that may be the job's first."""


def tasks_of(job: FineTuneJob, *, dag_ids: Collection[str]) -> list[dict[str, Any]]:
    """
    Return the tasks that have recorded the job, the first to do so first, as JSON can hold them.

    :param dag_ids: the DAGs that whoever asks may see.
    """
    with create_session() as session:
        recorded = session.execute(_recorded(since=job.created_on)).all()
    return [
        {
            "dag_id": row.dag_id,
            "run_id": row.run_id,
            "task_id": row.task_id,
            "map_index": row.map_index,
            "operator": row.operator,
            "state": row.state,
            "path": path(row.dag_id, row.run_id, row.task_id, row.map_index),
        }
        for row in recorded
        if _is(row.value, job.id) and row.dag_id in dag_ids
    ]


def path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Return where Airflow's interface shows a task instance, behind Airflow's own address."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    dag, run, task = (quote(name, safe="") for name in (dag_id, run_id, task_id))
    return f"dags/{dag}/runs/{run}/tasks/{task}{mapped}"


def _recorded(*, since: datetime | None) -> Any:
    """
    Return the query of all that may be records of a job.

    Databases differ in how they compare JSON, so which of them are is found out here: there is one for each
    task that had a job since then.
    """
    return (
        select(
            XComModel.dag_id,
            XComModel.run_id,
            XComModel.task_id,
            XComModel.map_index,
            XComModel.value,
            TaskInstance.operator,
            TaskInstance.state,
        )
        .join(
            TaskInstance,
            and_(
                TaskInstance.dag_id == XComModel.dag_id,
                TaskInstance.run_id == XComModel.run_id,
                TaskInstance.task_id == XComModel.task_id,
                TaskInstance.map_index == XComModel.map_index,
            ),
        )
        .where(XComModel.key == JOB_ID)
        .where(XComModel.timestamp >= (since or datetime.now(tz=UTC)) - SKEW)
        .order_by(XComModel.timestamp)
        .limit(MOST)
    )


def _is(value: object, job_id: str) -> bool:
    """Return whether an XCom says so: Airflow keeps the JSON text of it, as JSON."""
    return value in {job_id, json.dumps(job_id)} if isinstance(value, str) else False
