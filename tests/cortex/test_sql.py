"""The statements that are sent, and the values in them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_cortex.cortex import sql
from airflow_provider_cortex.cortex.completion import Question
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import UnsupportedValueError


def test_a_statement_is_cancelled_by_its_query_id() -> None:
    """SYSTEM$CANCEL_QUERY takes it as a bound value."""
    call = sql.cancel_query("01b")
    assert call == Call("SELECT SYSTEM$CANCEL_QUERY(%s)", ("01b",))
    with pytest.raises(UnsupportedValueError, match=r"^query_id "):
        sql.cancel_query("\0")


@pytest.mark.parametrize(
    ("names", "what"), [([], "*"), (["PROMPT", "COMPLETION"], '"PROMPT", "COMPLETION"')]
)
def test_a_query_is_compiled_without_reading_a_row(names: list[str], what: str) -> None:
    """For the given columns, or all of them."""
    call = sql.columns("training_data", "SELECT 1;", *names)
    assert call == Call(f"SELECT {what} FROM (SELECT 1) LIMIT 0", (), only_reads=True)
    with pytest.raises(UnsupportedValueError, match=r"^training_data "):
        sql.columns("training_data", "\0")


def complete(**arguments: Any) -> Call:
    """Return the statement that asks a model, with *arguments* besides valid ones."""
    return Question(**({"model": "m", "prompt": "p"} | arguments)).call


def test_only_statements_that_change_nothing_may_be_sent_again() -> None:
    """And that cost nothing."""
    assert sql.columns("q", "SELECT 1").only_reads
    assert sql.models("db.s", "m").only_reads
    assert not sql.cancel_query("01b").only_reads
    assert not complete().only_reads


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("model", "\0"),
        ("prompt", "\0"),
        ("prompt", ["p", "\0"]),
        ("model_parameters", {"a": "\0"}),
        ("response_format", {"a": "\0"}),
    ],
)
def test_an_argument_that_cannot_be_sent_is_named(argument: str, value: object) -> None:
    """The error says which one it is, and why."""
    with pytest.raises(UnsupportedValueError, match=f"^{argument} .*NUL"):
        complete(**{argument: value})


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([1], "type list"),
        ({"a": float("nan")}, "JSON cannot hold it"),
        ({"a": object()}, "JSON cannot hold it"),
        ({"a": "\0"}, "a NUL character"),
        ({"a": "\\\0"}, "a NUL character"),
        ({"\udfff": 1}, "half a surrogate pair"),
    ],
)
def test_an_object_that_json_cannot_hold_is_rejected(value: object, problem: str) -> None:
    """So is text in it that would change on its way."""
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
def test_an_object_is_sent_as_json(value: Mapping[str, Any], text: str) -> None:
    """Letters stay letters, and the text of an escape is not a NUL character."""
    assert sql.json_text("options", value) == text
