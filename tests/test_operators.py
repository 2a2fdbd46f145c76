"""The tasks around the sensor."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import (
    CortexCancelFineTuneOperator,
    CortexCompleteOperator,
    CortexFineTuneOperator,
)
from tests.worker import Result, Worker

QUERY = "SELECT prompt, completion FROM train"
LITERAL = "SELECT 'red' AS prompt, 'stop' AS completion"
LENGTHY = "SELECT 'red' AS prompt, REPEAT('stop ', 1000) AS completion"


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
    result = start(worker, training_data=LITERAL, execution_timeout=timedelta(hours=1))
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
    result = start(worker, training_data=LITERAL, base_model="gpt-none")
    assert result.state == "failed"
    assert "gpt-none" in str(result.error)


def test_fine_tune_out_of_reach(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """Where Snowflake cannot be reached at all a retry may do."""
    cortex_emulator.stop()
    # Nobody listens on the port, and no other test's emulator gets it, which would answer.
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((cortex_emulator.host, cortex_emulator.port))
        result = start(worker)
    assert result.state == "up_for_retry", result


@pytest.mark.parametrize("argument", ["training_data", "validation_data"])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELEC prompt", "is no query that Snowflake can run here"),
        ("SELECT * FROM nothing", "NOTHING"),
        ("no_such_table", "NO_SUCH_TABLE"),
        (
            "SELECT body AS prompt FROM (SELECT 1 AS body)",
            'has no column COMPLETION: its columns are "PROMPT".',
        ),
        (
            """SELECT 'a' AS "prompt", 'b' AS "Completion", 'c' AS prompts""",
            'SELECT "prompt" AS PROMPT, "Completion" AS COMPLETION',
        ),
        ("SELECT 1 AS x; SELECT 2; -- done", "must be one statement"),
        ("-- nothing", "holds no SQL"),
    ],
)
def test_wrong_query(
    argument: str,
    query: str,
    message: str,
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """A query that would fail the job fails the task, for good, by the argument's name; there is no job."""
    result = start(worker, **{"training_data": LITERAL, argument: query})
    assert result.state == "failed"
    assert str(result.error).startswith(argument)
    assert message in str(result.error)
    assert cortex_emulator.jobs.all() == []


