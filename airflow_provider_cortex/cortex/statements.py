"""The SQL of each call of Cortex: what to call, and the values for the driver to bind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

CompletionFunction = Literal["AI_COMPLETE", "COMPLETE"]
COMPLETION_FUNCTIONS: tuple[str, ...] = get_args(CompletionFunction)


@dataclass(frozen=True, slots=True)
class Call:
    """
    One ``SELECT`` of Cortex functions.

    The values stand apart from the text, in the driver's ``pyformat`` style: the driver writes them
    into the statement as escaped literals. Snowflake documents nothing on server-side binds for
    FINETUNE, and every known client sends literals.
    """

    sql: str
    values: tuple[str | None, ...]
    only_reads: bool = False
    """Whether sending it twice is the same as sending it once."""


def describe(*job_ids: str) -> Call:
    """
    https://docs.snowflake.com/sql-reference/functions/finetune-describe.

    Several jobs are as many columns of one row: each answer keeps its place. That an account takes
    several calls in one statement is a guess: the client finds out.
    """
    calls = ", ".join([_function("DESCRIBE", 1)] * len(job_ids))
    return Call(f"SELECT {calls}", job_ids, only_reads=True)


def show() -> Call:
    """https://docs.snowflake.com/sql-reference/functions/finetune-show."""
    return Call(f"SELECT {_function('SHOW')}", (), only_reads=True)


def cancel(job_id: str) -> Call:
    """https://docs.snowflake.com/sql-reference/functions/finetune-cancel."""
    return _finetune("CANCEL", job_id)


def create(
    model: str,
    base_model: str,
    training_data: str,
    *,
    validation_data: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Call:
    """
    https://docs.snowflake.com/sql-reference/functions/finetune-create.

    Options are JSON text, in the fifth place; a validation query that is left out before them is
    NULL, as snowflake-ml-python sends it.
    """
    values: list[str | None] = [model, base_model, _query(training_data)]
    if validation_data is not None or options:
        values.append(None if validation_data is None else _query(validation_data))
    if options:
        values.append(json.dumps(options))
    return _finetune("CREATE", *values)


def complete(
    model: str,
    prompt: str,
    *,
    model_parameters: Mapping[str, Any] | None = None,
    response_format: Mapping[str, Any] | None = None,
    function: CompletionFunction = "AI_COMPLETE",
) -> Call:
    """
    Ask *model* to answer *prompt*.

    https://docs.snowflake.com/sql-reference/functions/ai_complete and, for the function that
    Snowflake is retiring, https://docs.snowflake.com/sql-reference/functions/complete-snowflake-cortex
    """
    if function == "COMPLETE":
        return _legacy_complete(model, prompt, model_parameters, response_format)
    arguments = ["model => %s", "prompt => %s"]
    values: list[str | None] = [model, prompt]
    # That an object may come from PARSE_JSON is seen in use for response_format; for
    # model_parameters it is a guess.
    if model_parameters:
        arguments.append("model_parameters => PARSE_JSON(%s)")
        values.append(json.dumps(model_parameters))
    if response_format:
        arguments.append("response_format => PARSE_JSON(%s)")
        values.append(json.dumps(response_format))
    # Without this an error is a bare NULL, and its message is lost.
    arguments.append("return_error_details => TRUE")
    return Call(f"SELECT AI_COMPLETE({', '.join(arguments)})", tuple(values))


def _legacy_complete(
    model: str,
    prompt: str,
    model_parameters: Mapping[str, Any] | None,
    response_format: Mapping[str, Any] | None,
) -> Call:
    options = dict(model_parameters or {})
    if response_format:
        options["response_format"] = response_format
    if not options:
        return Call("SELECT SNOWFLAKE.CORTEX.COMPLETE(%s, %s)", (model, prompt))
    # With options, COMPLETE takes the prompt as an array of messages, and answers an object.
    messages = json.dumps([{"role": "user", "content": prompt}])
    return Call(
        "SELECT SNOWFLAKE.CORTEX.COMPLETE(%s, PARSE_JSON(%s), PARSE_JSON(%s))",
        (model, messages, json.dumps(options)),
    )


def _finetune(action: str, *values: str | None) -> Call:
    return Call(f"SELECT {_function(action, len(values))}", values)


def _function(action: str, values: int = 0) -> str:
    arguments = ", ".join([f"'{action}'", *["%s"] * values])
    return f"SNOWFLAKE.CORTEX.FINETUNE({arguments})"


def _query(text: str) -> str:
    """
    Drop the semicolon at the end of a query.

    Cortex runs ``SELECT "PROMPT", "COMPLETION" FROM (<query>)``, and fails the job on it.
    """
    return text.strip().removesuffix(";").rstrip()
