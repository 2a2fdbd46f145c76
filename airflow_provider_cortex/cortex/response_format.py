"""What AI_EXTRACT is asked for: its argument ``responseFormat``, in each documented form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_cortex.cortex.sql import to_json
from airflow_provider_cortex.errors import ArgumentError
from airflow_provider_cortex.safe_text import excerpt

ARGUMENT = "response_format"

MAX_QUESTIONS = 100
"""Source: https://docs.snowflake.com/en/sql-reference/functions/ai_extract: in one call."""
MAX_TABLES = 10
"""So many of a schema's questions may be for tables, in addition. The same source."""

_LABELLED = re.compile(r"\s*(?P<label>(?!List\b)[\w.-]+)\s*:\s*\S")

_FORMS = (
    'must be {"label": "question"}, a list of questions, a list of ["label", "question"], a list'
    ' of "label: question", or {"schema": a JSON schema}'
)


@dataclass(frozen=True)
class ResponseFormat:
    """
    The questions of an extraction.

    Source: https://docs.snowflake.com/en/sql-reference/functions/ai_extract

    :param json: the argument as JSON text.
    :param labels: the names of the answers, in their order.
    :param objects: those of them whose answers are lists, tables or objects, by the JSON schema.
        In their order: staging tables are named after all of this.
    """

    json: str
    labels: tuple[str, ...]
    objects: tuple[str, ...] = ()


def read(value: object) -> ResponseFormat | None:
    """
    Return the questions; None for None, or for a template that finds nothing.

    :param value: one of the documented forms, or its JSON text.
    :raises ArgumentError: if it is none of these.
    """
    found = _decoded(value)
    if found is None:
        return None
    labels, objects = _labels(found)
    empty = [label for label in labels if not label.strip()]
    if not labels or empty:
        raise _invalid(value, "each question needs a text")
    most = MAX_QUESTIONS + (MAX_TABLES if objects else 0)
    if len(labels) > most:
        raise _invalid(value, f"it has {len(labels)} questions, more than {most}")
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise _invalid(value, f"{excerpt(', '.join(twice))} is there more than once")
    return ResponseFormat(to_json(ARGUMENT, found), tuple(labels), tuple(objects))


def _decoded(value: object) -> Mapping[str, Any] | list[Any] | None:
    if isinstance(value, str):
        if value.strip() in {"", "None"}:
            return None
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise _invalid(value, "it is text that is not JSON (| tojson)") from error
    if value is None or isinstance(value, Mapping):
        return value
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return list(value)
    raise _invalid(value, f"got one of type {type(value).__name__}")


def _labels(found: Mapping[str, Any] | list[Any]) -> tuple[list[str], list[str]]:
    """Return the names of the answers, and those of them that are no plain values."""
    if isinstance(found, Mapping):
        schema = found.get("schema")
        if isinstance(schema, Mapping):
            return _of_schema(found, schema)
        if not all(isinstance(text, str) and text.strip() for text in found.values()):
            raise _invalid(found, "each label needs a question, which is a text")
        return [str(label) for label in found], []
    return [_of_item(item) for item in found], []


def _of_schema(found: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    properties = schema.get("properties")
    if len(found) > 1:
        raise _invalid(found, "a schema cannot be combined with other questions")
    if not isinstance(properties, Mapping):
        raise _invalid(found, "the JSON schema has no properties")
    kinds = {
        str(name): one.get("type") if isinstance(one, Mapping) else None
        for name, one in properties.items()
    }
    return list(kinds), [name for name, kind in kinds.items() if _is_object(kind)]


def _is_object(kind: object) -> bool:
    """Return whether a property's type, or one of its types, is a list, a table or an object."""
    kinds = [kind] if isinstance(kind, str) else kind if isinstance(kind, list) else []
    return "array" in kinds or "object" in kinds


# Guess colon-label: a text in a list is "label: question" if one word stands before its first
# colon; else the whole text is the label. If wrong: CortexExtractTableOperator's columns stay empty
# for such a list. No live check: the other forms leave no doubt.
def _of_item(item: object) -> str:
    match item:
        case str():
            labelled = _LABELLED.match(item)
            return labelled["label"] if labelled else item.strip()
        case [str(label), str(question)] if question.strip():
            return label
    raise _invalid(item, "a list has questions, or pairs of a label and a question")


def _invalid(value: object, problem: str) -> ArgumentError:
    return ArgumentError(ARGUMENT, value, f"{_FORMS}; {problem}.")
