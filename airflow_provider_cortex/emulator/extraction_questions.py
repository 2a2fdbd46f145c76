"""
What AI_EXTRACT is asked: its responseFormat, in any of the documented forms.

https://docs.snowflake.com/en/sql-reference/functions/ai_extract
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from airflow_provider_cortex.emulator.sql_errors import invalid_value

_LIST = re.compile(r"\s*List:\s*", re.IGNORECASE)

# "label: question"; a label has no question mark, and "List:" is none.
_LABELLED = re.compile(
    r"\s*(?!List\s*:)(?P<label>[^:?]{1,100}?)\s*:\s*(?P<question>\S.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to extract."""

    label: str
    """The key of its answer."""
    text: str
    """The question, or a description of what is wanted."""
    is_list: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    """Of a table: their names, and what their heads say; empty for any other."""

    @classmethod
    def asked(cls, label: str, text: str) -> Self:
        """Return a question in words, which begins with ``List:`` if it wants a list."""
        match = _LIST.match(text)
        return cls(label, text[match.end() :] if match else text, is_list=bool(match))


def questions(response_format: object) -> list[Question]:
    """:raises SqlError: for a format that is not documented."""
    match response_format:
        case {"schema": dict() as schema, **others} if not others:
            found = list(_of_schema(schema))
        case dict():
            found = list(_of_object(response_format))
        case list():
            found = [_of_item(item) for item in response_format]
        case _:
            found = []
    if not found:
        raise invalid_value(response_format, parameter="responseFormat")
    return found


def _of_object(asked: Mapping[str, object]) -> Iterator[Question]:
    for label, text in asked.items():
        if not isinstance(text, str):
            raise invalid_value(asked, parameter="responseFormat")
        yield Question.asked(label, text)


def _of_item(item: object) -> Question:
    match item:
        case [str(label), str(text)]:
            return Question.asked(label, text)
        case str():
            if labelled := _LABELLED.fullmatch(item):
                return Question.asked(labelled["label"], labelled["question"])
            # Guess extract-label: the answer to a question without a label has the question as
            # its label. If wrong: real answers have other labels than those of tests.
            return Question.asked(item, item)
    raise invalid_value(item, parameter="responseFormat")


def _of_schema(schema: Mapping[str, object]) -> Iterator[Question]:
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict):
        raise invalid_value(schema, parameter="responseFormat")
    for label, wanted in properties.items():
        if not isinstance(wanted, dict):
            raise invalid_value(schema, parameter="responseFormat")
        description = str(wanted.get("description", label))
        match wanted:
            case {"type": "string"}:
                yield Question(label, description)
            case {"type": "array"}:
                yield Question(label, description, is_list=True)
            case {"type": "object", "properties": {**columns}} if columns:
                yield Question(label, description, columns=_columns(wanted, columns))
            case _:
                raise invalid_value(schema, parameter="responseFormat")


def _columns(table: Mapping[str, object], columns: Mapping[Any, object]) -> dict[str, str]:
    """Return the columns of a table in their order, with the descriptions that their heads match."""
    ordering = table.get("column_ordering")
    names = [str(name) for name in ordering] if isinstance(ordering, list) else list(columns)
    if set(names) != columns.keys():
        raise invalid_value(table, parameter="responseFormat")
    return {name: _description(columns[name], name) for name in names}


def _description(column: object, name: str) -> str:
    match column:
        case {"description": str(description)}:
            return description
    return name
