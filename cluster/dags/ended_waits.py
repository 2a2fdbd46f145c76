"""Waits that a user or a timeout ends. The run's ``conf`` has the job of each task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.sensors import CortexFineTuneSensor

ENDS: dict[str, dict[str, Any]] = {
    "failed": {},
    "cleared": {},
    "success": {},
    "timeout": {"timeout": 25},
    "execution_timeout": {"execution_timeout": timedelta(seconds=30)},
}

with DAG(dag_id="ended_waits", schedule=None):
    for end, limits in ENDS.items():
        for cancels, word in (True, "cancel"), (False, "keep"):
            task_id = f"{end}_{word}"
            CortexFineTuneSensor(
                task_id=task_id,
                finetune_job_id=f"{{{{ dag_run.conf['{task_id}'] }}}}",
                deferrable=True,
                poke_interval=10,
                pool="ended_waits",
                cancel_on_kill=cancels,
                **limits,
            )
