"""Hostile text arrives unchanged, as the text of its own argument and nothing else."""

import enum
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snowflake.connector

from airflow_provider_cortex.cortex import source_query
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.errors import ArgumentError, CortexError, QueryError
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexCompleteOperator
from tests import hostile_text
from tests.received_statements import LITERAL, Received, decoded
from tests.tasks import start, wait
from tests.worker import Worker

pytestmark = pytest.mark.slow

FINETUNE = "SELECT SNOWFLAKE.CORTEX.FINETUNE"


@pytest.fixture
def one_session(connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let all tasks share a session, which saves their logins."""
    connect = snowflake.connector.connect
    close = snowflake.connector.SnowflakeConnection.close
    opened: list[Any] = []

    def kept(**params: Any) -> Any:
        if not opened:
            opened.append(connect(**params))
        return opened[0]

    monkeypatch.setattr(snowflake.connector, "connect", kept)
    monkeypatch.setattr(snowflake.connector.SnowflakeConnection, "close", lambda *_, **__: None)
    yield
    for session in opened:
        close(session)


def rejected(call: Callable[[], object]) -> CortexError:
    """Return the error with which the account rejects *call*."""
    with pytest.raises(CortexError) as error:
        call()
    assert not isinstance(error.value, ArgumentError)
    return error.value


def literal(text: str) -> str:
    """Return an SQL literal, whatever the text contains."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def is_result(text: str) -> bool:
    """Return whether a text reads as a query's result: then its one cell is used."""
    return text.strip().startswith(("[", "(", "{")) and text.strip().endswith(("]", ")", "}"))


def test_literals_are_decoded_by_snowflake_s_rules() -> None:
    """The decoder knows every rule of Snowflake's page, not only those that the driver uses."""
    assert decoded(r"it''s \'x\' \\ \n \101 \x41 \u26c4 \z \0") == "it's 'x' \\ \n A A \u26c4 z \0"


def test_describe_sends_any_id_unchanged(
    received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DESCRIBE asks for ids of any text, many at once, and for nothing else."""
    ids = list(hostile_text.sendable())
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", str(len(ids)))
    received.emulator.faults.add("error")  # a transient one: ids are not described one by one
    with CortexHook() as hook:
        hook.jobs().describe(*ids)
        sql, literals = received.one()
        calls = ", ".join(["SNOWFLAKE.CORTEX.FINETUNE(?, ?)"] * len(ids))
        assert sql == f"SELECT {calls}"
        assert literals == [literal for job_id in ids for literal in ("DESCRIBE", job_id)]


def test_cancel_sends_any_id_unchanged(received: Received) -> None:
    """CANCEL names an id of any text, and nothing else."""
    with CortexHook() as hook:
        for job_id in hostile_text.sendable():
            rejected(lambda job_id=job_id: hook.cancel(job_id))  # type: ignore[misc]
            assert received.one() == (f"{FINETUNE}(?, ?)", ["CANCEL", job_id])


def test_a_sensor_sends_its_id_without_surrounding_space(
    received: Received, one_session: None, worker: Worker
) -> None:
    """The sensor asks for the id that it was given, without the white space around it."""
    for job_id in hostile_text.sendable():
        if is_result(job_id):
            continue
        assert wait(worker, finetune_job_id=job_id).state == "failed"
        assert received.one() == (f"{FINETUNE}(?, ?)", ["DESCRIBE", job_id.strip()])


def test_starting_a_job_sends_any_argument_unchanged(
    received: Received, one_session: None, worker: Worker
) -> None:
    """Model, base model, both queries, and the keys and values of options arrive unchanged."""
    for text in hostile_text.sendable():
        options = {text: text, "deep": [{text: [text]}]}
        name = '"' + text.replace('"', '""') + '"'  # an invalid name would be rejected
        names = dict.fromkeys(["model", "base_model"], name)
        data = f"SELECT {literal(text)}"
        queries = dict.fromkeys(["training_data", "validation_data"], data)
        assert start(worker, **names, **queries, options=options).state == "failed"
        sql, literals = received.one()
        assert sql == f"{FINETUNE}(?, ?, ?, ?, ?, ?)"
        training_data, _, comment = literals[3].rpartition(" /* airflow-task ")
        assert [*literals[:3], training_data, literals[4]] == ["CREATE", name, name, data, data]
        assert comment.endswith(" */")
        assert json.loads(literals[-1]) == options


def test_any_sql_is_sent_without_its_end_or_rejected(
    received: Received, one_session: None, worker: Worker
) -> None:
    """SQL with any text in it arrives without its terminator, or is rejected before a login."""
    for text in hostile_text.sendable():
        data = f"SELECT 1, {text}"
        result = start(worker, validation_data=data)
        if len(received.emulator.statements) == received.seen:
            with pytest.raises(QueryError) as error:
                source_query.without_terminator("validation_data", data)
            assert str(result.error) == str(error.value)
        else:
            assert received.one()[1][4] == source_query.without_terminator("validation_data", data)


def test_a_prompt_is_sent_as_it_was_rendered(
    received: Received, one_session: None, worker: Worker
) -> None:
    """What Jinja has put into the arguments arrives unchanged, and is not rendered again."""

    def make_task() -> CortexCompleteOperator:
        task = CortexCompleteOperator(
            task_id="ask",
            model="{{ text }}",
            prompt="{{ text }}",
            model_parameters={text: "{{ text }}"},
            response_format={"type": "json", "schema": {text: ["{{ text }}"]}},
        )
        task.render_template_fields({"text": text})  # type: ignore[typeddict-unknown-key]
        return task

    for text in hostile_text.sendable():
        if is_result(text):
            continue
        assert worker.run(make_task).state == "failed"
        sql, (model, prompt, parameters, response_format) = received.one()
        assert sql == (
            "SELECT AI_COMPLETE(model => ?, prompt => ?, model_parameters => PARSE_JSON(?),"
            " response_format => PARSE_JSON(?), show_details => TRUE, return_error_details => TRUE)"
        )
        assert (model, prompt) == (text, text)
        assert json.loads(parameters) == {text: text}
        assert json.loads(response_format) == {"type": "json", "schema": {text: [text]}}


def test_the_old_function_gets_any_text_unchanged(received: Received) -> None:
    """The function that Snowflake is retiring takes the prompt inside JSON, unchanged, too."""
    with CortexHook() as hook:
        for text in hostile_text.sendable():
            options = {"model_parameters": {text: text}, "response_format": {text: text}}
            rejected(lambda: hook.complete(text, text, function="COMPLETE", **options))  # noqa: B023
            sql, (model, messages, options_json) = received.one()
            assert sql == "SELECT SNOWFLAKE.CORTEX.COMPLETE(?, PARSE_JSON(?), PARSE_JSON(?))"
            assert model == text
            assert json.loads(messages) == [{"role": "user", "content": text}]
            assert json.loads(options_json) == {text: text, "response_format": {text: text}}


def test_a_model_returns_hostile_text_unchanged(cortex_emulator: Emulator, connection: str) -> None:
    """A model that learned hostile text returns it, through the whole account."""
    with CortexHook() as hook:
        for number, (text, *_) in enumerate(hostile_text.SENDABLE.values()):
            job = cortex_emulator.jobs.add(model=f"A.B.M{number}", pairs=((text, text),))
            assert hook.complete(job.model, text) == text


def test_long_text_is_sent_whole(received: Received) -> None:
    """Text of 100 kB arrives whole."""
    with CortexHook() as hook:
        for text in hostile_text.LONG:
            rejected(lambda text=text: hook.complete("m", text, function="COMPLETE"))  # type: ignore[misc]
            (sql,) = received.all()
            assert [decoded(literal) for literal in LITERAL.findall(sql)] == ["m", text]
            assert LITERAL.sub("?", sql) == "SELECT SNOWFLAKE.CORTEX.COMPLETE(?, ?)"


def test_subclasses_of_str_are_sent_as_plain_text(
    received: Received, one_session: None, worker: Worker
) -> None:
    """Text may be of a subclass of str: the driver, which knows str alone, gets plain text."""

    class Models(str, enum.Enum):  # noqa: UP042 - whose str() is another text
        LLAMA = "llama3.1-8b"

    class Escaped(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "something else"

    start(worker, model=Escaped('"it\'s"'), base_model=Models.LLAMA)
    assert received.one()[1][:3] == ["CREATE", '"it\'s"', "llama3.1-8b"]
