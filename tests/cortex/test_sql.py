"""The SQL that is sent."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_cortex.cortex import sql
from airflow_provider_cortex.cortex.completion import Question
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import UnsupportedValueError

FINETUNE = "SNOWFLAKE.CORTEX.FINETUNE"


def test_values_are_bound() -> None:
    """No value stands in a statement's text: the driver binds them all."""
    nasty = "ft_'); DROP TABLE t; --"
    call = sql.describe(nasty)
    assert call.sql == "SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)"
    assert call.values == (nasty,)


def test_several_jobs_in_one_row() -> None:
    """Jobs that are asked for together are columns of one row, in their order."""
    call = sql.describe("ft_1", "ft_2")
    assert call.sql == f"SELECT {FINETUNE}('DESCRIBE', %s), {FINETUNE}('DESCRIBE', %s)"
    assert call.values == ("ft_1", "ft_2")


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ({}, ("m", "b", "SELECT 1")),
        ({"validation_data": "SELECT 2 ; "}, ("m", "b", "SELECT 1", "SELECT 2")),
        ({"options": {"max_epochs": 3}}, ("m", "b", "SELECT 1", None, '{"max_epochs": 3}')),
        ({"options": {}}, ("m", "b", "SELECT 1")),
    ],
)
def test_create(arguments: dict[str, object], values: tuple[object, ...]) -> None:
    """CREATE's arguments go by their places; a validation query left out before options is NULL."""
    call = sql.create("m", "b", " SELECT 1;\n", **arguments)  # type: ignore[arg-type]
    assert call.values == values
    assert call.sql == f"SELECT {FINETUNE}('CREATE', {', '.join(['%s'] * len(values))})"


def test_the_semicolon_goes() -> None:
    """A query's last semicolon would break the query that Cortex puts around it."""
    assert sql.create("m", "b", "SELECT ';' ;").values[2] == "SELECT ';'"


def test_show_and_cancel() -> None:
    """SHOW takes no argument, CANCEL the job's id."""
    assert sql.show().sql == f"SELECT {FINETUNE}('SHOW')"
    assert sql.show().values == ()
    assert sql.cancel("ft_1").sql == f"SELECT {FINETUNE}('CANCEL', %s)"
    assert sql.cancel("ft_1").values == ("ft_1",)


def test_cancel_query() -> None:
    """A statement that runs by itself is cancelled by its id."""
    call = sql.cancel_query("01b")
    assert call == Call("SELECT SYSTEM$CANCEL_QUERY(%s)", ("01b",))
    with pytest.raises(UnsupportedValueError, match=r"^query_id "):
        sql.cancel_query("\0")


@pytest.mark.parametrize(
    ("names", "what"), [([], "*"), (["PROMPT", "COMPLETION"], '"PROMPT", "COMPLETION"')]
)
def test_columns(names: list[str], what: str) -> None:
    """A query is compiled for its columns, and not one row of it is read."""
    call = sql.columns("training_data", "SELECT 1;", *names)
    assert call == Call(f"SELECT {what} FROM (SELECT 1) LIMIT 0", (), only_reads=True)
    with pytest.raises(UnsupportedValueError, match=r"^training_data "):
        sql.columns("training_data", "\0")


def test_what_may_be_sent_twice() -> None:
    """Only what changes nothing, and costs nothing, is marked as safe to send again."""
    assert sql.describe("ft_1").only_reads
    assert sql.show().only_reads
    assert not sql.create("m", "b", "q").only_reads
    assert not sql.cancel("ft_1").only_reads
    assert not complete().only_reads
    assert sql.columns("q", "SELECT 1").only_reads


def describe(*, finetune_job_id: str) -> object:
    """Ask for two jobs."""
    return sql.describe("ft_1", finetune_job_id)


def cancel(*, finetune_job_id: str) -> object:
    """Cancel a job."""
    return sql.cancel(finetune_job_id)


def create(**arguments: Any) -> object:
    """Start a job, with *arguments* for those that will do."""
    return sql.create(**({"model": "m", "base_model": "b", "training_data": "q"} | arguments))


def complete(**arguments: Any) -> sql.Call:
    """Ask a model, with *arguments* for those that will do."""
    return Question(**({"model": "m", "prompt": "p"} | arguments)).call


@pytest.mark.parametrize(
    ("call", "argument", "value"),
    [
        (describe, "finetune_job_id", "\0"),
        (cancel, "finetune_job_id", "\0"),
        (create, "model", "\0"),
        (create, "base_model", "\0"),
        (create, "training_data", "\0"),
        (create, "validation_data", "\0"),
        (create, "options", {"a": "\0"}),
        (complete, "model", "\0"),
        (complete, "prompt", "\0"),
        (complete, "prompt", ["p", "\0"]),
        (complete, "model_parameters", {"a": "\0"}),
        (complete, "response_format", {"a": "\0"}),
    ],
)
def test_what_cannot_be_sent_is_named(
    call: Callable[..., object], argument: str, value: object
) -> None:
    """No call has an argument that would not arrive as it was given: the error says which it is."""
    with pytest.raises(UnsupportedValueError, match=f"^{argument} .*NUL"):
        call(**{argument: value})


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([7], "type list"),
        (None, "type NoneType"),
        ("a\0b", "a NUL character"),
        ("\ud800", "half of a surrogate pair"),
    ],
)
def test_text_that_cannot_be_sent(value: object, problem: str) -> None:
    """A text is refused that would not arrive as it was given, and the error says why."""
    with pytest.raises(UnsupportedValueError, match=f"^prompt .*{problem}") as error:
        sql.text("prompt", value)
    assert error.value.value is value


def test_text_that_can_be_sent() -> None:
    """All other text is sent as it is: an enum's member by its value, characters beyond the 16th bit whole."""
    color = StrEnum("color", {"RED": "red"})
    assert type(sql.text("prompt", color["RED"])) is str
    assert sql.text("prompt", color["RED"]) == "red"
    assert sql.text("prompt", "\ud7ff\ue000\U0001f600") == "\ud7ff\ue000\U0001f600"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([1], "type list"),
        ({"a": float("nan")}, "nothing that JSON has"),
        ({"a": object()}, "nothing that JSON has"),
        ({"a": "\0"}, "a NUL character"),
        ({"a": "\\\0"}, "a NUL character"),
        ({"\udfff": 1}, "half of a surrogate pair"),
    ],
)
def test_object_that_cannot_be_sent(value: object, problem: str) -> None:
    """So it is with what travels as JSON: what has no form there is refused, too."""
    with pytest.raises(UnsupportedValueError, match=f"^options .*{problem}") as error:
        sql.json_text("options", value)
    assert error.value.value is value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": "ü"}, '{"a": "ü"}'),
        ({"a": "\\u0000"}, r'{"a": "\\u0000"}'),
        (MappingProxyType({"a": 1}), '{"a": 1}'),
    ],
)
def test_object_that_can_be_sent(value: Mapping[str, Any], text: str) -> None:
    """Letters stay letters, and a NUL that is only spelled out is none."""
    assert sql.json_text("options", value) == text
