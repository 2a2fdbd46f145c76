"""The SQL that is sent."""

import pytest

from airflow_provider_cortex.cortex import statements


def test_values_are_bound() -> None:
    """No value stands in a statement's text: the driver binds them all."""
    nasty = "ft_'); DROP TABLE t; --"
    call = statements.describe(nasty)
    assert call.sql == "SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)"
    assert call.values == (nasty,)


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
    call = statements.create("m", "b", " SELECT 1;\n", **arguments)  # type: ignore[arg-type]
    assert call.values == values
    assert call.sql.count("%s") == len(values)


def test_the_semicolon_goes() -> None:
    """A query's last semicolon would break the query that Cortex puts around it."""
    assert statements.create("m", "b", "SELECT ';' ;").values[2] == "SELECT ';'"


def test_show_and_cancel() -> None:
    """SHOW takes no argument, CANCEL the job's id."""
    assert statements.show().sql == "SELECT SNOWFLAKE.CORTEX.FINETUNE('SHOW')"
    assert statements.cancel("ft_1").values == ("ft_1",)


def test_ai_complete_asks_for_error_details() -> None:
    """AI_COMPLETE gives a bare NULL for an error, unless it is asked for details."""
    call = statements.complete("m", "p", model_parameters={"temperature": 0})
    assert call.sql == (
        "SELECT AI_COMPLETE(model => %s, prompt => %s, model_parameters => PARSE_JSON(%s),"
        " return_error_details => TRUE)"
    )
    assert call.values == ("m", "p", '{"temperature": 0}')


def test_complete_with_options_takes_messages() -> None:
    """COMPLETE takes plain text alone, and an array of messages beside options."""
    assert statements.complete("m", "p", function="COMPLETE").values == ("m", "p")
    call = statements.complete("m", "p", response_format={"type": "json"}, function="COMPLETE")
    assert call.values == (
        "m",
        '[{"role": "user", "content": "p"}]',
        '{"response_format": {"type": "json"}}',
    )
