"""Tune a model on support tickets, wait for it, and ask it about a new ticket."""

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.operators import CortexCompleteOperator, CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor

# Only the test sets it. Without it, the job's age and progress decide when to poll.
POLL_SECONDS = os.environ.get("TRIAGE_POLL_SECONDS")

with DAG(
    dag_id="my_dag",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
) as dag:
    start = CortexFineTuneOperator(
        task_id="start",
        model="ticket_triage",
        base_model="llama3.1-8b",
        training_data="SELECT prompt, completion FROM support_tickets",
    )
    wait = CortexFineTuneSensor(
        task_id="wait",
        finetune_job_id=start.output,
        deferrable=True,
        poke_interval=float(POLL_SECONDS) if POLL_SECONDS else None,
    )
    ask = CortexCompleteOperator(
        task_id="ask",
        model=wait.output,
        prompt="I was charged twice for one order",
    )
