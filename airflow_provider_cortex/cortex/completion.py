"""Ask a model with Cortex's functions AI_COMPLETE and COMPLETE, and read its answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_cortex.cortex.completion_function_names import CompletionFunction
from airflow_provider_cortex.cortex.json_decoding import decode, decode_object
from airflow_provider_cortex.cortex.rendered_values import is_number, text
from airflow_provider_cortex.cortex.sql import Call, json_text, to_json
from airflow_provider_cortex.errors import (
    AnswerTooLargeError,
    ArgumentError,
    CompletionError,
    EmptyArgumentError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.safe_text import excerpt

Prompt = str | Sequence[str] | Sequence[Mapping[str, Any]]
"""A text; a list of texts, each with its own answer; or the messages of one conversation."""

NULL_ANSWER = "nothing (NULL)"

PROMPT_OF_LIST = "item.value::VARCHAR"
"""One prompt of a list, in the statement for all of them."""

MAX_XCOM_BYTES = 49_344
"""
The limit that Airflow had for an XCom (``MAX_XCOM_SIZE``). Larger ones work, but slow down its
database.
"""

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")

FunctionCall = tuple[str, tuple[str | None, ...]]
"""A function call in SQL, and the values it binds."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """
    The answer of a model to one prompt.

    :param answer: text; with a response format, its decoded JSON.
    :param usage: the number of tokens as Cortex counts them; None if Cortex does not report it.
    """

    answer: Any
    usage: Mapping[str, Any] | None = None


# Guess conversation-prompt: AI_COMPLETE accepts a conversation, as COMPLETE does. If wrong: the
# task fails with Snowflake's message; `function="COMPLETE"` still works.
#
# Guess returned-name: AI_COMPLETE accepts a model by the full name that DESCRIBE returns. If
# wrong: the task fails: the model is unknown.
@dataclass(frozen=True, kw_only=True)
class Question:
    """
    A model, its prompts, and how to ask them.

    :param model: a tuned model by the name that Cortex returned (guess returned-name), or a base
        model.
    :param prompt: see :data:`Prompt`. Only the page of COMPLETE documents a conversation (guess
        conversation-prompt).
    :param model_parameters: such as ``{"temperature": 0, "max_tokens": 100}``.
    :param response_format: a JSON schema, as ``{"type": "json", "schema": {…}}``.
    :param function: ``COMPLETE`` for the function that Snowflake is retiring.
    :param with_usage: have tokens reported; COMPLETE reports them only with options.
    :raises ArgumentError: if one is invalid.
    """

    model: str
    prompt: Prompt
    model_parameters: Mapping[str, Any] | None = None
    response_format: Mapping[str, Any] | None = None
    function: CompletionFunction = "AI_COMPLETE"
    with_usage: bool = False

    def __post_init__(self) -> None:
        _ = self.call  # validates the arguments

    @property
    def is_list(self) -> bool:
        """Whether there are several prompts, each with its own answer."""
        return not isinstance(self.prompt, str) and isinstance(self.prompt[0], str)

    @property
    def call(self) -> Call:
        """
        The statement: it returns one row for each prompt, in their order.

        Sources: https://docs.snowflake.com/sql-reference/functions/ai_complete
        and https://docs.snowflake.com/sql-reference/functions/complete-snowflake-cortex
        """
        if isinstance(self.prompt, str):
            function, values = self._function("%s", text("prompt", self.prompt))
            return Call(f"SELECT {function}", values)
        prompts = to_json("prompt", list(self.prompt))
        if not self.is_list:
            function, values = self._function("PARSE_JSON(%s)", prompts)
            return Call(f"SELECT {function}", values)
        function, values = self._function(PROMPT_OF_LIST)
        sql = f"SELECT {function} FROM TABLE(FLATTEN(PARSE_JSON(%s))) AS item ORDER BY item.index"  # noqa: S608 - no input
        return Call(sql, (*values, prompts))

    def read(self, cells: Sequence[object]) -> tuple[Completion, ...]:
        """
        Return the answer to each prompt.

        :param cells: what the function returned, one cell for each prompt.
        :raises CompletionError: if Cortex reports an error for a prompt, or returns NULL.
        :raises UnreadableAnswerError: if an answer has none of the documented forms.
        """
        if not self.is_list:
            (cell,) = cells
            return (self._read(cell),)
        found: list[Completion] = []
        errors: dict[int, CompletionError] = {}
        for number, cell in enumerate(cells, start=1):
            try:
                found.append(self._read(cell))
            except CompletionError as error:
                errors[number] = error
        if errors:
            raise CompletionError(self.model, _first_of(errors, len(cells)))
        return tuple(found)

    def _function(self, prompt: str, *prompt_values: str) -> FunctionCall:
        """Return the call for a prompt: an expression in SQL, and the values that it binds."""
        if self.function == "COMPLETE":
            return self._complete(prompt, *prompt_values)
        arguments, values = ai_complete_arguments(
            model_parameters=self.model_parameters,
            response_format=self.response_format,
            with_usage=self.with_usage,
        )
        sql = f"AI_COMPLETE(model => %s, prompt => {prompt}, {arguments})"
        return sql, (text("model", self.model), *prompt_values, *values)

    def _complete(self, prompt: str, *prompt_values: str) -> FunctionCall:
        model = text("model", self.model)
        if not self._has_options:
            return f"SNOWFLAKE.CORTEX.COMPLETE(%s, {prompt})", (model, *prompt_values)
        # With options, COMPLETE takes the prompt as an array of messages.
        if isinstance(self.prompt, str):
            prompt = "PARSE_JSON(%s)"
            prompt_values = (json.dumps([{"role": "user", "content": self.prompt}]),)
        elif self.is_list:
            prompt = f"ARRAY_CONSTRUCT(OBJECT_CONSTRUCT('role', 'user', 'content', {prompt}))"
        options = dict(self.model_parameters or {})
        json_text("model_parameters", options)  # raises an error that names this argument
        if self.response_format:
            json_text("response_format", self.response_format)
            options["response_format"] = self.response_format
        sql = f"SNOWFLAKE.CORTEX.COMPLETE(%s, {prompt}, PARSE_JSON(%s))"
        return sql, (model, *prompt_values, to_json("model_parameters", options))

    @property
    def _has_options(self) -> bool:
        """Whether COMPLETE is called with options: it then returns an object instead of text."""
        is_conversation = not (isinstance(self.prompt, str) or self.is_list)
        return bool(self.model_parameters or self.response_format or is_conversation)

    def _read(self, cell: object) -> Completion:
        if cell is None:
            raise CompletionError(self.model, NULL_ANSWER)
        if self.function == "AI_COMPLETE":
            answer = _read_value(cell, self.model)
            has_choices = self.with_usage
        else:
            answer, has_choices = cell, self._has_options
        usage = None
        if has_choices:
            answer, usage = _read_choices(answer, self.model)
        return Completion(answer=decode(answer) if self.response_format else answer, usage=usage)


# Guess parameters-from-json: AI_COMPLETE accepts `PARSE_JSON(…)` for model_parameters. Other
# clients send it for response_format. If wrong: a task with model_parameters fails with
# Snowflake's message.
#
# Guess details-and-errors: with show_details and return_error_details, AI_COMPLETE returns the
# details as the `value`. If wrong: CortexCompleteOperator fails, since it cannot read the answer,
# and CortexEvaluateOperator finds no answers.
def ai_complete_arguments(
    *,
    model_parameters: Mapping[str, Any] | None,
    response_format: Mapping[str, Any] | None,
    with_usage: bool = False,
) -> tuple[str, tuple[str, ...]]:
    """
    Return AI_COMPLETE's arguments after model and prompt, and the values that they bind.

    Snowflake's page shows literals instead of PARSE_JSON (guess parameters-from-json), and no call
    with both details (guess details-and-errors).
    """
    mappings = {"model_parameters": model_parameters, "response_format": response_format}
    objects = {name: json_text(name, value) for name, value in mappings.items() if value}
    arguments = [f"{name} => PARSE_JSON(%s)" for name in objects]
    if with_usage:
        arguments.append("show_details => TRUE")
    # Without it an error is just NULL, and its message is lost.
    arguments.append("return_error_details => TRUE")
    return ", ".join(arguments), tuple(objects.values())


def prompt(argument: str, value: object) -> Prompt:
    """
    Return a valid prompt: a text, a list of texts, or a conversation.

    ``render_template_as_native_obj`` turns some text into a number or a bool: these become text
    again. Errors do not quote the prompt: it may be long or confidential.

    :raises ArgumentError: if it is none of these, or empty.
    """
    value = _as_text(value)
    if isinstance(value, str):
        return text(argument, _non_empty(argument, value))
    if not isinstance(value, Iterable) or isinstance(value, Mapping | bytes | bytearray):
        raise EmptyArgumentError(argument, value)
    items = [_as_text(item) for item in value]
    if not items:
        raise ArgumentError(argument, value, "is an empty list, so there is nothing to ask.")
    if all(isinstance(item, str) for item in items):
        return [text(argument, _non_empty(argument, item)) for item in items]
    if all(isinstance(item, Mapping) and {"role", "content"} <= item.keys() for item in items):
        return [{**item, "content": _as_text(item["content"])} for item in items]
    kinds = ", ".join(sorted({type(item).__name__ for item in items}))
    raise ArgumentError(
        argument,
        None,
        "must be a text, a list of texts, or a list of messages that each have a role and a"
        f" content; got a list of {kinds}.",
    )


def usage(completions: Iterable[Completion]) -> dict[str, int] | None:
    """Return the total numbers of tokens; None if Cortex did not report any."""
    reported = [completion.usage for completion in completions if completion.usage]
    if not reported:
        return None
    counts = {
        name: [one[name] for one in reported if isinstance(one.get(name), int)] for name in TOKENS
    }
    return {name: sum(numbers) for name, numbers in counts.items() if numbers}


def check_size(answer: object, table_operator: str = "CortexCompleteTableOperator") -> None:
    """
    Check that an answer is small enough for an XCom.

    :param table_operator: what to use for larger ones.
    :raises AnswerTooLargeError: if it is not.
    """
    size = len(json.dumps(answer, default=str).encode())
    if size > MAX_XCOM_BYTES:
        raise AnswerTooLargeError(size, MAX_XCOM_BYTES, table_operator)


def _as_text(value: Any) -> Any:
    """Return a number or a bool as text, and anything else as it is."""
    return str(value) if isinstance(value, bool) or is_number(value) else value


def _non_empty(argument: str, value: str) -> str:
    if value.strip() in {"", "None"}:
        raise EmptyArgumentError(argument, value)
    return value


def _first_of(errors: Mapping[int, CompletionError], prompts: int) -> str:
    """Return the first error's message, and the numbers of all prompts without an answer."""
    numbers = excerpt(", ".join(map(str, errors)))
    first = next(iter(errors.values()))
    count = f"{len(errors)} of {prompts} prompts have no answer"
    return f"{first.message} ({count}: number {numbers})"


