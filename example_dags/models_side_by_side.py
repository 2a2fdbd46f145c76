"""Tune several models on the same tickets in parallel, and return the best one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import DAG, task
from tickets import load_tickets  # tickets.py, in this folder

from airflow_provider_cortex.operators import CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor

CANDIDATES = [
    {"model": "triage_llama", "base_model": "llama3.1-8b", "options": {"max_epochs": 3}},
    {"model": "triage_mistral", "base_model": "mistral-7b", "options": {"max_epochs": 3}},
    {"model": "triage_patient", "base_model": "llama3.1-8b", "options": {"max_epochs": 10}},
]


@task
def best(**context: Any) -> str:
    """Return the model with the lowest validation loss."""
    jobs = list(context["ti"].xcom_pull(task_ids=["wait"], key="finetune_job"))
    best_job = min(jobs, key=lambda job: job["training_result"]["validation_loss"])
    model: str = best_job["model"]
    return model


with DAG(
    dag_id="models_side_by_side",
    description="Tune several models in parallel, and return the best one",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1),
    tags=["cortex"],
) as dag:
    start = CortexFineTuneOperator.partial(
        task_id="start",
        training_data="sql/training_tickets.sql",
        validation_data="sql/validation_tickets.sql",
        retries=2,
    ).expand_kwargs(CANDIDATES)
    wait = CortexFineTuneSensor.partial(
        task_id="wait",
        deferrable=True,
        timeout=timedelta(hours=6),
    ).expand(finetune_job_id=start.output)
    load_tickets() >> start
    wait >> best()

if __name__ == "__main__":
    dag.test()
