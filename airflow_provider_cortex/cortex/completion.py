"""Ask a model, in the SQL of each of Cortex's functions, and read what it answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from airflow_provider_cortex.cortex.arguments import is_number
from airflow_provider_cortex.cortex.json_decoding import decode, decode_object
from airflow_provider_cortex.cortex.sql import Call, json_text, text, written
from airflow_provider_cortex.errors import (
    AnswerTooLargeError,
    ArgumentError,
    CompletionError,
    EmptyArgumentError,
    UnreadableAnswerError,
    excerpt,
)

CompletionFunction = Literal["AI_COMPLETE", "COMPLETE"]
COMPLETION_FUNCTIONS: tuple[str, ...] = get_args(CompletionFunction)

Prompt = str | Sequence[str] | Sequence[Mapping[str, Any]]
"""A text; a list of texts, each to be answered by itself; or a conversation of messages."""

NULL_ANSWER = "nothing (NULL)"

EACH = "item.value::VARCHAR"
"""One of a list of prompts, in the statement that asks them all."""

MAX_XCOM_BYTES = 49_344
"""Bytes: what Airflow allowed an XCom at most, as long as it did (``MAX_XCOM_SIZE``); a database bears more, badly."""

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """
    What a model answered.

    :param answer: text, or by a response format what its JSON says.
    :param usage: the tokens that it took, as Cortex counts them; None if Cortex does not tell.
    """

    answer: Any
    usage: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    What to ask of a model, and how.

    :param model: a tuned model by the name that Cortex gave it, or a base model.
    :param prompt: see :data:`Prompt`. That AI_COMPLETE takes a conversation is a guess: only COMPLETE's page has it.
    :param model_parameters: such as ``{"temperature": 0, "max_tokens": 100}``.
    :param response_format: a JSON schema, as ``{"type": "json", "schema": {…}}``.
    :param function: ``COMPLETE`` for the function that Snowflake is retiring.
    :param with_usage: have the tokens told; COMPLETE tells them with options only.
    :raises ArgumentError: if one is of no use.
    """

    model: str
    prompt: Prompt
    model_parameters: Mapping[str, Any] | None = None
    response_format: Mapping[str, Any] | None = None
    function: CompletionFunction = "AI_COMPLETE"
    with_usage: bool = False

    def __post_init__(self) -> None:
        _ = self.call  # what cannot be sent is refused now

    @property
    def is_list(self) -> bool:
        """Whether there are several prompts, each to be answered by itself."""
        return not isinstance(self.prompt, str) and isinstance(self.prompt[0], str)

    @property
    def call(self) -> Call:
        """
        Return the statement: one row, or one for each of several prompts, in their order.

        https://docs.snowflake.com/sql-reference/functions/ai_complete
        https://docs.snowflake.com/sql-reference/functions/complete-snowflake-cortex
        """
        if isinstance(self.prompt, str):
            function, values = self._function("%s", text("prompt", self.prompt))
            return Call(f"SELECT {function}", values)
        asked = written("prompt", list(self.prompt))
        if not self.is_list:
            function, values = self._function("PARSE_JSON(%s)", asked)
            return Call(f"SELECT {function}", values)
        function, values = self._function(EACH)
        sql = f"SELECT {function} FROM TABLE(FLATTEN(PARSE_JSON(%s))) AS item ORDER BY item.index"  # noqa: S608 - no input
        return Call(sql, (*values, asked))

    def read(self, cells: Sequence[object]) -> tuple[Completion, ...]:
        """
        Return what was answered to each prompt.

        :param cells: what the function returned, a cell for each prompt.
        :raises CompletionError: if Cortex reports an error for one, or gives NULL.
        :raises UnreadableAnswerError: if an answer has none of the shapes of Snowflake's pages.
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
            raise CompletionError(self.model, _several(errors, of=len(cells)))
        return tuple(found)

    def _function(self, prompt: str, *asked: str) -> tuple[str, tuple[str | None, ...]]:
        if self.function == "COMPLETE":
            return self._legacy(prompt, *asked)
        arguments, values = ai_complete(
            model_parameters=self.model_parameters,
            response_format=self.response_format,
            with_usage=self.with_usage,
        )
        sql = f"AI_COMPLETE(model => %s, prompt => {prompt}, {arguments})"
        return sql, (text("model", self.model), *asked, *values)

    def _legacy(self, prompt: str, *asked: str) -> tuple[str, tuple[str | None, ...]]:
        model = text("model", self.model)
        if not self._is_long:
            return f"SNOWFLAKE.CORTEX.COMPLETE(%s, {prompt})", (model, *asked)
        # With options, COMPLETE takes the prompt as an array of messages, and answers an object.
        if isinstance(self.prompt, str):
            prompt = "PARSE_JSON(%s)"
            asked = (json.dumps([{"role": "user", "content": self.prompt}]),)
        elif self.is_list:
            prompt = f"ARRAY_CONSTRUCT(OBJECT_CONSTRUCT('role', 'user', 'content', {prompt}))"
        if self.model_parameters:
            json_text("model_parameters", self.model_parameters)
        options = dict(self.model_parameters or {})
        if self.response_format:
            json_text("response_format", self.response_format)
            options["response_format"] = self.response_format
        sql = f"SNOWFLAKE.CORTEX.COMPLETE(%s, {prompt}, PARSE_JSON(%s))"
        return sql, (model, *asked, written("model_parameters", options))

    @property
    def _is_long(self) -> bool:
        """Whether COMPLETE's answer is an object."""
        is_conversation = not (isinstance(self.prompt, str) or self.is_list)
        return bool(self.model_parameters or self.response_format or is_conversation)

    def _read(self, cell: object) -> Completion:
        if cell is None:
            raise CompletionError(self.model, NULL_ANSWER)
        if self.function == "AI_COMPLETE":
            answer = _with_error_details(cell, self.model)
            is_long = self.with_usage
        else:
            answer, is_long = cell, self._is_long
        usage = None
        if is_long:
            answer, usage = _with_choices(answer, self.model)
        return Completion(answer=decode(answer) if self.response_format else answer, usage=usage)


