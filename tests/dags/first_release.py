"""
A DAG that was written for the first release. Every later release must run it unchanged.

It uses the arguments of the first release only: do not modernise it.
"""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_cortex.operators import CortexCompleteOperator, CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor

DATA = Path(__file__).parent / "data"


@task
def load_tickets() -> None:
    """Load the labelled tickets into a table; your account has its own."""
    from airflow_provider_cortex.hooks import CortexHook  # not when the DAG file is parsed

    with (DATA / "support_tickets.csv").open(encoding="utf-8", newline="") as file:
        tickets = [(row["prompt"], row["completion"]) for row in csv.DictReader(file)]
    hook = CortexHook()
    hook.run("CREATE OR REPLACE TABLE support_tickets (id INT, prompt TEXT, completion TEXT)")
    rows = [(number, *ticket) for number, ticket in enumerate(tickets)]
    hook.insert_rows("support_tickets", rows, executemany=True)


@task
def new_tickets() -> list[str]:
    """Return this week's tickets, which have no labels yet."""
    tickets: list[str] = json.loads((DATA / "new_tickets.json").read_text(encoding="utf-8"))
    return tickets


with DAG(
    dag_id="first_release",
    description="Tune a model on labelled support tickets, and triage the new tickets with it",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),  # noqa: UP017 - as DAG authors write it
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
        retries=0,  # every try would start, and pay for, another job
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
