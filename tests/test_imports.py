"""What a DAG file loads: it is parsed every 30 seconds, on machines that never wait for a job."""

import os
import subprocess
import sys

from tests.worker import AIRFLOW_2

AIRFLOW = "airflow" if AIRFLOW_2 else "airflow.sdk"
"""What each DAG file loads anyway."""

DAG_FILE = """
from datetime import datetime
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_cortex.sensors import CortexFineTuneSensor

with DAG("tickets", schedule=None, start_date=datetime(2026, 1, 1)):
    CortexFineTuneSensor(task_id="wait", finetune_job_id="ft_1", deferrable=True)
"""

NOT_FOR_A_SENSOR = {
    "cortex.answer_table",
    "cortex.completion",
    "cortex.finetune",
    "cortex.finetune_request",
    "hooks",
    "operators",
    "tasks.answer_table",
    "tasks.answer_table_task",
    "tasks.assets",
    "tasks.job_search",
    "tasks.lineage",
    "tasks.start_once",
    "triggers",
    "waiting.shared_client",
}
"""Modules that answer tables, start jobs, or are needed only when a task runs."""

MOST_MODULES = 40
"""Modules of this package that sensor, trigger and operators load together."""


def loaded(code: str) -> set[str]:
    """Return the modules of this package that a fresh process loads for some code."""
    program = f"""
import sys, {AIRFLOW}
before = set(sys.modules)
{code}
print("loaded", *sorted(set(sys.modules) - before))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
    )
    first, *names = run.stdout.splitlines()[-1].split()
    assert first == "loaded"
    package = "airflow_provider_cortex."
    own = {name.removeprefix(package) for name in names if name.startswith(package)}
    return own - {"provider_info"}  # Airflow 2 loads it to find its providers


def test_a_dag_file_with_a_sensor_loads_only_what_a_sensor_needs() -> None:
    """A DAG file with the sensor loads no trigger, and nothing to start jobs or ask models."""
    modules = loaded(DAG_FILE)
    assert "sensors" in modules
    assert not modules & NOT_FOR_A_SENSOR


def test_the_public_modules_load_few_others() -> None:
    """Sensor, trigger and operators together load no more modules of this package than needed."""
    names = ("operators", "sensors", "triggers")
    modules = loaded(f"import {', '.join(f'airflow_provider_cortex.{name}' for name in names)}")
    assert len(modules) <= MOST_MODULES, sorted(modules)
