"""The operators that start a fine-tuning job and ask a model."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import (
    CortexCompleteOperator,
    CortexFineTuneOperator,
)
from tests.account import create_table
from tests.worker import Result, Worker

QUERY = "SELECT prompt, completion FROM train"
LITERAL = "SELECT 'red' AS prompt, 'stop' AS completion"
LENGTHY = "SELECT 'red' AS prompt, REPEAT('stop ', 1000) AS completion"


@pytest.fixture
def training_data(connection: str, cortex_emulator: Emulator) -> None:
    """Have a table to train on."""
    pairs = ("red", "stop"), ("green", "go")
    create_table(cortex_emulator, "train", pairs, "prompt, completion")


def start(worker: Worker, **changes: Any) -> Result:
    """Run the operator that starts a job."""
    arguments: dict[str, Any] = {"model": "lights", "base_model": "llama3.1-8b"}
    arguments |= {"training_data": QUERY} | changes
    return worker.run(lambda: CortexFineTuneOperator(task_id="start", **arguments))


def complete(worker: Worker, **arguments: Any) -> Result:
    """Run the operator that asks a model."""
    return worker.run(lambda: CortexCompleteOperator(task_id="ask", **arguments))


def test_starting_a_job_returns_its_id(
    training_data: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The task ends when Cortex has accepted the job; its XCom is the job's id."""
    result = start(worker, options={"max_epochs": 1}, validation_data=QUERY)
    with CortexHook() as hook:
        job = hook.describe(result.xcoms["return_value"])
    assert job.outcome() == "CORTEX_DB.PUBLIC.lights"
    assert job.validation_data == QUERY
    assert job.options == {"max_epochs": 1}


