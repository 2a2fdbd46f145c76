"""What AI_EXTRACT is asked for, in each documented form."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.cortex import response_format
from airflow_provider_cortex.errors import ArgumentError

SCHEMA: dict[str, Any] = {
    "schema": {
        "type": "object",
        "properties": {
            "total": {"type": "string", "description": "What is the total?"},
            "items": {"type": "array"},
            "taxes": {"type": ["object", "null"]},
        },
    }
}


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ({"total": "What is the total?", "date": "Which date?"}, ("total", "date")),
        (["What is the total?"], ("What is the total?",)),
        ([["total", "What is the total?"], ("date", "Which date?")], ("total", "date")),
        (["total: What is the total?", "date:Which date?"], ("total", "date")),
        (["List: all dates", "Which date (as: y)?"], ("List: all dates", "Which date (as: y)?")),
        ({"schema": "Which schema?"}, ("schema",)),
        (SCHEMA, ("total", "items", "taxes")),
    ],
    ids=["labels", "questions", "pairs", "colons", "no_labels", "label_schema", "schema"],
)
def test_each_documented_form_has_its_labels(value: Any, labels: tuple[str, ...]) -> None:
    """Each documented form names its answers, also as JSON text, and is sent as it is."""
    for form in value, json.dumps(value):
        found = response_format.read(form)
        assert found is not None
        assert found.labels == labels
        assert json.loads(found.json) == json.loads(json.dumps(value))


def test_lists_and_tables_of_a_schema_are_no_texts() -> None:
    """
    An answer that a JSON schema calls an array or an object is no text. They are in one order, by
    which a retry finds its staging table.
    """
    found = response_format.read(SCHEMA)
    assert found is not None
    assert found.objects == ("items", "taxes")


@pytest.mark.parametrize("nothing", [None, "", " ", "None", "null"])
def test_nothing_leaves_the_trained_questions(nothing: object) -> None:
    """None, and a template that finds nothing, are no questions."""
    assert response_format.read(nothing) is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "each question needs a text"),
        ([], "each question needs a text"),
        ({"total": 1}, "each label needs a question"),
        ({"total": " "}, "each label needs a question"),
        (["total", 1], "a list has questions, or pairs"),
        ([["total", ""]], "a list has questions, or pairs"),
        ([["total", "a", "b"]], "a list has questions, or pairs"),
        ([" "], "each question needs a text"),
        (["total: a", "total: b"], "total is there more than once"),
        ({"schema": {"type": "object"}}, "the JSON schema has no properties"),
        (SCHEMA | {"more": "What?"}, "a schema cannot be combined"),
        ([f"question {n}" for n in range(101)], "it has 101 questions, more than 100"),
        ("not JSON", "it is text that is not JSON"),
        (7, "got one of type int"),
    ],
)
def test_anything_else_is_refused_by_name(value: Any, problem: str) -> None:
    """Any other value is refused, with the argument's name and what is wrong with it."""
    with pytest.raises(ArgumentError, match="response_format") as refused:
        response_format.read(value)
    assert problem in str(refused.value)
