"""
Answer the new tickets whenever there is a new model.

The asset events of weekly_retraining.py start this DAG.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AssetAlias, task
from tickets import new_tickets

from airflow_provider_cortex.operators import CortexCompleteOperator


@task
def new_model(**context: Any) -> str:
    """Return the model: from the asset event, or from the parameters of a manual run."""
    if context["dag_run"].run_type == "manual":
        return str(context["params"]["model"])
    # Airflow 2 calls assets datasets.
    events = context.get("triggering_asset_events") or context["triggering_dataset_events"]
    models: list[str] = [event.extra["model"] for of_one in events.values() for event in of_one]
    return models[-1]


with DAG(
    dag_id="answers_on_new_model",
    description="Answer the new tickets with each new model",
    schedule=[AssetAlias("ticket_triage")],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),  # noqa: UP017 - as DAG authors write it
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