def ai_complete(
    *,
    model_parameters: Mapping[str, Any] | None,
    response_format: Mapping[str, Any] | None,
    with_usage: bool = False,
) -> tuple[str, tuple[str, ...]]:
    """
    Return AI_COMPLETE's arguments after model and prompt, and the values that they bind.

    That an object may come from PARSE_JSON is seen in use for response_format; for model_parameters it is a
    guess.
    """
    mappings = {"model_parameters": model_parameters, "response_format": response_format}
    objects = {name: json_text(name, value) for name, value in mappings.items() if value}
    arguments = [f"{name} => PARSE_JSON(%s)" for name in objects]
    if with_usage:
        arguments.append("show_details => TRUE")
    # Without this an error is a bare NULL, and its message is lost.
    arguments.append("return_error_details => TRUE")
    return ", ".join(arguments), tuple(objects.values())


def prompt(argument: str, value: object) -> Prompt:
    """
    Return what to ask, checked: a text, several, or a conversation.

    Its words are not told when it is refused: they may be long, and not meant for a log. A number or a bool is
    text that ``render_template_as_native_obj`` has changed, and counts as that.

    :raises ArgumentError: if it is none of these, or says nothing.
    """
    value = _as_text(value)
    if isinstance(value, str):
        return text(argument, _said(argument, value))
    if not isinstance(value, Iterable) or isinstance(value, Mapping | bytes | bytearray):
        raise EmptyArgumentError(argument, value)
    items = [_as_text(item) for item in value]
    if not items:
        raise ArgumentError(argument, value, "is an empty list: there is nothing to ask.")
    if all(isinstance(item, str) for item in items):
        return [text(argument, _said(argument, item)) for item in items]
    if all(isinstance(item, Mapping) and {"role", "content"} <= item.keys() for item in items):
        return [{**item, "content": _as_text(item["content"])} for item in items]
    kinds = ", ".join(sorted({type(item).__name__ for item in items}))
    raise ArgumentError(
        argument,
        None,
        "must be a text, a list of texts, or a list of messages that each have a role and a content, and is"
        f" a list of: {kinds}.",
    )


def usage(completions: Iterable[Completion]) -> dict[str, int] | None:
    """Return the tokens that all of it took; None if Cortex has not told."""
    told = [completion.usage for completion in completions if completion.usage]
    if not told:
        return None
    counts = {
        name: [one[name] for one in told if isinstance(one.get(name), int)] for name in TOKENS
    }
    return {name: sum(numbers) for name, numbers in counts.items() if numbers}


def check_size(answer: object) -> None:
    """
    Let an answer pass that an XCom should carry.

    :raises AnswerTooLargeError: if it is larger.
    """
    size = len(json.dumps(answer, default=str).encode())
    if size > MAX_XCOM_BYTES:
        raise AnswerTooLargeError(size, MAX_XCOM_BYTES)


def _as_text(value: Any) -> Any:
    """Return a number or a bool as its text, and anything else as it is."""
    return str(value) if isinstance(value, bool) or is_number(value) else value


def _said(argument: str, value: str) -> str:
    if value.strip() in {"", "None"}:
        raise EmptyArgumentError(argument, value)
    return value


def _several(errors: Mapping[int, CompletionError], *, of: int) -> str:
    numbers = excerpt(", ".join(map(str, errors)))
    first = next(iter(errors.values()))
    return f"{first.message} ({len(errors)} of {of} prompts have no answer: number {numbers})"


def _with_error_details(cell: object, model: str) -> object:
    """https://docs.snowflake.com/sql-reference/functions/ai_complete: ``{value, error}``."""
    record = decode_object(cell)
    if "value" not in record and "error" not in record:
        raise UnreadableAnswerError("which should have a value or an error", cell)
    _raise_error(record, model)
    if record.get("value") is None:
        raise CompletionError(model, NULL_ANSWER)
    return record["value"]


def _with_choices(cell: object, model: str) -> tuple[object, Mapping[str, Any] | None]:
    """https://docs.snowflake.com/sql-reference/functions/complete-snowflake-cortex."""
    record = decode_object(cell)
    _raise_error(record, model)
    tokens = record.get("usage")
    told = tokens if isinstance(tokens, Mapping) else None
    match record:
        case {"structured_output": [{"raw_message": answer}, *_]}:
            return answer, told
        case {"choices": [{"messages": answer}, *_]}:
            return answer, told
    raise UnreadableAnswerError("which should have choices", cell)


def _raise_error(record: Mapping[str, Any], model: str) -> None:
    error = record.get("error")
    if isinstance(error, Mapping):
        error = error.get("message") or json.dumps(error)
    if error:
        raise CompletionError(model, str(error))
