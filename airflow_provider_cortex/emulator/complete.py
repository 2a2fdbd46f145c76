"""
COMPLETE, TRY_COMPLETE and AI_COMPLETE over the account's models.

https://docs.snowflake.com/en/sql-reference/functions/ai_complete-single-string
https://docs.snowflake.com/en/sql-reference/functions/complete-snowflake-cortex
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_cortex.emulator import names
from airflow_provider_cortex.emulator.errors import SqlError, invalid_arguments, unknown_model
from airflow_provider_cortex.emulator.faults import COMPLETE, Faults
from airflow_provider_cortex.emulator.finetune import BASE_MODELS
from airflow_provider_cortex.emulator.jobs import Clock, Jobs
from airflow_provider_cortex.emulator.model import UNTUNED, count_tokens
from airflow_provider_cortex.emulator.names import Place

UNTUNED_MODELS = BASE_MODELS | {"llama3.3-70b", "mistral-large2", "snowflake-llama-3.3-70b"}
"""Models that answer without being tuned: a few of Snowflake's many."""

AI_COMPLETE_PARAMETERS = (
    "model",
    "prompt",
    "model_parameters",
    "response_format",
    "show_details",
    "return_error_details",
)
"""In their positional order."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The three functions, for one account."""

    jobs: Jobs
    clock: Clock
    faults: Faults
    untuned_models: frozenset[str] = UNTUNED_MODELS

    def complete(self, place: Place, *args: object) -> str | None:
        """Answer in text or, if there are options, even empty ones, in the long form."""
        match args:
            case [str(model), str(prompt)]:
                return self._answer(place, model, prompt)
            case [str(), None]:
                return None  # Guess: as most SQL functions do.
            case [str(model), list(messages), dict() | None as options]:
                answer = self._answer(place, model, messages)
                schema = (options or {}).get("response_format")
                return self._details(model, messages, answer, schema)
        raise invalid_arguments(of="COMPLETE", got=args)

    def try_complete(self, place: Place, *args: object) -> str | None:
        try:
            return self.complete(place, *args)
        except SqlError:
            return None

    def ai_complete(self, place: Place, *args: object, **named: object) -> str | None:
        """Answer as asked; errors are a NULL, or told in an object if that is wished."""
        given = dict(zip(AI_COMPLETE_PARAMETERS, args, strict=False)) | named
        told = given.pop("return_error_details", None)
        try:
            value = self._ai_complete(place, given)
        except SqlError as error:
            # BCR-2184: NULL by default since bundle 2026_02.
            return json.dumps({"value": None, "error": error.message}) if told else None
        if not told or value is None:
            return value
        is_object = given.get("response_format") or given.get("show_details")
        return json.dumps({"value": json.loads(value) if is_object else value, "error": None})

    def _ai_complete(self, place: Place, given: Mapping[str, object]) -> str | None:
        match given.get("model"), given.get("prompt"):
            case str(model), str() | list() as prompt:
                answer = self._answer(place, model, prompt)
                schema = given.get("response_format")
                if given.get("show_details"):
                    return self._details(model, prompt, answer, schema)
                if answer is None or schema is None:
                    return answer
                return json.dumps(_fit(answer, schema))
            case str(), None:
                return None
        raise invalid_arguments(of="AI_COMPLETE", got=dict(given))

    def _answer(self, place: Place, model: str, prompt: str | list[object]) -> str | None:
        question = _last(prompt)
        if fault := self.faults.strike(COMPLETE, question):
            if fault.kind == "error":
                raise fault.error
            return None
        if model in self.untuned_models:
            return UNTUNED.format(model=model)
        tuned = self.jobs.model(names.qualified(model, place))
        if tuned is None:
            raise unknown_model(model)
        return tuned.answer(question)

    def _details(
        self, model: str, prompt: str | list[object], answer: str | None, schema: object
    ) -> str | None:
        if answer is None:
            return None
        asked, answered = count_tokens(json.dumps(prompt)), count_tokens(answer)
        said: dict[str, object] = (
            {"choices": [{"messages": answer}]}
            if schema is None
            else {"structured_output": [{"raw_message": _fit(answer, schema), "type": "json"}]}
        )
        return json.dumps(
            {
                **said,
                "created": int(self.clock()),
                "model": model,
                "usage": {
                    "completion_tokens": answered,
                    "prompt_tokens": asked,
                    "total_tokens": asked + answered,
                },
            }
        )


def _last(prompt: str | list[object]) -> str:
    """Return what the answer is to: of a conversation, its last message."""
    match prompt:
        case str():
            return prompt
        case [*_, {"content": str(content)}]:
            return content
    raise invalid_arguments(of="COMPLETE", got=prompt)


def _fit(answer: str, response_format: object) -> dict[str, object]:
    """
    Give *answer* the form of an object, as far as a stand-in for a model can.

    A completion that is a JSON object goes as it is; any other becomes the schema's
    first text property. Nothing checks it against the schema, as Snowflake would.
    """
    try:
        parsed = json.loads(answer)
    except json.JSONDecodeError:
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    return {_first_text_property(response_format): answer}


def _first_text_property(response_format: object) -> str:
    if isinstance(response_format, str):
        response_format = json.loads(response_format)
    match response_format:
        case {"schema": {"properties": dict(properties)}}:
            texts = [name for name, kind in properties.items() if kind.get("type") == "string"]
            return str(texts[0]) if texts else "answer"
    raise invalid_arguments(of="AI_COMPLETE", got=response_format)
