"""How long the job of a task's previous run took."""

from __future__ import annotations

from typing import Any

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.errors import UnreadableAnswerError


def previous_duration(ti: Any, key: str) -> float | None:
    """
    Return how many seconds the job of this task's last successful run took, None if unknown.

    :param key: the XCom with a job's record.
    """
    latest = ti.xcom_pull(
        task_ids=ti.task_id,
        key=key,
        map_indexes=ti.map_index,
        include_prior_dates=True,
    )
    seconds = _duration(latest)
    if seconds is not None:
        return seconds
    # The latest job may have failed: a failed run leaves a record, too.
    return _duration(compat.previous_success_xcom(ti, key))


def _duration(record: object) -> float | None:
    """Return how many seconds a recorded job took, None if it did not succeed."""
    try:
        job = FineTuneJob.parse(record)
    except UnreadableAnswerError:
        return None
    return job.seconds if job.status is JobStatus.SUCCESS else None
