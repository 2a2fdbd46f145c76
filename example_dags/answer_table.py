"""
Answer a whole table inside Snowflake, in one statement.

No prompt and no answer passes through Airflow.
"""

from __future__ import annotations

from datetime import datetime

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import DAG
from tickets import load_tickets  # tickets.py, in this folder

from airflow_provider_cortex.operators import CortexCompleteTableOperator

with DAG(
    dag_id="answer_table",
    description="Answer a whole table inside Snowflake",
    doc_md=__doc__,
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={"model": "llama3.1-8b"},
    tags=["cortex"],
) as dag:
    answer = CortexCompleteTableOperator(
        task_id="answer",
        model="{{ params.model }}",
        source="new_tickets",
        destination="ticket_answers",
        prompt_expression="'In one line, what is to be done about this ticket? ' || body",
        if_exists="replace",
        max_error_rate=0.05,
        deferrable=True,
    )
    load_tickets() >> answer

if __name__ == "__main__":
    dag.test()
