"""AI_EXTRACT's statements and answers."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.cortex import extraction, response_format
from airflow_provider_cortex.cortex.extraction import Extraction, Extractor
from airflow_provider_cortex.errors import ArgumentError, UnreadableAnswerError

QUESTIONS = response_format.read({"total": "What is the total?"})


def test_a_tuned_model_needs_no_questions() -> None:
    """A tuned model is named, and asked for what it was tuned with unless there are questions."""
    call = extraction.of_text(Extractor(model="db.s.m"), "a text")
    assert (call.sql, call.values) == (
        "SELECT AI_EXTRACT(model => %s, text => %s)",
        ("db.s.m", "a text"),
    )
    call = extraction.of_text(
        Extractor(model="@db.s.m", questions=QUESTIONS, scores=True), "a text"
    )
    assert call.values[0] == "db.s.m"
    assert call.sql == (
        "SELECT AI_EXTRACT(model => %s, text => %s, responseFormat => PARSE_JSON(%s),"
        " scores => TRUE)"
    )
    assert call.values[2] == '{"total": "What is the total?"}'


@pytest.mark.parametrize("model", [None, "arctic-extract", " Arctic-Extract "])
def test_the_base_model_is_not_named(model: str | None) -> None:
    """The base model is asked by a call without a model, and needs questions."""
    call = extraction.of_text(Extractor(model=model, questions=QUESTIONS), "a text")
    assert call.sql == "SELECT AI_EXTRACT(text => %s, responseFormat => PARSE_JSON(%s))"
    with pytest.raises(ArgumentError, match="response_format is needed"):
        Extractor(model=model)


def test_files_are_one_statement_in_their_order() -> None:
    """All files are read by one statement, which keeps their order."""
    call = extraction.of_files(Extractor(model="m"), ["@s/b.pdf", " @s/a.pdf"])
    assert call.sql.endswith("FROM TABLE(FLATTEN(PARSE_JSON(%s))) AS item ORDER BY item.index")
    assert json.loads(str(call.values[-1])) == ["@s/b.pdf", "@s/a.pdf"]
    with pytest.raises(ArgumentError, match="files must be a path on a named stage"):
        extraction.of_files(Extractor(model="m"), ["a.pdf"])


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (None, Extraction(error="nothing (NULL)")),
        ({"response": None, "error": "too large"}, Extraction(error="too large")),
        ({"response": {"total": "1"}, "error": None}, Extraction(answers={"total": "1"})),
        ({"response": {"total": "1"}}, Extraction(answers={"total": "1"})),
        (
            {"response": {"a": None}, "scoring": {"a": {"score": 0.5}}},
            Extraction(answers={"a": None}, scores={"a": {"score": 0.5}}),
        ),
    ],
)
def test_an_answer_is_read_in_each_form(cell: Any, found: Extraction) -> None:
    """An answer has a response or an error; it may arrive as text."""
    assert extraction.read(cell) == found
    if cell is not None:
        assert extraction.read(json.dumps(cell)) == found


@pytest.mark.parametrize("cell", ["no JSON", "[]", "{}", '{"response": "text"}'])
def test_any_other_answer_is_an_error(cell: str) -> None:
    """An answer in another form is not taken for an empty one."""
    with pytest.raises(UnreadableAnswerError):
        extraction.read(cell)
