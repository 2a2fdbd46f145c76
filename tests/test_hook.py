"""The hook: every call, its session, and errors that name the connection."""

import json
import os
import uuid
from typing import Any

import pytest

from airflow_provider_cortex.cortex.job import JobStatus
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import (
    CompletionError,
    ConnectionNotFoundError,
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.hooks import CortexHook
from tests.account import create_table


@pytest.fixture
def hook(connection: str, cortex_emulator: Emulator):
    """Return a hook on the emulator, with twenty questions in a table."""
    pairs = [(f"what is {n} and {n}?", f"it's {2 * n}") for n in range(20)]
    create_table(cortex_emulator, "train", pairs, "prompt, completion")
    with CortexHook(connection) as hook:
        yield hook


QUERY = "SELECT prompt, completion FROM train"


def change(**extra: Any) -> None:
    """Change the connection's extra."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    settings["extra"] |= extra
    os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = json.dumps(settings)


@pytest.mark.parametrize(
    ("extra", "account"),
    [
        ({"account": "org-acc"}, "org-acc"),
        ({"account": "xy12345", "region": "eu-west-1"}, "xy12345.eu-west-1"),
        ({"account": "xy12345.eu-west-1", "region": "eu-west-1"}, "xy12345.eu-west-1"),
        ({"account": "", "region": "eu-west-1"}, None),
    ],
)
def test_the_connection_completes_names(
    extra: dict[str, str], account: str | None, connection: str, cortex_emulator: Emulator
) -> None:
    """Account, database and schema are the connection's or the task's; that needs no login."""
    change(**extra)
    found = CortexHook(connection).namespace()
    assert (found.account, found.database, found.schema) == (account, "CORTEX_DB", "PUBLIC")
    other = CortexHook(connection, database="D", schema="S").namespace()
    assert (other.database, other.schema) == ("D", "S")
    with pytest.raises(ConnectionNotFoundError):
        CortexHook("nowhere").namespace()
    assert cortex_emulator.logins == 0


def test_a_job_is_found_by_the_name_that_cortex_returned(
    hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """A job is created, described, listed; its model is used by the name that Cortex returned."""
    cortex_emulator.life = Life.by_looks(1)
    job_id = hook.create("it's mine", "llama3.1-8b", QUERY + ";", options={"max_epochs": 2})
    assert job_id.startswith("ft_")
    assert not hook.describe(job_id).is_finished
    job = hook.describe(job_id)
    assert job.status is JobStatus.SUCCESS
    assert job.model
    assert job.model.endswith("it's mine")
    assert job.options == {"max_epochs": 2}
    assert [shown.id for shown in hook.show()] == [job_id]
    assert hook.complete(job.model, "what is 7 and 7?") == "it's 14"


def test_a_name_that_is_taken_gets_a_suffix(hook: CortexHook) -> None:
    """A name that is taken makes a model with another name, which only Cortex knows."""
    jobs = [hook.create("m", "llama3.1-8b", QUERY) for _ in range(2)]
    first, second = [hook.describe(job_id).outcome() for job_id in jobs]
    assert first != second


def test_cancel_returns_cortex_s_sentence(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """CANCEL returns Cortex's sentence, and the job is cancelled."""
    cortex_emulator.life = Life.by_looks(9)
    job_id = hook.create("m", "llama3.1-8b", QUERY)
    assert job_id in hook.cancel(job_id)
    assert hook.describe(job_id).status is JobStatus.CANCELLED


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
def test_a_model_answers_with_text_or_an_object(hook: CortexHook, function: Any) -> None:
    """Both functions return text, or an object by a schema."""
    model = hook.describe(hook.create("m", "llama3.1-8b", QUERY)).outcome()
    question = "what is 3 and 3?"
    assert hook.complete(model, question, function=function) == "it's 6"
    cool: Any = {"function": function, "model_parameters": {"temperature": 0}}
    assert hook.complete(model, question, **cool) == "it's 6"
    schema = {"type": "object", "properties": {"sum": {"type": "string"}}}
    answer = hook.complete(
        model, question, response_format={"type": "json", "schema": schema}, **cool
    )
    assert answer == {"sum": "it's 6"}


def test_an_unknown_model_fails_with_cortex_s_message(hook: CortexHook) -> None:
    """An unknown model fails with Cortex's message; COMPLETE's code may also be transient."""
    with pytest.raises(CompletionError, match="unknown model"):
        hook.complete("nobody", "hello?")
    with pytest.raises(UnreachableError, match="unknown model") as error:
        hook.complete("nobody", "hello?", function="COMPLETE")
    assert "running" not in str(error.value)


@pytest.mark.parametrize(
    "value", ["it's", 'say "hi"', "back\\slash", "--", "; DROP TABLE train", "%s", "%(x)s", "ü€😀"]
)
def test_values_are_sent_unchanged(value: str, hook: CortexHook, cortex_emulator: Emulator) -> None:
    """A value is bound: whatever it contains, the statement stays the same."""
    job = cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.m", pairs=((value, value),))
    assert hook.complete(job.model, value) == value
    with pytest.raises(RejectedError):
        hook.describe(value)


def test_session_arguments_replace_the_connection_s(
    connection: str, cortex_emulator: Emulator
) -> None:
    """Arguments replace the connection's settings; the tag is added to its parameters."""
    change(session_parameters={"TIMEZONE": "UTC"})
    with CortexHook(connection, database="OTHER_DB", schema="S", query_tag="t") as hook:
        assert hook.get_first("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == ("OTHER_DB", "S")
    assert cortex_emulator.statements[-1].query_tag == "t"


def test_a_query_tag_among_the_session_parameters_wins(
    connection: str, cortex_emulator: Emulator
) -> None:
    """A tag among the session parameters replaces the hook's."""
    with CortexHook(connection, query_tag="t", session_parameters={"QUERY_TAG": "mine"}) as hook:
        hook.show()
    assert cortex_emulator.statements[-1].query_tag == "mine"


def test_a_session_is_kept_until_close(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """A hook keeps its session from call to call, and opens another one after close()."""
    before = cortex_emulator.logins
    hook.show()
    hook.show()
    assert cortex_emulator.logins == before + 1
    hook.close()
    hook.close()
    hook.show()
    assert cortex_emulator.logins == before + 2


def test_a_read_is_repeated_in_a_new_session(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """A session that Snowflake ended is replaced, and a statement that only reads is repeated."""
    hook.show()
    before = cortex_emulator.logins
    cortex_emulator.faults.add("expire")
    assert hook.show() == ()
    assert cortex_emulator.logins == before + 1


def test_a_new_session_that_ends_at_once_is_not_replaced(
    connection: str, cortex_emulator: Emulator
) -> None:
    """A session that ends with its first statement is a transient error, without a second login."""
    cortex_emulator.faults.add("error", code=390112, sqlstate="08001", requests=1)
    with CortexHook(connection) as hook, pytest.raises(UnreachableError):
        hook.show()
    assert cortex_emulator.logins == 1


def test_a_change_is_not_repeated_in_a_new_session(
    hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """A statement that changes something is not repeated: Snowflake may have run it already."""
    hook.show()
    cortex_emulator.faults.add("expire")
    with pytest.raises(UnreachableError):
        hook.create("m", "llama3.1-8b", "SELECT prompt, completion FROM train")
    assert hook.show() == ()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_overload_is_a_transient_error(
    status: int, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """An overloaded Snowflake is a transient error, which names the connection."""
    hook.show()
    cortex_emulator.faults.add("status", status=status)
    with pytest.raises(UnreachableError, match="'snowflake_default'"):
        hook.show()
    cortex_emulator.faults.clear()
    assert hook.show() == ()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_status_within_a_session_is_a_transient_error(
    status: int, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """The same status within a session comes from a proxy, and is a transient error."""
    hook.show()
    cortex_emulator.faults.add("status", status=status)
    with pytest.raises(UnreachableError):
        hook.show()


def test_the_error_of_a_role_without_cortex_names_the_grants(
    connection: str, cortex_emulator: Emulator
) -> None:
    """Snowflake says only that there is no such function; the error adds what to grant."""
    cortex_emulator.has_cortex_user_role = False
    with CortexHook(connection) as hook, pytest.raises(RejectedError) as error:
        hook.describe("ft_1")
    for words in "FINETUNE", "SNOWFLAKE.CORTEX_USER", "USE AI FUNCTIONS", "docs.snowflake.com":
        assert words in str(error.value)


def test_an_error_without_an_emulator_asks_for_it(
    connection: str, cortex_emulator: Emulator
) -> None:
    """If nothing listens at a port of this machine, the error asks whether the emulator runs."""
    cortex_emulator.stop()
    with pytest.raises(UnreachableError) as error:
        CortexHook(connection).show()
    assert str(cortex_emulator.port) in str(error.value)
    assert "python -m airflow_provider_cortex.emulator" in str(error.value)


def test_a_session_with_an_expired_token_is_replaced(
    hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """A session whose token has expired is replaced like one that has ended."""
    hook.show()
    before = cortex_emulator.logins
    cortex_emulator.faults.add("error", code=390318, sqlstate="08001", requests=1)
    assert hook.show() == ()
    assert cortex_emulator.logins == before + 1


@pytest.mark.parametrize("answer", [None, "", "{}", "[]"])
def test_an_answer_that_describes_no_job_is_unreadable(
    answer: str | None, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """An answer that says nothing about the job is an unreadable answer."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.answer(job.id, answer)
    with pytest.raises(UnreadableAnswerError):
        hook.describe(job.id)


def test_a_session_after_a_network_error_is_a_new_one(
    connection: str, cortex_emulator: Emulator
) -> None:
    """A network error closes the session, which may be the cause; the next call logs in again."""
    with CortexHook(connection) as hook:
        hook.show()
        cortex_emulator.faults.add("reset", at="statement", requests=1)
        with pytest.raises(UnreachableError):
            hook.show()
        assert not hook.is_open
        assert cortex_emulator.open_sessions == 0
        assert hook.show() == ()
        assert cortex_emulator.logins == 2
        assert cortex_emulator.open_sessions == 1


def test_an_unreadable_answer_keeps_the_session(connection: str, cortex_emulator: Emulator) -> None:
    """An unreadable answer came over a working session, which is kept."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.faults.add("unreadable", requests=1)
    with CortexHook(connection) as hook:
        with pytest.raises(UnreadableAnswerError):
            hook.describe(job.id)
        assert hook.describe(job.id).is_finished
    assert cortex_emulator.logins == 1


def test_statements_are_found_by_their_text(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """The newest is first, with its state; searches are not among them, nor other texts."""
    cortex_emulator.query_life = Life.by_time(3600)
    hook.get_records("""SELECT 'it''s 100% "x"'""")
    hook.get_records("SELECT 'other'")
    query_id = hook.submit(Call("SELECT %s, %s", ('100% "x"', "y" * 2000)), about="wait")
    hook.statements_with("it")
    running, finished = hook.statements_with('100% "x"')
    assert (running.query_id, running.status, running.is_running) == (query_id, "RUNNING", True)
    assert (finished.status, finished.is_running) == ("SUCCESS", False)
    assert len(running.text) == 1000
    assert hook.statements_with("no such text") == ()


def test_the_history_needs_a_database(hook: CortexHook) -> None:
    """The error says so; who searches decides what to do then."""
    change(database=None)
    with (
        CortexHook() as homeless,
        pytest.raises(RejectedError, match="does not have a current database"),
    ):
        homeless.statements_with("x")


def test_a_query_that_snowflake_does_not_know_is_a_transient_error(hook: CortexHook) -> None:
    """Snowflake may know it later: it has just been submitted, or the status got lost."""
    with pytest.raises(UnreachableError, match="NO_DATA"):
        hook.execution(str(uuid.uuid4()))
