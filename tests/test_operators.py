"""The tasks around the sensor."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexCompleteOperator, CortexFineTuneOperator
from tests.worker import Result, Worker

QUERY = "SELECT prompt, completion FROM train"


@pytest.fixture
def training_data(connection: str) -> None:
    """Have a table to train on."""
    with CortexHook(connection) as hook:
        hook.run("CREATE TABLE train (prompt TEXT, completion TEXT)")
        hook.insert_rows("train", [("red", "stop"), ("green", "go")], executemany=True)


def start(worker: Worker, **changes: Any) -> Result:
    """Run the operator that starts a job."""
    arguments: dict[str, Any] = {"model": "lights", "base_model": "llama3.1-8b"}
    arguments |= {"training_data": QUERY} | changes
    return worker.run(lambda: CortexFineTuneOperator(task_id="start", **arguments))


def complete(worker: Worker, **arguments: Any) -> Result:
    """Run the operator that asks a model."""
    return worker.run(lambda: CortexCompleteOperator(task_id="ask", **arguments))


def test_fine_tune_returns_the_id(
    training_data: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The task ends when the job is taken on; its XCom is the job's id."""
    result = start(worker, options={"max_epochs": 1}, validation_data=QUERY)
    with CortexHook() as hook:
        job = hook.describe(result.xcoms["return_value"])
    assert job.outcome() == "CORTEX_DB.PUBLIC.lights"
    assert job.validation_data == QUERY
    assert job.options == {"max_epochs": 1}


def test_job_that_was_started_in_the_last_moment(
    time_is_up_at_the_end: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """No id of a job gets lost, even if execution_timeout passes before the session is closed."""
    result = start(worker, execution_timeout=timedelta(hours=1))
    ((job, _state),) = cortex_emulator.jobs.all()
    assert result.xcoms["return_value"] == job.id


@pytest.mark.parametrize("argument", ["model", "base_model", "training_data"])
def test_fine_tune_needs_its_arguments(
    argument: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """An argument that rendered to nothing is refused by name, before it costs anything."""
    result = start(worker, **{argument: " "})
    assert result.state == "failed"
    assert argument in str(result.error)
    assert cortex_emulator.jobs.all() == []


def test_fine_tune_refused(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """What Snowflake refuses is not retried."""
    result = start(worker, base_model="gpt-none")
    assert result.state == "failed"
    assert "gpt-none" in str(result.error)


def test_fine_tune_out_of_reach(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """Where Snowflake cannot be reached at all a retry may do."""
    cortex_emulator.stop()
    assert start(worker).state == "up_for_retry"


def test_complete_returns_the_answer(
    training_data: None,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """The answer is the task's XCom, and neither it nor the prompt is in the log."""
    start(worker)
    result = complete(worker, model="CORTEX_DB.PUBLIC.lights", prompt="green")
    assert result.xcoms == {"return_value": "go"}
    assert not [line for line in log_lines() if "green" in line or "prompt" in line]


def test_complete_with_a_schema(training_data: None, worker: Worker) -> None:
    """With a response format the XCom is an object."""
    start(worker)
    schema = {"type": "object", "properties": {"do": {"type": "string"}}}
    result = complete(
        worker,
        model="CORTEX_DB.PUBLIC.lights",
        prompt="red",
        response_format={"type": "json", "schema": schema},
    )
    assert result.xcoms == {"return_value": {"do": "stop"}}


def test_complete_without_an_answer(connection: str, worker: Worker) -> None:
    """An error from Cortex fails the task in Cortex's words."""
    result = complete(worker, model="nobody", prompt="hello?")
    assert result.state == "up_for_retry"
    assert "unknown model" in str(result.error)


def test_complete_needs_a_model(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """A model that rendered to nothing is refused by name, before any SQL."""
    result = complete(worker, model="None", prompt="hello?")
    assert result.state == "failed"
    assert "model" in str(result.error)
    assert cortex_emulator.logins == 0


def test_prompt_is_not_told(connection: str, worker: Worker) -> None:
    """A prompt that is no text is refused by name and type, and not shown."""
    result = complete(worker, model="m", prompt=["secret question"])
    assert result.state == "failed"
    assert "prompt must be text" in str(result.error)
    assert "type list" in str(result.error)
    assert "secret" not in str(result.error)


def test_functions() -> None:
    """A function that Cortex does not have is refused when the DAG is parsed."""
    with pytest.raises(ValueError, match=r"AI_COMPLETE, COMPLETE.*'GUESS'"):
        CortexCompleteOperator(task_id="ask", model="m", prompt="p", function="GUESS")  # type: ignore[arg-type]
