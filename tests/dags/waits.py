"""Waits in every mode. Each of them times out unless a setting shortens its pauses."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_cortex.airflow_api.compat import AIRFLOW_VERSION
from airflow_provider_cortex.operators import CortexCompleteTableOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferrable": {"deferrable": True},
}
if AIRFLOW_VERSION == (3, 0):
    del MODES["reschedule"]  # dag.test() fails there at the second poll of any sensor
INTERVALS: dict[str, dict[str, Any]] = {
    "adaptive": {},
    "fixed": {"poke_interval": 600},
    "growing": {"poke_interval": 600, "exponential_backoff": True},
}

with DAG("waits", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
    for mode, in_mode in MODES.items():
        for interval, with_interval in INTERVALS.items():
            name = f"{mode}_{interval}"
            CortexFineTuneSensor(
                task_id=name,
                finetune_job_id="{{ dag_run.conf['" + name + "'] }}",
                timeout=50,
                **in_mode,
                **with_interval,
            )
    create = SQLExecuteQueryOperator(
        task_id="create",
        conn_id="snowflake_default",
        sql="CREATE OR REPLACE TABLE waits AS SELECT 'Hello' AS body",
    )
    for name, deferrable in {"answer_on_worker": False, "answer_deferred": True}.items():
        create >> CortexCompleteTableOperator(
            task_id=name,
            model="mistral-7b",
            source="waits",
            destination=name,
            prompt_column="body",
            poke_interval=600,
            execution_timeout=timedelta(seconds=50),
            deferrable=deferrable,
        )
