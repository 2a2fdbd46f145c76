"""What a resumed sensor needs besides its event: the next task waits for it."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_cortex.emulator import Emulator
from tests.tasks import sensor, succeeded
from tests.worker import CONTEXT, Worker

pytestmark = pytest.mark.slow

TUNED = AssetAlias("tuned-models")
TRIAGE = Asset("snowflake://emulator/CORTEX_DB/PUBLIC/triage")

# --- What it asks Snowflake ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "arguments", "state"),
    [
        ({}, {}, "success"),
        ({}, {"outlets": [TUNED, TRIAGE]}, "success"),
        ({}, {"max_validation_loss": 0.1}, "failed"),
        ({"status": "ERROR", "model": None}, {}, "failed"),
        ({"status": "CANCELLED", "model": None}, {"skip_on_cancelled": True}, "skipped"),
    ],
    ids=["success", "assets", "gate", "error", "cancelled"],
)
def test_a_resumed_sensor_asks_snowflake_nothing(
    record: dict[str, Any],
    arguments: dict[str, Any],
    state: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """The event has all of the job: no login and no statement follow it."""

    def load() -> tuple[int, int]:
        return cortex_emulator.logins, len(cortex_emulator.statements)

    def arrive(event: object) -> object:
        loads.append(load())
        return event

    loads: list[tuple[int, int]] = []
    worker.event = arrive
    job_id = succeeded(cortex_emulator, **record)
    result = worker.run(lambda: sensor(job_id, deferrable=True, **arguments))
    assert result.state == state, result
    assert loads == [load()]
    assert min(loads[0]) >= 2  # of the worker before it deferred, and of the triggerer


# --- What it loads ---------------------------------------------------------------------------------

PROGRAM = f"""
import json, os, sys
from datetime import datetime
from types import SimpleNamespace
from airflow.providers.common.compat.sdk import DAG, AssetAlias
from {CONTEXT.__name__} import OutletEventAccessors
from airflow_provider_cortex.sensors import CortexFineTuneSensor

TUNED = AssetAlias("tuned-models")

def resume(status, **arguments):
    with DAG("tickets", schedule=None, start_date=datetime(2026, 1, 1)):
        task = CortexFineTuneSensor(
            task_id="wait", finetune_job_id="ft_1", deferrable=True, **arguments
        )
    instance = SimpleNamespace(run_id="weekly", xcom_push=lambda **_: None)
    record = dict(id="ft_1", status=status, model="DB.S.m", training_data="SELECT * FROM t")
    event = dict(kind="finished", job=json.dumps(record), query_id="q")
    context = dict(ti=instance, task=task, outlet_events=OutletEventAccessors())
    try:
        arguments = dict(event=event, started_at=0.0)
        result = task.resume_execution("execute_complete", arguments, context)
    except Exception as error:
        result = type(error).__name__
    return SimpleNamespace(task=task, result=result, events=context["outlet_events"])

before = set(sys.modules)
for name, code in json.load(sys.stdin).items():
    sys.stdout.flush()
    if os.fork() == 0:
        result = eval(code)
        print("LOADED", json.dumps([name, str(result), sorted(set(sys.modules) - before)]), flush=True)
        os._exit(0)
    os.wait()
"""
"""Runs each of the codes as a fresh process would that has loaded Airflow and the DAG file."""

CODES = {
    "success": "resume('SUCCESS').result",
    "error": "resume('ERROR').result",
    "assets": "resume('SUCCESS', outlets=[TUNED]).events[TUNED]",
    "lineage": "resume('SUCCESS').task.get_openlineage_facets_on_complete(None).outputs[0].name",
}

RESULTS = {
    "success": "DB.S.m",
    "error": "AirflowFailException",
    "assets": "snowflake://emulator/DB/S/m",
    "lineage": "DB.S.M",
}
"""What each of the codes returns contains this."""

MOST_MODULES = 8
"""Modules of this package that a resumed sensor loads besides those of the DAG file."""

HEAVY = {
    "airflow.providers.snowflake.hooks.snowflake",
    "airflow_provider_cortex.hooks",
    "airflow_provider_cortex.triggers",
    "pandas",
    "snowflake.connector",
}
"""What takes long to load: the driver, and what loads it or much else."""


@cache
def resumed() -> dict[str, tuple[str, set[str]]]:
    """Return what each of the codes returns, and the modules that it loads."""
    connection = {"conn_type": "snowflake", "extra": {"account": "emulator"}}
    settings = {
        "AIRFLOW_CONN_SNOWFLAKE_DEFAULT": json.dumps(connection),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(CODES),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | settings,
    )
    found = re.findall(r"^LOADED (.*)$", run.stdout, flags=re.MULTILINE)
    return {name: (result, set(modules)) for name, result, modules in map(json.loads, found)}


@pytest.mark.parametrize("code", CODES)
def test_a_resumed_sensor_loads_no_driver(code: str) -> None:
    """The driver and SnowflakeHook take longer to load than the rest of a resumed task."""
    result, modules = resumed()[code]
    assert RESULTS[code] in result
    assert not modules & HEAVY


def test_a_resumed_sensor_loads_little_of_this_package() -> None:
    """The event is read, and the job is delivered: nothing polls."""
    ours = {name for name in resumed()["success"][1] if name.startswith("airflow_provider_cortex.")}
    assert "airflow_provider_cortex.waiting.event" in ours
    assert len(ours) <= MOST_MODULES, sorted(ours)