def _read_value(cell: object, model: str) -> object:
    """
    Return the value in ``{value, error}``.

    Source: https://docs.snowflake.com/sql-reference/functions/ai_complete
    """
    record = decode_object(cell)
    if "value" not in record and "error" not in record:
        raise UnreadableAnswerError("which should have a value or an error", cell)
    _raise_error(record, model)
    if record.get("value") is None:
        raise CompletionError(model, NULL_ANSWER)
    return record["value"]


def _read_choices(cell: object, model: str) -> tuple[object, Mapping[str, Any] | None]:
    """
    Return the first choice, and the usage if it is reported.

    Source: https://docs.snowflake.com/sql-reference/functions/complete-snowflake-cortex
    """
    record = decode_object(cell)
    _raise_error(record, model)
    tokens = record.get("usage")
    usage = tokens if isinstance(tokens, Mapping) else None
    match record:
        case {"structured_output": [{"raw_message": answer}, *_]}:
            return answer, usage
        case {"choices": [{"messages": answer}, *_]}:
            return answer, usage
    raise UnreadableAnswerError("which should have choices", cell)


def _raise_error(record: Mapping[str, Any], model: str) -> None:
    error = record.get("error")
    if isinstance(error, Mapping):
        error = error.get("message") or json.dumps(error)
    if error:
        raise CompletionError(model, str(error))