@pytest.mark.parametrize(
    "data",
    [
        f"{LITERAL} ; ",
        f"{LITERAL} -- the lights",
        f"{LITERAL} // all",
        f"{LITERAL}; -- weekly",
        f"{LITERAL};\n// weekly;\n",
        f"{LITERAL} /* a */ ; /* b */",
        f"\ufeff{LITERAL}",
    ],
)
def test_end_of_a_query(
    data: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Neither a semicolon nor a comment at the end of the query fails the job."""
    result = start(worker, training_data=data)
    with CortexHook() as hook:
        assert hook.describe(result.xcoms["return_value"]).outcome()


@pytest.mark.parametrize("table", ["train", "Cortex_DB.public.TRAIN", '"TRAIN"'])
def test_table(table: str, training_data: None, worker: Worker) -> None:
    """The data may be a table."""
    result = start(worker, training_data=table, validation_data="train")
    with CortexHook() as hook:
        job = hook.describe(result.xcoms["return_value"])
    assert job.outcome()
    assert job.training_data
    assert job.training_data.startswith(f"SELECT * FROM {table} /* airflow-task ")


@pytest.mark.parametrize("data", ["snow://dataset/db.schema.ds/versions/v1", "@stage/train.jsonl"])
def test_data_that_is_no_query(
    data: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """What only Cortex can read goes to it as it is."""
    result = start(worker, training_data=data)
    with CortexHook() as hook:
        assert hook.describe(result.xcoms["return_value"]).training_data == data


def test_without_validation(connection: str, cortex_emulator: Emulator, worker: Worker) -> None:
    """With validate=False Cortex finds out, in the job."""
    result = start(worker, training_data="SELECT 1", validate=False)
    with CortexHook() as hook:
        assert hook.describe(result.xcoms["return_value"]).error


@pytest.mark.parametrize("name", ["my-model", "1st", "a.b.c.d", 'x"y', "model; --"])
@pytest.mark.parametrize("argument", ["model", "base_model"])
def test_name(
    argument: str, name: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """What is no identifier is refused before the login; base models have names of their own."""
    if argument == "base_model" and name in {"my-model", "1st", "a.b.c.d"}:
        pytest.skip("might be a base model")
    result = start(worker, **{argument: name})
    assert result.state == "failed"
    assert str(result.error).startswith(f"{argument} must be an identifier")
    assert "double quotes" in str(result.error)
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("epochs", [0, 11, True, 2.5, 3.0, "three", "", None, "-1", [3]])
def test_max_epochs(
    epochs: object, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Epochs are a whole number from 1 to 10, or refused before the login."""
    result = start(worker, options={"max_epochs": epochs})
    assert result.state == "failed"
    assert str(result.error).startswith("options must have a whole number from 1 to 10")
    assert cortex_emulator.logins == 0


def test_options(
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """A template's digits are a number; what this package does not know is Cortex's business, and told."""
    result = start(worker, training_data=LITERAL, options={"max_epochs": "3", "new_one": 1})
    with CortexHook() as hook:
        told = hook.describe(result.xcoms["return_value"]).options
    assert told == {"max_epochs": 3, "new_one": 1}
    assert any("does not know" in line and "new_one" in line for line in log_lines())


@pytest.fixture
def job_id(connection: str, cortex_emulator: Emulator) -> str:
    """Have a job that runs."""
    cortex_emulator.life = Life.by_time(3600)
    with CortexHook() as hook:
        return hook.create("lights", "llama3.1-8b", LITERAL)


def cancel(worker: Worker, job_id: str, **arguments: Any) -> Result:
    """Run the operator that cancels a job."""
    return worker.run(
        lambda: CortexCancelFineTuneOperator(task_id="stop", finetune_job_id=job_id, **arguments)
    )


def test_cancel(job_id: str, worker: Worker, log_lines: Callable[[], list[str]]) -> None:
    """The job is cancelled, that is seen, and told."""
    assert cancel(worker, f" {job_id}\n").xcoms == {"return_value": "CANCELLED"}
    assert any(f"{job_id} is over: CANCELLED" in line for line in log_lines())


@pytest.mark.parametrize("fail_if_over", [False, True])
def test_cancel_a_job_that_is_over(
    fail_if_over: bool, job_id: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A job that is over is left as it is: an error only if it is to be one."""
    cortex_emulator.jobs.fail(job_id)
    result = cancel(worker, job_id, fail_if_over=fail_if_over)
    if fail_if_over:
        assert result.state == "failed"
        assert f"Cannot cancel fine-tuning job {job_id}: it has finished (ERROR" in str(result.error)
    else:
        assert result.xcoms == {"return_value": "ERROR"}
    assert not [s for s in cortex_emulator.statements if "'CANCEL'" in s.sql]


@pytest.mark.parametrize("looks", [2, 100])
def test_cancel_that_takes_time(
    looks: int,
    job_id: str,
    cortex_emulator: Emulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: Callable[[], list[str]],
) -> None:
    """There are some looks until it takes effect; if it does not, that is said, and the status returned."""
    monkeypatch.setattr("airflow_provider_cortex.waiting.cancelling.PAUSE", 0)
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS"}, requests=looks)
    expected = "CANCELLED" if looks < 5 else "IN_PROGRESS"
    assert cancel(worker, job_id).xcoms == {"return_value": expected}
    warned = any("was to be cancelled, and is still IN_PROGRESS" in line for line in log_lines())
    assert warned is (expected == "IN_PROGRESS")


def test_cancel_of_nothing(connection: str, cortex_emulator: Emulator, worker: Worker) -> None:
    """An unknown job is refused for good, and an id that rendered to nothing by name."""
    assert cancel(worker, "ft_none").state == "failed"
    assert "finetune_job_id" in str(cancel(worker, "None").error)


def test_complete_returns_the_answer(
    training_data: None,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """The answer is the task's XCom, and neither it nor the prompt is in the log."""
    start(worker)
    result = complete(worker, model="CORTEX_DB.PUBLIC.lights", prompt="green")
    assert result.xcoms["return_value"] == "go"
    assert result.xcoms["usage"]["total_tokens"] > 0
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
    assert result.xcoms["return_value"] == {"do": "stop"}


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
    result = complete(worker, model="m", prompt={"secret question": 1})
    assert result.state == "failed"
    assert "prompt must be non-empty text" in str(result.error)
    assert "type dict" in str(result.error)
    assert "secret" not in str(result.error)


def test_functions() -> None:
    """A function that Cortex does not have is refused when the DAG is parsed."""
    with pytest.raises(ValueError, match=r"AI_COMPLETE, COMPLETE.*'GUESS'"):
        CortexCompleteOperator(task_id="ask", model="m", prompt="p", function="GUESS")  # type: ignore[arg-type]


def test_complete_several(training_data: None, worker: Worker) -> None:
    """A list of prompts is one statement, and the answers come in their order."""
    start(worker)
    result = complete(
        worker, model="CORTEX_DB.PUBLIC.lights", prompt=["green", "red", "it's \u2028 red"]
    )
    assert result.xcoms["return_value"] == ["go", "stop", "stop"]
    assert result.xcoms["usage"].keys() == {"prompt_tokens", "completion_tokens", "total_tokens"}


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
def test_complete_a_conversation(function: Any, training_data: None, worker: Worker) -> None:
    """In a conversation the last message is answered."""
    start(worker)
    talk = [{"role": "system", "content": "red"}, {"role": "user", "content": "green"}]
    result = complete(worker, model="CORTEX_DB.PUBLIC.lights", prompt=talk, function=function)
    assert result.xcoms["return_value"] == "go"
    assert result.xcoms["usage"]["total_tokens"] > 0


def test_complete_without_xcom(training_data: None, worker: Worker) -> None:
    """With do_xcom_push=False nothing is pushed, and an answer may be of any size."""
    start(worker, training_data=LENGTHY)
    result = complete(
        worker, model="CORTEX_DB.PUBLIC.lights", prompt=["red"] * 10, do_xcom_push=False
    )
    assert result.state == "success"
    assert "usage" not in result.xcoms


def test_complete_too_much(training_data: None, cortex_emulator: Emulator, worker: Worker) -> None:
    """More than an XCom should carry fails for good, since a retry would pay again, and says what to use."""
    start(worker, training_data=LENGTHY)
    result = complete(worker, model="CORTEX_DB.PUBLIC.lights", prompt=["red"] * 10)
    assert result.state == "failed"
    assert "CortexCompleteTableOperator" in str(result.error)
    assert "return_value" not in result.xcoms


def test_complete_logs_on_request(
    training_data: None, worker: Worker, log_lines: Callable[[], list[str]]
) -> None:
    """With log_answers=True prompt and answer are in the log."""
    start(worker)
    complete(worker, model="CORTEX_DB.PUBLIC.lights", prompt="green", log_answers=True)
    lines = log_lines()
    assert any("Asked: green" in line for line in lines)
    assert any("Answered: ['go']" in line for line in lines)