def test_the_link_shows_the_query_that_started_the_job(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The task's link is that of its CREATE, not of the DESCRIBE after it."""
    task: Any = start(worker, training_data=LITERAL).instance.task
    assert task.linked_query_id not in {None, task.open_hook.last_query_id}


def test_a_job_s_id_is_kept_if_the_time_is_up_while_the_session_closes(
    time_is_up_at_the_end: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The id is returned even if execution_timeout passes before the session is closed."""
    result = start(worker, training_data=LITERAL, execution_timeout=timedelta(hours=1))
    ((job, _state),) = cortex_emulator.jobs.all()
    assert result.xcoms["return_value"] == job.id


@pytest.mark.parametrize("argument", ["model", "base_model", "training_data"])
def test_an_argument_that_renders_to_nothing_is_rejected(
    argument: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """An argument that renders to nothing is rejected by its name, before a job is billed."""
    result = start(worker, **{argument: " "})
    assert result.state == "failed"
    assert argument in str(result.error)
    assert cortex_emulator.jobs.all() == []


def test_a_rejected_job_is_not_retried(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """If Snowflake rejects CREATE, the task fails without a retry."""
    result = start(worker, training_data=LITERAL, base_model="gpt-none")
    assert result.state == "failed"
    assert "gpt-none" in str(result.error)


def test_an_unreachable_snowflake_is_retried(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """If Snowflake cannot be reached, the task may be retried."""
    cortex_emulator.stop()
    # Hold the port, so that no other test's emulator gets it and answers.
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((cortex_emulator.host, cortex_emulator.port))
        result = start(worker)
    assert result.state == "up_for_retry", result


@pytest.mark.parametrize("argument", ["training_data", "validation_data"])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELEC prompt", "is not a query that Snowflake can run here"),
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
def test_an_invalid_query_fails_before_the_job(
    argument: str,
    query: str,
    message: str,
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """A query that would fail the job fails the task, without a retry, and starts no job."""
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
def test_a_query_may_end_with_a_semicolon_or_a_comment(
    data: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A semicolon or a comment at the end of the query does not fail the job."""
    result = start(worker, training_data=data)
    with CortexHook() as hook:
        assert hook.describe(result.xcoms["return_value"]).outcome()


@pytest.mark.parametrize("table", ["train", "Cortex_DB.public.TRAIN", '"TRAIN"'])
def test_the_data_may_be_a_table(table: str, training_data: None, worker: Worker) -> None:
    """The data may be a table."""
    result = start(worker, training_data=table, validation_data="train")
    with CortexHook() as hook:
        job = hook.describe(result.xcoms["return_value"])
    assert job.outcome()
    assert job.training_data
    assert job.training_data.startswith(f"SELECT * FROM {table} /* airflow-task ")


@pytest.mark.parametrize(
    ("data", "base_model"),
    [
        ("snow://dataset/db.schema.ds/versions/v1", "arctic-extract"),
        ("@stage/train.jsonl", "llama3.1-8b"),
    ],
)
def test_a_dataset_or_stage_is_sent_unchanged(
    data: str, base_model: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Data that only Cortex can read is sent unchanged."""
    result = start(worker, training_data=data, base_model=base_model)
    with CortexHook() as hook:
        assert hook.describe(result.xcoms["return_value"]).training_data == data


def test_validate_false_starts_the_job_unchecked(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """With validate=False an invalid query fails the job, not the task."""
    result = start(worker, training_data="SELECT 1", validate=False)
    with CortexHook() as hook:
        assert hook.describe(result.xcoms["return_value"]).error


@pytest.mark.parametrize("name", ["my-model", "1st", "a.b.c.d", 'x"y', "model; --"])
@pytest.mark.parametrize("argument", ["model", "base_model"])
def test_an_invalid_name_is_rejected_before_the_login(
    argument: str, name: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A name must be an identifier; base models' names have rules of their own."""
    if argument == "base_model" and name in {"my-model", "1st", "a.b.c.d"}:
        pytest.skip("might be a base model")
    result = start(worker, **{argument: name})
    assert result.state == "failed"
    assert str(result.error).startswith(f"{argument} must be an identifier")
    assert "double quotes" in str(result.error)
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("epochs", [0, 11, True, 2.5, 3.0, "three", "", None, "-1", [3]])
def test_max_epochs_must_be_a_whole_number_from_1_to_10(
    epochs: object, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Other epochs are rejected before the login."""
    result = start(worker, options={"max_epochs": epochs})
    assert result.state == "failed"
    assert str(result.error).startswith("options must have a whole number from 1 to 10")
    assert cortex_emulator.logins == 0


def test_unknown_options_are_passed_to_cortex(
    connection: str,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """Digits from a template are a number; unknown options are passed to Cortex, and logged."""
    result = start(worker, training_data=LITERAL, options={"max_epochs": "3", "new_one": 1})
    with CortexHook() as hook:
        options = hook.describe(result.xcoms["return_value"]).options
    assert options == {"max_epochs": 3, "new_one": 1}
    assert any("does not know" in line and "new_one" in line for line in log_lines())


def test_the_answer_is_the_xcom_and_is_not_logged(
    training_data: None,
    cortex_emulator: Emulator,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """The answer is the task's XCom; neither it nor the prompt is in the log."""
    start(worker)
    result = complete(worker, model="CORTEX_DB.PUBLIC.lights", prompt="green")
    assert result.xcoms["return_value"] == "go"
    assert result.xcoms["usage"]["total_tokens"] > 0
    assert not [line for line in log_lines() if "green" in line or "prompt" in line]


def test_a_response_format_makes_the_answer_an_object(training_data: None, worker: Worker) -> None:
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


def test_a_model_s_error_fails_the_task_with_cortex_s_message(
    connection: str, worker: Worker
) -> None:
    """An error from Cortex fails the task with Cortex's message."""
    result = complete(worker, model="nobody", prompt="hello?")
    assert result.state == "up_for_retry"
    assert "unknown model" in str(result.error)


def test_a_model_that_renders_to_nothing_is_rejected(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A model that renders to nothing is rejected by its name, before any SQL."""
    result = complete(worker, model="None", prompt="hello?")
    assert result.state == "failed"
    assert "model" in str(result.error)
    assert cortex_emulator.logins == 0


def test_an_invalid_prompt_is_not_shown(connection: str, worker: Worker) -> None:
    """A prompt that is not text is rejected by its name and type, and not shown."""
    result = complete(worker, model="m", prompt={"secret question": 1})
    assert result.state == "failed"
    assert "prompt must be non-empty text" in str(result.error)
    assert "type dict" in str(result.error)
    assert "secret" not in str(result.error)


def test_an_unknown_function_is_rejected_when_the_dag_is_parsed() -> None:
    """A function that Cortex does not have is rejected when the DAG is parsed."""
    with pytest.raises(ValueError, match=r"AI_COMPLETE, COMPLETE.*'GUESS'"):
        CortexCompleteOperator(task_id="ask", model="m", prompt="p", function="GUESS")  # type: ignore[arg-type]


def test_several_prompts_are_one_statement(training_data: None, worker: Worker) -> None:
    """A list of prompts is one statement, and the answers come in their order."""
    start(worker)
    result = complete(
        worker, model="CORTEX_DB.PUBLIC.lights", prompt=["green", "red", "it's \u2028 red"]
    )
    assert result.xcoms["return_value"] == ["go", "stop", "stop"]
    assert result.xcoms["usage"].keys() == {"prompt_tokens", "completion_tokens", "total_tokens"}


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
def test_the_last_message_of_a_conversation_is_answered(
    function: Any, training_data: None, worker: Worker
) -> None:
    """In a conversation the last message is answered."""
    start(worker)
    talk = [{"role": "system", "content": "red"}, {"role": "user", "content": "green"}]
    result = complete(worker, model="CORTEX_DB.PUBLIC.lights", prompt=talk, function=function)
    assert result.xcoms["return_value"] == "go"
    assert result.xcoms["usage"]["total_tokens"] > 0


def test_without_xcoms_an_answer_may_have_any_size(training_data: None, worker: Worker) -> None:
    """With do_xcom_push=False nothing is pushed, and an answer may be of any size."""
    start(worker, training_data=LENGTHY)
    result = complete(
        worker, model="CORTEX_DB.PUBLIC.lights", prompt=["red"] * 10, do_xcom_push=False
    )
    assert result.state == "success"
    assert "usage" not in result.xcoms


def test_an_answer_that_is_too_large_is_rejected(
    training_data: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A larger answer fails without a retry, which would be billed again, and says what to use."""
    start(worker, training_data=LENGTHY)
    result = complete(worker, model="CORTEX_DB.PUBLIC.lights", prompt=["red"] * 10)
    assert result.state == "failed"
    assert "CortexCompleteTableOperator" in str(result.error)
    assert "return_value" not in result.xcoms


def test_log_answers_logs_prompt_and_answer(
    training_data: None, worker: Worker, log_lines: Callable[[], list[str]]
) -> None:
    """With log_answers=True prompt and answer are in the log."""
    start(worker)
    complete(worker, model="CORTEX_DB.PUBLIC.lights", prompt="green", log_answers=True)
    lines = log_lines()
    assert any("Prompt: green" in line for line in lines)
    assert any("Answer: go" in line for line in lines)
