"""Reading what a model answered."""

from typing import Any

import pytest

from airflow_provider_cortex.cortex import completion
from airflow_provider_cortex.errors import CompletionError, UnreadableAnswerError


def read(cell: object, **changes: Any) -> Any:
    """Read an answer of AI_COMPLETE without a response format, but for *changes*."""
    arguments: dict[str, Any] = {
        "model": "m",
        "function": "AI_COMPLETE",
        "with_options": False,
        "structured": False,
    }
    return completion.read(cell, **(arguments | changes))


OLD = {"function": "COMPLETE"}
OLD_WITH_OPTIONS = {"function": "COMPLETE", "with_options": True}


@pytest.mark.parametrize(
    ("cell", "changes", "answer"),
    [
        ('{"value": "yes", "error": null}', {}, "yes"),
        ('{"value": "yes"}', {}, "yes"),
        ('{"value": "", "error": null}', {}, ""),
        ('{"value": {"a": 1}, "error": null}', {"structured": True}, {"a": 1}),
        ('{"value": "{\\"a\\": 1}", "error": null}', {"structured": True}, {"a": 1}),
        ("yes", OLD, "yes"),
        ('{"value": "yes"}', OLD, '{"value": "yes"}'),
        ('{"choices": [{"messages": "yes"}]}', OLD_WITH_OPTIONS, "yes"),
        (
            '{"structured_output": [{"raw_message": {"a": 1}, "type": "json"}]}',
            OLD_WITH_OPTIONS | {"structured": True},
            {"a": 1},
        ),
        (
            '{"choices": [{"messages": "{\\"a\\": 1}"}]}',
            OLD_WITH_OPTIONS | {"structured": True},
            {"a": 1},
        ),
    ],
)
def test_answer(cell: str, changes: dict[str, Any], answer: object) -> None:
    """Each function's shape is read for what it is, and an answer's text is left alone."""
    assert read(cell, **changes) == answer


@pytest.mark.parametrize(
    ("cell", "changes", "message"),
    [
        (None, {}, "nothing (NULL)"),
        (None, OLD, "nothing (NULL)"),
        ('{"value": null, "error": null}', {}, "nothing (NULL)"),
        ('{"value": null, "error": "too long"}', {}, "too long"),
        ('{"error": "too long"}', {}, "too long"),
        ('{"value": null, "error": {"message": "too long", "code": 1}}', {}, "too long"),
        ('{"value": null, "error": {"code": 17}}', {}, '{"code": 17}'),
        ('{"error": {"message": "no such model"}}', OLD_WITH_OPTIONS, "no such model"),
    ],
)
def test_no_answer(cell: object, changes: dict[str, Any], message: str) -> None:
    """A NULL or an error object is a failure in Cortex's own words, for a model by name."""
    with pytest.raises(CompletionError) as error:
        read(cell, **changes)
    assert (error.value.model, error.value.message) == ("m", message)


@pytest.mark.parametrize(
    ("cell", "changes"),
    [("yes", {}), ("{}", {}), ("{}", OLD_WITH_OPTIONS), ('{"value": "x"}', {"structured": True})],
)
def test_unreadable_answer(cell: str, changes: dict[str, Any]) -> None:
    """A shape that no page of Snowflake's shows is refused, not guessed at, and is shown."""
    with pytest.raises(UnreadableAnswerError) as error:
        read(cell, **changes)
    assert error.value.answer in cell
