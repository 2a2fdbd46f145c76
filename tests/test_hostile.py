"""
Hostile text: whatever it is, it arrives as it was given, as nothing but the text of its own argument.

What cannot arrive like that is refused by the argument's name, before anything is sent.
"""

import enum
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pytest
import snowflake.connector
import sqlglot
from sqlglot import exp

from airflow_provider_cortex.cortex import source_query
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.errors import (
    ArgumentError,
    CortexError,
    QueryError,
    UnsupportedValueError,
)
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexCompleteOperator, CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from tests import hostile, hostile_login
from tests.worker import MODES, Result, Worker, in_mode, stored

FINETUNE = "SELECT SNOWFLAKE.CORTEX.FINETUNE"
CREATE = {"model": "m", "base_model": "b", "training_data": "SELECT 1"}
COMPLETE = {"model": "m", "prompt": "p"}
SETTINGS = ("warehouse", "database", "schema", "role", "query_tag")

_LITERAL = re.compile(r"'((?:[^'\\]|\\.|'')*)'", re.DOTALL)
_ESCAPE = re.compile(r"''|\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_NAMED_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def decoded(literal: str) -> str:
    """
    Return the text of a literal as Snowflake reads it.

    https://docs.snowflake.com/en/sql-reference/data-types-text#escape-sequences-in-single-quoted-string-constants
    """

    def one(escape: re.Match[str]) -> str:
        octal, hexadecimal, unicode, other = escape.groups()
        if octal:
            return chr(int(octal, 8))
        if hexadecimal or unicode:
            return chr(int(hexadecimal or unicode, 16))
        return _NAMED_ESCAPES.get(other, other) if other else "'"

    return _ESCAPE.sub(one, literal)


@dataclass
class Received:
    """The statements that the emulator has received since the last look."""

    emulator: Emulator
    seen: int = field(default=0)

    def all(self) -> list[str]:
        """Return them."""
        statements = [statement.sql for statement in self.emulator.statements[self.seen :]]
        self.seen += len(statements)
        return statements

    def one(self) -> tuple[str, list[str]]:
        """Return the only one: its text with ? for each literal, and what the literals say."""
        (sql,) = self.all()
        literals = [decoded(literal) for literal in _LITERAL.findall(sql)]
        # sqlglot's word for it, too: one statement, with these literals and nothing cut off.
        (statement,) = sqlglot.parse(sql, read="snowflake")
        assert isinstance(statement, exp.Select)
        assert [node.name for node in statement.find_all(exp.Literal, bfs=False)] == literals
        return _LITERAL.sub("?", sql), literals


@pytest.fixture
def received(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> Received:
    """Return what is received by an account that runs nothing of it: faster, and it is all the same."""
    cortex_emulator.calls_per_statement = 0
    monkeypatch.setattr(logging.getLogger("fakesnow.server"), "disabled", True)
    return Received(cortex_emulator)


@pytest.fixture
def one_session(connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let all tasks share a session: many of them are run here, and it is not for their logins."""
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


def attempt(call: Callable[[], object]) -> CortexError:
    """Return the error with which the account refuses *call*."""
    with pytest.raises(CortexError) as error:
        call()
    assert not isinstance(error.value, ArgumentError)
    return error.value


def assert_refused(result: Result, argument: str, received: Received) -> None:
    """Check that a task has failed for good, with the argument's name, and has sent nothing."""
    assert result.state == "failed", result
    assert str(result.error).startswith(f"{argument} "), result
    assert received.all() == []
    assert received.emulator.logins == 0


def literal(text: str) -> str:
    """Return a text as SQL has it: whatever is in it, the literal is whole."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def is_result(text: str) -> bool:
    """Return whether a text reads as a query's result, of which one cell is taken."""
    return text.strip().startswith(("[", "(", "{")) and text.strip().endswith(("]", ")", "}"))


def start(worker: Worker, **arguments: Any) -> Result:
    """Start a job, with one statement."""
    alone = {"if_exists": "create", "validate": False}
    return worker.run(
        lambda: CortexFineTuneOperator(task_id="start", **{**CREATE, **alone, **arguments}),
    )


def ask(worker: Worker, **arguments: Any) -> Result:
    """Ask a model."""
    return worker.run(lambda: CortexCompleteOperator(task_id="ask", **{**COMPLETE, **arguments}))


def wait(worker: Worker, mode: str = "poke", **arguments: Any) -> Result:
    """Wait for a job."""
    return worker.run(
        lambda: CortexFineTuneSensor(task_id="wait", **arguments, **in_mode(mode)),
    )


def test_the_decoder() -> None:
    """Literals are read by every rule of Snowflake's page, not only by those that the driver uses."""
    assert decoded(r"it''s \'x\' \\ \n \101 \x41 \u26c4 \z \0") == "it's 'x' \\ \n A A \u26c4 z \0"


def test_describe(received: Received) -> None:
    """Whatever an id is, DESCRIBE asks for it and for nothing else, many at once or one."""
    ids = list(hostile.sendable())
    with CortexHook() as hook:
        attempt(lambda: hook.describe_all(ids))
        sql, literals = received.one()
        calls = ", ".join(["SNOWFLAKE.CORTEX.FINETUNE(?, ?)"] * len(ids))
        assert sql == f"SELECT {calls}"
        assert literals == [literal for job_id in ids for literal in ("DESCRIBE", job_id)]


def test_cancel(received: Received) -> None:
    """Whatever an id is, CANCEL names it and nothing else."""
    with CortexHook() as hook:
        for job_id in hostile.sendable():
            attempt(lambda job_id=job_id: hook.cancel(job_id))  # type: ignore[misc]
            assert received.one() == (f"{FINETUNE}(?, ?)", ["CANCEL", job_id])


def test_sensor(received: Received, one_session: None, worker: Worker) -> None:
    """The sensor asks for the id that it was given, but for white space around it."""
    for job_id in hostile.sendable():
        if is_result(job_id):
            continue
        assert wait(worker, finetune_job_id=job_id).state == "failed"
        assert received.one() == (f"{FINETUNE}(?, ?)", ["DESCRIBE", job_id.strip()])


def test_fine_tune(received: Received, one_session: None, worker: Worker) -> None:
    """Model, base model, both queries and the options' keys and values arrive as they were given."""
    for text in hostile.sendable():
        options = {text: text, "deep": [{text: [text]}]}
        name = '"' + text.replace('"', '""') + '"'  # or it would be refused
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


def test_sql_of_any_kind(received: Received, one_session: None, worker: Worker) -> None:
    """SQL with anything in it arrives but for its end, or is refused by name, before anything is sent."""
    for text in hostile.sendable():
        data = f"SELECT 1, {text}"
        result = start(worker, validation_data=data)
        if len(received.emulator.statements) == received.seen:
            with pytest.raises(QueryError) as refusal:
                source_query.without_terminator("validation_data", data)
            assert str(result.error) == str(refusal.value)
        else:
            assert received.one()[1][4] == source_query.without_terminator("validation_data", data)


def test_complete(received: Received, one_session: None, worker: Worker) -> None:
    """What Jinja has put into the arguments arrives as it is, and is not rendered again."""

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

    for text in hostile.sendable():
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


def test_complete_of_old(received: Received) -> None:
    """The same for the function that Snowflake is retiring, which takes the prompt inside of JSON."""
    with CortexHook() as hook:
        for text in hostile.sendable():
            options = {"model_parameters": {text: text}, "response_format": {text: text}}
            attempt(lambda: hook.complete(text, text, function="COMPLETE", **options))  # noqa: B023
            sql, (model, messages, told) = received.one()
            assert sql == "SELECT SNOWFLAKE.CORTEX.COMPLETE(?, PARSE_JSON(?), PARSE_JSON(?))"
            assert model == text
            assert json.loads(messages) == [{"role": "user", "content": text}]
            assert json.loads(told) == {text: text, "response_format": {text: text}}


def test_answers_come_back(cortex_emulator: Emulator, connection: str) -> None:
    """A model that was taught hostile text gives it back, by way of the whole account."""
    with CortexHook() as hook:
        for number, (text, *_) in enumerate(hostile.SENDABLE.values()):
            job = cortex_emulator.jobs.add(model=f"A.B.M{number}", pairs=((text, text),))
            assert hook.complete(job.model, text) == text


def test_long(received: Received) -> None:
    """Text of 100 kB arrives whole."""
    with CortexHook() as hook:
        for text in hostile.LONG:
            attempt(lambda text=text: hook.complete("m", text, function="COMPLETE"))  # type: ignore[misc]
            (sql,) = received.all()
            assert [decoded(literal) for literal in _LITERAL.findall(sql)] == ["m", text]
            assert _LITERAL.sub("?", sql) == "SELECT SNOWFLAKE.CORTEX.COMPLETE(?, ?)"


def test_fine_tune_refuses(received: Received, worker: Worker) -> None:
    """What no statement can carry is refused by the argument's name, before anything is sent."""
    for trouble, text in hostile.unsendable():
        for argument, value in (
            *((name, text) for name in (*CREATE, "validation_data")),
            ("options", {text: 1}),
            ("options", {"deep": [{"a": text}]}),
        ):
            result = start(worker, **{argument: value})
            assert_refused(result, argument, received)
            assert trouble in str(result.error)


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
def test_complete_refuses(function: str, received: Received, worker: Worker) -> None:
    """The same for everything that a model is asked with; and the error tells nothing of it."""
    for trouble, bad in hostile.unsendable():
        text = f"hush{bad}"
        for argument, value in (
            *((name, text) for name in COMPLETE),
            ("model_parameters", {text: 1}),
            ("model_parameters", {"stop": [text]}),
            ("response_format", {"schema": {"properties": {text: {}}}}),
        ):
            result = ask(worker, function=function, **{argument: value})
            assert_refused(result, argument, received)
            assert trouble in str(result.error)
            assert "hush" not in str(result.error)


def test_sensor_refuses(received: Received, worker: Worker) -> None:
    """The same for the id of the job that a sensor waits for, in every mode."""
    for trouble, text in hostile.unsendable():
        for mode in MODES:
            result = wait(worker, mode, finetune_job_id=text)
            assert_refused(result, "finetune_job_id", received)
            assert trouble in str(result.error)


def test_hook_refuses(received: Received) -> None:
    """The hook's own methods refuse by name, too, whoever calls them."""
    hook = CortexHook()
    for trouble, text in hostile.unsendable():
        for call in (
            lambda text=text: hook.describe(text),
            lambda text=text: hook.describe_all(["ft_1", text]),
            lambda text=text: hook.cancel(text),
        ):
            with pytest.raises(UnsupportedValueError, match=f"^finetune_job_id .*{trouble}"):
                call()
    assert received.all() == []
    assert received.emulator.logins == 0


def test_blank(received: Received, worker: Worker) -> None:
    """What says nothing is refused by name, in an optional argument as well: it was given."""
    for text in hostile.BLANK:
        assert_refused(wait(worker, finetune_job_id=text), "finetune_job_id", received)
        for argument in COMPLETE:
            assert_refused(ask(worker, **{argument: text}), argument, received)
        for argument in (*CREATE, "validation_data"):
            assert_refused(start(worker, **{argument: text}), argument, received)


def test_wrong_kind(received: Received, worker: Worker) -> None:
    """What is no text, no mapping or nothing that JSON has is refused by name."""
    for argument, value in (
        ("validation_data", ["SELECT 1"]),
        ("validation_data", {"query": "SELECT 1"}),
        ("options", "max_epochs: 3"),
        ("options", "[3]"),
        ("options", ""),
        ("options", [3]),
        ("options", {"max_epochs": {3}}),
        ("options", {"max_epochs": float("nan")}),
        ("options", {b"max_epochs": 3}),
    ):
        assert_refused(start(worker, **{argument: value}), argument, received)
    with pytest.raises(UnsupportedValueError, match=r"^prompt .*JSON"):
        CortexHook().complete("m", [{"role": "user", "content": b"p"}])


def test_text_of_other_classes(received: Received, one_session: None, worker: Worker) -> None:
    """Text may be of a class of its own: the driver, which knows str alone, gets the plain text."""

    class Models(str, enum.Enum):  # noqa: UP042 - whose str() is another text
        LLAMA = "llama3.1-8b"

    class Escaped(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "something else"

    start(worker, model=Escaped('"it\'s"'), base_model=Models.LLAMA)
    assert received.one()[1][:3] == ["CREATE", '"it\'s"', "llama3.1-8b"]


@pytest.fixture
def logins(connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[hostile_login.Logins]:
    """Have the default connection lead to somebody who writes logins down."""
    with hostile_login.listening() as logins:
        settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
        settings["extra"] |= {"port": logins.port}
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
        yield logins


def log_in(settings: Mapping[str, Any]) -> None:
    """Log in with *settings*, once they have been in Airflow's database and back."""
    trigger = CortexFineTuneTrigger(
        finetune_job_id="ft_1",
        session=SessionSettings(**settings).to_dict(),
        started_at=0,
        deadline=1,
    )
    with CortexHook.of(SessionSettings(**stored(trigger).session)) as hook:
        hook.open()


def test_session_settings(logins: hostile_login.Logins) -> None:
    """Every setting of a session is told at the login as it was given."""
    texts = [text for text in hostile.sendable() if text.strip()]
    for text in texts:
        log_in(dict.fromkeys(SETTINGS, text))
    told = [[login[name] for name in TOLD] for login in logins.told]
    assert told == [[text] * len(TOLD) for text in texts]


TOLD = ("warehouse", "databaseName", "schemaName", "roleName", "QUERY_TAG")
"""SETTINGS, as a login tells them."""


def test_session_parameters(logins: hostile_login.Logins) -> None:
    """So are the names and values of all session parameters; a query tag among them wins."""
    parameters = {text: text for text in hostile.sendable()} | {"QUERY_TAG": "mine"}
    log_in({"session_parameters": parameters, "query_tag": "yours"})
    (login,) = logins.told
    assert {name: login[name] for name in parameters} == parameters


def test_session_refuses() -> None:
    """What no login can tell is refused by the setting's name."""
    for trouble, text in hostile.unsendable():
        for argument, value in in_each_setting(text):
            with pytest.raises(UnsupportedValueError, match=f"^{argument} .*{trouble}"):
                SessionSettings(**{argument: value})


def test_tasks_refuse_settings(received: Received, worker: Worker) -> None:
    """The same for the settings of a task: it fails for good, and does not log in."""
    for text, *_ in hostile.UNSENDABLE.values():
        for argument, value in in_each_setting(text):
            if argument == "query_tag":  # which a task writes itself
                continue
            settings = {argument: value}
            assert_refused(start(worker, **settings), argument, received)
            assert_refused(ask(worker, **settings), argument, received)
            assert_refused(wait(worker, finetune_job_id="ft_1", **settings), argument, received)


def in_each_setting(text: str) -> Iterator[tuple[str, Any]]:
    """Return a session's settings, each with a value that has *text* in it."""
    for setting in fields(SessionSettings):
        if setting.name == "session_parameters":
            yield setting.name, {text: 1}
            yield setting.name, {"QUERY_TAG": text}
        else:
            yield setting.name, text
