"""Tasks with valid arguments; a test changes the argument that it is about."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.operators import (
    CortexCancelFineTuneOperator,
    CortexCompleteOperator,
    CortexCompleteTableOperator,
    CortexFineTuneOperator,
)
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.worker import MODES, Result, Worker, in_mode

MODEL = "CORTEX_DB.PUBLIC.years"

PAIRS = (("2024", "leap"), ("2023", "common"), ("true", "yes"), ("1.5", "half"), ("0", "none"))

LITERAL = "SELECT 'red' AS prompt, 'stop' AS completion"

IN_EACH_MODE = pytest.mark.parametrize("mode", MODES)

NATIVE = pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
"""How templates are rendered: Airflow's default, and with ``render_template_as_native_obj``."""


def in_dag(
    make: Callable[[], Any], *, native: bool = False, dag_id: str = "tickets", **values: Any
) -> Any:
    """Return a task in a DAG, its templates rendered with these values."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG(dag_id, schedule=None, start_date=start, render_template_as_native_obj=native):
        task = make()
    task.render_template_fields(values)
    return task


def sensor(job_id: Any = "ft_1", **changes: Any) -> CortexFineTuneSensor:
    """Return a sensor that polls often, for a minute."""
    arguments: dict[str, Any] = {"task_id": "wait", "poke_interval": 0.01, "timeout": 60}
    return CortexFineTuneSensor(**arguments | {"finetune_job_id": job_id} | changes)


def fine_tune(**changes: Any) -> CortexFineTuneOperator:
    """Return the operator that starts a job."""
    arguments: dict[str, Any] = {"task_id": "start", "model": "lights"}
    arguments |= {"base_model": "llama3.1-8b", "training_data": LITERAL}
    return CortexFineTuneOperator(**arguments | changes)


def complete(**changes: Any) -> CortexCompleteOperator:
    """Return the operator that asks a model."""
    arguments: dict[str, Any] = {"task_id": "ask", "model": MODEL, "prompt": "2024"}
    return CortexCompleteOperator(**arguments | changes)


def complete_table(**changes: Any) -> CortexCompleteTableOperator:
    """Return the operator that answers a table."""
    arguments: dict[str, Any] = {"task_id": "answer", "model": MODEL, "prompt_column": "body"}
    arguments |= {"source": "SELECT '2024' AS body", "destination": "answers"}
    return CortexCompleteTableOperator(**arguments | changes)


def cancel(job_id: Any = "ft_1", **arguments: Any) -> CortexCancelFineTuneOperator:
    """Return the operator that cancels a job."""
    return CortexCancelFineTuneOperator(task_id="stop", finetune_job_id=job_id, **arguments)


def start(worker: Worker, **arguments: Any) -> Result:
    """Start a job with one statement."""
    alone = {"if_exists": "create", "validate": False}
    return worker.run(lambda: fine_tune(**{**alone, **arguments}))


def ask(worker: Worker, **arguments: Any) -> Result:
    """Ask a model."""
    return worker.run(lambda: complete(**arguments))


def wait(worker: Worker, mode: str = "poke", **arguments: Any) -> Result:
    """Wait for a job."""
    return worker.run(lambda: sensor(**arguments, **in_mode(mode)))


def render(
    worker: Worker, make: Callable[[], Any], *, native: bool = True, **values: Any
) -> Result:
    """Run a task whose templates are rendered, by default as native objects."""
    return worker.run(lambda: in_dag(make, native=native, **values))


def succeeded(emulator: Emulator, **record: Any) -> str:
    """Let a job succeed at the second poll, with a record like Snowflake's; return its id."""
    job = emulator.jobs.add(model="DB.S.m", life=Life.by_time(3600))
    figures = {"training_loss": 0.5, "validation_loss": 0.8}
    reported = {"status": "SUCCESS", "model": "DB.S.m_1", "trained_tokens": 100}
    emulator.faults.add("record", requests=1)
    emulator.faults.add("record", set=reported | {"training_result": figures} | record)
    return job.id


def causes(result: Result) -> str:
    """Return the messages of a task's error and of its causes."""
    errors = []
    error = result.error
    while error is not None:
        errors.append(str(error))
        error = error.__cause__
    return "\n".join(errors)
