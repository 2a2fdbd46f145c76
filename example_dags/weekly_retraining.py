"""
Retrain a model every week, and use the new one only if it is better than the one in use.

Check the data, train, compare with the model in use on tickets that neither has seen, ask a
person, promote, and drop old versions. Whatever fails or is rejected, the model in use stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowOptionalProviderFeatureException,
    AssetAlias,
    task,
)
from tickets import load_tickets  # tickets.py, in this folder

from airflow_provider_cortex.operators import (
    CortexCheckTrainingDataOperator,
    CortexDropModelsOperator,
    CortexEvaluateOperator,
    CortexFineTuneOperator,
    CortexPromoteModelOperator,
)
from airflow_provider_cortex.sensors import CortexFineTuneSensor

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (AirflowOptionalProviderFeatureException, ImportError):  # before Airflow 3.1
    ApprovalOperator = None  # type: ignore[assignment,misc]

MODEL = "ticket_triage"
IN_USE = "triage_ticket"
"""The alias by which all others ask for the model in use."""

TICKETS = "SELECT prompt, completion FROM support_tickets WHERE id < {{ params.tickets }}"
TRAINING = f"{TICKETS} AND id % 10 > 1"
VALIDATION = f"{TICKETS} AND id % 10 = 0"
HELD_OUT = "SELECT prompt, completion FROM support_tickets WHERE id % 10 = 1"


@task.branch
def decide(**context: Any) -> str:
    """Return the next task: a person approves, unless the run's parameters say otherwise."""
    asks = ApprovalOperator is not None and context["params"]["approval"]
    return "approve" if asks else "promote"


with DAG(
    dag_id="weekly_retraining",
    description="Retrain a model every week, and use it only if it is better",
    doc_md=__doc__,
    schedule="@weekly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"tickets": 1000, "approval": True, "min_gain": 0.01},
    tags=["cortex"],
) as dag:
    check = CortexCheckTrainingDataOperator(
        task_id="check",
        training_data=TRAINING,
        validation_data=VALIDATION,
        base_model="llama3.1-8b",
        epochs=3,
        min_rows=10,
        max_trained_tokens=1_000_000,
    )
    start = CortexFineTuneOperator(
        task_id="start",
        model=MODEL,
        base_model="llama3.1-8b",
        training_data=TRAINING,
        validation_data=VALIDATION,
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
    )
    evaluate = CortexEvaluateOperator(
        task_id="evaluate",
        models=wait.output,
        baseline_alias=IN_USE,
        data=HELD_OUT,
        prompt_column="prompt",
        expected_column="completion",
        min_gain="{{ params.min_gain }}",
        gate="skip",
        destination="triage_scores",
        if_exists="replace",
        deferrable=True,
        retries=2,  # a retry pays for no answer again
    )
    promote = CortexPromoteModelOperator(
        task_id="promote",
        model=evaluate.output,
        alias=IN_USE,
        # start.output would make `start` an upstream task, whose success would be enough.
        finetune_job_id="{{ ti.xcom_pull('start') }}",
        trigger_rule="none_failed_min_one_success",  # approve may be skipped
        outlets=[AssetAlias("ticket_triage")],
    )
    drop_old = CortexDropModelsOperator(task_id="drop_old", model=MODEL, keep=3)

    decided = decide()
    load_tickets() >> check >> start
    wait >> evaluate >> decided >> promote >> drop_old
    if ApprovalOperator is not None:
        approve = ApprovalOperator(
            task_id="approve",
            subject="Promote {{ ti.xcom_pull('evaluate') }}?",
            body="Compared with the model in use: {{ ti.xcom_pull('evaluate', key='scores') }}",
        )
        decided >> approve >> promote

if __name__ == "__main__":
    dag.test()
