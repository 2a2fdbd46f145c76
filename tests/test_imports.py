"""What a DAG file loads: it is parsed every 30 seconds, on machines that never wait for a job."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec

import pytest

from tests.watchers import needs_watchers
from tests.worker import AIRFLOW_2

AIRFLOW = "airflow" if AIRFLOW_2 else "airflow.sdk"
"""What each DAG file loads anyway."""

SENSOR = """
from datetime import datetime
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_cortex.sensors import CortexFineTuneSensor

with DAG("tickets", schedule=None, start_date=datetime(2026, 1, 1)):
    CortexFineTuneSensor(task_id="wait", finetune_job_id="ft_1", deferrable=True)
"""
"""A DAG file."""

OPERATORS = """
from airflow_provider_cortex import operators

operators.CortexFineTuneOperator(
    task_id="start", model="m", base_model="llama3.1-8b", training_data="tickets"
)
operators.CortexCreateDatasetOperator(task_id="data", dataset="d", query="SELECT 1")
operators.CortexCheckTrainingDataOperator(
    task_id="check", training_data="tickets", base_model="llama3.1-8b", max_empty_rows=0.1
)
operators.CortexCancelFineTuneOperator(task_id="cancel", finetune_job_id="ft_1")
operators.CortexEvaluateOperator(
    task_id="evaluate", models="m", data="t", prompt_column="p", expected_column="c"
)
operators.CortexCompleteOperator(task_id="ask", model="m", prompt="Hello")
operators.CortexCompleteTableOperator(
    task_id="answer", model="m", source="tickets", destination="answers", prompt_column="text"
)
operators.CortexPromoteModelOperator(task_id="promote", model="m", alias="best")
operators.CortexDropModelsOperator(task_id="drop", model="m")
"""

WATCHER = """
from airflow.sdk import Asset, AssetWatcher
from airflow_provider_cortex.triggers import CortexJobTrigger

trigger = CortexJobTrigger(status="SUCCESS", model="m")
Asset("models", watchers=[AssetWatcher(name="jobs", trigger=trigger)])
trigger.serialize()
"""

ON_KILL = f"""
{SENSOR}
task = CortexFineTuneSensor(task_id="killed", finetune_job_id="ft_1")
before = set(sys.modules)
task.on_kill()
"""

COMMAND = """
from airflow.__main__ import main

sys.argv = ["airflow", "version"]
main()
"""

CODES = {
    "sensor": SENSOR,
    "operators": OPERATORS,
    "on_kill": ON_KILL,
    "public": "from airflow_provider_cortex import operators, sensors, triggers",
    "command": COMMAND,
}
if not AIRFLOW_2:
    CODES["watcher"] = WATCHER

ONLY_TO_RUN = {
    "airflow_api.asset_watching",
    "airflow_api.connection_namespace",
    "airflow_api.settings",
    "cortex.answer_table_sql",
    "cortex.completion",
    "cortex.dataset",
    "cortex.dataset_check",
    "cortex.destination",
    "cortex.evaluation",
    "cortex.evaluation_report",
    "cortex.extraction",
    "cortex.extraction_evaluation",
    "cortex.extraction_table_sql",
    "cortex.finetune",
    "cortex.finetune_request",
    "cortex.finished_jobs",
    "cortex.job",
    "cortex.model_alias",
    "cortex.model_versions",
    "cortex.owner_comment",
    "cortex.response_format",
    "cortex.session_settings",
    "cortex.sql",
    "cortex.stage_path",
    "cortex.staged_statement",
    "cortex.statement_history",
    "cortex.table_request",
    "cortex.training_data_report",
    "cortex.training_data_sql",
    "hooks",
    "tasks.assets",
    "tasks.create_dataset",
    "tasks.drop_models",
    "tasks.earlier_job",
    "tasks.evaluation_steps",
    "tasks.lineage",
    "tasks.staged_work",
    "tasks.lost_statement",
    "tasks.promotion",
    "tasks.start_once",
    "tasks.table_steps",
    "tasks.training_queries",
    "tasks.wait_on_worker",
    "triggers",
    "triggers.finished_jobs",
    "triggers.waits",
    "waiting.checkpoint",
    "waiting.event",
    "waiting.kill_check",
    "waiting.poll_times",
    "waiting.poller",
    "waiting.previous_duration",
    "waiting.reported_jobs",
    "waiting.shared_client",
    "waiting.task_state_store",
    "waiting.wait_log",
    "waiting.worker_pool",
}
"""Modules that are needed only when a task runs."""

ONLY_FOR_OPERATORS = {
    "operators",
    "operators.complete",
    "operators.datasets",
    "operators.evaluate",
    "operators.extract",
    "operators.fine_tune",
    "operators.models",
    "operators.training_data",
    "tasks.answer_table_task",
    "tasks.staged_task",
    "tasks.table_task",
}

ONLY_TO_WATCH = {
    "cortex.finetune",
    "cortex.finished_jobs",
    "cortex.job",
    "cortex.session_settings",
    "hooks",
    "operators",
    "sensors",
    "waiting.poll_times",
    "waiting.poller",
    "waiting.reported_jobs",
}
"""Modules that a watcher needs only when a triggerer runs it, or not at all."""

MOST_MODULES = 40
"""Modules of this package that sensor, trigger and operators load together."""


PROGRAM = f"""
import json, os, sys, {AIRFLOW}

