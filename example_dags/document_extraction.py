"""
Tune arctic-extract with a company's own invoices, and extract this week's into a table.

Make a dataset, train, compare the tuned model with the base model on invoices that it has not
seen, and read all files of a directory in one statement.
"""

from __future__ import annotations

from datetime import datetime, timedelta

# For Airflow 2.11 and 3. On 3 alone, airflow.sdk has the same names.
from airflow.providers.common.compat.sdk import DAG
from invoices import QUESTIONS, STAGE, load_invoices  # invoices.py, in this folder

from airflow_provider_cortex.operators import (
    CortexCreateDatasetOperator,
    CortexEvaluateOperator,
    CortexExtractTableOperator,
    CortexFineTuneOperator,
)
from airflow_provider_cortex.sensors import CortexFineTuneSensor

with DAG(
    dag_id="document_extraction",
    description="Tune arctic-extract with invoices, and extract this week's into a table",
    doc_md=__doc__,
    schedule="@monthly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["cortex"],
) as dag:
    dataset = CortexCreateDatasetOperator(
        task_id="dataset",
        dataset="invoice_answers",
        query="SELECT file, prompt, response FROM labelled_invoices WHERE id % 5 > 0",
    )
    start = CortexFineTuneOperator(
        task_id="start",
        model="invoice_reader",
        base_model="arctic-extract",
        training_data=dataset.output,
        options={"max_epochs": 3},
        retries=0,  # before Airflow 3.3, a retry would pay for another job: see "How a job is proved"
    )
    wait = CortexFineTuneSensor(
        task_id="wait",
        finetune_job_id=start.output,
        deferrable=True,
        timeout=timedelta(hours=6),
    )
    evaluate = CortexEvaluateOperator(
        task_id="evaluate",
        models=wait.output,
        baseline="arctic-extract",
        data="SELECT file, response FROM labelled_invoices WHERE id % 5 = 0",
        file_column="file",
        expected_column="response",
        response_format=QUESTIONS,
        min_gain=0.1,
        deferrable=True,
        retries=2,  # a retry pays for no answer again
    )
    extract = CortexExtractTableOperator(
        task_id="extract",
        model=evaluate.output,
        source=f"@{STAGE}/new",
        destination="invoices_of_the_week",
        response_format=QUESTIONS,
        if_exists="replace",
        max_error_rate=0.05,
        deferrable=True,
        retries=2,
    )
    load_invoices() >> dataset
    wait >> evaluate >> extract

if __name__ == "__main__":
    dag.test()
