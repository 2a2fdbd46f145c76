"""
COMPLETE, TRY_COMPLETE, AI_COMPLETE and AI_SIMILARITY.

https://docs.snowflake.com/en/sql-reference/functions/ai_complete-single-string
https://docs.snowflake.com/en/sql-reference/functions/complete-snowflake-cortex
https://docs.snowflake.com/en/sql-reference/functions/ai_similarity
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_cortex.emulator import judge, name_resolution
from airflow_provider_cortex.emulator.fault_kinds import COMPLETE
from airflow_provider_cortex.emulator.faults import Faults
from airflow_provider_cortex.emulator.finetune_function import BASE_MODELS
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.life import Clock
from airflow_provider_cortex.emulator.name_resolution import Namespace
from airflow_provider_cortex.emulator.sql_errors import (
    SqlError,
    invalid_arguments,
    invalid_value,
    unknown_model,
)
from airflow_provider_cortex.emulator.tuned_model import (
    TunedModel,
    count_tokens,
    similarity,
    untuned_completion,
)

UNTUNED_MODELS = BASE_MODELS | {"llama3.3-70b", "mistral-large2", "snowflake-llama-3.3-70b"}
"""Models that exist without tuning: a few of Snowflake's many."""

# As documented; for images there is one more.
_EMBEDDING_MODELS = {
    "e5-base-v2",
    "multilingual-e5-large",
    "nv-embed-qa-4",
    "snowflake-arctic-embed-l-v2.0",
    "snowflake-arctic-embed-m",
    "snowflake-arctic-embed-m-v1.5",
    "voyage-multilingual-2",
}
_DEFAULT_EMBEDDING_MODEL = "snowflake-arctic-embed-l-v2.0"

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
class _Answer:
    """What a model has answered."""

    text: str
    value: object
    """The text, or by a response format what it means as JSON."""


@dataclass(frozen=True, slots=True)
class CompleteFunctions:
    """The functions, for one account."""

    jobs: JobRegistry
    clock: Clock
    faults: Faults
    untuned_models: frozenset[str] = UNTUNED_MODELS

    def complete(self, namespace: Namespace, *args: object) -> str | None:
        """Return text, or an object with details if there are options, even empty ones."""
        match args:
            case [str(model), str(prompt)]:
                answer = self._answer(namespace, model, prompt, None)
                return None if answer is None else answer.text
            case [str(), None]:
                # Guess null-prompt: COMPLETE returns NULL for a prompt that is NULL, as most SQL
                # functions do. If wrong: Snowflake rejects what works in tests.
                return None
            case [str(model), list(messages), dict() | None as options]:
                schema = (options or {}).get("response_format")
                answer = self._answer(namespace, model, messages, schema)
                return self._details(model, messages, answer, schema)
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
                schema = given.get("response_format")
                answer = self._answer(namespace, model, prompt, schema)
                if given.get("show_details"):
                    return self._details(model, prompt, answer, schema)
                if answer is None:
                    return None
                return answer.text if schema is None else json.dumps(answer.value)
            case str(), None:
                return None
        raise invalid_arguments(of="AI_COMPLETE", got=dict(given))

    def ai_similarity(self, _namespace: Namespace, *args: object) -> str | None:
        """
        Return how similar two texts are, a number as text; NULL if one of them is NULL.

        :raises SqlError: for another embedding model than the documented ones.
        """
        match args:
            case [str() | None as a, str() | None as b, *options]:
                chosen = _embedding_model(options)
                if chosen not in _EMBEDDING_MODELS:
                    raise invalid_value(chosen, parameter="model")
                return None if a is None or b is None else str(similarity(a, b))
        raise invalid_arguments(of="AI_SIMILARITY", got=args)

    def _answer(
        self, namespace: Namespace, model: str, prompt: Prompt, schema: object
    ) -> _Answer | None:
        question = _last_message(prompt)
        if fault := self.faults.strike(COMPLETE, question):
            if fault.kind == "error":
                raise fault.error
            if fault.kind == "null":
                return None
            text = str(fault.parameters["text"])
            return _Answer(text, text if schema is None else _decoded(text))
        text = self._completion(namespace, model, question, schema)
        return _Answer(text, text if schema is None else _as_object(text, schema))

    def _completion(self, namespace: Namespace, model: str, question: str, schema: object) -> str:
        if model in self.untuned_models:
            judgement = None if schema is None else judge.judgement(model, question, schema)
            return judgement or untuned_completion(model)
        tuned = self.jobs.model(name_resolution.qualified(model, namespace))
        # Guess extraction-model-completes: a model for AI_EXTRACT is unknown to COMPLETE, and the
        # other way round. If wrong: real clients see another error than in tests. No live check:
        # it would take a tuned model of each kind.
        if not isinstance(tuned, TunedModel):
            raise unknown_model(model)
        return tuned.complete(question)

    def _details(
        self, model: str, prompt: Prompt, answer: _Answer | None, schema: object
    ) -> str | None:
        if answer is None:
            return None
        result: dict[str, object] = (
            {"choices": [{"messages": answer.text}]}
            if schema is None
            else {"structured_output": [{"raw_message": answer.value, "type": "json"}]}
        )
        prompt_tokens, completion_tokens = (
            count_tokens(json.dumps(prompt)),
            count_tokens(answer.text),
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
    decoded = _decoded(completion)
    if isinstance(decoded, dict):
        return decoded
    properties = judge.properties(response_format)
    texts = (name for name, kind in properties.items() if kind.get("type") == "string")
    return {next(texts, "answer"): completion}


def _decoded(text: str) -> object:
    """Return what a text means as JSON; the text itself if it is not JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _embedding_model(options: list[object]) -> str:
    """Return the model that the optional last argument of AI_SIMILARITY names."""
    match options:
        case [] | [None]:
            return _DEFAULT_EMBEDDING_MODEL
        case [dict(chosen)] if chosen.keys() <= {"model"}:
            return str(chosen.get("model", _DEFAULT_EMBEDDING_MODEL))
    raise invalid_arguments(of="AI_SIMILARITY", got=options)
