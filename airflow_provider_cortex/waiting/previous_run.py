"""What earlier runs of a task tell of the next one."""

from __future__ import annotations

from typing import Any

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.errors import UnreadableAnswerError


def previous_duration(ti: Any) -> float | None:
    """Return how many seconds the job of this task's last successful run took, if there was one."""
    which = {"task_ids": ti.task_id, "key": "finetune_job", "map_indexes": ti.map_index}
    seconds = _seconds_it_took(ti.xcom_pull(include_prior_dates=True, **which))
    if seconds is not None:
        return seconds
    # The last job may have failed, which leaves a record, too.
    if hasattr(ti, "get_first_reschedule_date"):  # Airflow 3
        run = ti.get_previous_dagrun(state="success")
        return None if run is None else _seconds_it_took(ti.xcom_pull(run_id=run.run_id, **which))
    previous = ti.get_previous_ti(state="success")
    return None if previous is None else _seconds_it_took(previous.xcom_pull(**which))


def _seconds_it_took(record: object) -> float | None:
    """Return how many seconds the job of an XCom took, if it succeeded."""
    try:
        job = FineTuneJob.parse(record)
    except UnreadableAnswerError:
        return None
    return job.seconds if job.status is JobStatus.SUCCESS else None
