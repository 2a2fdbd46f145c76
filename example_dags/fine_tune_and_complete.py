"""
Tune a model on labelled support tickets every week, and triage the new tickets with it.

It runs unchanged on Airflow 2.11 and 3, against a Snowflake account or against the emulator:
`make demo` runs it against the emulator.
"""

from __future__ import annotations

from datetime import datetime, timedelta

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import DAG
from tickets import load_tickets, new_tickets  # tickets.py, in this folder

from airflow_provider_cortex.operators import CortexCompleteOperator, CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor

with DAG(
    dag_id="fine_tune_and_complete",
    description="Tune a model on labelled support tickets, and triage the new tickets with it",
    doc_md=__doc__,
    schedule="@weekly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["cortex"],
) as dag:
    start = CortexFineTuneOperator(
        task_id="start",
        model="ticket_triage",
        base_model="llama3.1-8b",
        training_data="SELECT prompt, completion FROM support_tickets WHERE id % 10 <> 0",
        validation_data="SELECT prompt, completion FROM support_tickets WHERE id % 10 = 0",
        options={"max_epochs": 3},
    )
    wait = CortexFineTuneSensor(
        task_id="wait",
        finetune_job_id=start.output,
        deferrable=True,
        poke_interval=5,  # for the emulator's job of 30 s; omit it for a real job
        timeout=timedelta(hours=6),
    )
    triage = CortexCompleteOperator.partial(task_id="triage", model=wait.output).expand(
        prompt=new_tickets()
    )
    load_tickets() >> start

if __name__ == "__main__":
    dag.test()
