"""
Retrain a model every week, and use the new one only if it is good enough.

If it is not, the sensor is skipped, and a branch keeps the model in use. If it is, the sensor
emits an asset event, which starts answers_on_new_model.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import DAG, AssetAlias, Variable, task
from tickets import load_tickets  # tickets.py, in this folder

from airflow_provider_cortex.operators import CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor

IN_USE = "ticket_model"
"""The Airflow variable that names the model in use."""


@task.branch(trigger_rule="none_failed")  # the sensor may have been skipped
def choose(**context: Any) -> str:
    """Return the next task: the sensor passes only a model that is good enough."""
    model = context["ti"].xcom_pull(task_ids="wait", key="model")
    return "use_new_model" if model else "keep_old_model"


@task
def use_new_model(model: Any) -> str:
    """Use the new model from now on."""
    Variable.set(IN_USE, model)
    return str(model)


@task
def keep_old_model() -> str:
    """Change nothing, and return the model in use."""
    model: str = Variable.get(IN_USE, "none yet")
    return model


with DAG(
    dag_id="weekly_retraining",
    description="Retrain a model every week, and use it if it is good enough",
    doc_md=__doc__,
    schedule="@weekly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"max_validation_loss": 1.0},
    tags=["cortex"],
) as dag:
    start = CortexFineTuneOperator(
        task_id="start",
        model="ticket_triage",
        base_model="llama3.1-8b",
        training_data="sql/training_tickets.sql",
        validation_data="sql/validation_tickets.sql",
        options={"max_epochs": 3},
        retries=2,  # a retry reuses the job of an earlier try
    )
    wait = CortexFineTuneSensor(
        task_id="wait",
        finetune_job_id=start.output,
        deferrable=True,
        expected_duration="previous",
        timeout=timedelta(hours=6),
        stall_timeout=timedelta(hours=1),
        max_validation_loss="{{ params.max_validation_loss }}",
        gate="skip",
        outlets=[AssetAlias("ticket_triage")],
    )
    judged = choose()
    load_tickets() >> start
    wait >> judged >> [use_new_model(wait.output), keep_old_model()]

if __name__ == "__main__":
    dag.test()
