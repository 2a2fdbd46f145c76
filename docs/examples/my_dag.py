"""Tune a model on support tickets, wait for it, and ask it about a new ticket."""

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.operators import CortexCompleteOperator, CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor

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
    wait = CortexFineTuneSensor(task_id="wait", finetune_job_id=start.output, deferrable=True)
    ask = CortexCompleteOperator(
        task_id="ask",
        model=wait.output,
        prompt="I was charged twice for one order",
    )
