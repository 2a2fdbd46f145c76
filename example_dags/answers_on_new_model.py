"""
Answer the new tickets whenever there is a new model.

The asset events of weekly_retraining.py start this DAG.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import DAG, AssetAlias, task
from tickets import new_tickets  # tickets.py, in this folder

from airflow_provider_cortex.operators import CortexCompleteOperator


@task
def new_model(**context: Any) -> str:
    """Return the model: from the asset event, or from the parameters of a manual run."""
    if context["dag_run"].run_type == "manual":
        return str(context["params"]["model"])
    # Airflow 2 calls assets datasets.
    events = context.get("triggering_asset_events") or context["triggering_dataset_events"]
    # One run may have several events, if the DAG was paused meanwhile.
    newest = max((e for of_one in events.values() for e in of_one), key=lambda e: e.timestamp)
    return str(newest.extra["model"])


with DAG(
    dag_id="answers_on_new_model",
    description="Answer the new tickets with each new model",
    doc_md=__doc__,
    schedule=[AssetAlias("ticket_triage")],
    start_date=datetime(2026, 1, 1),
    params={"model": "llama3.1-8b"},
    tags=["cortex"],
) as dag:
    CortexCompleteOperator(
        task_id="answer",
        model=new_model(),
        prompt=new_tickets(),
        model_parameters={"temperature": 0},
    )

if __name__ == "__main__":
    dag.test()
