"""
Evaluate each model that a notebook or a worksheet has tuned, as soon as its job has finished.

It needs Airflow 3.0: earlier ones have no AssetWatcher, and this file has no DAG there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task
from tickets import load_tickets  # tickets.py, in this folder

from airflow_provider_cortex.operators import CortexEvaluateOperator
from airflow_provider_cortex.triggers import CortexJobTrigger

try:
    from airflow.sdk import AssetWatcher
except ImportError:  # Airflow 2
    AssetWatcher = None  # type: ignore[assignment,misc]


@task
def new_models(**context: Any) -> list[str]:
    """Return the models of the jobs that have finished, or the parameter of a manual run."""
    # One run may have several events; and rarely, a job has two.
    events = [event for of_one in context["triggering_asset_events"].values() for event in of_one]
    models = [event.extra["payload"]["model"] for event in events]
    return list(dict.fromkeys(models)) or [context["params"]["model"]]


if AssetWatcher is not None:
    tuned = CortexJobTrigger(status="SUCCESS", model="ticket_triage", poke_interval=60)
    with DAG(
        dag_id="evaluate_any_model",
        description="Evaluate each model that was tuned elsewhere",
        doc_md=__doc__,
        schedule=[Asset("tuned_models", watchers=[AssetWatcher(name="jobs", trigger=tuned)])],
        start_date=datetime(2026, 1, 1),
        params={"model": "llama3.1-8b"},
        tags=["cortex"],
    ) as dag:
        evaluate = CortexEvaluateOperator(
            task_id="evaluate",
            models=new_models(),
            baseline="llama3.1-8b",
            data="SELECT prompt, completion FROM support_tickets WHERE id % 10 = 1",
            prompt_column="prompt",
            expected_column="completion",
            deferrable=True,
            retries=2,  # a retry pays for no answer again
        )
        load_tickets() >> evaluate

    if __name__ == "__main__":
        dag.test()
