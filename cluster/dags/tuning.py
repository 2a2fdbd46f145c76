"""Wait for many fine-tuning jobs: those that the run's ``conf`` names, and a few that it starts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_cortex.operators import CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor

TEAM: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=5)}
"""As a team would: a machine's death is not worth getting up for."""


@task
def conf(key: str, **context: Any) -> list[str]:
    """Return what this run is about."""
    values: list[str] = context["dag_run"].conf[key]
    return values


with DAG(dag_id="tuning", schedule=None, default_args=TEAM):
    CortexFineTuneSensor.partial(
        task_id="wait",
        deferrable=True,
        poke_interval=10,  # for jobs of minutes; leave it out for real ones
        skip_on_cancelled=True,
        cancel_on_kill=True,  # nobody kills them: no job is to be cancelled
    ).expand(finetune_job_id=conf.override(task_id="jobs")("jobs"))

    start = CortexFineTuneOperator.partial(
        task_id="start",
        base_model="llama3.1-8b",
        training_data="SELECT 'Where is my parcel?' AS prompt, 'delivery' AS completion",
    ).expand(model=conf.override(task_id="models")("models"))
    CortexFineTuneSensor.partial(
        task_id="look",
        mode="reschedule",
        deferrable=False,
        poke_interval=60,
        skip_on_cancelled=True,
    ).expand(finetune_job_id=start.output)
