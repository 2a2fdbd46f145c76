"""
COMPLETE, TRY_COMPLETE and AI_COMPLETE.

https://docs.snowflake.com/en/sql-reference/functions/ai_complete-single-string
https://docs.snowflake.com/en/sql-reference/functions/complete-snowflake-cortex
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_cortex.emulator import name_resolution
from airflow_provider_cortex.emulator.fault_kinds import COMPLETE
from airflow_provider_cortex.emulator.faults import Faults
from airflow_provider_cortex.emulator.finetune_function import BASE_MODELS
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.life import Clock
from airflow_provider_cortex.emulator.name_resolution import Namespace
from airflow_provider_cortex.emulator.sql_errors import SqlError, invalid_arguments, unknown_model
from airflow_provider_cortex.emulator.tuned_model import count_tokens, untuned_completion

UNTUNED_MODELS = BASE_MODELS | {"llama3.3-70b", "mistral-large2", "snowflake-llama-3.3-70b"}
"""Models that exist without tuning: a few of Snowflake's many."""

AI_COMPLETE_PARAMETERS = (
    "model",
    "prompt",
    "model_parameters",
    "response_format",
    "show_details",
    "return_error_details",
)
"""In their positional order."""

Prompt = str | list[object]
"""A text, or a conversation: a list of messages."""


@dataclass(frozen=True, slots=True)
class CompleteFunctions:
    """The three functions, for one account."""

    jobs: JobRegistry
    clock: Clock
    faults: Faults
    untuned_models: frozenset[str] = UNTUNED_MODELS

    def complete(self, namespace: Namespace, *args: object) -> str | None:
        """Return text, or an object with details if there are options, even empty ones."""
        match args:
            case [str(model), str(prompt)]:
                return self._completion(namespace, model, prompt)
            case [str(), None]:
                # Guess null-prompt: COMPLETE returns NULL for a prompt that is NULL, as most SQL
                # functions do. If wrong: Snowflake rejects what works in tests.
                return None
            case [str(model), list(messages), dict() | None as options]:
                completion = self._completion(namespace, model, messages)
                schema = (options or {}).get("response_format")
                return self._details(model, messages, completion, schema)
        raise invalid_arguments(of="COMPLETE", got=args)

    def try_complete(self, namespace: Namespace, *args: object) -> str | None:
        """Return NULL where :meth:`complete` fails."""
        try:
            return self.complete(namespace, *args)
        except SqlError:
            return None

    def ai_complete(self, namespace: Namespace, *args: object, **named: object) -> str | None:
        """Return the completion; for an error NULL, or an object if *return_error_details*."""
        given = dict(zip(AI_COMPLETE_PARAMETERS, args, strict=False)) | named
        with_error = given.pop("return_error_details", None)
        try:
            value = self._ai_complete(namespace, given)
        except SqlError as error:
            # BCR-2184: NULL by default since bundle 2026_02.
            return json.dumps({"value": None, "error": error.message}) if with_error else None
        if not with_error or value is None:
            return value
        is_object = given.get("response_format") or given.get("show_details")
        return json.dumps({"value": json.loads(value) if is_object else value, "error": None})

    def _ai_complete(self, namespace: Namespace, given: Mapping[str, object]) -> str | None:
        match given.get("model"), given.get("prompt"):
            case str(model), str() | list() as prompt:
                completion = self._completion(namespace, model, prompt)
                schema = given.get("response_format")
                if given.get("show_details"):
                    return self._details(model, prompt, completion, schema)
                if completion is None or schema is None:
                    return completion
                return json.dumps(_as_object(completion, schema))
            case str(), None:
                return None
        raise invalid_arguments(of="AI_COMPLETE", got=dict(given))

    def _completion(self, namespace: Namespace, model: str, prompt: Prompt) -> str | None:
        question = _last_message(prompt)
        if fault := self.faults.strike(COMPLETE, question):
            if fault.kind == "error":
                raise fault.error
            return None
        if model in self.untuned_models:
            return untuned_completion(model)
        tuned = self.jobs.model(name_resolution.qualified(model, namespace))
        if tuned is None:
            raise unknown_model(model)
        return tuned.complete(question)

    def _details(
        self, model: str, prompt: Prompt, completion: str | None, schema: object
    ) -> str | None:
        if completion is None:
            return None
        result: dict[str, object] = (
            {"choices": [{"messages": completion}]}
            if schema is None
            else {
                "structured_output": [
                    {"raw_message": _as_object(completion, schema), "type": "json"}
                ]
            }
        )
        prompt_tokens, completion_tokens = (
            count_tokens(json.dumps(prompt)),
            count_tokens(completion),
        )
        return json.dumps(
            {
                **result,
                "created": int(self.clock()),
                "model": model,
                "usage": {
                    "completion_tokens": completion_tokens,
                    "prompt_tokens": prompt_tokens,
                    "total_tokens": prompt_tokens + completion_tokens,
                },
            }
        )


def _last_message(prompt: Prompt) -> str:
    """Return the text to complete: of a conversation, its last message."""
    match prompt:
        case str():
            return prompt
        case [*_, {"content": str(content)}]:
            return content
    raise invalid_arguments(of="COMPLETE", got=prompt)


def _as_object(completion: str, response_format: object) -> dict[str, object]:
    """
    Return *completion* as an object.

    A completion that is a JSON object is returned as it is; any other becomes the first text
    property of the schema. It is not checked against the schema, as Snowflake would.
    """
    try:
        parsed = json.loads(completion)
    except json.JSONDecodeError:
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    return {_first_text_property(response_format): completion}


def _first_text_property(response_format: object) -> str:
    if isinstance(response_format, str):
        response_format = json.loads(response_format)
    match response_format:
        case {"schema": {"properties": dict(properties)}}:
            texts = [name for name, kind in properties.items() if kind.get("type") == "string"]
            return str(texts[0]) if texts else "answer"
    raise invalid_arguments(of="AI_COMPLETE", got=response_format)
