"""Compare base models and prompts on the same tickets, without any training."""

from __future__ import annotations

from datetime import datetime
from typing import Any

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import DAG, task
from tickets import load_tickets  # tickets.py, in this folder

from airflow_provider_cortex.operators import CortexEvaluateOperator

MODELS = ["llama3.1-8b", "mistral-7b"]

PROMPTS = [
    "SELECT prompt AS asked, completion FROM support_tickets",
    "SELECT 'Name the kind of this ticket: ' || prompt AS asked, completion FROM support_tickets",
]
"""A query for each prompt."""


@task
def best(**context: Any) -> dict[str, Any]:
    """Return the best model, its prompt and its score."""
    reports = context["ti"].xcom_pull(task_ids=["evaluate"], key="scores")
    found = [
        {"prompt": prompt, "model": one["model"], "score": one["score"]}
        for prompt, report in zip(PROMPTS, reports, strict=True)
        for one in report["models"]
        if one["score"] is not None
    ]
    return max(found, key=lambda one: one["score"])


with DAG(
    dag_id="prompts_side_by_side",
    description="Compare base models and prompts, without any training",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1),
    tags=["cortex"],
) as dag:
    evaluate = CortexEvaluateOperator.partial(
        task_id="evaluate",
        models=MODELS,
        prompt_column="asked",
        expected_column="completion",
        score="similarity",  # or score="judge", with a judge_model
        sample=100,
        deferrable=True,
        retries=2,
    ).expand(data=PROMPTS)
    load_tickets() >> evaluate >> best()

if __name__ == "__main__":
    dag.test()
