"""The forms of AI_EXTRACT's responseFormat."""

import pytest

from airflow_provider_cortex.emulator.extraction_questions import Question, questions
from airflow_provider_cortex.emulator.sql_errors import SqlError

NAME, CITY = Question("name", "Which name?"), Question("city", "Which city?")
TABLE = {
    "type": "object",
    "description": "All items",
    "column_ordering": ["price", "item"],
    "properties": {"item": {"type": "array"}, "price": {"type": "array", "description": "Cost"}},
}


def schema(**properties):
    return {"schema": {"type": "object", "properties": properties}}


@pytest.mark.parametrize(
    ("response_format", "asked"),
    [
        ({"name": "Which name?", "city": "Which city?"}, [NAME, CITY]),
        ([["name", "Which name?"], ["city", "Which city?"]], [NAME, CITY]),
        (["name: Which name?", "city: Which city?"], [NAME, CITY]),
        (["Which name?"], [Question("Which name?", "Which name?")]),
        ({"names": "List: Which names?"}, [Question("names", "Which names?", is_list=True)]),
        (["List: Which names?"], [Question("List: Which names?", "Which names?", is_list=True)]),
        (schema(name={"type": "string", "description": "Which name?"}), [NAME]),
        (schema(name={"type": "string"}), [Question("name", "name")]),
        (schema(names={"type": "array"}), [Question("names", "names", is_list=True)]),
        (
            schema(items=TABLE),
            [Question("items", "All items", columns={"price": "Cost", "item": "item"})],
        ),
    ],
)
def test_each_documented_form_means_questions_with_labels(response_format, asked):
    """The order is kept, also that of a table's columns."""
    assert questions(response_format) == asked


@pytest.mark.parametrize(
    "response_format",
    [
        *(None, 7, "name", {}, [], [7], [["a"]], {"a": 7}, {"a": {"type": "string"}}),
        *(schema(), schema(a="What?"), schema(a={"type": "number"}), schema(a={"type": "object"})),
        {**schema(a={"type": "string"}), "b": "What?"},
        {"schema": {"type": "array"}},
        schema(items={**TABLE, "column_ordering": ["price"]}),
    ],
)
def test_any_other_form_is_an_error(response_format):
    """Also a schema together with other questions, and a scalar other than a text."""
    with pytest.raises(SqlError, match="responseFormat"):
        questions(response_format)
