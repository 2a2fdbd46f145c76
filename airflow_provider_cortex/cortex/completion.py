"""Read what a model answered, in the shape that each of Cortex's functions gives it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_cortex.cortex.answer import decode, decode_object
from airflow_provider_cortex.cortex.statements import CompletionFunction
from airflow_provider_cortex.errors import CompletionError, UnreadableAnswerError

NOTHING = "nothing (NULL)"


def read(
    cell: object,
    *,
    model: str,
    function: CompletionFunction,
    with_options: bool,
    structured: bool,
) -> Any:
    """
    Return the answer: text, or with *structured* what its JSON says.

    :param cell: what the function returned.
    :param with_options: whether the call had any, which changes COMPLETE's shape.
    :param structured: whether a response format was asked for.
    :raises CompletionError: if Cortex reports an error, or gives NULL.
    :raises UnreadableAnswerError: if the answer has none of the shapes of Snowflake's pages.
    """
    if cell is None:
        raise CompletionError(model, NOTHING)
    if function == "AI_COMPLETE":
        answer = _with_error_details(cell, model)
    elif with_options:
        answer = _with_choices(cell, model)
    else:
        answer = cell
    return decode(answer) if structured else answer


def _with_error_details(cell: object, model: str) -> object:
    """https://docs.snowflake.com/sql-reference/functions/ai_complete: ``{value, error}``."""
    record = decode_object(cell)
    if "value" not in record and "error" not in record:
        raise UnreadableAnswerError("which should have a value or an error", cell)
    _raise_error(record, model)
    if record.get("value") is None:
        raise CompletionError(model, NOTHING)
    return record["value"]


def _with_choices(cell: object, model: str) -> object:
    """https://docs.snowflake.com/sql-reference/functions/complete-snowflake-cortex."""
    record = decode_object(cell)
    _raise_error(record, model)
    match record:
        case {"structured_output": [{"raw_message": answer}, *_]}:
            return answer
        case {"choices": [{"messages": answer}, *_]}:
            return answer
    raise UnreadableAnswerError("which should have choices", cell)


def _raise_error(record: Mapping[str, Any], model: str) -> None:
    error = record.get("error")
    if isinstance(error, Mapping):
        error = error.get("message") or json.dumps(error)
    if error:
        raise CompletionError(model, str(error))
