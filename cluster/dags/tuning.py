"""Wait for many fine-tuning jobs: those in the run's ``conf``, and some that this DAG starts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_cortex.operators import CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor

DEFAULTS: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=5)}
"""Retries, as in most teams: they must cover the death of a machine."""


@task
def conf(key: str, **context: Any) -> list[str]:
    """Return a list from the run's ``conf``."""
    values: list[str] = context["dag_run"].conf[key]
    return values


with DAG(dag_id="tuning", schedule=None, default_args=DEFAULTS):
    CortexFineTuneSensor.partial(
        task_id="wait_deferred",
        deferrable=True,
        poke_interval=10,  # because these jobs take minutes; leave it out for real jobs
        skip_on_cancelled=True,
        cancel_on_kill=True,  # no user kills these tasks, so no job may be cancelled
    ).expand(finetune_job_id=conf.override(task_id="jobs")("jobs"))

    start = CortexFineTuneOperator.partial(
        task_id="start",
        base_model="llama3.1-8b",
        training_data="SELECT 'Where is my parcel?' AS prompt, 'delivery' AS completion",
    ).expand(model=conf.override(task_id="models")("models"))
    CortexFineTuneSensor.partial(
        task_id="wait_rescheduled",
        mode="reschedule",
        deferrable=False,
        poke_interval=60,
        skip_on_cancelled=True,
    ).expand(finetune_job_id=start.output)
