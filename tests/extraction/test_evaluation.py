"""Models that extract from documents are compared field by field, and document by document."""

from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.operators import CortexEvaluateOperator
from tests.account import execute, tables
from tests.extraction.invoices import MODEL, QUESTIONS, Extract, rows
from tests.worker import SLEEP, Result, Worker

BASE = "arctic-extract"


@pytest.fixture
def evaluate(
    request: Any, stage: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> Extract:
    """Run the operator for both models, without pauses."""
    monkeypatch.setattr(SLEEP, lambda _: None)
    arguments: dict[str, Any] = {
        "task_id": "evaluate",
        "models": [BASE, MODEL],
        "data": rows(range(10, 14), "new"),
        "file_column": "file",
        "expected_column": "response",
        "response_format": QUESTIONS,
        "deferrable": getattr(request, "param", False),
    }

    def run(**changes: Any) -> Result:
        return worker.run(lambda: CortexEvaluateOperator(**arguments | changes))

    return run


def of_models(result: Result, name: str) -> dict[str, Any]:
    """Return what the report says of each model."""
    return {one["model"]: one[name] for one in result.xcoms["scores"]["models"]}


@pytest.mark.parametrize("evaluate", [False, True], indirect=True, ids=["worker", "deferred"])
def test_a_document_is_right_if_all_its_fields_are(
    evaluate: Extract, account: Emulator, log_lines: Any
) -> None:
    """The tuned model wins: it knows the words of each supplier; the report has each field."""
    result = evaluate()
    assert result.xcoms["winner"] == MODEL
    assert of_models(result, "score") == {BASE: 0.5, MODEL: 1.0}
    assert of_models(result, "fields")[MODEL] == {"number": 1.0, "total": 1.0}
    assert of_models(result, "fields")[BASE] == {"number": 0.5, "total": 0.5}
    lines = "\n".join(log_lines())
    assert "field" in lines
    assert "number" in lines


def test_fields_may_be_scored_one_by_one(evaluate: Extract, account: Emulator) -> None:
    """With the score "fields", a document with half of its fields right scores a half."""
    half = """SELECT file, '{"number": "R-1010", "total": "none of it"}' AS response FROM
        (SELECT '@docs/new/10.txt' AS file)"""
    result = evaluate(data=half, score="fields", destination="compared")
    assert of_models(result, "score") == {BASE: 0.5, MODEL: 0.5}
    found = execute(account, "SELECT model, prompt, score FROM compared ORDER BY model")
    assert (MODEL, "@docs/new/10.txt", 0.5) in found
    assert tables(account) == {"COMPARED"}


def test_missing_values_and_case_do_not_matter(evaluate: Extract, account: Emulator) -> None:
    """A value that is not in the document may be null, "None" or no key; case does not count."""
    data = """SELECT '@docs/new/10.txt' AS file, '{"number": "r-1010", "vat": "None"}' AS response
        UNION ALL SELECT '@docs/new/11.txt', '{"number": "R-1011", "vat": null}'"""
    result = evaluate(data=data, response_format=None, models=[MODEL])
    assert of_models(result, "score") == {MODEL: 1.0}


def test_other_scores_are_over_the_objects_as_text(evaluate: Extract, account: Emulator) -> None:
    """Any SQL expression over the objects as text is a score, too."""
    result = evaluate(score="IFF(CONTAINS(answer, 'R-1011'), 1, 0)")
    assert of_models(result, "score")[MODEL] == 0.25


def test_what_has_no_answer_or_no_object_is_counted(evaluate: Extract, account: Emulator) -> None:
    """A missing file scores 0; without an expected answer there is no score."""
    data = f"""{rows([10, 11], "new")} UNION ALL SELECT '@docs/none.txt', '', '{{"total": "1"}}'
        UNION ALL SELECT '@docs/new/12.txt', '', NULL"""
    result = evaluate(data=data, models=[MODEL], max_unscored_rows=0.5)
    assert of_models(result, "errors") == {MODEL: 1}
    assert result.xcoms["scores"]["unscored"] == 1
    assert of_models(result, "score")[MODEL] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"file_column": "path"}, "file_column"),
        ({"response_format": {"total": 1}}, "response_format must be"),
        (
            {"data": "SELECT '@docs/1.txt' AS file, '[1]' AS response"},
            "expected_column must have JSON objects; 1 rows have others, such as '[1]'",
        ),
        ({"response_format": None}, "response_format is needed"),
    ],
)
def test_an_invalid_argument_costs_nothing(
    changes: dict[str, Any], problem: str, evaluate: Extract, stage: Emulator
) -> None:
    """What is wrong is found before a file is read, and named."""
    result = evaluate(**changes)
    assert result.state == "failed"
    assert problem in str(result.error)
    assert not stage.queries.all()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"prompt_column": "a", "file_column": "b"},
        {"prompt_column": "a", "response_format": ["b"]},
        {"file_column": "a", "model_parameters": {"temperature": 0}},
    ],
)
def test_an_invalid_task_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any]) -> None:
    """A column of prompts or of files, and the arguments that belong to it."""
    with pytest.raises(ValueError, match="file_column"):
        CortexEvaluateOperator(
            task_id="evaluate", models=["m"], data="t", expected_column="c", **arguments
        )