before = set(sys.modules)
for name, code in json.load(sys.stdin).items():
    sys.stdout.flush()
    if os.fork() == 0:
        exec(code)
        print("LOADED", json.dumps([name, sorted(set(sys.modules) - before)]), flush=True)
        os._exit(0)
    os.wait()
"""
"""Runs each of the codes as a fresh process would that has loaded Airflow: that takes seconds."""


@cache
def loaded() -> dict[str, set[str]]:
    """Return the modules of this package that each of :data:`CODES` loads."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(CODES),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
    )
    found = re.findall(r"^LOADED (.*)$", run.stdout, flags=re.MULTILINE)
    package = "airflow_provider_cortex."
    return {
        code: {name.removeprefix(package) for name in names if name.startswith(package)}
        - {"provider_info"}  # Airflow 2 loads it to find its providers
        for code, names in map(json.loads, found)
    }


@pytest.mark.parametrize("name", sorted(ONLY_TO_RUN | ONLY_FOR_OPERATORS))
def test_each_module_that_is_named_here_exists(name: str) -> None:
    """A module that was renamed would be found nowhere, and its new name be allowed."""
    assert find_spec(f"airflow_provider_cortex.{name}")


def test_a_dag_file_with_a_sensor_loads_only_what_a_sensor_needs() -> None:
    """A DAG file with the sensor loads no operator, and nothing that is for a running task."""
    modules = loaded()["sensor"]
    assert "sensors" in modules
    assert not modules & (ONLY_TO_RUN | ONLY_FOR_OPERATORS)


def test_a_dag_file_with_operators_loads_nothing_to_run_them() -> None:
    """A DAG file with all operators loads nothing that is for a running task, either."""
    modules = loaded()["operators"]
    assert "operators" in modules
    assert not modules & ONLY_TO_RUN


@needs_watchers
def test_a_dag_file_with_a_watcher_loads_nothing_to_run_it() -> None:
    """Each DAG file that is scheduled on its asset makes a trigger."""
    modules = loaded()["watcher"]
    assert "triggers.finished_jobs" in modules
    assert not modules & ONLY_TO_WATCH


def test_on_kill_imports_nothing() -> None:
    """Airflow calls it in a signal handler, which may have interrupted an import."""
    assert loaded()["on_kill"] == set()


def test_the_public_modules_load_few_others() -> None:
    """Sensor, trigger and operators together load no more modules of this package than needed."""
    modules = loaded()["public"]
    assert "triggers" in modules
    assert len(modules) <= MOST_MODULES, sorted(modules)


def test_an_airflow_command_loads_only_what_parses_ours() -> None:
    """People run commands all day that have nothing to do with this package."""
    allowed = {"cli", "cli.definition", "cli.exit_status", "cli.job_filter", "errors"}
    pure = {
        "cortex",
        "cortex.job",
        "cortex.json_decoding",
        "cortex.rendered_values",
        "safe_text",
    }
    assert loaded()["command"] <= allowed | pure
